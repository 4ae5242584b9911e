"""Endpoints that are held before a system call, because a person steps through the session.

Events of the trace ("waiting", "resumed", "endpoint-ended") -> for each margin the call that comes next.
"""

from __future__ import annotations

from collections.abc import Sequence

from inspector.model.language import tr
from inspector.model.records import Event
from inspector.views.ladder.layout import LEFT, RIGHT
from inspector.views.line.spans import cell_width, fit
from inspector.views.session.call_text import held_wordings, short_addresses
from inspector.wire.text import escaped


class Waiting:
    """Which call each margin waits before; `update` reads the events that are new."""

    def __init__(self) -> None:
        self._events_read = 0
        self._calls: dict[tuple[int, int | None, str], str] = {}    # side, pid, thread -> call

    def update(self, events: Sequence[Event]) -> bool:
        """Read on; True when something changed."""
        before = dict(self._calls)
        for event in events[self._events_read :]:
            side = RIGHT if event.role == "server" else LEFT
            fields = event.known
            if event.kind == "waiting":
                call = fields.get("call") or event.text
                self._calls[side, event.pid, fields.get("tid", "")] = short_addresses(escaped(call, 120))
            elif event.kind == "resumed":
                self._calls.pop((side, event.pid, fields.get("tid", "")), None)
            elif event.kind in ("endpoint-ended", "session-ended"):
                ended = event.kind == "session-ended"
                self._calls = {key: call for key, call in self._calls.items() if not ended and key[0] != side}
        self._events_read = len(events)
        return before != self._calls

    def __bool__(self) -> bool:
        return bool(self._calls)

    def text(self, side: int, width: int) -> str:
        """The call that this margin makes next, "" when it is not held, and how many wait beside it."""
        found = [call for (margin, _, _), call in self._calls.items() if margin == side]
        found.sort(key=lambda call: call.startswith("accept"))       # what its connection waits for is first
        texts = [text for call in held_wordings(found[0]) for text in _counted(f"▸ {call}", len(found) - 1)
                 ] if found else [""]
        return next((text for text in texts if cell_width(text) <= width), fit(texts[-1], width))


def _counted(text: str, more: int) -> tuple[str, ...]:
    """The text with how many threads wait beside it: in words, or as a number where there is no room."""
    if not more:
        return (text,)
    return (tr("{text} +1 thread", text=text) if more == 1 else
            tr("{text} +{count} threads", text=text, count=more), f"{text}  +{more}")
