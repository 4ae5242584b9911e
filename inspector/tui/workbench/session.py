"""The app's hand on an agent: start it, send it commands, end it.

Everything here may block for a moment and is called from worker threads, but for `send`.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.lab.options import Mode, Watch, reaching
from inspector.model.commands import Command, Start
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import kind_of, resolved
from inspector.tui.files import traces

if TYPE_CHECKING:
    from inspector.lab.launch import Agent


class LiveSession:
    """One agent and the trace it writes: of a session in the lab, or of `watch`, what goes on here.

    `chosen` is the session as a person described it, `spec` the same with all filled in; SpecError where
    it cannot be.
    """

    def __init__(self, chosen: SessionSpec | None, watch: Watch | None = None, *, kept: bool = True) -> None:
        """`kept` False: the trace is gone when it is closed, unless somebody saved it."""
        self.chosen, self.watch = chosen, watch or Watch()
        self.spec = None if chosen is None else resolved(chosen)
        spec = self.spec
        self.file = (traces.chosen(*self.watch.save) if self.watch.save else traces.nameless() if not kept
                     else traces.begin(spec.kind if spec else "watch"))
        self._agent: Agent | None = None
        self._closed = self._is_written = False
        self._keeps: Path | None = None    # where the trace is kept, once it is written
        self._lock = threading.Lock()      # the start may be overtaken by the end

    def start(self) -> None:
        """Start the agent and the session; LabError where it cannot be had. Returns when the capture runs."""
        from inspector.lab.errors import LabError  # here and below: after the first picture
        from inspector.lab.launch import start_agent

        with self._lock:
            if self._closed:
                return
            if self.spec is not None:
                if sentence := kind_of(self.spec).lacking():
                    raise LabError(sentence)
                self._agent = start_agent(          # it may be the host's loopback: on its port alone
                    self.path, ports=(self.spec.port,), outside=reaching(self.spec), wiring=self.spec.wiring)
                self.send(Start(self.spec))
            else:
                self._agent = self._start_watching(self.watch)

    def _start_watching(self, watch: Watch) -> Agent:
        from inspector.lab.launch import start_agent

        mode: Mode = "lab" if watch.outside else "host"
        return start_agent(self.path, mode, ports=watch.ports, limits=watch.limits, outside=watch.outside,
                           packet_socket=watch.packet_socket, place=watch.place,
                           process=watch.process)  # fmt: skip

    @property
    def path(self) -> Path:
        """The trace's file, as long as it is open."""
        return self.watch.save[0] if self.watch.save else self.file.path

    @property
    def mode(self) -> str:
        """"lab" or "host", once it runs."""
        return "" if self._agent is None else self._agent.mode

    @property
    def wake_fd(self) -> int | None:
        return None if self._agent is None else self._agent.wake_fd

    @property
    def alive(self) -> bool:
        """Whether the agent runs."""
        return self._agent is not None and self._agent.poll() is None

    @property
    def is_starting(self) -> bool:
        """Whether there is no agent yet."""
        return self._agent is None and not self._closed

    @property
    def is_over(self) -> bool:
        """Whether there was an agent and it has ended."""
        return self._closed or (self._agent is not None and self._agent.poll() is not None)

    def send(self, command: Command) -> bool:
        """Send one command; False when nobody is there to take it."""
        return self._agent is not None and bool(self._agent.send(command))

    @property
    def failure(self) -> str:
        """Why the agent ended by itself, "" where it did not or all was well."""
        failure = None if self._agent is None else self._agent.failure()
        return "" if failure is None else str(failure)

    def close(self) -> Path | None:
        """End the agent and all it started; where the trace is kept, None where there is none.

        Whoever comes second (a screen that goes while its session starts) gets the same answer: the
        descriptor is another file's by then.
        """
        self._closed = True
        with self._lock:
            if self._agent is not None:
                self._agent.close()
                self._agent = None
                if self.watch.packet_socket >= 0:
                    os.close(self.watch.packet_socket)     # and the ring goes that the agent had made of it
            if not self._is_written:
                self._is_written, self._keeps = True, self._write()
            return self._keeps

    def _write(self) -> Path | None:
        """The trace is all there."""
        if self.spec is not None and self.spec.tls and not self.file.problem:
            from inspector.trace.file.secrets import late_secrets, put_first

            with suppress(OSError):
                put_first(self.file.held, late_secrets(self.file.held))
        return self.file.close()
