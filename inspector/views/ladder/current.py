"""Which conversation the panes speak of: that of the chosen packet, else the newest or the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inspector.model.endpoint import split_endpoint
from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row, first_rows, row_at
from inspector.views.ladder.ends import Conversation, row_ends
from inspector.views.ladder.ladder import default_conversation
from inspector.views.session.sockets import SocketTable, call_peer, same_address

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

LOOKED_BACK = 256      # packets at the end in which the last conversation is looked for


def conversation_at(trace: Trace, row: Row) -> Conversation | None:
    """The conversation of packet `row`, None where it belongs to none (or to one it only quotes)."""
    index = trace.index
    protocol, stream = int(index.protocol[row]), int(index.stream[row])
    if stream < 0 or protocol not in (TCP, UDP):
        return None
    return Conversation("tcp" if protocol == TCP else "udp", stream)


def conversation_of_call(trace: Trace, sockets: SocketTable, call: tuple[int, int]) -> Conversation | None:
    """The conversation that a system call (pid, id) was made on; None where its socket has no peer.

    Of several between the same two ends the one whose packets are nearest to the call.
    """
    place = next((n for n, one in enumerate(trace.calls) if (one.pid, one.id) == call), None)
    if place is None:
        return None
    made, number = trace.calls[place], sockets.accepted.get(place)
    socket = sockets.socket_of(place) if number is None else sockets.sockets[number]
    local = made.local or (None if socket is None else socket.local)
    peer = call_peer(made) or (None if socket is None else socket.peer)
    if number is not None and socket is not None:
        local, peer = socket.local, socket.peer
    try:
        (_, own), (_, other) = split_endpoint(local or ""), split_endpoint(peer or "")
    except ValueError:                     # nobody, or none of TCP and UDP
        return None
    assert local is not None and peer is not None
    index = trace.index
    there = ((index.sport[:] == own) & (index.dport[:] == other)) | (
        (index.sport[:] == other) & (index.dport[:] == own))
    rows = np.flatnonzero(there & (index.stream[:] >= 0))
    for at in np.argsort(np.abs(index.time_ns[rows] - made.time_ns), kind="stable")[:LOOKED_BACK].tolist():
        ends, found = row_ends(trace, row_at(rows, at)), conversation_at(trace, row_at(rows, at))
        named = same_address(local, ends[0]) and ends[1] == peer
        if found is not None and (named or (same_address(local, ends[1]) and ends[0] == peer)):
            return found
    return None


def current_conversation(trace: Trace, row: Row | None, before: Conversation | None, *, stay: bool,
                         live: bool) -> Conversation | None:
    """What to speak of now: the conversation of the chosen packet `row`, else what was spoken of `before`.

    `stay`: something that is no packet was chosen in that one. `live`: without a choice it is the newest
    conversation, else the first one.
    """
    if row is not None and row < trace.index.count:
        return conversation_at(trace, row) or before
    if stay and before is not None:
        return before
    if not live:
        return before or default_conversation(trace) or _newest(trace)
    return _newest(trace) or before


def _newest(trace: Trace) -> Conversation | None:
    count = trace.index.count
    for row in reversed(first_rows(count)[-LOOKED_BACK:]):
        found = conversation_at(trace, row)
        if found is not None:
            return found
    return None
