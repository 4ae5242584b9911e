"""Where the bytes of TCP conversations are, as flat JSON objects: one a direction, a to b first.

As at the end of the trace; where a filter chooses packets, as at the last one of them in each conversation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from inspector.model.numbers import TCP
from inspector.model.packets import row_at
from inspector.views.session.custody import Custody, Known, custody, custody_sentences
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def custodies(trace: Trace, rows: Int64s | None = None) -> Iterator[dict[str, Any]]:
    """Two objects a conversation (those of the packets `rows`)."""
    index, known = trace.index, Known(trace)
    last: dict[int, int] | None = None
    if rows is not None:
        mine = rows[index.protocol[rows] == TCP]
        last = dict(zip(index.stream[mine].tolist(), range(len(mine)), strict=True))
    for conversation in trace.conversations("tcp"):
        stream = conversation.stream
        if last is not None and stream not in last:
            continue
        until = None if last is None else row_at(mine, last[stream])
        for way in custody(trace, stream, until, known):
            yield custody_object(way, stream)


def custody_object(way: Custody, stream: int) -> dict[str, Any]:
    """The object of one direction; what is not known is not there."""
    counts = {
        "written": way.written, "unsent": way.unsent, "sent": way.sent, "on_the_way": way.on_the_way,
        "acknowledged": way.acknowledged, "unread": way.unread, "read": way.read,
        "receive_window": way.window,
    }
    found: dict[str, Any] = {"tcp.stream": stream, "sender": way.sender.address,
                             "receiver": way.receiver.address}
    for name, end in (("sender", way.sender), ("receiver", way.receiver)):
        if process := end.outside or end.owner:
            found[f"{name}_process"] = process
    found |= {key: int(count) for key, count in counts.items() if count is not None}
    if way.waits_ns:
        found["unread_ns"] = int(way.waits_ns)
    if way.beyond is not None:
        found["outside_unread"] = int(way.beyond.unread)
        if way.beyond.read is not None:
            found["outside_read"] = int(way.beyond.read)
        if way.beyond.waits_ns:
            found["outside_unread_ns"] = int(way.beyond.waits_ns)
    if way.in_queue is not None:
        found["sums_hold"] = not way.contradiction
    return found | {"gone": way.gone, "text": [text for text, _ in custody_sentences(way)]}
