"""Conversations as flat JSON objects: ends, counts, times; of TCP the handshake, states, what is spoken.

Pure functions: a `Trace` (read as far as wanted) and rows, or None for all -> dictionaries, or the same as
JSON lines, written by a pattern since captures have 100,000 of them. All texts are safe to show.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.model.endpoint import join_endpoint, parts_of_endpoint
from inspector.trace.application.packets import by_ports
from inspector.trace.flows.copies import may_hold_copies
from inspector.trace.index.conversations import PROTOCOLS, streams_around
from inspector.trace.packet.protocol_names import tunnel_name
from inspector.trace.summaries import Summaries, Summary
from inspector.views.json.lines import lines_of
from inspector.views.json.spread import Spread, parts_of, worth
from inspector.views.session.owners import SocketOwners
from inspector.wire.arrays import Int64s, UInt32s
from inspector.wire.tcp.analysis import UNKNOWN_TIME

if TYPE_CHECKING:
    from inspector.trace.index.conversations import ConversationColumns, ConversationRow
    from inspector.trace.trace import Trace

_encode: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=True).encode


def conversations(trace: Trace, rows: Int64s | None = None) -> Iterator[dict[str, Any]]:
    """One object a conversation (those of the packets `rows`): TCP's first, then UDP's."""
    processes = SocketOwners(trace)
    for listed, summaries in _listed(trace, rows):
        if summaries is not None:
            trace.ahead.expect(listed.stream.tolist())
        for part in parts_of(listed.packets):
            yield from _objects(trace, _part(trace, listed, part), summaries, processes)


def conversation_lines(
    trace: Trace, rows: Int64s | None = None, spread: Spread = map
) -> Iterator[list[str]]:
    """The same as JSON, some lines at a time."""
    processes = SocketOwners(trace)
    for listed, summaries in _listed(trace, rows):
        lines, packets = partial(_lines_of, trace, listed, summaries, processes), listed.packets
        by = map if summaries is None else worth(trace, listed.stream, packets, spread)
        if by is map and summaries is not None:
            trace.ahead.expect(listed.stream.tolist())
        yield from by(lines, parts_of(packets))


def _listed(
    trace: Trace, rows: Int64s | None
) -> Iterator[tuple[ConversationColumns, Summaries | None]]:
    """The conversations of each protocol; of TCP who sums them up."""
    index = trace.index
    for protocol, number in PROTOCOLS.items():
        found = trace.conversation_columns(protocol)
        if rows is not None:
            mine = rows[index.protocol[rows] == number]
            found = found.taken(np.isin(found.stream, np.concatenate(
                (index.stream[mine].astype("i8"), streams_around(index, rows, protocol)))))
        yield found, Summaries(trace) if protocol == "tcp" and len(found.stream) else None


def _part(trace: Trace, listed: ConversationColumns, part: slice) -> ConversationColumns:
    """Some conversations, which are looked at next."""
    some = listed.taken(part)
    if some.protocol == "tcp":
        trace.ahead.expect_part(some.stream.tolist())
    if may_hold_copies(trace):
        some = listed.taken(np.isin(listed.stream, some.stream))         # columns of their own
        _count_once(trace, some)
    return some


def _count_once(trace: Trace, some: ConversationColumns) -> None:
    """Count no copies: what another interface saw before, or an earlier section of the file."""
    for number, stream in enumerate(some.stream.tolist()):
        flow = trace.flow(stream) if some.protocol == "tcp" else trace.datagrams(stream)
        for row in flow.copies:
            some.less(number, flow.direction(row), 1, int(trace.index.payload_length[row]))


def _lines_of(
    trace: Trace, listed: ConversationColumns, summaries: Summaries | None, processes: SocketOwners,
    part: slice,
) -> list[str]:
    """The lines of some conversations."""
    some = _part(trace, listed, part)
    if processes or summaries is None or some.carries.any() or some.copies.any():
        return [_encode(one) for one in _objects(trace, some, summaries, processes)]
    return _lines(trace, some, summaries)


def _objects(
    trace: Trace, some: ConversationColumns, summaries: Summaries | None, processes: SocketOwners
) -> Iterator[dict[str, Any]]:
    for row in some.rows(trace.index):
        yield _conversation(trace, row, None if summaries is None else summaries.of(row.stream), processes)


def _lines(trace: Trace, some: ConversationColumns, summaries: Summaries) -> list[str]:
    """The lines of TCP conversations of which no process is known, and which carry no others."""
    found, which, round_trips = summaries.many(some.stream)
    around = [_around_rtt(one) for one in found]
    a, b = (_texts_of(trace, addresses) for addresses in some.addresses)
    port_a, port_b = (ports.astype(np.int64) for ports in some.ports)
    packets_ab, packets_ba, bytes_ab, bytes_ba = some.counted
    end = np.where(some.end_ns >= some.start_ns, some.end_ns, UNKNOWN_TIME)     # a clock may be set back
    return lines_of(len(which), (
        '{"protocol": "tcp", "stream": ', some.stream, ', "a": "', a, port_a, '", "b": "', b, port_b,
        '", "packets_ab": ', packets_ab, ', "packets_ba": ', packets_ba, ', "bytes_ab": ', bytes_ab,
        ', "bytes_ba": ', bytes_ba, ', "start_ns": ', some.start_ns, (', "end_ns": ', end, UNKNOWN_TIME),
        ', "handshake": "', ([before for before, _ in around], which), '"',
        (', "rtt_ns": ', round_trips, UNKNOWN_TIME), ", ", ([after for _, after in around], which), "}",
    ))


def _texts_of(trace: Trace, addresses: UInt32s) -> tuple[list[str], Int64s]:
    """The texts of addresses as they stand before a port, and which one each is."""
    alike, which = np.unique(addresses, return_inverse=True)
    return [join_endpoint(trace.index.address(one), "") for one in alike.tolist()], which.astype(np.int64)


def _around_rtt(summary: Summary) -> tuple[str, str]:
    """What stands before the round trip, and behind it."""
    rest = _state(summary.states, summary.missing, summary.application, summary.inferred)
    return summary.handshake, _encode(rest)[1:-1]


def _state(
    states: tuple[str, str], missing: tuple[int, int], application: str, inferred: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {"state_a": states[0], "state_b": states[1]}
    keys = "bytes_missing_ab", "bytes_missing_ba"
    found |= {key: count for key, count in zip(keys, missing, strict=True) if count}
    if application:
        found["application"] = application
        if inferred:
            found["inferred"] = True
    return found


def _conversation(
    trace: Trace, row: ConversationRow, summary: Summary | None, processes: SocketOwners
) -> dict[str, Any]:
    found: dict[str, Any] = row._asdict()
    del found["first_row"]
    if found["end_ns"] < found["start_ns"]:
        del found["end_ns"]
    for key in ("carries", "copies"):
        if not found[key]:
            del found[key]
    if summary is not None:
        found["handshake"] = summary.handshake
        if summary.rtt_ns is not None:
            found["rtt_ns"] = summary.rtt_ns
        found |= _state(summary.states, summary.missing, summary.application, summary.inferred)
    elif row.carries:
        found["application"] = tunnel_name(trace, row.first_row, row.stream)
    elif (protocol := by_ports(*_ports(row))) is not None:
        found["application"] = protocol.name
    if processes:
        both = processes.of(row.protocol, (row.a, row.b), (row.start_ns, row.end_ns))
        named = zip(("process_a", "process_b"), both, strict=True)
        found |= {key: process for key, process in named if process}
    return found


def _ports(row: ConversationRow) -> tuple[int, int]:
    return int(parts_of_endpoint(row.a)[1]), int(parts_of_endpoint(row.b)[1])
