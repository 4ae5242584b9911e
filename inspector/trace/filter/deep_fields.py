"""Fields of the display filter that columns cannot answer: flows, protocols, and the bytes themselves.

Every field of every registered protocol is among them (`protocols.REGISTRY`), none by its name.

`DEEP` fields are asked packet by packet, and only for packets that could have them (`possible`, by columns).
Their values are numbers, texts or bytes; an empty sequence says that the packet has no such field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row
from inspector.protocols import REGISTRY
from inspector.protocols.api import Carrier, Decoder, Field, Protocol
from inspector.trace.application.packets import packet_payloads, packet_records
from inspector.trace.filter.column_fields import COLUMNS, Rows
from inspector.trace.filter.fate_fields import FATES
from inspector.trace.filter.field import (
    Alike,
    DeepField,
    Possible,
    Read,
    Value,
    anywhere,
    of,
    of_any,
    stream_of,
    where_tcp,
)
from inspector.trace.filter.header_fields import HEADERS
from inspector.trace.filter.name_fields import NAMED
from inspector.trace.filter.time_fields import TIMES, judged
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import packet_info
from inspector.trace.packet.protocol_names import frame_protocols, header_places
from inspector.wire.arrays import Bools
from inspector.wire.headers.read import NO_OFFSET
from inspector.wire.tcp.flags import NAMES

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.trace.trace import Trace

_LARGEST = 1 << 20           # of one message no more is searched


def _none(index: Index, rows: Rows) -> Bools:
    return ~anywhere(index, rows)


def _tcp_data(index: Index, rows: Rows) -> Bools:
    found: Bools = where_tcp(index, rows) & (index.payload_length[rows] > 0)
    return found


def _udp_data(index: Index, rows: Rows) -> Bools:
    found: Bools = (index.protocol[rows] == UDP) & (index.payload_length[rows] > 0)
    return found


def _analysis(trace: Trace, row: Row) -> Sequence[str]:
    return trace.flow(stream_of(trace, row)).analysis(row)


def _mark(name: str) -> Read:
    return lambda trace, row: [1] if name in _analysis(trace, row) else []


def _flow(name: str) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        value = getattr(trace.flow(stream_of(trace, row)), name)
        return [] if value is None else [value]

    return read


def _application(trace: Trace, row: Row) -> Sequence[str]:
    name = trace.known.spoken(stream_of(trace, row))
    return [name] if name else []


def _detail(name: str) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        detail = trace.flow(stream_of(trace, row)).detail(row)
        value = getattr(detail, name, None)
        return [] if value is None else [value]

    return read


def _judged(trace: Trace, row: Row) -> Sequence[Value]:
    return [1] if judged(trace.flow(stream_of(trace, row)), row) else []


def _relative(place: int) -> Read:
    return lambda trace, row: [trace.flow(stream_of(trace, row)).relative(row)[place]]


def _bytes_from(layer: str) -> Read:
    """The bytes from each header of a layer on, without what pads the frame behind the datagram."""
    def read(trace: Trace, row: Row) -> Sequence[bytes]:
        return [trace.frame(row)[start : _stop(trace, row)] for start in header_places(trace, row, layer)]

    return read


def _stop(trace: Trace, row: Row) -> int | None:
    """Where the datagram's payload ends; None where it has no ports."""
    payload = int(trace.index.payload[row])
    return payload + int(trace.index.payload_length[row]) if payload != NO_OFFSET else None


def _payload(trace: Trace, row: Row) -> Sequence[bytes]:
    start = int(trace.index.payload[row])
    data = trace.frame(row)[start : _stop(trace, row)] if start != NO_OFFSET else b""
    return [data] if data else []


def _datagrams(trace: Trace, row: Row) -> Sequence[bytes]:
    """What each UDP header of the packet carries, in tunnels the whole of what is inside too."""
    frame, found = trace.frame(row), []
    for start in header_places(trace, row, "udp"):
        length = int.from_bytes(frame[start + 4 : start + 6], "big")
        found.append(frame[start + 8 : start + length] if length else frame[start + 8 :])
    return [data for data in found if data]


DEEP: dict[str, DeepField] = {
    "frame.protocols": DeepField("text", lambda trace, row: [":".join(frame_protocols(trace, row))],
                                 anywhere),
    "frame.comment": DeepField("text", lambda trace, row: trace.comments.of(row), anywhere),
    "info": DeepField("text", lambda trace, row: [packet_info(trace, facts(trace, row))], anywhere),
    "analysis": DeepField("text", _analysis, where_tcp),
    "tcp.analysis": DeepField("protocol", _judged, where_tcp),
    "tcp.analysis.flags": DeepField("protocol", lambda trace, row: _analysis(trace, row)[:1], where_tcp),
    "tcp.seq": DeepField("number", _relative(0), where_tcp, 32),
    "tcp.ack": DeepField("number", _relative(1), where_tcp, 32),
    "tcp.window_size": DeepField("number", _detail("window"), where_tcp),
    "tcp.analysis.bytes_in_flight": DeepField("number", _detail("in_flight"), where_tcp),
    "tcp.analysis.duplicate_ack_num": DeepField("number", _detail("duplicate_number"), where_tcp),
    "handshake": DeepField("text", _flow("handshake"), where_tcp),
    "rtt_ns": DeepField("number", _flow("rtt_ns"), where_tcp),
    "application": DeepField("text", _application, where_tcp),
    "tcp.payload": DeepField("bytes", _payload, _tcp_data),
    "udp.payload": DeepField("bytes", _datagrams, of_any("udp")),
}
for _name in ("pid", "role", "call", "arguments", "result", "errno"):
    # System calls have them, packets do not; calls.py asks the calls.
    DEEP[f"syscall.{_name}"] = DEEP[_name] = DeepField("text", lambda trace, row: [], _none)
