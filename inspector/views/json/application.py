"""WebSocket frames, HTTP messages and findings as flat JSON objects, keyed by Wireshark's field names.

Pure functions: a `Trace` (read as far as wanted) and rows, or None for all -> dictionaries, one a line of
output. With rows only what touches one of these packets is given. Payload is exact (JSON escapes what a
terminal could trip over); names and values of headers are harmless text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from heapq import merge
from typing import TYPE_CHECKING, Any

from inspector.protocols.http.message import as_octets
from inspector.protocols.websocket.frame import CONTINUATION, TEXT
from inspector.protocols.websocket.upgrade import Upgrade, examine, is_upgrade_request
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.http.message import HttpMessage
    from inspector.protocols.websocket.columns import WebSocketFrameRecord
    from inspector.trace.application.application import Application
    from inspector.trace.index.columns import Array
    from inspector.trace.trace import Trace
    from inspector.wire.findings import Finding

Object = dict[str, Any]


def websocket(trace: Trace, rows: Array | None = None) -> Iterator[Object]:
    """One object a frame, in order of its last byte over all conversations."""
    chosen = _chosen(rows)
    parts = (_frames(trace, stream, chosen) for stream in _streams(trace, rows))
    for _, value in merge(*parts, key=lambda pair: pair[0]):
        yield value


def _frames(trace: Trace, stream: int, chosen: frozenset[int] | None) -> Iterator[tuple[int, Object]]:
    application = trace.application(stream)
    delivered = -1
    for record in application.frames:
        delivered = max(delivered, record.row)
        if _wanted(record.rows, chosen):
            yield delivered, frame_object(application, stream, record)


def frame_object(application: Application, stream: int, record: WebSocketFrameRecord) -> Object:
    """The object of one frame. Text that is UTF-8 is `payload`, all else `payload_base64`."""
    found: Object = {
        "tcp.stream": stream,
        "direction": "client-to-server" if record.from_client else "server-to-client",
        "frames": _numbers(record.rows),
        "websocket.fin": record.fin,
        "websocket.rsv": record.rsv,
        "websocket.opcode": record.opcode,
        "websocket.mask": record.masked,
    }
    if record.masked:
        found["websocket.masking_key"] = record.masking_key.hex()
    found["websocket.payload_length"] = record.payload_length
    data = application.payload(record.number)
    if _is_text(application, record):
        try:
            found["payload"] = data.decode("utf-8")
        except UnicodeDecodeError:
            found["payload_base64"] = base64.b64encode(data).decode()
    else:
        found["payload_base64"] = base64.b64encode(data).decode()
    found["message"] = record.message
    found["findings"] = list(record.findings)
    return found


def _is_text(application: Application, record: WebSocketFrameRecord) -> bool:
    """True for frames of a text message whose octets are known to be text, not an unknown extension's."""
    if record.rsv and not record.compressed:
        return False
    opcode = record.opcode
    if opcode == CONTINUATION:
        opcode = application.messages[record.message - 1].opcode
    return opcode == TEXT


def http(trace: Trace, rows: Array | None = None) -> Iterator[Object]:
    """One object a message, in order of its first packet over all conversations."""
    chosen = _chosen(rows)
    found: list[tuple[int, Object]] = []
    for stream in _streams(trace, rows):
        application = trace.application(stream)
        for message in application.http:
            carried = application.rows_of_http(message)
            if _wanted(carried, chosen):
                found.append((min(carried, default=0), http_object(application, stream, message, carried)))
    for _, value in sorted(found, key=lambda pair: pair[0]):
        yield value


def http_object(application: Application, stream: int, message: HttpMessage, rows: Iterable[int]) -> Object:
    """The object of one message; that of a WebSocket upgrade has the proof."""
    found: Object = {"tcp.stream": stream, "frames": _numbers(rows)}
    if message.is_request:
        found["http.request.method"] = escaped(message.method)
        found["http.request.uri"] = _text(message.target)
    else:
        found["http.response.code"] = message.status
    found["headers"] = [[_text(header.name), _text(header.value)] for header in message.headers]
    found["body_length"] = message.body_length
    upgrade = _upgrade(application, message)
    if upgrade is not None:
        if upgrade.key is not None:
            found["websocket.key"] = _text(upgrade.key)
        if upgrade.accept is not None:
            found["websocket.accept"] = _text(upgrade.accept)
        if upgrade.proof is not None:
            found["websocket.accept_expected"] = upgrade.proof.expected
        found["accepted"] = upgrade.valid
    return found


def _upgrade(application: Application, message: HttpMessage) -> Upgrade | None:
    """The handshake that a message belongs to, as request or as its final response."""
    partner = application.http[message.partner] if message.partner is not None else None
    if message.is_request:
        return examine(message, partner) if is_upgrade_request(message) else None
    if partner is None or not is_upgrade_request(partner):
        return None
    return examine(partner, message) if message.status >= 200 or message.status == 101 else None


def findings(trace: Trace, rows: Array | None = None) -> Iterator[Object]:
    """One object a finding, in order of the packet where to look."""
    chosen = _chosen(rows)
    found = [one for stream in _streams(trace, rows) for one in trace.application(stream).findings]
    found += trace.datagram_findings()
    for one in sorted(found, key=lambda one: one.rows[0] if one.rows else -1):
        if _wanted(one.rows, chosen):
            yield finding_object(one)


def finding_object(one: Finding) -> Object:
    """The object of one finding."""
    return {
        "id": one.id, "severity": one.severity, "clause": one.clause, "frames": _numbers(one.rows),
        f"{'udp' if one.id.startswith('udp.') else 'tcp'}.stream": one.stream, "text": one.text,
    }


def _streams(trace: Trace, rows: Array | None) -> list[int]:
    """The TCP conversations that have one of the rows."""
    if rows is None:
        return list(range(len(trace.conversations("tcp"))))
    index = trace.index
    tcp = rows[index.protocol[rows] == 6]
    return sorted({int(stream) for stream in index.stream[tcp].tolist() if stream >= 0})


def _chosen(rows: Array | None) -> frozenset[int] | None:
    return None if rows is None else frozenset(rows.tolist())


def _wanted(carried: Iterable[int], chosen: frozenset[int] | None) -> bool:
    return chosen is None or any(row in chosen for row in carried)


def _numbers(rows: Iterable[int]) -> list[int]:
    return sorted(row + 1 for row in rows)


def _text(value: str) -> str:
    """Text of a head, harmless; octets that are no UTF-8 as `\\xNN`."""
    return escaped(as_octets(value))
