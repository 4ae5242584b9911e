"""What both ends do where the server does not read for a while: more is sent than its buffer takes."""

from __future__ import annotations

from inspector.model.messages import parse_message
from inspector.model.spec import SessionSpec
from inspector.sessions.context import Context
from inspector.sessions.kinds.tcp.exchange import TcpExchange
from inspector.sessions.stream.connection import Connection

LOAD = 256 * 1024      # bytes the client sends: four times the window that Linux announces at first
REST = 2.0             # seconds in which the server does not read: three probes, 0.2, 0.4, 0.8 s apart


def load(spec: SessionSpec) -> bytes:
    """What the client's script sends: its messages over and over, `LOAD` bytes; nothing of none."""
    data = b"".join(parse_message(text).data for text in spec.messages or ())
    return (data * (LOAD // len(data) + 1))[:LOAD] if data else b""


def answer(spec: SessionSpec) -> bytes:
    """What the server says when it has read all that."""
    count = len(load(spec))
    return f"{count} bytes read".encode() if count else b""


class SlowServerExchange(TcpExchange):
    """The server's end: it lets the kernel's buffer fill, then reads on."""

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        self._expected = len(load(self.spec))
        self._answer = answer(self.spec)
        connection.pause_reading()             # before the first recv()

    def started(self) -> None:
        rest = min(REST, self.spec.timeout / 2)
        self.context.loop.later(rest, self.connection.resume_reading)

    def received(self, data: bytes) -> None:
        super().received(data)
        if self._answer and self.bytes_received >= self._expected and not self.connection.half_closed:
            self.connection.send(self._answer)
            self._answer = b""

    def script(self) -> None:
        self.expect(lambda: self.bytes_received >= self._expected, "send all it was to")
        self.finish(self.context.ends_first)


class BulkClientExchange(TcpExchange):
    """The client's end: sends everything at once and waits for the word that it was read."""

    def script(self) -> None:
        self.connection.send(load(self.spec))
        expected = len(answer(self.spec))
        self.expect(lambda: self.bytes_received >= expected, "say that it has read all")
        if not self.spec.interactive:
            self.finish(self.context.ends_first)
