"""What both ends of plain TCP do on a connection: the server echoes, pushes, or only listens (silent).

A script knows by counting bytes when all was sent, since TCP keeps no boundaries of messages.
"""

from __future__ import annotations

from inspector.model.messages import Message, parse_message
from inspector.model.spec import push_messages
from inspector.sessions.context import Context
from inspector.sessions.stream.connection import Connection, Exchange

LAST_WORD = b"this direction is still open"


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
