"""Fields that stand between packets: times since another one, and which packet answers which.

Names and meanings are Wireshark's: `tcp.time_delta`, `tcp.analysis.ack_rtt`, `http.time`, `dns.response_to`.
Times are nanoseconds, as all values of type "seconds"; packets are named by their numbers, from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.model.numbers import FIN, SYN
from inspector.model.packets import Row, packet_number, rows_in
from inspector.protocols import REGISTRY
from inspector.protocols.api import Protocol
from inspector.protocols.dns import DNS
from inspector.trace.application.packets import packet_records
from inspector.trace.filter.field import DeepField, Possible, Read, Value, stream_of, where_tcp, where_udp

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_NEAR = 256          # packets of a conversation in which the other one of a DNS message is looked for


def _since(protocol: str, before: Callable[[int], int]) -> Read:
    """Time since another packet of the conversation: `before` says which, by places in the conversation."""
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        rows, times = trace.rows_of(protocol, stream_of(trace, row)), trace.index.time_ns
        place = int(np.searchsorted(rows, row))
        return [int(times[row]) - int(times[rows[before(place)]])]

    return read


def _of_flow(get: Callable[[Any, Row], int | None]) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        value = get(trace.flow(stream_of(trace, row)), row)
        return [] if value is None else [value]

    return read


def _of_detail(name: str) -> Read:
    return _of_flow(lambda flow, row: getattr(flow.detail(row), name, None))


def _initial(flow: Any, row: Row) -> int | None:
    """The round trip of the handshake, in all packets after its first one."""
    value: int | None = flow.rtt_ns
    return value if value is not None and row > min(flow.handshake_rows, default=0) else None


def _next_sequence(trace: Trace, row: Row) -> Sequence[Value]:
    flags = int(trace.index.tcp_flags[row])
    taken = int(trace.index.payload_length[row]) + bool(flags & SYN) + bool(flags & FIN)
    return [(trace.flow(stream_of(trace, row)).relative(row)[0] + taken) & 0xFFFFFFFF]


def _duplicate(flow: Any, row: Row) -> int | None:
    first = getattr(flow.detail(row), "duplicate_of", None)
    return None if first is None else first + 1


# --- requests and answers ---


def answer_time_ns(trace: Trace, asked: Sequence[int], answered: Sequence[int]) -> int | None:
    """Nanoseconds from a request's last packet to its answer's first; None where one is unknown."""
    if not asked or not answered:
        return None
    times = trace.index.time_ns
    return int(times[min(answered)]) - int(times[max(asked)])


def _other(protocol: Protocol, wanted: str) -> Read:
    """Of records that answer each other: "time" and "request_in" of answers, "response_in" of requests."""
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        found: list[Value] = []
        for one in trace.application(stream_of(trace, row)).completed(row, protocol.name):
            decoder = one.layer.decoder
            partner = decoder.partner(one.position)
            if partner is None or (partner > one.position) != (wanted == "response_in"):
                continue
            rows = decoder.rows_of(decoder.records[partner])
            time = answer_time_ns(trace, rows, decoder.rows_of(one.record))
            value = time if wanted == "time" else max(rows, default=-1) + 1
            found += [value] if value else []
        return found

    return read


def _dns(protocol: Protocol, wanted: str) -> Read:
    """Of DNS messages in datagrams, paired by conversation and identifier (RFC 1035 section 4.1.1)."""
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        message = _message(trace, row, protocol)
        if message is None or message.response != (wanted != "response_in"):
            return []
        rows = trace.rows_of("udp", stream_of(trace, row))
        place = int(np.searchsorted(rows, row))
        near = rows[max(place - _NEAR, 0) : place][::-1] if message.response else rows[place + 1 :][:_NEAR]
        for other in rows_in(near):
            found = _message(trace, other, protocol)
            if found is not None and found.id == message.id and found.response != message.response:
                times = trace.index.time_ns
                return [int(times[row]) - int(times[other]) if wanted == "time" else packet_number(other)]
        return []

    return read


def _message(trace: Trace, row: Row, protocol: Protocol) -> Any:
    return next((record for name, record in packet_records(trace, row) if name is protocol), None)


TIMES: dict[str, DeepField] = {
    "tcp.time_relative": DeepField("seconds", _since("tcp", lambda place: 0), where_tcp),
    "tcp.time_delta": DeepField("seconds", _since("tcp", lambda place: max(place - 1, 0)), where_tcp),
    "udp.time_relative": DeepField("seconds", _since("udp", lambda place: 0), where_udp),
    "udp.time_delta": DeepField("seconds", _since("udp", lambda place: max(place - 1, 0)), where_udp),
    "tcp.nxtseq": DeepField("number", _next_sequence, where_tcp, 32),
    "tcp.analysis.ack_rtt": DeepField("seconds", _of_detail("rtt_ns"), where_tcp),
    "tcp.analysis.initial_rtt": DeepField("seconds", _of_flow(_initial), where_tcp),
    "tcp.analysis.duplicate_ack_frame": DeepField("number", _of_flow(_duplicate), where_tcp, 32),
}


def _paired(names: Iterable[tuple[str, str]], read: Callable[[str], Read], possible: Possible) -> None:
    for name, wanted in names:
        TIMES[name] = DeepField("seconds" if wanted == "time" else "number", read(wanted), possible)


for _protocol in REGISTRY:
    if _protocol.pairs:
        _paired([(f"{_protocol.name}.{one}", one) for one in ("time", "request_in", "response_in")],
                partial(_other, _protocol), where_tcp)
_paired((("dns.time", "time"), ("dns.response_to", "request_in"), ("dns.response_in", "response_in")),
        partial(_dns, DNS), where_udp)
