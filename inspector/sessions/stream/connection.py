"""One TCP connection: a thread that receives, and an `Exchange` in the main thread that answers.

The thread connects where it must, then sits in recv; what arrives is handed to the exchange. Sending,
closing and aborting are the main thread's. An exchange is one end's part of a protocol over the connection.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, assert_never

from inspector.model.commands import Abort, Close, Connect, HalfClose, KeepOpen, Send, SocketCommand
from inspector.model.language import spoken
from inspector.model.messages import Message
from inspector.model.spec import SessionSpec
from inspector.sessions.context import Context, LostError
from inspector.sessions.gate import EndedError, RetiredError
from inspector.sessions.sockets.journaled import Address, JournaledSocket

if TYPE_CHECKING:
    from inspector.sessions.stream.secure import Secure


class Connection:
    """A TCP connection. All but the receiving thread's `_receive` runs in the main thread."""

    def __init__(
        self, context: Context, sock: JournaledSocket, number: int, connect_to: Address | None = None
    ) -> None:
        self.context = context
        self.number = number                  # 0 for the session's first connection
        self.sock = sock
        self.exchange: Exchange | None = None
        self.opened = connect_to is None
        self.peer_ended = False               # FIN came
        self.half_closed = False              # FIN was sent by shutdown
        self.error: OSError | None = None     # refused, reset, …
        self._connect_to = connect_to
        self._secure: Secure | None = None    # where TLS is spoken
        self._close_notify_sent = False
        self._unsent_reported = False
        self._reading = threading.Event()     # not set: bytes are left to the kernel, its window closes
        self._reading.set()
        self._thread = threading.Thread(target=self._receive, daemon=True)

    @property
    def over(self) -> bool:
        """Nothing will come any more."""
        return self.peer_ended or self.error is not None or self.sock.closed

    def start(self, exchange: Exchange) -> None:
        """Begin to connect or to receive."""
        self.exchange = exchange
        if self._connect_to is not None and self.context.spec.tls:
            from inspector.sessions.stream.secure import Secure  # ssl, which most sessions do not need

            report = partial(self.context.journal.secret, moment=time.time_ns())
            self._secure = Secure(self.context.spec, exchange.alpn, report)
        if self.opened and self.context.spec.kernel_times:
            self.sock.mark_times()              # before anything is sent: the kernel counts from here on
        self._thread.start()
        if self.opened:
            exchange.started()

    def _receive(self) -> None:
        loop = self.context.loop
        try:
            if self._connect_to is not None:
                self.sock.connect(self._connect_to)
                self.sock.getsockname()
                if self.context.spec.kernel_times:
                    self.sock.mark_times()
            if self.exchange is not None and self.exchange.no_delay:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._connect_to is not None:
                self.sock.hand_over(loop, self._on_opened)
                self.sock.wait_for_turn()
            self._reading.wait()
            while self.sock.recv(self._deliver):
                self.sock.wait_for_turn()
                self._reading.wait()
        except (EndedError, RetiredError):
            pass
        except OSError as error:
            loop.post(partial(self._on_error, error))

    def _deliver(self, data: bytes) -> None:
        if data:
            self.sock.hand_over(self.context.loop, partial(self._on_data, data))
        elif not self.sock.retired:
            self.context.loop.post(self._on_end)

    def _on_opened(self) -> None:
        if self._secure is not None and not self._secure.ready:
            self._shake_hands(self._secure)
            return
        self.opened = True
        if self.exchange is not None and not self.sock.closed:
            self.exchange.started()

    def _shake_hands(self, secure: Secure, came: bytes = b"") -> None:
        """Go on with the handshake of TLS; what it does not like, the other end is told before we end."""
        try:
            plain = secure.receive(came)
        except OSError as error:                # every fault of TLS is one
            self._send(secure.outgoing())
            self._on_error(error)
            return
        self._send(secure.outgoing())
        if secure.ready:
            self._on_opened()
            self._on_plain(plain)

    def _on_data(self, data: bytes) -> None:
        secure = self._secure
        if secure is None:
            self._on_plain(data)
        elif self.error is not None:
            return
        elif not secure.ready:
            self._shake_hands(secure, data)
        else:
            try:
                plain = secure.receive(data)
            except OSError as error:
                self._on_error(error)
                return
            self._send(secure.outgoing())       # answers of TLS itself: of a change of keys
            self._on_plain(plain)

    def _on_plain(self, data: bytes) -> None:
        if data and self.exchange is not None and not self.sock.closed:
            self.exchange.received(data)

    def _on_end(self) -> None:
        self.peer_ended = True
        if self._secure is not None and not self._secure.ready and self.error is None:
            why = "it was ended before TLS was agreed on"
            self._on_error(ConnectionAbortedError(errno.ECONNABORTED, why))
            return
        if self.exchange is not None and not self.sock.closed:
            self.exchange.ended()

    def _on_error(self, error: OSError) -> None:
        if self.error is None and not self.sock.closed:
            self.error = error
            if self.exchange is not None:
                self.exchange.broken(error)

    def pause_reading(self) -> None:
        """Receive nothing for now, from the call on that comes after the one that may run already."""
        if not self.sock.closed:
            self._reading.clear()

    def resume_reading(self) -> None:
        """Receive again; from any thread."""
        self._reading.set()

    def send(self, data: bytes) -> None:
        """Send all of `data`; the exchange hears of a reset as if it had been received.

        After the own FIN nothing can go: send() would fail with EPIPE, as it does after a reset.
        """
        if self.half_closed:
            self._report_unsent()
            return
        self._send(data if self._secure is None else self._secure.seal(data))

    def _report_unsent(self) -> None:
        """Say, once, that an answer or what was to be pushed does not go; a script has its end as asked."""
        if self.context.spec.interactive and not self._unsent_reported:
            self._unsent_reported = True
            self.context.journal.note(f"The {self.context.role} has ended its direction, it cannot send.")

    def _send(self, data: bytes) -> None:
        if self.half_closed:                    # what TLS itself would answer
            return
        try:
            while data:
                data = data[self.sock.send(data) :]
        except OSError as error:
            if self.context.gate.ended:
                raise EndedError from error       # `interrupt` ended the call
            self._on_error(error)

    def interrupt(self) -> None:
        """Make a call that still blocks return, whatever becomes of the connection; from any thread."""
        if not self.sock.closed:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def half_close(self) -> None:
        """Send FIN and go on receiving."""
        self._send_close_notify()
        self.half_closed = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._on_error(error)

    def close(self) -> None:
        """Close in order: FIN (RST only if bytes came that nobody received, RFC 9293 §3.6)."""
        if self.sock.closed:
            return
        self._send_close_notify()
        self._close()

    def _send_close_notify(self) -> None:
        """TLS: what follows is not sent by an end that was cut off (close_notify)."""
        if self._secure is not None and not self._close_notify_sent and self.error is None:
            self._close_notify_sent = True
            self._send(self._secure.close_notify())

    def _close(self) -> None:
        self.sock.stop_blocking()
        self.resume_reading()
        self.sock.retire(self._thread)
        self.sock.close()
        if self._secure is not None:
            self._secure.close()

    def abort(self) -> None:
        """Close by RST."""
        if not self.sock.closed:
            self.sock.linger_zero()
            self._close()


