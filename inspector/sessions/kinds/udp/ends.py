"""The two ends of a session over UDP: datagrams, no connection.

A thread sits in recvfrom (recv on a connected client) and posts what came. There is no end to see on
the wire: a script's server ends when it has had, and answered, as many datagrams as the client sends.
"""

from __future__ import annotations

import errno
import threading
from functools import partial
from typing import assert_never

from inspector.model.commands import Abort, Close, Connect, HalfClose, KeepOpen, Send, SocketCommand
from inspector.model.messages import parse_message
from inspector.model.spec import push_messages
from inspector.sessions.context import Context, FailedError, bind_failure
from inspector.sessions.gate import EndedError, RetiredError
from inspector.sessions.sockets.journaled import Address, Datagram, JournaledSocket
from inspector.sessions.sockets.strace import QueuedError, address_text

UNANSWERED = 1.0       # seconds until a script calls a datagram to nobody unanswered


class Datagrams:
    """A UDP socket and the thread that receives on it; the base of both ends."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.spec = context.spec
        self.sock: JournaledSocket | None = None
        self.received_count = 0
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """True while the socket is open."""
        return self.sock is not None and not self.sock.closed

    def receive(self, sock: JournaledSocket, *, connected: bool, errors: bool = False) -> None:
        """Begin to receive in a thread; with `errors`, read the error queue after a refused datagram."""
        self._thread = threading.Thread(target=self._receive, args=(sock, connected, errors), daemon=True)
        self._thread.start()

    def _receive(self, sock: JournaledSocket, connected: bool, errors: bool) -> None:
        try:
            while not sock.retired:
                try:
                    if connected:
                        sock.recv(lambda data: self._deliver(sock, (data, None)))
                    else:
                        sock.recvfrom(partial(self._deliver, sock))
                except OSError as error:
                    # An ICMP message is told once as the next call's error; the socket lives on.
                    queued = _queued(sock) if errors else None
                    sock.hand_over(self.context.loop, partial(self.refused, error, queued))
                sock.wait_for_turn()
        except (EndedError, RetiredError):
            pass
        except OSError as error:
            self.context.loop.post(partial(self.refused, error, None))

    def _deliver(self, sock: JournaledSocket, datagram: Datagram) -> None:
        if not sock.retired:
            sock.hand_over(self.context.loop, partial(self.received, *datagram))

    def received(self, data: bytes, sender: Address | None) -> None:
        """A datagram came."""
        self.received_count += 1

    def refused(self, error: OSError, queued: QueuedError | None) -> None:
        """A datagram of ours came to nothing."""

    def command(self, command: SocketCommand) -> None:
        """Do what a person asks."""
        journal, role = self.context.journal, self.context.role
        match command:
            case Abort() | HalfClose():
                journal.note(
                    "UDP has no connection to end; close the socket, which tells the other end nothing."
                )
            case Connect():
                if self.alive:
                    journal.note(f"The {role}'s socket is open already.")
                else:
                    self.open()
            case Close() | Send() if not self.alive:
                journal.note(f"The {role}'s socket is closed.")
            case Close():
                self.close()
            case Send(message):
                self.send(message.data)
            case KeepOpen():
                pass                   # there is no direction to keep open
            case _:
                assert_never(command)

    def open(self) -> None:
        """Make the socket."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Send a datagram to the other end."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Nothing here blocks but receiving, which `close` ends."""

    def close(self) -> None:
        """Close the socket if it is open."""
        if self.sock is not None and not self.sock.closed:
            self.sock.retire(self._thread)
            self.sock.close()


class UdpServer(Datagrams):
    """Binds a port; echoes, or answers the first datagram by several, or only receives."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.peer: Address | None = None
        self._to_push = list(push_messages(context.spec))

    def open(self) -> None:
        context = self.context
        sock = self.sock = context.socket("udp")
        try:
            sock.bind(context.address)
        except OSError as error:
            raise bind_failure(context, error) from error
        where = address_text(context.address)
        context.journal.event("listening", f"The server receives on {where}.", address=where)
        self.receive(sock, connected=False)

    def run(self) -> None:
        """Serve: for ever when interactive, else until all was received and answered."""
        self.open()
        if self.spec.interactive:
            self.context.wait_for_ever()
        expected = len(self.spec.messages or ())
        self.context.wait(
            lambda: self.received_count >= expected and not self._to_push, "Not every datagram came"
        )
        if self.spec.ending != "none":
            self.close()

    def received(self, data: bytes, sender: Address | None) -> None:
        super().received(data, sender)
        first, self.peer = self.peer is None, sender
        if self.spec.behaviour == "echo":
            self.send(data)
        elif self.spec.behaviour == "push" and first:
            self._push()

    def _push(self) -> None:
        if self._to_push and self.alive:
            self.send(self._to_push.pop(0).encode())
            if self._to_push:
                self.context.loop.later(self.spec.push_interval, self._push)

    def send(self, data: bytes) -> None:
        if self.sock is None or self.peer is None:
            self.context.journal.note("No client has sent a datagram yet, so there is nobody to send to.")
            return
        try:
            self.sock.sendto(data, self.peer)
        except OSError as error:
            raise send_failure(data, error) from error


