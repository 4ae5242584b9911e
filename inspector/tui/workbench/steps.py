"""Steps that were asked for, each made when the one before has been: no press is lost on an end that is busy.

An end takes a step only while it waits before a call. One that was let go is between two calls for a
moment, and a step that came then would let nobody go. Presses -> `Steps`, with what the trace says of the
ends -> when the next one is due.
"""

from __future__ import annotations

from inspector.tui.workbench.state import SessionState


class Steps:
    """`pending`: how many were asked for and not made. Pure: it neither waits nor sends."""

    def __init__(self) -> None:
        self.pending = 0
        self._before: dict[str, int] = {}      # ends that were let go last -> how often they had been before

    def asked(self) -> None:
        """One more."""
        self.pending += 1

    def dropped(self) -> None:
        """They are not wanted any more, or nobody is there to make them."""
        self.pending, self._before = 0, {}

    def are_due(self, state: SessionState) -> bool:
        """Whether the next one is: every end that was let go waits before its next call."""
        back = all(role in state.waiting for role in self._before)
        return self.pending > 0 and back and self.are_taken(state)

    def are_taken(self, state: SessionState) -> bool:
        """Whether every end that was to make its call has been let go; those that have ended never are."""
        return all(state.resumed.get(role, 0) > count for role, count in self._before.items()
                   if role in state.running)

    def made(self, state: SessionState) -> None:
        """One is handed to the ends, which stand so."""
        self.pending -= 1
        self._before = {role: state.resumed.get(role, 0) for role in state.waiting}