class Exchange:
    """One end of a protocol over a connection; this base holds how the transport ends.

    `script` is what a session without a person does at this end, straight through.
    """

    # A library that writes a message in several parts needs TCP_NODELAY, as servers and clients commonly do:
    # with Nagle's algorithm each part would wait for the last one's delayed acknowledgment.
    no_delay = False
    # Whether a client that is not connected connects to send what a person typed.
    connects_to_send = False
    alpn: ClassVar[tuple[str, ...]] = ()      # what a client offers where it speaks TLS

    @classmethod
    def connections(cls, spec: SessionSpec) -> int:
        """How many connections the script of `spec` makes."""
        return 1

    def __init__(self, context: Context, connection: Connection) -> None:
        self.context = context
        self.spec = context.spec
        self.connection = connection

    # -- what happens -------------------------------------------------------------------------------

    def started(self) -> None:
        """The connection is up."""

    def received(self, data: bytes) -> None:
        """Bytes came."""

    def ended(self) -> None:
        """The peer sent FIN: it sends no more."""
        stays = self.context.stays_open() and not self.connection.half_closed
        if self.spec.interactive and not stays:
            self.connection.close()

    def broken(self, error: OSError) -> None:
        """The connection failed: refused, reset."""
        if self.spec.interactive and self.connection.opened:
            self.context.journal.note(f"{self.loss()}.")
            self.connection.close()

    # -- what is asked -------------------------------------------------------------------------------

    def script(self) -> None:
        """Do this end's part of the session; FailedError when it cannot be done as asked."""
        raise NotImplementedError

    def command(self, command: SocketCommand) -> None:
        """Do what a person asks; FailedError with a sentence when it cannot be done."""
        match command:
            case Abort():
                self.connection.abort()
            case HalfClose():
                self.half_close()
            case Close() if self.connection.half_closed:
                self.connection.close()        # a last word of the protocol's could not be sent
            case Close(_, code, reason):
                self.close(code, reason)
            case Send() if self.connection.half_closed:
                self.context.journal.note(f"The {self.context.role} has ended its direction, it cannot send.")
            case Send(message):
                self.send_by_hand(message)
            case Connect() | KeepOpen():
                pass                   # the endpoint's, who makes connections, and the context's
            case _:
                assert_never(command)

    def send_by_hand(self, message: Message) -> None:
        """Send what a person typed."""
        raise NotImplementedError

    def half_close(self) -> None:
        """Send FIN and go on receiving."""
        if self.connection.half_closed:
            self.context.journal.note(f"The {self.context.role} has already ended its direction.")
        else:
            self.connection.half_close()

    def close(self, code: int, reason: str) -> None:
        """Close in order; code and reason are WebSocket's."""
        self.connection.close()

    def last_word(self) -> None:
        """Say something in the direction that is still open after the peer's FIN."""

    # -- for scripts -------------------------------------------------------------------------------

    def expect(self, until: Callable[[], bool], what: str) -> None:
        """Wait until `until()`; LostError when the connection is over before, FailedError after too long.

        `what` completes "The server did not …", and "to …".
        """
        self.context.wait(
            lambda: until() or self.connection.over, f"The {self.context.other} did not {what}"
        )
        if not until():
            loss, other, connection = self.loss(), self.context.other, self.connection
            if connection.error is None and not connection.peer_ended:   # who answers, may answer nobody
                raise LostError(f"{loss} and did not wait for the {other} to {what}.")
            if loss.startswith(f"The {other}"):
                raise LostError(f"{loss} and did not {what}.")
            raise LostError(f"{loss}; the {other} did not {what}.")

    def loss(self) -> str:
        """How the connection was lost, as the beginning of a sentence."""
        error, other = self.connection.error, self.context.other
        if error is None:
            role = other if self.connection.peer_ended else self.context.role
            return spoken(f"The {role} closed the connection")
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            return spoken(f"The {other} reset the connection")
        return spoken(f"The connection failed ({error.strerror})")

    def finish(self, first: bool) -> None:
        """End the connection as the session's spec says, as the first end to do so or as the second."""
        connection, ending = self.connection, self.spec.ending
        if first:
            if ending == "abort":
                connection.abort()
            elif ending == "half-close":
                connection.half_close()
                self.expect(lambda: connection.peer_ended, "close its direction")
            if ending in ("close", "half-close"):
                connection.close()
            return
        if ending == "abort":
            self.expect(lambda: connection.error is not None, "abort the connection")
        else:
            self.expect(lambda: connection.peer_ended, "close the connection")
            if ending == "half-close":
                self.last_word()
        connection.close()
