"""What every part of an endpoint shares: the session's description, journal, gate and loop.

`Context` is handed to a kind's ends when they run; an error of a socket becomes a `FailedError`, a sentence.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass

from inspector.model.spec import Role, SessionSpec
from inspector.sessions.gate import Gate
from inspector.sessions.journal import Journal
from inspector.sessions.loop import Loop
from inspector.sessions.sockets.journaled import Address, JournaledSocket


class FailedError(Exception):
    """The session did not go as asked; the text is one sentence for the user."""


class LostError(FailedError):
    """The connection ended early, which a person at the keys may well have wanted."""


@dataclass(slots=True)
class Context:
    """One endpoint's surroundings."""

    spec: SessionSpec
    role: Role
    journal: Journal
    gate: Gate
    loop: Loop
    keeps_open: bool = False      # by hand: after the peer's next FIN the own direction stays open

    @property
    def other(self) -> Role:
        """The role at the other end."""
        return "client" if self.role == "server" else "server"

    @property
    def address(self) -> Address:
        """The server's address."""
        return self.spec.address, self.spec.port

    @property
    def ends_first(self) -> bool:
        """True when the script has this end close the session."""
        return self.spec.end_by == self.role

    def stays_open(self) -> bool:
        """Whether the own direction stays open after the FIN that came now; the wish is for one FIN."""
        stays, self.keeps_open = self.keeps_open, self.spec.ending != "close"
        return stays

    def socket(self, protocol: str) -> JournaledSocket:
        """A new socket, or FailedError where the machine lacks the address family."""
        try:
            made = JournaledSocket(self.journal, self.gate, ipv6=self.spec.ipv6, protocol=protocol)
            if self.spec.window and protocol == "tcp":     # what accept() gives has it from the listener
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, self.spec.window)
            return made
        except OSError as error:
            raise FailedError(f"No socket could be made: {error.strerror}.") from error

    def wait(self, until: Callable[[], bool], too_late: str) -> None:
        """Run the loop until `until()`; FailedError(`too_late`) when nothing happens for the spec's timeout.

        There is no time limit while a person leads: interactive, paused at any time, or on a held wire.
        """
        if not self.loop.wait(until, self._timeout):
            raise FailedError(f"{too_late} within {self._timeout() or 0:g} seconds.")

    def wait_for_ever(self) -> None:
        """Run the loop until the end of standard input; what goes wrong is reported, and the loop goes on."""
        while True:
            try:
                self.loop.wait(lambda: False, lambda: None)
            except FailedError as error:
                self.report(error)

    def report(self, error: FailedError) -> None:
        """Report what went wrong: a failure, or a note where a person's own doing may be the cause."""
        own_doing = self.spec.interactive and isinstance(error, LostError)
        self.journal.event("note" if own_doing else "failed", str(error))

    def _timeout(self) -> float | None:
        if self.spec.interactive or self.gate.was_paused or self.spec.wire == "held":
            return None
        return self.spec.timeout + self.spec.push_interval * (self.spec.behaviour == "push")


def bind_failure(context: Context, error: OSError) -> FailedError:
    """The sentence for an address that could not be taken."""
    address, port = context.spec.address, context.spec.port
    if error.errno == errno.EADDRINUSE:
        return FailedError(f"Port {port} of {address} is in use; choose another port.")
    if error.errno == errno.EACCES:
        return FailedError(f"Port {port} needs a privilege; choose a port from 1024 on.")
    if error.errno == errno.EADDRNOTAVAIL:
        return FailedError(f"The address {address} does not exist here.")
    return FailedError(f"Port {port} of {address} could not be taken: {error.strerror}.")


def connect_failure(context: Context, error: OSError) -> FailedError:
    """The sentence for a connection that did not come about."""
    where = f"port {context.spec.port} of {context.spec.address}"
    if isinstance(error, ConnectionRefusedError):
        return FailedError(f"The connection was refused: nothing listens on {where}.")
    return FailedError(f"No connection to {where}: {error.strerror}.")
