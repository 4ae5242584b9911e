"""WebSocket messages of a conversation as a list: direction, size, time, payload; expandable to frames.

`MessageList` looks at messages in steps (`update`), so that a filter or a search over a million of them never
holds anything up; lines are made when they are seen.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from inspector.protocols.websocket.frame import CLOSE, PING, PONG, TEXT
from inspector.views.conversation.place import StreamPlace, place_of
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.packets.list import seconds_text
from inspector.views.session.call_text import duration
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.websocket.columns import WebSocketFrameRecord, WebSocketMessage
    from inspector.trace.trace import Trace

SEARCHED = 1 << 20       # octets of a message that are searched
_STEP = 2000             # messages that one update looks at
_PREVIEW = 2048
_TIME, _SIZE, _KIND = 12, 9, 8


class MessageList:
    """The messages of TCP conversation `stream`: `count`, `line(i, width)`, `target(i)`.

    `control` False hides close, ping and pong; `search` keeps messages whose payload has the text (any case)
    or, as "hex:..", the octets; `direction` keeps one side's. Change them by `choose`.
    """

    def __init__(self, trace: Trace, stream: int) -> None:
        self.trace, self.stream = trace, stream
        self.control, self.search = True, ""
        self.direction: int | None = None
        self._needle = b""
        self._shown = array("I")              # numbers of the messages that are shown
        self._looked = 0                      # messages that were looked at
        self._expanded: list[int] = []        # numbers of the expanded ones, ascending
        self._frames: list[int] = []          # and how many lines of frames each has
        self.update()

    def choose(self, *, control: bool = True, search: str = "", direction: int | None = None) -> None:
        """Show other messages; call `update` until `complete`."""
        self.control, self.search, self.direction = control, search, direction
        self._needle = _needle(search)
        self._shown, self._looked = array("I"), 0
        self._expanded, self._frames = [], []
        self.update()

    def update(self, most: int = _STEP) -> bool:
        """Look at the next messages, at most `most`; True when lines were added or changed."""
        application = self.trace.application(self.stream)
        messages = application.messages
        before = len(self._shown)
        stop = min(len(messages), self._looked + most)
        if self.control and not self._needle and self.direction is None:
            self._shown.extend(range(self._looked + 1, stop + 1))
        else:
            for index in range(self._looked, stop):
                if self._wanted(messages[index]):
                    self._shown.append(index + 1)
        self._looked = stop
        changed = len(self._shown) > before
        for at, number in enumerate(self._expanded):
            count = len(messages[number - 1].frames)
            changed = changed or count != self._frames[at]
            self._frames[at] = count
        return changed

    @property
    def complete(self) -> bool:
        """True when every message there is has been looked at."""
        return self._looked >= len(self.trace.application(self.stream).messages)

    @property
    def progress(self) -> float:
        """The share of the messages that have been looked at."""
        return self._looked / max(len(self.trace.application(self.stream).messages), 1)

    def _wanted(self, message: WebSocketMessage) -> bool:
        if message.is_control and not self.control:
            return False
        if self.direction is not None and message.direction != self.direction:
            return False
        if not self._needle:
            return True
        data = self.trace.application(self.stream).message_payload(message.number, SEARCHED)
        if self.search.startswith("hex:"):
            return self._needle in data
        return self._needle.decode() in data.decode("utf-8", "replace").casefold()

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._shown) + sum(self._frames)

    def _place(self, index: int) -> tuple[int, int | None]:
        """(number of the message, place of the frame in it or None) of line `index`."""
        skipped = 0
        for number, frames in zip(self._expanded, self._frames, strict=True):
            line = bisect_left(self._shown, number) + skipped
            if index <= line:
                break
            if index <= line + frames:
                return number, index - line - 1
            skipped += frames
        return self._shown[index - skipped], None

    def index_of(self, number: int) -> int | None:
        """The line of message `number`; None when it is not shown."""
        at = bisect_left(self._shown, number)
        if at >= len(self._shown) or self._shown[at] != number:
            return None
        return at + sum(f for n, f in zip(self._expanded, self._frames, strict=True) if n < number)

    def index_of_row(self, row: int) -> int | None:
        """The line of the first shown message of which packet `row` carries a part."""
        for record in self.trace.application(self.stream).frames_of(row):
            line = self.index_of(record.message)
            if line is not None:
                return line
        return None

    def toggle(self, index: int) -> None:
        """Expand the message on line `index` to its frames, or fold it again."""
        number, _ = self._place(index)
        at = bisect_left(self._expanded, number)
        if at < len(self._expanded) and self._expanded[at] == number:
            del self._expanded[at], self._frames[at]
        else:
            insort(self._expanded, number)
            message = self.trace.application(self.stream).messages[number - 1]
            self._frames.insert(at, len(message.frames))

    def is_expanded(self, index: int) -> bool:
        """True when the frames of the message on line `index` are shown."""
        return self._place(index)[0] in self._expanded

    def target(self, index: int) -> StreamPlace:
        """Where the message or frame of line `index` stands: its packets, and its bytes in the first one."""
        application = self.trace.application(self.stream)
        number, at = self._place(index)
        message = application.messages[number - 1]
        frame = application.frames[message.frames[at or 0] - 1]
        place = place_of(self.trace, self.stream, frame.direction, frame.start, frame.stop)
        if at is None:
            last = application.frames[message.frames[-1] - 1]
            return place._replace(message=number, rows=message.rows, last=last.stop)
        return place._replace(message=number, frame=frame.number)

    def title(self, width: int) -> Line:
        """The titles above the lines."""
        text = f"{fit('No.', self._digits, align='right')}   {fit('Time', _TIME, align='right')}  "
        text += f"{fit('Size', _SIZE, align='right')}  {fit('Kind', _KIND)}  Payload"
        return (Span(fit(text, width), "title"),)

    @property
    def _digits(self) -> int:
        return max(len(str(len(self.trace.application(self.stream).messages))), 3)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        application = self.trace.application(self.stream)
        number, at = self._place(index)
        message = application.messages[number - 1]
        if at is not None:
            return self._frame_line(application.frames[message.frames[at] - 1], width)
        side: Style = "client" if message.from_client else "server"
        base = int(self.trace.index.time_ns[0])
        spans = [
            Span(fit(str(number), self._digits, align="right"), "number"),
            Span(" → " if message.direction == 0 else " ← ", side),
            Span(fit(seconds_text(message.time_ns - base), _TIME, align="right"), "dim"),
            Span(fit(f"{message.size:,}", _SIZE + 2, align="right"), "number"),
            Span("  " + fit(message.name.upper(), _KIND), "websocket"),
        ]
        marks = self._marks(message)
        if marks:
            spans.append(Span(f"  {marks}", "warning" if "!" in marks else "dim"))
        spans.append(Span("  " + self._payload_text(message), side))
        return _cut(spans, width)

    def _marks(self, message: WebSocketMessage) -> str:
        marks = []
        if any(self.trace.application(self.stream).frames[n - 1].findings for n in message.frames[:64]):
            marks.append("!")
        if len(message.frames) > 1:
            marks.append(f"{len(message.frames)} frames")
        if message.compressed:
            marks.append(f"deflate {message.wire_size:,}")
        if not message.complete:
            marks.append("unfinished")
        return " ".join(marks)

    def _payload_text(self, message: WebSocketMessage) -> str:
        application = self.trace.application(self.stream)
        number = message.frames[0]
        if message.opcode == CLOSE:
            close = application.close(number)
            reason = f'"{close.reason}"' if close.reason else ""
            return " ".join(word for word in (str(close.code or ""), close.meaning, reason) if word)
        data = application.message_payload(message.number, _PREVIEW)
        if message.opcode in (PING, PONG):
            trip = application.round_trip_ns(number)
            answer = f"  round trip {duration(trip)}" if trip is not None else ""
            return (escaped(data) if data.isascii() else data.hex(" ")) + answer
        return escaped(data) if message.opcode == TEXT else data[: _PREVIEW // 8].hex(" ")

    def _frame_line(self, frame: WebSocketFrameRecord, width: int) -> Line:
        bits = (("FIN", frame.fin), ("RSV1", frame.rsv & 4), ("RSV2", frame.rsv & 2), ("RSV3", frame.rsv & 1))
        text = " ".join((f"frame {frame.number} ", *(name for name, on in bits if on), frame.name))
        text += f"  {frame.payload_length:,} bytes, {frame.length_form}-bit length"
        if frame.masked:
            text += f"  key {frame.masking_key.hex()}"
        text += "  packet " + ", ".join(str(row + 1) for row in frame.rows[:8])
        style: Style = "warning" if frame.findings else "dim"
        if frame.findings:
            text += "  ! " + ", ".join(frame.findings)
        indent = " " * (self._digits + 3)
        return (Span(fit(indent + text, width), style),)


def _needle(search: str) -> bytes:
    if search.startswith("hex:"):
        digits = "".join(c for c in search[4:] if c in "0123456789abcdefABCDEF")
        return bytes.fromhex(digits[: len(digits) & ~1])
    return search.casefold().encode("utf-8", "replace")


def _cut(spans: list[Span], width: int) -> Line:
    """The spans in exactly `width` cells."""
    kept: list[Span] = []
    for span in spans:
        size = cell_width(span.text)
        if size >= width:
            kept.append(Span(fit(span.text, width), span.style))
            return tuple(kept)
        kept.append(span)
        width -= size
    return (*kept, Span(" " * width))
