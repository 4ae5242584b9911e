"""A conversation as JSON lines, for the clipboard: its messages, or its packets where it has none.

The same objects as `decode --json` prints, as many as a clipboard is good for.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

from inspector.model.language import tr
from inspector.views.json.messages import conversation_messages
from inspector.views.json.packets import packets

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ends import Conversation

MOST, LONGEST = 5000, 1 << 20          # objects, and characters of all of them


class TooLongError(Exception):
    """There is more than is copied; the text is one sentence."""


def json_lines(trace: Trace, conversation: Conversation) -> str:
    """One object a line; TooLongError where it is too much."""
    protocol, stream = conversation
    objects = packets(trace, trace.rows_of(protocol, stream))
    if protocol == "tcp":
        spoken = conversation_messages(trace, stream)
        first = next(spoken, None)
        objects = objects if first is None else chain([first], spoken)
    lines, size = [], 0
    for one in objects:
        lines.append(json.dumps(one))
        size += len(lines[-1])
        if len(lines) > MOST or size > LONGEST:
            raise TooLongError(tr("This conversation is too long for a clipboard: ctrl+s saves it, and "
                                  "'inspector decode FILE --json' prints it."))
    return "\n".join(lines) + "\n"
