"""Fields that stand between packets: times since another one, and which packet answers which.

Names and meanings are Wireshark's: `tcp.time_delta`, `tcp.analysis.ack_rtt`, `http.time`, `dns.response_to`.
Times are nanoseconds, as all values of type "seconds"; packets are named by their numbers, from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.model.endpoint import Transport
from inspector.model.numbers import FIN, SYN
from inspector.model.packets import Row, packet_number, rows_in
from inspector.protocols import REGISTRY
from inspector.protocols.api import Pairing, Protocol
from inspector.trace.application.packets import packet_records
from inspector.trace.filter.column_fields import COLUMNS
from inspector.trace.filter.field import (
    DeepField,
    Possible,
    Read,
    Value,
    of_any,
    stream_of,
    where_tcp,
    where_udp,
)
from inspector.trace.index.conversations import PROTOCOLS
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_SECONDS = ("time", "first_byte")
_NEAR = 256          # packets of a conversation in which the other one of a datagram is looked for


def _since(protocol: Transport, before: Callable[[int], int]) -> Read:
    """Time since another packet of the conversation: `before` says which, by places in the conversation.

    A packet is one of each conversation that it names, in a tunnel's outer headers and in what it quotes too.
    """
    field = COLUMNS[f"{protocol}.stream"]

    def read(trace: Trace, row: Row) -> Sequence[Value]:
        found, times = [], trace.index.time_ns
        quoted = protocol == "tcp"             # of a quoted datagram Wireshark shows no time
        for stream in field.values(trace.index, row, quoted=quoted):
            rows = _rows_naming(trace, protocol, int(stream))
            place = int(np.searchsorted(rows, row))
            found.append(int(times[row]) - int(times[rows[before(place)]]))
        return found

    return read


def _rows_naming(trace: Trace, protocol: Transport, stream: int) -> Int64s:
    """The packets of a conversation, and those that name it in other headers than their own."""
    rows, number = trace.rows_of(protocol, stream), PROTOCOLS[protocol]
    for table in (trace.index.outer, trace.index.quoted):
        if len(table) and (mine := (table.stream == stream) & (table.protocol == number)).any():
            others = table.row[mine]
            if protocol == "udp" and table is trace.index.quoted:
                others = others[others < rows.min(initial=others[0] + 1)][:1]      # it begins one, no more
            rows = np.union1d(rows, others)
    return rows


def _of_flow(get: Callable[[Any, Row], int | None]) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        value = get(trace.flow(stream_of(trace, row)), row)
        return [] if value is None else [value]

    return read


def _of_detail(name: str) -> Read:
    return _of_flow(lambda flow, row: getattr(flow.detail(row), name, None))


def _initial(flow: Any, row: Row) -> int | None:
    """The round trip of the handshake, in packets after its first one of which the analysis says anything."""
    value: int | None = flow.initial_rtt_ns
    if value is None or row <= min(flow.handshake_rows, default=0):
        return None
    return value if judged(flow, row) else None


def judged(flow: Any, row: Row) -> bool:
    """Whether the analysis says anything of a packet: a flag, a round trip, bytes in flight."""
    detail = flow.detail(row)
    return bool(flow.analysis(row) or (detail and (detail.rtt_ns is not None or detail.in_flight)))


def _next_sequence(trace: Trace, row: Row) -> Sequence[Value]:
    flags = int(trace.index.tcp_flags[row])
    taken = int(trace.index.payload_length[row]) + bool(flags & SYN) + bool(flags & FIN)
    return [(trace.flow(stream_of(trace, row)).relative(row)[0] + taken) & 0xFFFFFFFF]


def _duplicate(flow: Any, row: Row) -> int | None:
    first = getattr(flow.detail(row), "duplicate_of", None)
    return None if first is None else first + 1


# --- requests and answers ---


def answer_time_ns(trace: Trace, asked: Sequence[Row], answered: Sequence[Row], *, first: bool) -> int | None:
    """Nanoseconds from a request's last packet to its answer's `first`, or last; None: one is unknown."""
    if not asked or not answered:
        return None
    times = trace.index.time_ns
    waited, took = (int(times[row]) - int(times[max(asked)]) for row in (min(answered), max(answered)))
    if waited < 0:
        return None                                  # it came before the request had ended
    return waited if first else took


def _other(protocol: Protocol, wanted: str) -> Read:
    """Of records that answer each other: times and "request_in" of answers, "response_in" of requests.

    "time" ends with the answer, as Wireshark's, "first_byte" where that begins.
    """
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        found: list[Value] = []
        for one in trace.application(stream_of(trace, row)).completed(row, protocol.name):
            decoder = one.layer.decoder
            partner = decoder.partner(one.position)
            if partner is None or (partner > one.position) != (wanted == "response_in"):
                continue
            rows = decoder.rows_of(decoder.records[partner])
            if wanted in _SECONDS:
                value = answer_time_ns(trace, rows, decoder.rows_of(one.record), first=wanted == "first_byte")
            else:
                value = packet_number(max(rows)) if rows else 0
            found += [value] if value else []
        return found

    return read


def _of_datagrams(pairing: Pairing[Any], wanted: str) -> Read:
    """The same of records in datagrams, by their conversation and what identifies both."""
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        one = _record(trace, row, pairing)
        if one is None or pairing.answers(one) != (wanted != "response_in"):
            return []
        rows = trace.rows_of("udp", stream_of(trace, row))
        place = int(np.searchsorted(rows, row))
        before = pairing.answers(one)
        near = rows[max(place - _NEAR, 0) : place][::-1] if before else rows[place + 1 :][:_NEAR]
        for row_of_other in rows_in(near):
            other = _record(trace, row_of_other, pairing)
            if (other is not None and pairing.identity(other) == pairing.identity(one)
                    and pairing.answers(other) != before):
                times = trace.index.time_ns
                return [int(times[row]) - int(times[row_of_other]) if wanted == "time"
                        else packet_number(row_of_other)]
        return []

    return read


def _record(trace: Trace, row: Row, pairing: Pairing[Any]) -> Any:
    """What stands in a packet, where it may be one of these pairs."""
    return next((record for protocol, record in packet_records(trace, row)
                 if protocol.packets is not None and protocol.packets.pairing is pairing), None)


TIMES: dict[str, DeepField] = {
    **{f"{name}.time_relative": DeepField("seconds", _since(name, lambda place: 0), of_any(f"{name}.stream"))
       for name in ("tcp", "udp")},
    **{f"{name}.time_delta": DeepField("seconds", _since(name, lambda place: max(place - 1, 0)),
                                       of_any(f"{name}.stream")) for name in ("tcp", "udp")},
    "tcp.nxtseq": DeepField("number", _next_sequence, where_tcp, 32),
    "tcp.analysis.ack_rtt": DeepField("seconds", _of_detail("rtt_ns"), where_tcp),
    "tcp.analysis.initial_rtt": DeepField("seconds", _of_flow(_initial), where_tcp),
    "tcp.analysis.duplicate_ack_frame": DeepField("number", _of_flow(_duplicate), where_tcp, 32),
}


def _paired(names: Iterable[tuple[str, str]], read: Callable[[str], Read], possible: Possible) -> None:
    for name, wanted in names:
        TIMES[name] = DeepField("seconds" if wanted in _SECONDS else "number", read(wanted), possible)


for _protocol in REGISTRY:
    if _protocol.pairs:
        _paired([(f"{_protocol.name}.{one}", one) for one in (*_SECONDS, "request_in", "response_in")],
                partial(_other, _protocol), where_tcp)
    if _protocol.packets is not None and (_pairing := _protocol.packets.pairing) is not None:
        _paired(((_pairing.time, "time"), (_pairing.request, "request_in"),
                 (_pairing.response, "response_in")), partial(_of_datagrams, _pairing), where_udp)
