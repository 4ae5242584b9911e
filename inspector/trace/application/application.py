"""What a TCP conversation says: HTTP messages, the upgrade, WebSocket frames and messages, findings.

An `Application` lets an `Engine` read both streams of its flow and goes on where the flow grew; it ties what
comes out to packets: rows, times, and a line of text for each packet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.protocols.http.message import INFLATE_LIMIT, Decoded, HttpMessage, decode_content, tokens
from inspector.protocols.websocket.columns import WebSocketFrameRecord, WebSocketMessage
from inspector.protocols.websocket.deflate import LIMIT
from inspector.protocols.websocket.rules import Close, read_close
from inspector.protocols.websocket.upgrade import Upgrade
from inspector.trace.application.engine import Engine
from inspector.trace.application.text import describe_frame, describe_message
from inspector.wire.findings import Finding
from inspector.wire.tcp.flags import ACK, FIN, RST

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.trace import Trace

PAYLOAD_LIMIT = 64 << 20
_ROWS = 64               # packets that a finding names at most
_LOOK_BACK = 1000        # packets at the end among which the last acknowledgment is looked for
_PARTS = 3               # frames or messages of one packet that `info` spells out


class Application:
    """The application layer of one flow. `limit` bounds what one compressed message inflates to.

    `protocol`: "http", "websocket" or "" (neither, or not yet known). Numbers of HTTP messages, WebSocket
    frames and messages count from 1 here; `update` goes on when the flow grew.
    """

    def __init__(self, trace: Trace, flow: TcpFlow, limit: int = LIMIT) -> None:
        self._trace, self._flow = trace, flow
        self._engine = Engine(flow.streams, self.rows_of, self.time_of, limit)
        self._findings: list[Finding] = []
        self._ended = False
        self._packets = -1
        self._scanned = 0                      # packets in which FIN and RST were looked for
        self._reset = False
        self._closing: int | None = None       # the packet that began the end
        self.update()

    def update(self) -> bool:
        """Take what the flow has got since the last time; True when there was something."""
        if len(self._flow.rows) == self._packets:
            return False
        self._packets = len(self._flow.rows)
        changed = self._engine.update(self._acknowledged)
        if not self._ended and self.protocol:
            self._end_if_over()
        self._findings += map(self._place, self._engine.fresh_findings())
        return changed

    def _acknowledged(self, direction: int) -> int:
        """The offset up to which the peer of a direction has said that it has all octets."""
        stream, index = self._flow.streams[direction], self._trace.index
        for row in self._flow.rows[:-_LOOK_BACK:-1].tolist():
            if self._flow.direction(row) != direction and int(index.tcp_flags[row]) & ACK:
                return stream.offset_of(int(index.ack[row]))
        return 0

    def _end_if_over(self) -> None:
        """Judge what is missing, once nothing more can come: a FIN from each side, or a reset."""
        index, rows = self._trace.index, self._flow.rows[self._scanned :]
        flags = index.tcp_flags[rows]
        self._scanned += len(rows)
        self._reset = self._reset or bool((flags & RST != 0).any())
        closing = rows[flags & (RST | FIN) != 0]
        if self._closing is None and len(closing):
            self._closing = int(closing[0])
        finished = all(s.end is not None and s.contiguous >= s.end for s in self._flow.streams)
        if self._closing is None or self._engine.lacking or not (self._reset or finished):
            return
        self._ended = True
        self._engine.end(self._flow.direction(self._closing), bool(int(index.tcp_flags[self._closing]) & RST))

    @property
    def protocol(self) -> str:
        """What is spoken, by all that was seen so far."""
        if self._engine.websocket is not None:
            return "websocket"
        return "http" if self._engine.http is not None else ""

    @property
    def inferred(self) -> bool:
        """True when the upgrade was not captured, and WebSocket was recognised by its framing."""
        return self._engine.websocket is not None and self._engine.websocket.session.inferred

    @property
    def client(self) -> int | None:
        """The direction of the HTTP or WebSocket client (0: a to b); None when nothing is known."""
        return self._engine.client

    @property
    def http(self) -> list[HttpMessage]:
        """HTTP messages of both directions, in the order in which their heads came."""
        return self._engine.http.messages if self._engine.http else []

    @property
    def upgrade(self) -> Upgrade | None:
        """The WebSocket handshake: the last one tried on this connection, refused ones too."""
        return self._engine.upgrade

    @property
    def frames(self) -> Sequence[WebSocketFrameRecord]:
        """WebSocket frames of both directions, in order of delivery; records are made on access."""
        return self._engine.websocket.frames if self._engine.websocket else ()

    @property
    def messages(self) -> Sequence[WebSocketMessage]:
        """WebSocket messages (control frames among them), in order of their first frames."""
        return self._engine.websocket.messages if self._engine.websocket else ()

    @property
    def findings(self) -> list[Finding]:
        """All findings so far, those of TCP among them, in order of the packets where to look."""
        begun = self._engine.websocket.begun() if self._engine.websocket and not self._ended else []
        found = self._flow.findings() + self._counted() + [self._place(one) for one in begun]
        return sorted(found, key=lambda one: (one.rows[0] if one.rows else -1, one.direction or 0, one.start))

    def _counted(self) -> list[Finding]:
        """The findings; where a rule has more than are kept, the last one says how many."""
        part = self._engine.websocket
        found, more = list(self._findings), dict(part.session.more) if part else {}
        for at in range(len(found) - 1, -1, -1):
            count = more.pop(found[at].id, 0) if more else 0
            if count:
                found[at] = replace(found[at], text=f"{found[at].text} (The same {count:,} times more.)")
        return found

    def _place(self, one: Finding) -> Finding:
        direction = one.direction or 0
        rows: tuple[int, ...] = ()
        if one.stop > one.start:
            rows = self.rows_of(direction, one.start, one.stop)[:_ROWS]
        if not rows:
            rows = self._closing_rows(one.direction)
        return one.at(self._flow.stream, rows)

    def _closing_rows(self, direction: int | None) -> tuple[int, ...]:
        """The packet with which a direction (or the connection) ended, else the last one there is."""
        index, rows = self._trace.index, self._flow.rows
        for row in rows[index.tcp_flags[rows] & (FIN | RST) != 0].tolist():
            if direction is None or self._flow.direction(row) == direction:
                return (int(row),)
        return (int(rows[-1]),) if len(rows) else ()

    def rows_of(self, direction: int, start: int, stop: int) -> tuple[int, ...]:
        """Rows of the packets that brought octets [start, stop) of a direction, in order of offset."""
        rows: dict[int, None] = {}
        for piece in self._flow.streams[direction].pieces(start, stop):
            rows[piece.row] = None
        return tuple(rows)

    def time_of(self, row: int) -> int:
        """Time of a packet, nanoseconds since the epoch."""
        return int(self._trace.index.time_ns[row])

    def rows_of_http(self, message: HttpMessage) -> tuple[int, ...]:
        """Rows of the packets that carry an HTTP message."""
        return self.rows_of(message.direction, message.start, message.stop)

    def wire_payload(self, number: int, limit: int = PAYLOAD_LIMIT) -> bytes:
        """The payload of frame `number` as it was sent, but unmasked."""
        assert self._engine.websocket is not None
        return self._engine.websocket.payloads.wire(number, limit)

    def payload(self, number: int, limit: int = PAYLOAD_LIMIT) -> bytes:
        """What frame `number` says: unmasked, and inflated where permessage-deflate was used."""
        assert self._engine.websocket is not None
        return self._engine.websocket.payloads.frame(number, limit)

    def message_payload(self, number: int, limit: int = PAYLOAD_LIMIT) -> bytes:
        """What message `number` says, its fragments joined."""
        assert self._engine.websocket is not None
        return self._engine.websocket.payloads.message(number, limit)

    def body(self, message: HttpMessage, limit: int = PAYLOAD_LIMIT) -> bytes:
        """The body of an HTTP message, chunked coding undone."""
        return self._engine.body(message, limit)

    def content(self, message: HttpMessage, limit: int = INFLATE_LIMIT) -> Decoded:
        """The body of an HTTP message with its Content-Encoding undone too."""
        return decode_content(self.body(message), tokens(message, "content-encoding"), limit)

    def close(self, number: int) -> Close:
        """What Close frame `number` says."""
        return read_close(self.wire_payload(number, 125))

    def round_trip_ns(self, number: int) -> int | None:
        """For a pong: nanoseconds since the ping that it answers; for a ping: until its pong."""
        part = self._engine.websocket
        if part is None:
            return None
        ping, pong = part.session.answers.get(number - 1), part.session.answered.get(number - 1)
        if ping is None and pong is None:
            return None
        ping, pong = number - 1 if ping is None else ping, number - 1 if pong is None else pong
        first, last = part.frames[ping], part.frames[pong]
        return self.time_of(last.row) - self.time_of(first.row) if first.rows and last.rows else None

    def frames_of(self, row: int) -> tuple[WebSocketFrameRecord, ...]:
        """The WebSocket frames that have octets in packet `row`, in stream order."""
        part = self._engine.websocket
        if part is None:
            return ()
        direction = self._flow.direction(row)
        ranges = self._flow.streams[direction].ranges_of(row)
        numbers = [n for start, stop in ranges for n in part.frames.within(direction, start, stop)]
        return tuple(part.frames[number - 1] for number in numbers)

    def http_of(self, row: int) -> tuple[HttpMessage, ...]:
        """The HTTP messages that have octets in packet `row`, in stream order."""
        if self._engine.http is None:
            return ()
        direction = self._flow.direction(row)
        ranges = self._flow.streams[direction].ranges_of(row)
        return tuple(self._engine.http_within(direction, ranges))

    def protocols(self, row: int) -> tuple[str, ...]:
        """("http",), ("websocket",), both or none: what packet `row` completes a message or frame of.

        As Wireshark has it: the packets before the last one of a message are plain TCP. A message that is not
        complete counts for the packet with the end of its start line.
        """
        found: tuple[str, ...] = ()
        for message in self.http_of(row):
            start, stop = message.start, message.stop if message.complete else message.line_stop
            if max(self.rows_of(message.direction, start, stop), default=-1) == row:
                found = ("http",)
        if any(record.row == row for record in self.frames_of(row)):
            return (*found, "websocket")
        return found

    def info(self, row: int) -> str:
        """One harmless line on what packet `row` says: GET /chat  Upgrade: websocket, TEXT "hello" masked."""
        messages, frames = self.http_of(row), self.frames_of(row)
        texts = [describe_message(message, self.rows_of_http(message)[:1] == (row,), self.upgrade)
                 for message in messages[:_PARTS]]
        texts += [describe_frame(self, record, record.rows[:1] == (row,))
                  for record in frames[: _PARTS - len(texts)]]
        more = len(messages) + len(frames) - len(texts)
        return "  |  ".join(texts) + (f"  |  {more} more" if more else "")
