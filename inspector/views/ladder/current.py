"""Which conversation the panes speak of: that of the chosen packet, else the newest or the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row, first_rows
from inspector.views.ladder.ends import Conversation
from inspector.views.ladder.ladder import default_conversation

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
