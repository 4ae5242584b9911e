"""WebSocket over a journaled connection, by the sans-I/O protocols of the `websockets` library.

Bytes that came go into the protocol; what it wants sent goes out; frames it gives are put together to
messages and answered. The library makes the HTTP upgrade. After the closing handshake the server ends
its direction first and the client follows (RFC 6455 §7.1.1).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, ProtocolError
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from inspector.model.messages import Message, parse_message
from inspector.model.spec import push_messages
from inspector.sessions.context import Context, FailedError, LostError
from inspector.sessions.sockets.strace import address_text
from inspector.sessions.stream.connection import Connection, Exchange
from inspector.wire.text import escaped

MAX_MESSAGE = 16 * 1024 * 1024
_SUBPROTOCOL = "sec-websocket-protocol"
_HEAD = 4096                                      # bytes of an answer that are kept to say what it was
# RFC 9112 section 4: a status line; readers take one without a reason, or that ends with LF alone, as well.
_STATUS_LINE = re.compile(rb"(HTTP/\d\.\d) +(\d{3})(?: ([^\r\n]*))?\r?\n")


class WebSocketExchange(Exchange):
    """What both ends have in common: frames to and from messages, and the close."""

    no_delay = True
    protocol: ClientProtocol | ServerProtocol

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        self.messages = 0              # complete data messages received
        self.controls = 0              # pings and pongs received
        self._parts: list[bytes] = []
        self._opcode = Opcode.TEXT

    @property
    def open(self) -> bool:
        """The upgrade was made and no close frame sent or received."""
        return self.protocol.state is OPEN

    # -- what comes ---------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Request | Response):
                self.upgrade(event)
            else:
                self._frame(event)
        self._flush()

    def ended(self) -> None:
        self.protocol.receive_eof()
        done = self.protocol.close_rcvd is not None or self.protocol.handshake_exc is not None
        stays = self.context.stays_open() and not done
        if self.spec.interactive and not stays:
            self.connection.close()

    def upgrade(self, event: Request | Response) -> None:
        """The other end's part of the opening handshake came."""

    def _frame(self, frame: Frame) -> None:
        self.controls += frame.opcode in (Opcode.PING, Opcode.PONG)
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._opcode, self._parts = frame.opcode, []
        self._parts.append(bytes(frame.data))
        if frame.fin:
            self.messages += 1
            self.message(Message(b"".join(self._parts), "text" if self._opcode is Opcode.TEXT else "binary"))

    def message(self, message: Message) -> None:
        """A whole message came."""

    # -- what goes ----------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Send what the protocol wants sent; its empty piece means that this direction ends."""
        for piece in self.protocol.data_to_send():
            if piece:
                self.connection.send(piece)
            elif not self.connection.half_closed and not self.connection.over:
                self.connection.half_close()

    def send(self, message: Message) -> None:
        """Send a message, in several frames where it says so; ValueError where it cannot be sent."""
        data, protocol = message.data, self.protocol
        if message.opcode in ("ping", "pong"):
            (protocol.send_ping if message.opcode == "ping" else protocol.send_pong)(data)
        else:
            size = max(-(-len(data) // message.fragments), 1)
            first, *rest = [data[n * size : (n + 1) * size] for n in range(message.fragments)]
            begin = protocol.send_text if message.opcode == "text" else protocol.send_binary
            begin(first, fin=not rest)
            for number, part in enumerate(rest, 2):
                protocol.send_continuation(part, fin=number == message.fragments)
        self._flush()

    def send_by_hand(self, message: Message) -> None:
        if self.open:
            self.send(message)
        else:
            self.context.journal.note("The WebSocket is not open; nothing can be sent.")

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; before the upgrade there is only the connection to close."""
        if self.open:
            try:
                self.protocol.send_close(code, reason)
            except (ProtocolError, ValueError) as error:
                self.context.journal.note(f"That close frame cannot be sent: {error}.")
            self._flush()
        else:
            self.connection.close()

    # -- scripts -------------------------------------------------------------------------------------

    def closing(self) -> None:
        """End the session as its spec says; "close" is the closing handshake, all else is TCP's alone."""
        if self.spec.ending != "close":
            self.finish(self.context.ends_first)
            return
        if self.context.ends_first:
            self.close(self.spec.close_code, self.spec.close_reason)
        self.expect(lambda: self.protocol.close_rcvd is not None, "close the WebSocket")
        self.expect(lambda: self.connection.peer_ended, "close the connection")
        self.connection.close()


class ServerExchange(WebSocketExchange):
    """The server's end."""

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        extensions = [ServerPerMessageDeflateFactory()] if self.spec.deflate else None
        self.protocol: ServerProtocol = ServerProtocol(extensions=extensions, max_size=MAX_MESSAGE)
        self._to_push = list(push_messages(self.spec))
        self._expected = len(self.spec.messages or ())

    def upgrade(self, event: Request | Response) -> None:
        assert isinstance(event, Request)
        self.protocol.send_response(self.protocol.accept(event))
        self._flush()
        if self.protocol.handshake_exc is not None:
            self.context.journal.note(f"The upgrade was refused: {self.protocol.handshake_exc}.")
        elif self._to_push:
            self._push()

    def message(self, message: Message) -> None:
        if self.spec.behaviour == "echo" and self.open:
            self.send(message)

    def _push(self) -> None:
        if self._to_push and self.open and not self.connection.over:
            self.send(Message(self._to_push.pop(0).encode()))
            if self._to_push:
                self.context.loop.later(self.spec.push_interval, self._push)

    def script(self) -> None:
        self.expect(lambda: self.open or self.protocol.handshake_exc is not None, "ask for the upgrade")
        if self.protocol.handshake_exc is not None:
            raise FailedError("The client did not ask for a WebSocket as RFC 6455 wants it.")
        self.expect(lambda: self.messages + self.controls >= self._expected, "send all its messages")
        self.expect(lambda: not self._to_push, "stay until all was pushed")
        self.closing()


class ClientExchange(WebSocketExchange):
    """The client's end."""

    alpn = ("http/1.1",)

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        scheme = "wss" if self.spec.tls else "ws"
        uri = parse_uri(f"{scheme}://{self.spec.to or address_text(context.address)}{self.spec.path}")
        extensions = [ClientPerMessageDeflateFactory()] if self.spec.deflate else None
        offered = [value for name, value in self.spec.header_pairs if name.lower() == _SUBPROTOCOL]
        subprotocols = [Subprotocol(one.strip()) for value in offered for one in value.split(",")] or None
        self.protocol: ClientProtocol = ClientProtocol(
            uri, extensions=extensions, subprotocols=subprotocols, max_size=MAX_MESSAGE
        )
        self._head = b""               # how the server's answer begins, until the upgrade is made

    def started(self) -> None:
        request = self.protocol.connect()
        for name, value in self.spec.header_pairs:
            if name.lower() != _SUBPROTOCOL:
                with contextlib.suppress(KeyError):
                    del request.headers[name]      # the client's own
                request.headers[name] = value
        self.protocol.send_request(request)
        self._flush()

    def received(self, data: bytes) -> None:
        was_refused = self._refused
        if not self.open:
            self._head += data[: _HEAD - len(self._head)]
        super().received(data)
        if self._refused and not was_refused and self.spec.interactive:
            raise LostError(self._refusal())       # a person hears of it at once, the script asks by itself

    def ended(self) -> None:
        was_refused = self._refused
        super().ended()
        if self._refused and not (was_refused and self.spec.interactive):
            raise LostError(self._refusal())

    @property
    def _refused(self) -> bool:
        return self.protocol.handshake_exc is not None

    def _refusal(self) -> str:
        """Why there is no WebSocket. The library judges the answer's head and body by its own limits
        (RFC 6455 section 4.1 wants HTTP/1.1 or later), and calls no HTTP what it does not read."""
        fault = self.protocol.handshake_exc
        status = _STATUS_LINE.match(self._head)
        if status is None:
            answer = "half a status line" if self._head else "nothing"
            if not b"HTTP/".startswith(self._head[:5]):
                answer = "an answer that is no HTTP"
            return f"The upgrade to WebSocket failed: the server sent {answer}."
        version, code, reason = (escaped((part or b"").decode("latin-1")) for part in status.groups())
        answer = f"{version} {code} {reason}".rstrip()
        if code != "101":
            why = "not 101 Switching Protocols"
        else:
            cause = fault.__cause__ if isinstance(fault, InvalidMessage) else None
            why = f"but {escaped(str(cause or fault))}"
        return f"The upgrade to WebSocket failed: the server answered {answer}, {why}."

    def script(self) -> None:
        try:
            self._expect(lambda: self.open or self._refused, "upgrade to WebSocket")
        except FailedError as error:               # of an answer whose body does not end its head is known
            if _STATUS_LINE.match(self._head):
                raise type(error)(self._refusal()) from error
            raise
        if self._refused:
            raise FailedError(self._refusal())
        echoes = pings = 0
        for text in self.spec.messages or ():
            message = parse_message(text)
            self.send(message)
            if message.opcode == "ping":
                pings += 1
            elif message.opcode != "pong" and self.spec.behaviour == "echo":
                echoes += 1
            self._expect_answers(echoes, pings)
        self._expect_answers(echoes + len(push_messages(self.spec)), pings)
        if not self.spec.interactive:
            self.closing()

    def _expect_answers(self, messages: int, pongs: int) -> None:
        self._expect(lambda: self.messages >= messages and self.controls >= pongs, "answer")

    def _expect(self, until: Callable[[], bool], what: str) -> None:
        self.expect(lambda: until() or self.protocol.close_rcvd is not None, what)
        if not until():
            raise LostError(f"The server closed the WebSocket and did not {what}.")
