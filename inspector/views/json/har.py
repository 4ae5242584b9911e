"""HTTP/1 and 2 of a trace as one HAR 1.2 object; WebSocket messages as browsers and mitmproxy write them.

Decoded conversations -> an entry each request, with its answer where it was captured, times from the packets
(http://www.softwareishard.com/blog/har-12-spec/; `_webSocketMessages` is Chrome's). Times are milliseconds.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from inspector.model.packets import Row, rows_in
from inspector.protocols import by_name
from inspector.protocols.api import MessageIndex, message_at
from inspector.protocols.http.message import decode_content
from inspector.protocols.http.text import head_text
from inspector.views.json.messages import streams_of
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.protocols.http.decoder import HttpDecoder
    from inspector.protocols.http.message import HttpMessage
    from inspector.protocols.http2.decoder import Http2Decoder
    from inspector.protocols.websocket.decoder import WebSocketDecoder
    from inspector.trace.trace import Trace

Object = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]
LONGEST = 64 << 20           # bytes of a body that are taken


def har(trace: Trace, rows: Int64s | None = None) -> Iterator[Object]:
    """One object: the whole archive. With `rows` only exchanges that touch one of these packets."""
    chosen = None if rows is None else frozenset(rows_in(rows))
    entries = [entry for stream in streams_of(trace, rows) for entry in _of_stream(trace, stream, chosen)]
    entries.sort(key=lambda entry: str(entry["startedDateTime"]))
    creator = {"name": "inspector", "version": version("terminal-network-inspector")}
    yield {"log": {"version": "1.2", "creator": creator, "entries": entries}}


class _Sent(NamedTuple):
    """A request or an answer, whichever version said it."""

    rows: tuple[Row, ...]
    version: str
    headers: Pairs
    sizes: tuple[int, int]       # of the head and the body, as they came
    body: bytes
    method: str = ""
    url: str = ""
    status: int = 0
    reason: str = ""
    lacks: str = ""              # in words, of what is not all there

    def first(self, name: str) -> str:
        """The value of the first header of this name (lower-case), "" where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def _of_stream(trace: Trace, stream: int, chosen: frozenset[Row] | None) -> Iterator[Object]:
    layers = trace.application(stream).layers
    websocket = by_name("websocket")
    frames: Any = next((layer.decoder for layer in layers if layer.protocol is websocket), None)
    scheme = "https" if any(layer.protocol.name == "tls" for layer in layers) else "http"
    for layer in layers:
        decoder: Any = layer.decoder
        name = layer.protocol.name
        exchanges = (_of_http(decoder, scheme) if name == "http" else
                     _of_http2(decoder, scheme) if name == "http2" else ())
        for client, asked, answered in exchanges:
            if chosen is None or chosen & {*asked.rows, *(answered.rows if answered else ())}:
                flow = trace.flow(stream)
                server = flow.a if client else flow.b
                yield _entry(trace, (str(stream), server[0]), asked, answered, frames)


def _of_http(decoder: HttpDecoder, scheme: str) -> Iterator[tuple[int, _Sent, _Sent | None]]:
    for message in decoder.records:
        if message.is_request:
            answer = None if message.partner is None else decoder.records[message.partner]
            sent = None if answer is None else _sent(decoder, answer, scheme)
            yield message.direction, _sent(decoder, message, scheme), sent


def _sent(decoder: HttpDecoder, message: HttpMessage, scheme: str) -> _Sent:
    headers = tuple((head_text(one.name), head_text(one.value))
                    for one in (*message.headers, *message.trailers))
    body = decoder.decoded_body(message).data if message.body_length else b""
    cut = decoder.cut(message)
    host, target = message.first("host"), head_text(message.target)
    url = target if "://" in target or host is None else f"{scheme}://{head_text(host.value)}{target}"
    return _Sent(
        tuple(decoder.rows_of(message)), message.version, headers,
        (-1, -1) if message.cut else (message.body_start - message.start, message.body_length), body,
        head_text(message.method), url, message.status or 0, head_text(message.reason),
        "" if cut is None else cut.words,
    )


def _of_http2(decoder: Http2Decoder, scheme: str) -> Iterator[tuple[int, _Sent, _Sent | None]]:
    for number in map(message_at, range(decoder.count)):
        asked = _sent2(decoder, number, scheme)
        if asked is None or not asked.method:
            continue
        first = decoder.records_of(number)[0]
        partner = decoder.partner(first)
        answered = None if partner is None else _sent2(decoder, decoder.message_of(partner), scheme)
        yield decoder.records[first].direction, asked, answered