class UdpClient(Datagrams):
    """Sends the script's datagrams, each after the answer to the one before.

    Connected, the kernel tells it of ICMP errors; unconnected, only when it asks for the error queue.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.refused_count = 0

    def open(self) -> None:
        sock = self.sock = self.context.socket("udp")
        self._thread = None
        if self.spec.connected:
            sock.connect(self.context.address)
            sock.getsockname()
            self.receive(sock, connected=True)
        elif self.spec.error_queue:
            sock.ask_for_errors()

    def run(self) -> None:
        """Send the script; then a person's commands."""
        try:
            self.open()
            self._script()
        except FailedError as error:
            if not self.spec.interactive:
                raise
            self.context.report(error)
        if self.spec.interactive:
            self.context.wait_for_ever()
        if self.spec.ending != "none":
            self.close()

    def _script(self) -> None:
        for count, text in enumerate(self.spec.messages or (), 1):
            self.send(parse_message(text).data)
            if not self.alive:
                return
            if not self.spec.with_server:
                self._expect_refusal(count)
            elif self.spec.behaviour == "echo":
                self._expect(count, "answer")
        if self.spec.with_server and self.spec.behaviour == "push":
            self._expect(self.spec.push_count, "push its datagrams")

    def _expect(self, count: int, what: str) -> None:
        self.context.wait(
            lambda: self.received_count >= count or self.refused_count > 0 or not self.alive,
            f"The server did not {what}",
        )
        if self.refused_count:
            raise FailedError(f"Nobody receives on port {self.spec.port}: the datagram was refused by ICMP.")

    def _expect_refusal(self, count: int) -> None:
        if self.spec.connected or self.spec.error_queue:
            self.context.wait(lambda: self.refused_count >= count, "No ICMP message came back")
        elif not self.context.loop.wait(lambda: self.received_count > 0, lambda: UNANSWERED):
            self.context.journal.note(
                "Nothing came back: the kernel tells an unconnected UDP socket nothing of ICMP."
            )
        if self.received_count:
            raise FailedError(f"Something answers on port {self.spec.port}, though nobody should.")

    def refused(self, error: OSError, queued: QueuedError | None) -> None:
        if error.errno != errno.ECONNREFUSED:
            raise FailedError(f"The datagram could not be delivered: {error.strerror}.")
        self.refused_count += 1

    def send(self, data: bytes) -> None:
        assert self.sock is not None
        try:
            if self.spec.connected:
                self.sock.send(data)
            else:
                self.sock.sendto(data, self.context.address)
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise send_failure(data, error) from error
            self.refused(error, None)
        if not self.spec.connected and self._thread is None:
            # The kernel chose the port when it sent; before, there was nothing to receive on.
            self.sock.getsockname()
            self.receive(self.sock, connected=False, errors=self.spec.error_queue)


def _queued(sock: JournaledSocket) -> QueuedError | None:
    """What the error queue tells of the error that was just returned."""
    try:
        return sock.recvmsg_error()
    except BlockingIOError:
        return None


def send_failure(data: bytes, error: OSError) -> FailedError:
    """The sentence for a datagram that could not be sent."""
    if error.errno == errno.EMSGSIZE:
        return FailedError(f"{len(data)} bytes are too long for a datagram (65507 over IPv4).")
    return FailedError(f"The datagram could not be sent: {error.strerror}.")
