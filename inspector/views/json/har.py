"""HTTP of a trace as one HAR 1.2 object, with WebSocket messages as browsers and mitmproxy write them.

Decoded conversations -> an entry each request, with its answer where it was captured, times from the packets
(http://www.softwareishard.com/blog/har-12-spec/; `_webSocketMessages` is Chrome's). Times are milliseconds.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from inspector.model.packets import Row, rows_in
from inspector.protocols import by_name
from inspector.protocols.http.text import head_text
from inspector.views.json.messages import streams_of
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.protocols.http.decoder import HttpDecoder
    from inspector.protocols.http.message import HttpMessage
    from inspector.protocols.websocket.decoder import WebSocketDecoder
    from inspector.trace.trace import Trace

Object = dict[str, Any]


def har(trace: Trace, rows: Int64s | None = None) -> Iterator[Object]:
    """One object: the whole archive. With `rows` only exchanges that touch one of these packets."""
    chosen = None if rows is None else frozenset(rows_in(rows))
    entries = [entry for stream in streams_of(trace, rows) for entry in _of_stream(trace, stream, chosen)]
    entries.sort(key=lambda entry: str(entry["startedDateTime"]))
    creator = {"name": "inspector", "version": version("terminal-network-inspector")}
    yield {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def _of_stream(trace: Trace, stream: int, chosen: frozenset[int] | None) -> Iterator[Object]:
    http, websocket = by_name("http"), by_name("websocket")
    layers = trace.application(stream).layers
    frames: Any = next((layer.decoder for layer in layers if layer.protocol is websocket), None)
    for layer in layers:
        if layer.protocol is not http:
            continue
        decoder: Any = layer.decoder
        for message in decoder.records:
            answer = None if message.partner is None else decoder.records[message.partner]
            carried = set(decoder.rows_of(message)) | set(decoder.rows_of(answer) if answer else ())
            if message.is_request and (chosen is None or carried & chosen):
                yield _entry(trace, stream, decoder, message, answer, frames)


def _entry(trace: Trace, stream: int, decoder: HttpDecoder, request: HttpMessage,
           answer: HttpMessage | None, frames: WebSocketDecoder | None) -> Object:
    asked, answered = _span(trace, decoder.rows_of(request)), None
    if answer is not None:
        answered = _span(trace, decoder.rows_of(answer))
    send = _ms(asked[1] - asked[0])
    wait = receive = 0.0
    if answered is not None:
        wait, receive = max(_ms(answered[0] - asked[1]), 0.0), _ms(answered[1] - answered[0])
    server = trace.flow(stream).a if request.direction else trace.flow(stream).b
    found: Object = {
        "startedDateTime": datetime.fromtimestamp(asked[0] / 1e9, UTC).isoformat(timespec="microseconds"),
        "time": round(send + wait + receive, 6),
        "request": _request(decoder, request),
        "response": _response(decoder, answer),
        "cache": {},
        "timings": {"send": send, "wait": wait, "receive": receive},
        "serverIPAddress": server[0],
        "connection": str(stream),
    }
    if answer is not None and answer.status == 101 and frames is not None:
        found["_resourceType"] = "websocket"
        found["_webSocketMessages"] = list(_messages(frames))
    return found


def _span(trace: Trace, rows: Iterable[Row]) -> tuple[int, int]:
    times = [int(trace.index.time_ns[row]) for row in rows]
    return (min(times), max(times)) if times else (0, 0)


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 6)


def _request(decoder: HttpDecoder, message: HttpMessage) -> Object:
    host = message.first("host")
    target = head_text(message.target)
    url = target if "://" in target or host is None else f"http://{head_text(host.value)}{target}"
    found = _common(message) | {
        "method": head_text(message.method), "url": url,
        "queryString": [{"name": name, "value": value} for name, value in _query(url)],
    }
    if message.body_length:
        body = decoder.decoded_body(message).data
        kind = message.first("content-type")
        found["postData"] = {"mimeType": head_text(kind.value) if kind else "", **_text(body)}
    return found


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:                             # a host in brackets that are none, and the like
        return []


def _response(decoder: HttpDecoder, message: HttpMessage | None) -> Object:
    """The answer; status 0 where none was captured, as browsers write a request that failed."""
    if message is None:
        nothing: Object = {"status": 0, "statusText": "", "httpVersion": "", "headers": [], "cookies": []}
        content = {"size": 0, "mimeType": ""}
        return nothing | {"content": content, "redirectURL": "", "headersSize": -1, "bodySize": -1}
    body = decoder.decoded_body(message).data if message.body_length else b""
    kind, location = message.first("content-type"), message.first("location")
    shown = {"size": len(body), "mimeType": head_text(kind.value) if kind else "", **_text(body)}
    return _common(message) | {
        "status": message.status, "statusText": head_text(message.reason), "content": shown,
        "redirectURL": head_text(location.value) if location else "",
    }


def _common(message: HttpMessage) -> Object:
    headers = [{"name": head_text(one.name), "value": head_text(one.value)} for one in message.headers]
    return {
        "httpVersion": message.version, "headers": headers, "cookies": [],
        "headersSize": message.body_start - message.start, "bodySize": message.body_length,
    }


def _text(body: bytes) -> Object:
    """The bytes as text where they are UTF-8, else as base64."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), "encoding": "base64"}


def _messages(decoder: WebSocketDecoder) -> Iterator[Object]:
    """Text and binary messages; control frames are not among them, as in browsers."""
    for message in decoder.messages:
        if message.is_control:
            continue
        data = decoder.message_payload(message.number)
        text = data.decode("utf-8", "replace") if message.opcode == 1 else base64.b64encode(data).decode()
        yield {"type": "send" if message.from_client else "receive", "time": message.time_ns / 1e9,
               "opcode": message.opcode, "data": text}  # fmt: skip