def _sent2(decoder: Http2Decoder, number: MessageIndex, scheme: str) -> _Sent | None:
    """A message of HTTP/2 by its headers; None where it has none: frames that serve the connection."""
    frames = [decoder.records[position] for position in decoder.records_of(number)]
    found = [(head_text(one.name.decode("latin-1")), head_text(one.value.decode("latin-1")))
             for frame in frames for one in frame.headers if one.known]
    if not found:
        return None
    pseudo = {name: value for name, value in found if name.startswith(":")}
    headers = tuple(one for one in found if not one[0].startswith(":"))
    data = decoder.body(number, LONGEST)
    codings = [value for name, value in headers if name.lower() == "content-encoding"]
    words = [one.strip().lower() for one in ",".join(codings).split(",") if one.strip()]
    body = decode_content(data, words, LONGEST).data if words and data else data
    host = pseudo.get(":authority") or next((value for name, value in headers if name == "host"), "")
    status = pseudo.get(":status", "")
    return _Sent(
        tuple(sorted({row for frame in frames for row in decoder.rows_of(frame)})), "HTTP/2", headers,
        (-1, len(data)), body, pseudo.get(":method", ""),
        f"{pseudo.get(':scheme', scheme)}://{host}{pseudo.get(':path', '')}",
        int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 0,
    )


def _entry(trace: Trace, where: tuple[str, str], request: _Sent, answer: _Sent | None,
           frames: WebSocketDecoder | None) -> Object:
    """An exchange; `where`: the connection, and the server's address."""
    asked, answered = _span(trace, request.rows), None if answer is None else _span(trace, answer.rows)
    send = _ms(asked[1] - asked[0])
    wait = receive = 0.0
    if answered is not None:
        wait, receive = max(_ms(answered[0] - asked[1]), 0.0), _ms(answered[1] - answered[0])
    found: Object = {
        "startedDateTime": datetime.fromtimestamp(asked[0] / 1e9, UTC).isoformat(timespec="microseconds"),
        "time": round(send + wait + receive, 6),
        "request": _request(request),
        "response": _response(answer),
        "cache": {},
        "timings": {"send": send, "wait": wait, "receive": receive},
        "serverIPAddress": where[1],
        "connection": where[0],
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


def _request(sent: _Sent) -> Object:
    found = _common(sent) | {
        "method": sent.method, "url": sent.url,
        "queryString": [{"name": name, "value": value} for name, value in _query(sent.url)],
        "cookies": list(_cookies(sent)),
    }
    if sent.sizes[1] > 0:
        found["postData"] = {"mimeType": sent.first("content-type"), **_text(sent.body)}
    return found


def _cookies(sent: _Sent) -> Iterator[Object]:
    """What the client gives back (RFC 6265 §4.2.1)."""
    for name, value in sent.headers:
        for pair in value.split(";") if name.lower() == "cookie" else ():
            key, _, content = pair.strip().partition("=")
            if key:
                yield {"name": key, "value": content}


def _set_cookies(sent: _Sent) -> Iterator[Object]:
    """What the server gives to be kept, with its attributes (RFC 6265 §4.1.1)."""
    for name, value in sent.headers:
        if name.lower() != "set-cookie":
            continue
        pair, *attributes = [one.strip() for one in value.split(";")]
        key, _, content = pair.partition("=")
        found: Object = {"name": key, "value": content}
        for one in attributes:
            attribute, _, setting = one.partition("=")
            word = attribute.lower()
            if word in ("path", "domain"):
                found[word] = setting
            elif word in ("httponly", "secure"):
                found["httpOnly" if word == "httponly" else word] = True
            elif word == "samesite":
                found["sameSite"] = setting
        yield found


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:                             # a host in brackets that are none, and the like
        return []


def _response(sent: _Sent | None) -> Object:
    """The answer; status 0 where none was captured, as browsers write a request that failed."""
    if sent is None:
        nothing: Object = {"status": 0, "statusText": "", "httpVersion": "", "headers": [], "cookies": []}
        content = {"size": 0, "mimeType": ""}
        return nothing | {"content": content, "redirectURL": "", "headersSize": -1, "bodySize": -1}
    shown = {"size": len(sent.body), "mimeType": sent.first("content-type"), **_text(sent.body)}
    return _common(sent) | {
        "status": sent.status, "statusText": sent.reason, "content": shown,
        "redirectURL": sent.first("location"), "cookies": list(_set_cookies(sent)),
    }


def _common(sent: _Sent) -> Object:
    headers = [{"name": name, "value": value} for name, value in sent.headers]
    lacks = {"comment": sent.lacks} if sent.lacks else {}
    return {"httpVersion": sent.version, "headers": headers, "headersSize": sent.sizes[0],
            "bodySize": sent.sizes[1]} | lacks


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
