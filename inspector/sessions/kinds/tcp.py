"""Plain TCP: bytes, no messages. The server echoes, pushes, or only listens (silent).

A script knows by counting bytes when all was sent, since TCP keeps no boundaries of messages.
"""

from __future__ import annotations

from inspector.model.commands import Abort, Close, Connect, HalfClose
from inspector.model.messages import Message, parse_message
from inspector.model.spec import push_messages
from inspector.sessions.context import Context
from inspector.sessions.kinds.kind import HEX, TEXT, Ending, Kind, Scheme
from inspector.sessions.stream.connection import Connection, Exchange
from inspector.sessions.stream.ends import StreamClient, StreamServer

LAST_WORD = b"this direction is still open"


def endings(close: str) -> tuple[Ending, ...]:
    """The ways to end a session over a TCP connection; `close`: what comes of an orderly end."""
    return (
        Ending("c", "Close from the client", close, Close("client")),
        Ending("v", "Close from the server", close, Close("server")),
        Ending("h", "Half-close, client", "shutdown(): it says no more, but listens", HalfClose("client")),
        Ending("H", "Half-close, server", "shutdown() from the other side", HalfClose("server")),
        Ending("a", "Abort, client", "RST: no goodbye, data may be lost", Abort("client")),
        Ending("A", "Abort, server", "RST from the other side", Abort("server")),
        Ending("n", "Connect anew", "when it has closed: a new socket, a new handshake", Connect("client")),
    )


ENDINGS = endings("FIN, and the other end answers")


class TcpExchange(Exchange):
    """What both ends have in common."""

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        self.bytes_received = 0
        self.script_bytes = sum(len(parse_message(text).data) for text in self.spec.messages or ())

    def received(self, data: bytes) -> None:
        self.bytes_received += len(data)

    def send_by_hand(self, message: Message) -> None:
        self.connection.send(message.data)

    def last_word(self) -> None:
        self.connection.send(LAST_WORD)


class ServerExchange(TcpExchange):
    """The server's end of one connection."""

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        self._to_push = list(push_messages(self.spec))

    def started(self) -> None:
        self._push()

    def received(self, data: bytes) -> None:
        super().received(data)
        if self.spec.behaviour == "echo" and not self.connection.half_closed:
            self.connection.send(data)

    def _push(self) -> None:
        if self._to_push and not self.connection.over and not self.connection.half_closed:
            self.connection.send(self._to_push.pop(0).encode())
            if self._to_push:
                self.context.loop.later(self.spec.push_interval, self._push)

    def script(self) -> None:
        self.expect(lambda: self.bytes_received >= self.script_bytes, "send all it was to")
        self.expect(lambda: not self._to_push, "stay until all was pushed")
        self.finish(self.context.ends_first)


class ClientExchange(TcpExchange):
    """The client's end: sends the script's messages, one after the answer to the other."""

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        self._expected = 0

    def script(self) -> None:
        for text in self.spec.messages or ():
            data = parse_message(text).data
            self.connection.send(data)
            if self.spec.behaviour == "echo":
                self._expect_bytes(len(data), "answer")
        if self.spec.behaviour == "push":
            pushed = "".join(push_messages(self.spec)).encode()
            self._expect_bytes(len(pushed), "push its messages")
        if not self.spec.interactive:
            self.finish(self.context.ends_first)

    def _expect_bytes(self, count: int, what: str) -> None:
        self._expected += count
        self.expect(lambda: self.bytes_received >= self._expected, what)


KIND = Kind(
    name="tcp", title="TCP", key="t", about="a stream of bytes: handshake, data both ways, orderly end",
    port=9000, messages=("hello", "how are you?"), forms=(TEXT, HEX), endings=ENDINGS,
    schemes=(Scheme("tcp"), Scheme("tls", secure=True)),
    server=lambda context: StreamServer(context, lambda: ServerExchange),
    client=lambda context: StreamClient(context, lambda: ClientExchange),
)  # fmt: skip
