"""The calls of a ladder as moments: which belong to it, on which margin, and in one row or in two.

Calls and sockets -> moments sorted by time. A call that returned at once stands in one row: one that
sends at its entry, one that receives at its return. A call that blocked has a row for its entry and one
for its return; so has a connect() during which the handshake was seen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from inspector.model.records import Call
from inspector.views.ladder.ends import Ends
from inspector.views.ladder.layout import LEFT, RIGHT, Moment
from inspector.views.session.sockets import Meeting, SocketTable, same_address
from inspector.wire.arrays import Int64s

AT_ONCE_NS = 1_000_000         # a call that took less did not block, for the eye
_SENT_NS = 10_000_000          # one that sends: a busy machine takes this long, a full buffer longer
_CAUSING = frozenset({"connect", "send", "sendto", "sendmsg", "sendall", "sendfile", "write", "writev",
                      "close", "shutdown"})
_WAITING = ("recv", "accept", "read", "poll", "select", "epoll")
_NO_END = (1 << 63) - 1


def margin_moments(calls: Sequence[Call], sockets: SocketTable, ends: Ends | None,
                   times: Int64s) -> list[Moment]:
    """The moments of the calls that belong to the ladder: all, or those of the conversation `ends`."""
    moments: list[Moment] = []
    meeting = None if ends is None else ends.meeting
    for index, call in enumerate(calls):
        side = _side(call, index, sockets, meeting)
        if side is not None and not wakes_itself(call):
            moments += _moments(call, index, side, times)
    moments.sort(key=lambda moment: moment.time_ns)
    return moments


def wakes_itself(call: Call) -> bool:
    """Whether an endpoint of ours wakes its own receiver: a means of the program, not of the protocol.

    The receive that it wakes says so; journal, JSON and the list of packets have the call.
    """
    ours = call.role in ("client", "server")
    return ours and call.name == "shutdown" and call.arguments.endswith(", SHUT_RD")


def _side(call: Call, index: int, sockets: SocketTable, meeting: Meeting | None) -> int | None:
    """LEFT or RIGHT, or None when the call is not part of the conversation."""
    socket = sockets.socket_of(index)
    if meeting is not None and not sockets.belongs(index, call, meeting):
        return None
    if call.role in ("client", "server"):
        return RIGHT if call.role == "server" else LEFT
    if socket is None:
        return LEFT
    known = meeting is not None and same_address(socket.local, meeting.server)
    return RIGHT if known or sockets.serves(socket) else LEFT


def _moments(call: Call, index: int, side: int, times: Int64s) -> list[Moment]:
    cause = call.name in _CAUSING
    until = _NO_END if call.end_ns is None else call.end_ns
    if call.end_ns is not None and not _in_two_rows(call, times):
        stamp = call.time_ns if cause else call.end_ns
        return [Moment(stamp, index, "whole", side, cause, call.name.startswith(_WAITING), until)]
    moments = [Moment(call.time_ns, index, "entry", side, cause, until_ns=until)]
    if call.end_ns is not None:
        moments.append(Moment(call.end_ns, index, "return", side, effect=True))
    return moments


def _in_two_rows(call: Call, times: Int64s) -> bool:
    if call.end_ns is None:
        return True
    opens = call.name == "connect"
    limit = _SENT_NS if call.name in _CAUSING and not opens else AT_ONCE_NS
    if call.end_ns - call.time_ns >= limit:
        return True
    return opens and bool(np.diff(np.searchsorted(times, (call.time_ns, call.end_ns)))[0])


class Blocked:
    """Which calls block at a given time, by margin. A thread is in one call at a time."""

    def __init__(self, calls: Sequence[Call], moments: Sequence[Moment]) -> None:
        threads: dict[tuple[int, int, int], tuple[list[int], list[int], list[int]]] = {}
        for place, moment in enumerate(moments):
            if moment.part != "entry":
                continue
            call = calls[moment.call]
            starts, ends, places = threads.setdefault((moment.side, call.pid, call.tid), ([], [], []))
            starts.append(moment.time_ns)
            ends.append(_NO_END if call.end_ns is None else call.end_ns)
            places.append(place)
        self._threads = threads

    def __bool__(self) -> bool:
        return bool(self._threads)

    def at(self, time_ns: int, side: int) -> list[int]:
        """The entry moments (indexes) of the calls of this margin that block at `time_ns`."""
        found = []
        for (margin, _, _), (starts, ends, places) in self._threads.items():
            last = bisect_right(starts, time_ns) - 1
            if margin == side and last >= 0 and time_ns < ends[last]:
                found.append(places[last])
        return sorted(found)