for _name in NAMES:
    DEEP[_name] = DeepField("protocol", _mark(_name), where_tcp)

DEEP |= NAMED | HEADERS | TIMES | FATES

BYTES_OF: dict[str, Read] = {
    "frame": lambda trace, row: [trace.frame(row)],
    **{layer: _bytes_from(layer) for layer in ("ip", "ipv6", "arp", "tcp", "udp", "icmp", "icmpv6")},
}
"""What `contains` and `matches` search in a protocol."""


def _records(trace: Trace, row: Row, protocol: Protocol) -> list[tuple[Decoder[Any] | None, Any]]:
    """The records of a protocol that a packet holds or completes, with their decoder (None: no stream)."""
    if int(trace.index.protocol[row]) != TCP:
        return [(None, record) for name, record in packet_records(trace, row) if name is protocol]
    return list(trace.known.completed(row, protocol.name))


def _field_of(owners: dict[Protocol, Field[Any]]) -> DeepField:
    """A field of protocols (DNS's of mDNS too), of the records that a packet completes."""
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        found: list[Value] = []
        for protocol, field in owners.items():
            for decoder, record in _records(trace, row, protocol):
                values = field.get(decoder, record)
                found.extend(values)
                if field.type in ("text", "bytes"):
                    _note_cut(trace, row, protocol, decoder, record, values)
        return found

    field = next(iter(owners.values()))
    return DeepField(field.type, read, _possible(*owners), field.bits, _alike(owners))


def _alike(owners: dict[Protocol, Field[Any]]) -> Alike | None:
    """How it is read once of records that are alike, where that is certain, and nothing has to be noted."""
    (protocol, field), *others = owners.items()
    scan, truncated = protocol.scan, any(one.key == "truncated" for one in protocol.fields)
    if scan is None or others or truncated or not field.alone:
        return None
    return Alike(protocol, lambda record: field.get(scan.reader(), record))


def _there(protocol: Protocol) -> Alike | None:
    return None if protocol.scan is None else Alike(protocol, lambda record: [1])


def _note_cut(
    trace: Trace, row: Row, protocol: Protocol, decoder: Decoder[Any] | None, record: Any,
    values: Sequence[Any],
) -> None:
    """Note for whoever shows the result that a message's values were searched in part alone."""
    cut = any(isinstance(value, bytes) and len(value) >= _LARGEST for value in values)
    if not cut and decoder is not None and any(values):
        cut = any(field.key == "truncated" and any(field.get(decoder, record)) for field in protocol.fields)
    if cut:
        trace.searched_in_part.add((protocol.name, row))


def _payloads_of(protocol: Protocol) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[bytes]:
        if int(trace.index.protocol[row]) != TCP:
            return [data for name, data in packet_payloads(trace, row) if name is protocol]
        found = []
        for decoder, record in _records(trace, row, protocol):
            if decoder is not None:
                found.append(decoder.payload(record, _LARGEST))
                _note_cut(trace, row, protocol, decoder, record, found[-1:])
        return found

    return read


def _possible(*protocols: Protocol) -> Possible:
    """Packets that protocols may stand in, by what they ride on."""
    carriers = dict.fromkeys(carrier for protocol in protocols for carrier in protocol.carriers)
    tests = [_POSSIBLE[carrier] for carrier in carriers]

    def read(index: Index, rows: Rows) -> Bools:
        found = tests[0](index, rows)
        for test in tests[1:]:
            found = found | test(index, rows)
        return found

    return read


_POSSIBLE: dict[Carrier, Possible] = {
    "tcp": _tcp_data, "udp": _udp_data, "arp": of("arp"), "icmp": of("icmp"), "icmpv6": of("icmpv6"),
}
_OWNERS: dict[str, dict[Protocol, Field[Any]]] = {}
for _protocol in REGISTRY:
    _read = _payloads_of(_protocol)
    if _protocol.name not in COLUMNS:
        DEEP[_protocol.name] = DeepField(
            "protocol", _read, _possible(_protocol), alike=_there(_protocol))
        BYTES_OF[_protocol.name] = _read
    for _one in _protocol.fields:
        if _one.filtered:
            _OWNERS.setdefault(_one.name, {}).setdefault(_protocol, _one)
for _name, _fields in _OWNERS.items():
    DEEP.setdefault(_name, _field_of(_fields))
