"""Steps that were asked for, each made when the one before has been: no press is lost on an end that is busy.

An end takes a step only while it waits before a call. One that was let go is between two calls for a
moment, and a step that came then would let nobody go; one that has no more call to make is not waited for.
Presses -> `Steps`, with what the trace says of the ends -> when the next one is due.
"""

from __future__ import annotations

from collections.abc import Set

from inspector.tui.workbench.state import SessionState


class Steps:
    """`pending`: how many were asked for and not made. Pure: it neither waits nor sends."""

    def __init__(self) -> None:
        self.pending = 0
        self._before: dict[str, int] = {}      # ends that were let go last -> how often they had been before
        self._holds = False                    # the last one let nobody go: it holds who comes to a call

    def asked(self) -> None:
        """One more."""
        self.pending += 1

    def dropped(self) -> None:
        """They are not wanted any more, or nobody is there to make them."""
        self.pending, self._before, self._holds = 0, {}, False

    def are_open(self, state: SessionState) -> bool:
        """Whether something is still to come of them: a step to be made, or an end to be held."""
        if state.waiting:
            self._holds = False
        return self.pending > 0 or self._holds

    def are_due(self, state: SessionState, resting: Set[str]) -> bool:
        """Whether the next one is: an end waits, and so does every end that was let go, runs, and has calls.

        `resting`: roles that have none to make.
        """
        stands = state.waiting.keys() | resting
        back = all(role in stands for role in self._before if role in state.running)
        return self.pending > 0 and bool(state.waiting) and back and self.are_taken(state)

    def are_taken(self, state: SessionState) -> bool:
        """Whether every end that was to make its call has been let go; those that have ended never are."""
        return all(state.resumed.get(role, 0) > count for role, count in self._before.items()
                   if role in state.running)

    def made(self, state: SessionState) -> None:
        """One is handed to the ends, which stand so."""
        self.pending = max(0, self.pending - 1)
        self._before = {role: state.resumed.get(role, 0) for role in state.waiting}
        self._holds = not state.waiting
