"""The two ends of a session over TCP: a server that listens and accepts, a client that connects.

Both run an `Exchange` for each connection: the protocol (raw bytes, HTTP, WebSocket) is the exchange's alone.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial

from inspector.model.commands import Connect, HalfClose, Send, SocketCommand
from inspector.sessions.context import Context, FailedError, LostError, bind_failure, connect_failure
from inspector.sessions.gate import EndedError, RetiredError
from inspector.sessions.sockets.journaled import JournaledSocket
from inspector.sessions.sockets.strace import address_text
from inspector.sessions.stream.connection import Connection, Exchange

LoadExchange = Callable[[], type[Exchange]]      # imports the protocol's library, which takes its time


class StreamServer:
    """Listens, accepts one connection after the other, and has an exchange on each."""

    def __init__(self, context: Context, load: LoadExchange) -> None:
        self.context = context
        self._load = load
        self.exchanges: list[Exchange] = []
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
        self.serve()
        if context.spec.ending != "none" or not context.ends_first:
            self.close()

    def serve(self) -> None:
        """Do the script's part on all its connections."""
        context = self.context
        for _ in range(self._load().connections(context.spec)):
            context.wait(lambda: len(self.exchanges) > self._served, "No client connected")
            self.exchanges[self._served].script()
            self._served += 1

    def most_connections(self) -> int | None:
        """How many connections are accepted; None: as many as come."""
        return None if self.context.spec.interactive else self._load().connections(self.context.spec)

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
        rest = self.most_connections()
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
            self.exchanges = [exchange for exchange in self.exchanges if not exchange.connection.sock.closed]
        connection = Connection(self.context, sock, self._accepted_count)
        self._accepted_count += 1
        exchange = self._load()(self.context, connection)
        self.exchanges.append(exchange)
        connection.start(exchange)

    def _accept_failed(self, error: OSError) -> None:
        raise FailedError(f"No connection could be accepted: {error.strerror}.")

    def command(self, command: SocketCommand) -> None:
        """Pass a person's command to the latest connection that is open."""
        alive = [exchange for exchange in self.exchanges if not exchange.connection.sock.closed]
        exchange = alive[-1] if alive else None
        if exchange is None:
            self.context.journal.note("No client is connected.")
        elif isinstance(command, Connect):
            self.context.journal.note("A server does not connect; it accepts.")
        else:
            exchange.command(command)

    def interrupt(self) -> None:
        """Make calls that still block return; from any thread."""
        for exchange in self.exchanges:
            exchange.connection.interrupt()

    def close(self) -> None:
        """Close all sockets that are open."""
        for exchange in self.exchanges:
            exchange.connection.close()
        if self.listener is not None and not self.listener.closed:
            self.listener.retire(self._thread)
            self.listener.close()


class StreamClient:
    """Connects and exchanges; after a connection ended, a person may have it connect again."""

    def __init__(self, context: Context, load: LoadExchange) -> None:
        self.context = context
        self._load = load
        self.exchange: Exchange | None = None
        self._connect_count = 0
        self._early: list[SocketCommand] = []        # to send once the connection is there

    def run(self) -> None:
        """Run the script; a person's commands afterwards."""
        context = self.context
        self._load()
        try:
            for _ in range(self._load().connections(context.spec)):
                exchange = self._connect()
                if exchange is not None:
                    exchange.script()
        except FailedError as error:
            if not context.spec.interactive:
                raise
            context.report(error)
        if context.spec.interactive:
            context.wait_for_ever()

    def _connect(self) -> Exchange | None:
        """Open a connection; None when it was refused and that was asked for."""
        context = self.context
        connection = Connection(context, context.socket("tcp"), self._connect_count, context.address)
        self._connect_count += 1
        self.exchange = exchange = self._load()(context, connection)
        connection.start(exchange)
        context.wait(lambda: connection.opened or connection.over, "The server did not answer")
        if connection.opened:
            if not context.spec.with_server:
                raise FailedError(f"Something listens on port {context.spec.port}, though nobody should.")
            while self._early:
                exchange.command(self._early.pop(0))
            return exchange
        self._early.clear()
        error = connection.error
        connection.close()
        if error is None:
            raise LostError("The connection was given up.")
        if isinstance(error, ConnectionRefusedError) and not context.spec.with_server:
            return None
        if context.spec.tls and not isinstance(error, ConnectionRefusedError):
            from inspector.sessions.stream.secure import failure_words  # ssl, which most do not need

            raise FailedError(failure_words(context.spec, error)) from error
        raise connect_failure(context, error)

    def command(self, command: SocketCommand) -> None:
        """Pass a person's command to the connection, or open a new one."""
        alive = self.exchange is not None and not self.exchange.connection.sock.closed
        if isinstance(command, Connect):
            if alive:
                self.context.journal.note("The client is connected already.")
            else:
                self._connect()
        elif not alive and isinstance(command, Send) and self._load().connects_to_send:
            exchange = self._connect()
            if exchange is not None:
                exchange.command(command)
        elif self.exchange is None or not alive:
            self.context.journal.note("The client is not connected.")
        elif not self.exchange.connection.opened and isinstance(command, Send | HalfClose):
            self._early.append(command)
        else:
            self.exchange.command(command)

    def interrupt(self) -> None:
        """Make calls that still block return; from any thread."""
        if self.exchange is not None:
            self.exchange.connection.interrupt()

    def close(self) -> None:
        """Close the socket if it is open."""
        if self.exchange is not None:
            self.exchange.connection.close()
