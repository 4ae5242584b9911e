"""The two ends of a session over TCP: a server that listens and accepts, a client that connects.

Both run a `Talk` for each connection: the protocol (raw bytes, HTTP, WebSocket) is the talk's alone.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial

from inspector.sessions.connection import Connection, Talk
from inspector.sessions.context import Command, Context, FailedError, LostError, bind_failure, connect_failure
from inspector.sessions.gate import EndedError, RetiredError
from inspector.sessions.sockets import JournaledSocket
from inspector.sessions.strace import address_text

MakeTalk = Callable[[Context, Connection], Talk]
LoadTalk = Callable[[], MakeTalk]      # imports the protocol's library, which takes its time


def connections_expected(context: Context) -> int:
    """How many connections a script makes: one, or with HTTP without keep-alive one a request."""
    spec = context.spec
    return max(len(spec.messages or ()), 1) if spec.kind == "http" and not spec.keep_alive else 1


class StreamServer:
    """Listens, accepts one connection after the other, and talks on all of them."""

    def __init__(self, context: Context, load: LoadTalk) -> None:
        self.context = context
        self._load = load
        self.talks: list[Talk] = []
        self._accepted_count = 0
        self._served = 0                   # connections whose script is done
        self.listener: JournaledSocket | None = None
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def run(self) -> None:
        """Serve: for ever when interactive, else until the script's connections have ended."""
        context = self.context
        self._listen()
        self._load()               # clients may connect meanwhile: the kernel lets them wait
        self._thread.start()
        if context.spec.interactive:
            context.wait_for_ever()
        for _ in range(connections_expected(context)):
            context.wait(lambda: len(self.talks) > self._served, "No client connected")
            self.talks[self._served].script()
            self._served += 1
        if context.spec.ending != "none" or not context.ends_first:
            self.close()

    def _listen(self) -> None:
        context = self.context
        self.listener = context.socket("tcp")
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.listener.bind(context.address)
            self.listener.listen()
        except OSError as error:
            raise bind_failure(context, error) from error
        where = address_text(context.address)
        context.journal.event("listening", f"The server listens on {where}.", address=where)

    def _accept(self) -> None:
        assert self.listener is not None
        rest = None if self.context.spec.interactive else connections_expected(self.context)
        try:
            while rest is None or rest > 0:
                self.listener.accept(lambda sock: self.context.loop.post(partial(self._accepted, sock)))
                rest = None if rest is None else rest - 1
        except (EndedError, RetiredError):
            pass
        except OSError as error:
            if not self.listener.retired:
                self.context.loop.post(partial(self._accept_failed, error))

    def _accepted(self, sock: JournaledSocket) -> None:
        if self.context.spec.interactive:
            self.talks = [talk for talk in self.talks if not talk.connection.sock.closed]
        connection = Connection(self.context, sock, self._accepted_count)
        self._accepted_count += 1
        talk = self._load()(self.context, connection)
        self.talks.append(talk)
        connection.start(talk)

    def _accept_failed(self, error: OSError) -> None:
        raise FailedError(f"No connection could be accepted: {error.strerror}.")

    def command(self, command: Command) -> None:
        """Pass a person's command to the latest connection that is open."""
        talk = next((talk for talk in reversed(self.talks) if not talk.connection.sock.closed), None)
        if talk is None:
            self.context.journal.note("No client is connected.")
        elif command.do == "connect":
            self.context.journal.note("A server does not connect; it accepts.")
        else:
            talk.command(command)

    def interrupt(self) -> None:
        """Make calls that still block return; from any thread."""
        for talk in self.talks:
            talk.connection.interrupt()

    def close(self) -> None:
        """Close all sockets that are open."""
        for talk in self.talks:
            talk.connection.close()
        if self.listener is not None and not self.listener.closed:
            self.listener.retire(self._thread)
            self.listener.close()


class StreamClient:
    """Connects and talks; after a connection ended, a person may have it connect again."""

    def __init__(self, context: Context, load: LoadTalk) -> None:
        self.context = context
        self._load = load
        self.talk: Talk | None = None
        self._connect_count = 0
        self._early: list[Command] = []        # to send once the connection is there

    def run(self) -> None:
        """Run the script; a person's commands afterwards."""
        context = self.context
        self._load()
        try:
            for _ in range(connections_expected(context)):
                talk = self._connect()
                if talk is not None:
                    talk.script()
        except FailedError as error:
            if not context.spec.interactive:
                raise
            context.tell(error)
        if context.spec.interactive:
            context.wait_for_ever()

    def _connect(self) -> Talk | None:
        """Open a connection; None when it was refused and that was asked for."""
        context = self.context
        connection = Connection(context, context.socket("tcp"), self._connect_count, context.address)
        self._connect_count += 1
        self.talk = talk = self._load()(context, connection)
        connection.start(talk)
        context.wait(lambda: connection.opened or connection.over, "The server did not answer")
        if connection.opened:
            if not context.spec.with_server:
                raise FailedError(f"Something listens on port {context.spec.port}, though nobody should.")
            while self._early:
                talk.command(self._early.pop(0))
            return talk
        self._early.clear()
        error = connection.error
        connection.close()
        if error is None:
            raise LostError("The connection was given up.")
        if isinstance(error, ConnectionRefusedError) and not context.spec.with_server:
            return None
        raise connect_failure(context, error)

    def command(self, command: Command) -> None:
        """Pass a person's command to the connection, or open a new one."""
        alive = self.talk is not None and not self.talk.connection.sock.closed
        if command.do == "connect":
            if alive:
                self.context.journal.note("The client is connected already.")
            else:
                self._connect()
        elif not alive and command.do == "send" and self.context.spec.kind == "http":
            talk = self._connect()
            if talk is not None:
                talk.command(command)
        elif self.talk is None or not alive:
            self.context.journal.note("The client is not connected.")
        elif not self.talk.connection.opened and command.do in ("send", "half-close"):
            self._early.append(command)
        else:
            self.talk.command(command)

    def interrupt(self) -> None:
        """Make calls that still block return; from any thread."""
        if self.talk is not None:
            self.talk.connection.interrupt()

    def close(self) -> None:
        """Close the socket if it is open."""
        if self.talk is not None:
            self.talk.connection.close()
