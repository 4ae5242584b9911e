"""Conversations as flat JSON objects: ends, counts, times; of TCP the handshake, states, what is spoken.

Pure functions: a `Trace` (read as far as wanted) and rows, or None for all -> dictionaries, or the same as
JSON lines, written by a pattern since captures have 100,000 of them. All texts are harmless.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.model.numbers import TCP, UDP
from inspector.trace.application.packets import by_ports
from inspector.trace.index.conversations import streams_around
from inspector.trace.packet.protocol_names import tunnel_name
from inspector.trace.summaries import Summaries, Summary
from inspector.views.session.outside import outside_peers
from inspector.views.session.sockets import SocketTable
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.index.conversations import ConversationRow
    from inspector.trace.trace import Trace

_ANYWHERE = ("0.0.0.0:", "[::]:", ":")
_TOGETHER = 256          # lines that are printed together
_encode: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=True).encode


def conversations(trace: Trace, rows: Int64s | None = None) -> Iterator[dict[str, Any]]:
    """One object a conversation (those of the packets `rows`): TCP's first, then UDP's."""
    processes = _processes(trace)
    for row, summary in _listed(trace, rows):
        yield _conversation(trace, row, summary, processes)


def conversation_lines(trace: Trace, rows: Int64s | None = None) -> Iterator[list[str]]:
    """The same as JSON, some lines at a time."""
    processes, listed = _processes(trace), _listed(trace, rows)
    while some := list(islice(listed, _TOGETHER)):
        if processes:
            yield [_encode(_conversation(trace, row, summary, processes)) for row, summary in some]
        else:
            yield [_line(trace, row, summary) for row, summary in some]


def _listed(trace: Trace, rows: Int64s | None) -> Iterator[tuple[ConversationRow, Summary | None]]:
    index = trace.index
    for protocol, number in (("tcp", TCP), ("udp", UDP)):
        wanted = None
        if rows is not None:
            mine = rows[index.protocol[rows] == number]
            wanted = set(np.unique(index.stream[mine]).tolist())
            wanted |= set(streams_around(index, rows, protocol).tolist())
        found = trace.conversations(protocol)
        summaries = Summaries(trace) if protocol == "tcp" and found else None
        for conversation in found:
            if wanted is None or conversation.stream in wanted:
                yield conversation, None if summaries is None else summaries.of(conversation.stream)


def _line(trace: Trace, row: ConversationRow, summary: Summary | None) -> str:
    """The line of a conversation of which no process is known."""
    if summary is None or row.carries:
        return _encode(_conversation(trace, row, summary, {}))
    rtt = "" if summary.rtt_ns is None else f', "rtt_ns": {summary.rtt_ns}'
    rest = _after_rtt(summary.states, summary.missing, summary.application, summary.inferred)
    return (f'{{"protocol": "{row.protocol}", "stream": {row.stream}, "a": "{row.a}", "b": "{row.b}", '
            f'"packets_ab": {row.packets_ab}, "packets_ba": {row.packets_ba}, "bytes_ab": {row.bytes_ab}, '
            f'"bytes_ba": {row.bytes_ba}, "start_ns": {row.start_ns}, "end_ns": {row.end_ns}, '
            f'"handshake": "{summary.handshake}"{rtt}, {rest}}}')


@lru_cache(1 << 12)
def _after_rtt(states: tuple[str, str], missing: tuple[int, int], application: str, inferred: bool) -> str:
    return _encode(_state(states, missing, application, inferred))[1:-1]


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
    trace: Trace, row: ConversationRow, summary: Summary | None, processes: _Processes
) -> dict[str, Any]:
    found: dict[str, Any] = row._asdict()
    del found["first_row"]
    if not row.carries:
        del found["carries"]
    if summary is not None:
        found["handshake"] = summary.handshake
        if summary.rtt_ns is not None:
            found["rtt_ns"] = summary.rtt_ns
        found |= _state(summary.states, summary.missing, summary.application, summary.inferred)
    elif row.carries:
        found["application"] = tunnel_name(trace, row.first_row, row.stream)
    elif (protocol := by_ports(*_ports(row))) is not None:
        found["application"] = protocol.name
    for key, here, there in (("process_a", row.a, row.b), ("process_b", row.b, row.a)):
        process = processes.get((row.protocol, here, there)) or processes.get((row.protocol, here, ""))
        process = process or processes.get((row.protocol, here[here.rindex(":") :], ""))
        if process:
            found[key] = process
    return found


def _ports(row: ConversationRow) -> tuple[int, int]:
    return int(row.a.rpartition(":")[2]), int(row.b.rpartition(":")[2])


_Processes = dict[tuple[str, str, str], str]      # protocol, own address, peer or "" -> "client 4131"


def _processes(trace: Trace) -> _Processes:
    """Who spoke at which address, as system calls tell; sockets bound to any address stand by their port."""
    table = SocketTable()
    table.update(trace.calls)
    found: _Processes = {}
    for socket in table.sockets:
        process = f"{socket.role} {socket.pid}"
        for protocol in (socket.protocol,) if socket.protocol else ("tcp", "udp"):
            if socket.local and socket.local.startswith(_ANYWHERE):
                found[protocol, socket.local[socket.local.rindex(":") :], ""] = process
            elif socket.local:
                found[protocol, socket.local, socket.peer or ""] = process
                found.setdefault((protocol, socket.local, ""), process)
    for inside, peer in outside_peers(trace.events).items():
        found["tcp", inside, ""] = str(peer)
    return found
