"""A part of a trace, to be saved: a conversation, or what a filter shows, with the system calls that belong.

Rows -> their conversations, each from the packet before its first chosen one to the packet behind its last
-> calls and samples of the kernel on its sockets in that time -> `trace.part` writes the file. Calls that
the ladder shows of a conversation are in its part: it looks there as it does here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.endpoint import parts_of_endpoint
from inspector.model.packets import rows_in
from inspector.model.records import Call, KernelSample
from inspector.trace.index.conversations import PROTOCOLS
from inspector.trace.part import written
from inspector.views.ladder.ends import Conversation, conversation_ends, quoting_rows
from inspector.views.session.sockets import Meeting, SocketTable, call_peer, same_address
from inspector.wire.arrays import Int64s
from inspector.wire.journal import CallRecord, EventRecord, from_fields

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_BEGINNING, _END = -(1 << 63), (1 << 63) - 1


class _Chosen(NamedTuple):
    """A conversation that has chosen packets: its ends, and the time (ns) in which its calls count."""

    ends: Meeting
    first_ns: int
    last_ns: int

    def is_during(self, start: int, stop: int | None) -> bool:
        """Whether something from `start` to `stop` (None: still goes on) has to do with its packets."""
        return start <= self.last_ns and (stop is None or stop >= self.first_ns)


@dataclass(slots=True)
class _Conversations:
    """What was chosen, found by the addresses of its ends: many of them cost no more for each call."""

    by_end: dict[str, list[_Chosen]] = field(default_factory=dict)
    by_port: dict[str, list[_Chosen]] = field(default_factory=dict)

    def add(self, chosen: _Chosen) -> None:
        for end in (chosen.ends.client, chosen.ends.server):
            self.by_end.setdefault(end, []).append(chosen)
            self.by_port.setdefault(parts_of_endpoint(end)[1], []).append(chosen)

    def near(self, local: str | None, peers: Iterable[str | None]) -> Sequence[_Chosen]:
        """Those that a socket may be of: by whom it speaks to, else by its own address."""
        known = [peer for peer in peers if peer]
        if known:
            return [one for peer in set(known) for one in self.by_end.get(peer, ())]
        if local is None:
            return ()
        return self.by_end.get(local) or self.by_port.get(parts_of_endpoint(local)[1]) or ()


def conversation_part(trace: Trace, conversation: Conversation) -> Iterator[bytes]:
    """The pcapng file of one conversation, in pieces: its packets, and ICMP errors about them."""
    rows = trace.rows_of(conversation.protocol, conversation.stream)
    errors = quoting_rows(trace, conversation)
    return rows_part(trace, np.union1d(rows, errors) if len(errors) else rows)


def rows_part(trace: Trace, rows: Int64s, places: Sequence[int] = ()) -> Iterator[bytes]:
    """The pcapng file of these packets (rows, ascending), in pieces.

    `places`: of calls in `trace.calls` that were chosen themselves. Fragments that make up a chosen packet
    go with it.
    """
    rows = _with_fragments(trace, rows)
    sockets = SocketTable()
    sockets.update(trace.calls)
    chosen = _conversations(trace, rows, sockets)
    calls = {(call.pid, call.id) for index, call in enumerate(trace.calls)
             if _is_of(call, index, sockets, chosen)}
    calls |= {(trace.calls[place].pid, trace.calls[place].id) for place in places}
    times = trace.index.time_ns[rows]
    first, last = (int(times.min()), int(times.max())) if len(rows) else (0, -1)

    def keeps(fields: dict[str, str]) -> bool:
        record = from_fields(fields)
        if isinstance(record, CallRecord):
            return (record.pid, record.id) in calls
        if isinstance(record, KernelSample):
            return _is_sample_of(record, chosen)
        if isinstance(record, EventRecord):
            return True                             # who the ends are, how the session went
        stamp = fields.get("__REALTIME_TIMESTAMP", "")
        time_ns = int(stamp) * 1000 if stamp.isascii() and stamp.isdigit() and len(stamp) < 17 else 0
        return first <= time_ns <= last

    return written(trace, rows, keeps)


def _with_fragments(trace: Trace, rows: Int64s) -> Int64s:
    segments = trace.index.reassembly.segments
    if not segments:
        return rows
    parts = [part.row for row in rows_in(rows) if row in segments for part in segments[row].parts]
    return np.union1d(rows, np.array(parts, "i8"))


def _conversations(trace: Trace, rows: Int64s, sockets: SocketTable) -> _Conversations:
    """The conversations of these packets, each with the time around them."""
    found, index = _Conversations(), trace.index
    for name, number in PROTOCOLS.items():
        mine = rows[(index.protocol[rows] == number) & (index.stream[rows] >= 0)]
        order = np.argsort(index.stream[mine], kind="stable")
        mine = mine[order]
        streams, starts = np.unique(index.stream[mine], return_index=True)
        stops = np.append(starts, len(mine))[1:].tolist()
        for stream, start, stop in zip(streams.tolist(), starts.tolist(), stops, strict=True):
            conversation = Conversation(name, stream)
            ends = conversation_ends(trace, conversation, sockets)
            every = trace.rows_of(name, stream)
            low, high = np.searchsorted(every, (mine[start], mine[stop - 1])).tolist()
            before = _BEGINNING if low == 0 else int(index.time_ns[every[low - 1]])
            behind = _END if high + 1 >= len(every) else int(index.time_ns[every[high + 1]])
            found.add(_Chosen(ends.meeting, before, behind))
    return found


def _is_of(call: Call, index: int, sockets: SocketTable, chosen: _Conversations) -> bool:
    """Whether a call belongs to a conversation that was chosen, and to the time of its packets."""
    socket = sockets.socket_of(index)
    if socket is None:
        return False
    child = sockets.accepted.get(index)
    if child is not None:
        peers: list[str | None] = [sockets.sockets[child].peer]
    else:
        peers = [socket.peer, call_peer(call)] if socket.peer else [call_peer(call), *socket.peers]
    peers += socket.aimed
    return any(one.is_during(call.time_ns, call.end_ns) and sockets.belongs(index, call, one.ends)
               for one in chosen.near(socket.local, peers))


def _is_sample_of(sample: KernelSample, chosen: _Conversations) -> bool:
    """Whether a sample is of a socket of a chosen conversation, or of the listener that it came to."""
    if sample.peer in chosen.by_end:
        return any({sample.local, sample.peer} == {one.ends.client, one.ends.server}
                   and one.is_during(sample.time_ns, sample.time_ns) for one in chosen.by_end[sample.peer])
    if sample.state not in ("LISTEN", "unconnected"):
        return False
    return any(
        (same_address(sample.local, one.ends.server)
         or (sample.protocol == "udp" and same_address(sample.local, one.ends.client)))
        and one.is_during(sample.time_ns, sample.time_ns) for one in chosen.near(sample.local, ())
    )
