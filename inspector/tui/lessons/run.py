"""The runs of a lesson on the screen: each an agent, its trace, and the feed that reads on in it.

`start` (a thread) ends the run before and brings the next one; the trace of the one before stays readable, to
be compared with.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from inspector.model.commands import Command
from inspector.model.spec import SessionSpec
from inspector.tui.workbench.session import LiveSession

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


class Runs:
    """The present run and the one before; everything but `send` may block."""

    def __init__(self) -> None:
        self.session: LiveSession | None = None
        self.trace: Trace | None = None
        self._former: Trace | None = None
        self._closed = False

    def start(self, spec: SessionSpec) -> Trace | None:
        """End the run that is there, begin the next; its trace, None where all is over. LabError."""
        from inspector.trace.trace import Trace  # for the time of start-up: the page is read first

        if self.session is not None:
            self.session.close()
        if self._closed:
            return None
        self.session = LiveSession(spec, kept=False)
        self.session.start()
        trace = Trace.open(self.session.path, following=True)
        former, self._former, self.trace = self._former, self.trace, trace
        if former is not None:
            former.close()
        if self._closed:                 # meanwhile
            self.close()
            return None
        return trace

    def send(self, command: Command) -> bool:
        """Give the present run's agent a command; False where it has gone."""
        return self.session is not None and self.session.send(command)

    def close(self) -> None:
        """End all."""
        self._closed = True
        if self.session is not None:
            self.session.close()
        for trace in (self.trace, self._former):
            if trace is not None:
                with contextlib.suppress(OSError):
                    trace.close()
