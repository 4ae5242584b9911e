"""Fields of the display filter that columns cannot answer: flows, applications, and the bytes themselves.

`DEEP` fields are asked packet by packet, and only for packets that could have them (`possible`, by columns).
Their values are numbers, texts or bytes; an empty sequence says that the packet has no such field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.trace.filter.column_fields import COLUMNS, Rows, Type
from inspector.trace.index.columns import Array
from inspector.trace.protocol_names import frame_protocols
from inspector.wire.headers.read import NO_LAYER, NO_OFFSET
from inspector.wire.headers.transport import TCP, UDP
from inspector.wire.tcp.flags import NAMES

if TYPE_CHECKING:
    from inspector.protocols.http.message import HttpMessage
    from inspector.trace.index.index import Index
    from inspector.trace.trace import Trace

Value = int | str | bytes
Read = Callable[["Trace", int], Sequence[Value]]
_LARGEST = 1 << 20           # of one message no more is searched


@dataclass(frozen=True, slots=True)
class DeepField:
    """A field read packet by packet."""

    type: Type
    read: Read
    possible: Callable[[Index, Rows], Array]
    bits: int = 64


def _any(index: Index, rows: Rows) -> Array:
    return COLUMNS["frame"].read(index, rows).present


def _none(index: Index, rows: Rows) -> Array:
    return ~_any(index, rows)


def _tcp(index: Index, rows: Rows) -> Array:
    return COLUMNS["tcp.stream"].read(index, rows).present


def _tcp_data(index: Index, rows: Rows) -> Array:
    found: Array = _tcp(index, rows) & (index.payload_length[rows] > 0)
    return found


def _udp_data(index: Index, rows: Rows) -> Array:
    found: Array = (index.protocol[rows] == UDP) & (index.payload_length[rows] > 0)
    return found


def _stream(trace: Trace, row: int) -> int:
    return int(trace.index.stream[row])


def _analysis(trace: Trace, row: int) -> Sequence[str]:
    return trace.flow(_stream(trace, row)).analysis(row)


def _mark(name: str) -> Read:
    return lambda trace, row: [1] if name in _analysis(trace, row) else []


def _http(trace: Trace, row: int) -> Sequence[HttpMessage]:
    application = trace.application(_stream(trace, row))
    return application.http_of(row) if "http" in application.protocols(row) else ()


def _http_bytes(trace: Trace, row: int) -> Sequence[bytes]:
    streams = trace.flow(_stream(trace, row)).streams
    return [
        streams[message.direction].read(message.start, min(message.stop, message.start + _LARGEST))
        for message in _http(trace, row)
    ]


def _request(name: str) -> Read:
    return lambda trace, row: [getattr(m, name) for m in _http(trace, row) if m.is_request]


def _body_lengths(trace: Trace, row: int) -> Sequence[int]:
    return [message.body_length for message in _http(trace, row)]


def _headers(name: str) -> Read:
    return lambda trace, row: [value for m in _http(trace, row) for value in m.values(name)]


def _frames(name: str) -> Read:
    def read(trace: Trace, row: int) -> Sequence[Value]:
        frames = trace.application(_stream(trace, row)).frames_of(row)
        return [getattr(frame, name) for frame in frames if frame.row == row]

    return read


def _keys(trace: Trace, row: int) -> Sequence[str]:
    return [bytes(key).hex() for key in _frames("masking_key")(trace, row) if isinstance(key, bytes) and key]


def _payloads(trace: Trace, row: int) -> Sequence[bytes]:
    application = trace.application(_stream(trace, row))
    numbers = [frame.number for frame in application.frames_of(row) if frame.row == row]
    return [application.payload(number, _LARGEST) for number in numbers]


def _finding_ids(trace: Trace, row: int) -> Sequence[str]:
    frames = trace.application(_stream(trace, row)).frames_of(row)
    return [name for frame in frames if frame.row == row for name in frame.findings]


def _flow(name: str) -> Read:
    def read(trace: Trace, row: int) -> Sequence[Value]:
        value = getattr(trace.flow(_stream(trace, row)), name)
        return [] if value is None else [value]

    return read


def _application(trace: Trace, row: int) -> Sequence[str]:
    name = trace.application(_stream(trace, row)).protocol
    return [name] if name else []


def _detail(name: str) -> Read:
    def read(trace: Trace, row: int) -> Sequence[Value]:
        detail = trace.flow(_stream(trace, row)).detail(row)
        value = getattr(detail, name, None)
        return [] if value is None else [value]

    return read


def _relative(place: int) -> Read:
    return lambda trace, row: [trace.flow(_stream(trace, row)).relative(row)[place]]


def _bytes_from(column: str, none: int) -> Read:
    """The bytes from a header on, without what pads the frame behind the datagram."""
    def read(trace: Trace, row: int) -> Sequence[bytes]:
        index = trace.index
        start, payload = int(getattr(index, column)[row]), int(index.payload[row])
        if start == none:
            return []
        stop = payload + int(index.payload_length[row]) if payload != NO_OFFSET else None
        return [trace.frame(row)[start:stop]]

    return read


def _info(trace: Trace, row: int) -> Sequence[str]:
    return [INFO_TEXT[0](trace, row)]


def _application_info(trace: Trace, row: int) -> str:
    talks = int(trace.index.protocol[row]) == TCP and _stream(trace, row) >= 0
    return trace.application(_stream(trace, row)).info(row) if talks else ""


INFO_TEXT: list[Callable[[Trace, int], str]] = [_application_info]
"""What the field `info` means; the views put their own sentence there, which this room cannot import."""

DEEP: dict[str, DeepField] = {
    "frame.protocols": DeepField("text", lambda trace, row: [":".join(frame_protocols(trace, row))], _any),
    "info": DeepField("text", _info, _any),
    "analysis": DeepField("text", _analysis, _tcp),
    "tcp.analysis": DeepField("protocol", lambda trace, row: _analysis(trace, row)[:1], _tcp),
    "tcp.analysis.flags": DeepField("protocol", lambda trace, row: _analysis(trace, row)[:1], _tcp),
    "tcp.seq": DeepField("number", _relative(0), _tcp, 32),
    "tcp.ack": DeepField("number", _relative(1), _tcp, 32),
    "tcp.window_size": DeepField("number", _detail("window"), _tcp),
    "tcp.analysis.bytes_in_flight": DeepField("number", _detail("in_flight"), _tcp),
    "tcp.analysis.duplicate_ack_num": DeepField("number", _detail("duplicate_number"), _tcp),
    "http": DeepField("protocol", _http_bytes, _tcp_data),
    "http.request": DeepField("protocol", _request("method"), _tcp_data),
    "http.request.method": DeepField("text", _request("method"), _tcp_data),
    "http.request.uri": DeepField("text", _request("target"), _tcp_data),
    "http.response": DeepField(
        "protocol", lambda trace, row: [m.status for m in _http(trace, row) if not m.is_request], _tcp_data
    ),
    "http.response.code": DeepField(
        "number", lambda trace, row: [m.status for m in _http(trace, row) if not m.is_request], _tcp_data, 16
    ),
    "http.host": DeepField("text", _headers("host"), _tcp_data),
    "http.upgrade": DeepField("text", _headers("upgrade"), _tcp_data),
    "http.content_type": DeepField("text", _headers("content-type"), _tcp_data),
    "body_length": DeepField("number", _body_lengths, _tcp_data),
    "websocket": DeepField("protocol", _payloads, _tcp_data),
    "payload": DeepField("bytes", _payloads, _tcp_data),
    "websocket.fin": DeepField("flag", _frames("fin"), _tcp_data, 1),
    "websocket.rsv": DeepField("number", _frames("rsv"), _tcp_data, 3),
    "websocket.opcode": DeepField("number", _frames("opcode"), _tcp_data, 4),
    "websocket.mask": DeepField("flag", _frames("masked"), _tcp_data, 1),
    "websocket.masking_key": DeepField("text", _keys, _tcp_data),
    "websocket.payload_length": DeepField("number", _frames("payload_length"), _tcp_data),
    "message": DeepField("number", _frames("message"), _tcp_data),
    "findings": DeepField("text", _finding_ids, _tcp_data),
    "handshake": DeepField("text", _flow("handshake"), _tcp),
    "rtt_ns": DeepField("number", _flow("rtt_ns"), _tcp),
    "application": DeepField("text", _application, _tcp),
    "tcp.payload": DeepField("bytes", _bytes_from("payload", NO_OFFSET), _tcp_data),
    "udp.payload": DeepField("bytes", _bytes_from("payload", NO_OFFSET), _udp_data),
}
for _name in ("pid", "role", "call", "arguments", "result", "errno"):
    # System calls have them, packets do not; filter_calls.py asks the calls.
    DEEP[f"syscall.{_name}"] = DEEP[_name] = DeepField("text", lambda trace, row: [], _none)
for _name in NAMES:
    DEEP[_name] = DeepField("protocol", _mark(_name), _tcp)

BYTES_OF: dict[str, Read] = {
    "frame": lambda trace, row: [trace.frame(row)],
    "ip": _bytes_from("l3", NO_LAYER),
    "ipv6": _bytes_from("l3", NO_LAYER),
    "arp": _bytes_from("l3", NO_LAYER),
    "tcp": _bytes_from("l4", NO_OFFSET),
    "udp": _bytes_from("l4", NO_OFFSET),
    "icmp": _bytes_from("l4", NO_OFFSET),
    "icmpv6": _bytes_from("l4", NO_OFFSET),
    "http": _http_bytes,
    "websocket": _payloads,
}
"""What `contains` and `matches` search in a protocol."""
