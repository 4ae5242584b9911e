"""One session of two endpoints: the server first, the client once the server listens, their end.

The client's process is started at once, since Python takes a while to, but hears what it has to do only
when the server can be reached.
"""

from __future__ import annotations

import errno
import json
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, Unpack

from inspector.lab.programs.children import Child, start_endpoint
from inspector.model.commands import EndpointCommand, HalfClose, KeepOpen, Pause, Resume, Target, to_line
from inspector.model.language import spoken
from inspector.model.records import EventFields, EventKind
from inspector.model.spec import Role, SessionSpec
from inspector.wire.journal import EventRecord

STOP_GRACE = 2.5                   # seconds from the end of an endpoint's input until it is killed
_KILLED_AGAIN = 0.25
_LEFT_ALONE = 30.0                # seconds a server gets to end by itself after the client, by its own limits


class Report(Protocol):
    """Puts an event into the trace."""

    def __call__(self, kind: EventKind, text: str, *, child: Child | None = None,
                 **fields: Unpack[EventFields]) -> None: ...


class Session:
    """Runs `spec`; `over` when both endpoints have ended."""

    def __init__(
        self, spec: SessionSpec, mark: str, watch: Callable[[Child], None], report: Report,
        networks: Mapping[Role, int] | None = None, unmet: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """`networks`: a descriptor of the network that each end lives in, by its role; None: all in ours.

        `unmet`: sentences at the end of the session about what was asked of its wire, and could not be done.
        """
        self._spec, self._report, self._unmet = spec, report, unmet
        self._line = json.dumps(spec.to_json()).encode() + b"\n"
        self._endpoints: dict[str, Child] = {}
        self._held: Child | None = None
        self._for_held: list[bytes] = []
        self._kill_at: float | None = None
        self._release_server_at: float | None = None
        self._ok = True
        self._given_up = False             # an end could not be started: what becomes of the other is no news
        self.over = False
        report("session-started", f"A {spec.kind} session starts.", session=json.dumps(spec.to_json()))
        roles: tuple[Role, ...] = ("server", "client") if spec.own_server else ("client",)
        for role in roles:
            try:
                child = start_endpoint(role, mark, networks[role] if networks else None)
            except OSError as error:
                self._ok = False
                text = spoken(f"The {role} could not be started: {error.strerror or error}.")
                report("failed", text, missing=errno.errorcode.get(error.errno or 0, "?"))
                break                              # nor can the other one, for the same reason
            watch(child)
            self._endpoints[role] = child
            if role == "client" and "server" in self._endpoints:
                self._held = child
            else:
                self._describe_to(child)
        if not self._endpoints:
            self._finish()
        elif not self._ok and not spec.interactive:
            self._given_up = True                  # nobody will ever come
            self.stop()

    def owns(self, child: Child) -> bool:
        """True for a process of this session."""
        return child in self._endpoints.values()

    def heard(self, child: Child, event: EventRecord) -> None:
        """An endpoint reported something through its journal."""
        if event.kind == "failed" and not self._spec.interactive:
            self._ok = False
        if event.kind == "listening" and self._held is not None:
            held, self._held = self._held, None
            self._describe_to(held)
            for line in self._for_held:
                held.send(line)

    def ended(self, child: Child) -> None:
        """An endpoint's process has ended, and its pipes are read to their end."""
        status = child.status or 0
        if child is self._held:
            self._held = None
        elif status and not child.failed and not self._given_up:
            self._report("failed", child.complaint, child=child)
        self._ok = self._ok and status == 0
        self._report("endpoint-ended", f"The {child.role}'s process ended.", child=child, status=str(status))
        del self._endpoints[child.role]
        if not self._endpoints:
            self._finish()
        elif self._held is not None:
            self._held.signal(signal.SIGKILL)              # nobody will ever listen
        elif child.role == "client" and not self._spec.interactive:
            self._release_server_at = time.monotonic() + _LEFT_ALONE

    def command(self, command: EndpointCommand) -> bool:
        """Hand a command on to the endpoints it is for; False when there is none."""
        to = command.to
        if isinstance(command, HalfClose) and to != "both" and not self.awaits(to):
            # An end closes on the other's FIN unless told not to: nobody would see the open direction.
            self.command(KeepOpen("client" if to == "server" else "server"))
        line = to_line(replace(command, to="both"))       # it reaches those alone that it is for
        reached = False
        for role, child in self._endpoints.items():
            if to not in (role, "both"):
                continue
            if child is not self._held:
                reached = child.send(line) or reached
            elif isinstance(command, Pause | Resume):      # it has not begun yet, and is to begin like that
                self._for_held.append(line)
        return reached

    def awaits(self, to: Target) -> bool:
        """Whether that end has not begun yet: a client, whose server does not listen so far."""
        return self._held is not None and self._endpoints.get(to) is self._held

    def stop(self) -> None:
        """Have the endpoints close and end; kill them when they do not."""
        if self._held is not None:
            self._held.signal(signal.SIGKILL)
        for child in self._endpoints.values():
            child.end_input()
        if self._kill_at is None:
            self._kill_at = time.monotonic() + STOP_GRACE

    @property
    def due(self) -> float | None:
        """In how many seconds `tick` has something to do; None where nothing waits for its time."""
        times = [at for at in (self._release_server_at, self._kill_at) if at is not None]
        return max(min(times) - time.monotonic(), 0.0) if times and not self.over else None

    def tick(self) -> None:
        """Do what has become due."""
        now = time.monotonic()
        if self._release_server_at is not None and now >= self._release_server_at:
            self._release_server_at = None
            self.stop()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = now + _KILLED_AGAIN
            for child in self._endpoints.values():
                child.signal(signal.SIGKILL)

    def _describe_to(self, child: Child) -> None:
        self._report("endpoint-started", f"The {child.role}'s process runs.", child=child)
        child.send(self._line)

    def _finish(self) -> None:
        self.over = True
        for sentence in self._unmet():             # whoever leads a session has seen what came of it
            self._report("note" if self._spec.interactive else "failed", sentence)
            self._ok = self._ok and self._spec.interactive
        text = "The session ended." if self._ok else "The session ended, not as asked."
        self._report("session-ended", text, ok="true" if self._ok else "false")
