"""The lines of an event stream put together to events, without I/O (WHATWG HTML section 9.2.6).

    pieces of the body, with their places ─> lines ─> blocks ─> events

Pieces may be cut anywhere. Of a long line the beginning is kept; data is not kept at all, but counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from inspector.model.language import sentence
from inspector.wire.text import escaped

_LINE_END = re.compile(rb"\r\n|\n|\r")
_KEPT = 1 << 16          # bytes of a line that are looked at
_VALUE = 4096            # and of a name, an id, a comment that are kept
_COMMENTS = 64           # comments of one event that are kept
_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"event", b"data", b"id", b"retry")


@dataclass(frozen=True, slots=True)
class Event:
    """One block of lines, or a comment that stands alone. [start, stop) of the server's stream.

    `name`: what the field event says; `size`: bytes of its data, lines joined by LF; `answer`: the number of
    the HTTP message that it came in; `ended`: by an empty line. `text`: its lines, in a compressed body,
    whose bytes [start, stop) give it and perhaps its neighbours.
    """

    direction: int
    start: int
    stop: int
    answer: int
    name: str = ""
    id: str | None = None
    retry: int | None = None
    comments: tuple[str, ...] = ()
    size: int = 0
    has_data: bool = False
    ended: bool = False
    text: bytes | None = None

    @property
    def event_type(self) -> str | None:
        """The type that listeners are told; None where they would not be, and no type is given."""
        return self.name or ("message" if self.has_data else None)

    @property
    def is_comment(self) -> bool:
        """Whether it says nothing to a program: it keeps the connection alive."""
        return bool(self.comments) and self.id is None and self.retry is None and not (
            self.has_data or self.name)

    @property
    def dispatched(self) -> bool:
        """Whether listeners are told: it has data, and its end came."""
        return self.has_data and self.ended

    @property
    def complete(self) -> bool:
        """Whether it may not go on."""
        return self.ended or self.is_comment


class Problem(NamedTuple):
    """What is wrong in a line: a rule, a sentence, and its place."""

    rule: str
    text: str
    start: int
    stop: int


@dataclass(slots=True)
class Block:
    """Lines since the last empty one."""

    start: int
    stop: int = 0
    name: str = ""
    id: str | None = None
    retry: int | None = None
    comments: list[str] = field(default_factory=list)
    size: int = -1                   # -1: no data, since every line of it adds the LF before it
    lines: int = 0
    text: bytearray = field(default_factory=bytearray)       # of a compressed body


class EventReader:
    """Reads the body of one answer. `events` grows; the last one may be replaced while it grows.

    `pending`: where the block begins that has not ended, None where there is none. `doubted`: bytes of the
    block were lost, so that nothing is said to be wrong in it.
    """

    def __init__(self, direction: int, answer: int, events: list[Event], problems: list[Problem]) -> None:
        self._direction, self.answer = direction, answer
        self.events, self._problems = events, problems
        self._line, self._length = bytearray(), 0
        self._line_start = self._line_stop = 0           # of what it has, without its end
        self._first = True                   # line of the body: a BOM may begin it
        self._after_cr = False               # a LF that comes next belongs to the line end before it
        self._grows: Event | None = None     # the last event, where the next bytes may still belong to it
        self._block: Block | None = None
        self.doubted = False
        self._packed = False                 # what is fed now was unpacked

    @property
    def pending(self) -> int | None:
        """Where the event begins that has not ended."""
        if self._block is not None:
            return self._block.start
        return self._line_start if self._length else None

    def feed(self, start: int, data: bytes, stop: int | None = None) -> None:
        """The next bytes of the body; they stand at `start` of the stream.

        `stop`: the body is compressed, and they are what its bytes [start, stop) give.
        """
        self._packed = stop is not None

        def place(at: int, ahead: int | None = None) -> int:
            """Where a byte stands; of what was unpacked nobody knows more than where all of it does."""
            return start + at if ahead is None else ahead

        at = 0
        if self._after_cr and data:
            self._after_cr = False
            if data[:1] == b"\n":
                at = 1
                self._extend(place(1, stop))
        begin = None if stop is None else start
        for match in _LINE_END.finditer(data, at):
            self._add(place(at, begin), data[at : match.start()], place(match.start(), stop))
            at = match.end()
            self._end_line(place(at, stop))
        if at < len(data):
            self._add(place(at, begin), data[at:], place(len(data), stop))
        self._after_cr = data[-1:] == b"\r" if data else self._after_cr

    def lose(self) -> None:
        """Bytes are missing: the event under way goes on behind them, and is not judged."""
        self.doubted, self._after_cr, self._grows = True, False, None

    def finish(self, stop: int) -> bool:
        """Nothing more comes; True where an event had begun that is dropped."""
        if self._length:
            self._end_line(stop, whole=False)
        block, self._block = self._block, None
        if block is None:
            return False
        self._put(block, stop, ended=False)
        return True

    # --- lines -------------------------------------------------------------------------------------

    def _add(self, start: int, part: bytes, stop: int) -> None:
        if not self._length:
            self._line_start = start
        self._length += len(part)
        self._line_stop = stop
        self._line += part[: max(_KEPT - len(self._line), 0)]

    def _end_line(self, stop: int, *, whole: bool = True) -> None:
        line, length, start = bytes(self._line), self._length, self._line_start
        self._line.clear()
        self._length = 0
        if self._first:
            self._first = False
            if line.startswith(_BOM):
                line, length = line[3:], length - 3
        if not length:
            self._empty_line(stop)
        elif line[:1] == b":":
            self._comment(line, start, stop)
        else:
            self._grows = None
            if self._block is None:
                self._block = Block(start)
            self._block.stop = self._line_stop
            self._field(self._block, line, length, start, self._line_stop, whole)

    def _empty_line(self, stop: int) -> None:
        block, self._block = self._block, None
        if block is None:
            self._extend(stop, ended=True)
        else:
            self._put(block, stop, ended=True)
        self.doubted = False

    def _extend(self, stop: int, *, ended: bool = False) -> None:
        """Let the event before have a line end that came after it."""
        if (grows := self._grows) is not None:
            self.events[-1] = self._grows = replace(grows, stop=stop, ended=grows.ended or ended)

    def _comment(self, line: bytes, start: int, stop: int) -> None:
        text = _text(line[1:].removeprefix(b" "))
        if self._block is not None:
            self._block.stop = self._line_stop
            self._keep(self._block, line)
            if len(self._block.comments) < _COMMENTS:
                self._block.comments.append(text)
            return
        before = self._grows
        if before is not None and before.is_comment and not before.ended:
            comments = before.comments if len(before.comments) >= _COMMENTS else (*before.comments, text)
            lines = None if before.text is None else before.text + line + b"\n"
            self.events[-1] = self._grows = Event(self._direction, before.start, stop, self.answer,
                                                  comments=comments, text=lines)
            return
        lines = line + b"\n" if self._packed else None
        self._grows = Event(self._direction, start, stop, self.answer, comments=(text,), text=lines)
        self.events.append(self._grows)

    def _keep(self, block: Block, line: bytes) -> None:
        """Keep the lines of a compressed body: nobody reads them in the stream again."""
        if self._packed:
            block.text += line + b"\n"

    def _field(self, block: Block, line: bytes, length: int, start: int, stop: int, whole: bool) -> None:
        name, colon, value = line.partition(b":")
        skipped = len(name) + len(colon) + (value[:1] == b" ")
        value = value.removeprefix(b" ")
        block.lines += 1
        self._keep(block, line)
        if name == b"data":
            block.size += 1 + length - skipped
        elif name == b"event":
            block.name = _text(value)
        elif name == b"id":
            if b"\0" in value:
                self._report("sse.null-in-id", sentence(
                    "The id has a NULL character, and is ignored."), start, stop)
            else:
                block.id = _text(value)
        elif name == b"retry":
            if value.isdigit() and len(value) < 20:
                block.retry = int(value)
            elif whole:
                what = sentence(
                    "\"{value}\" is no time to retry after, and is ignored.", value=escaped(value, 40))
                self._report("sse.invalid-retry", what, start, stop)
        elif whole:
            what = sentence(
                "\"{line}\" begins with no field that there is, and is ignored.", line=escaped(line, 60))
            self._report("sse.unknown-field", what, start, stop)
        if length <= _KEPT and not _is_utf8(line):
            what = sentence("Bytes that are no UTF-8 stand in an event; they are replaced by U+FFFD.")
            self._report("sse.not-utf-8", what, start, stop)

    def _put(self, block: Block, stop: int, *, ended: bool) -> None:
        event = Event(self._direction, block.start, stop, self.answer, block.name, block.id, block.retry,
                      tuple(block.comments), max(block.size, 0), block.size >= 0, ended,
                      bytes(block.text) if block.text else None)
        if ended and block.name and not event.has_data:
            what = sentence(
                "The event \"{name}\" has no data: no listener is told of it.", name=escaped(block.name, 40))
            self._report("sse.event-without-data", what, block.start, block.stop)
        self._grows = event if ended else None
        self.events.append(event)

    def _report(self, rule: str, text: str, start: int, stop: int) -> None:
        if not self.doubted:
            self._problems.append(Problem(rule, text, start, stop))


def data_of(body: bytes, limit: int) -> bytes:
    """The data that the lines of one event have, joined by LF, at most `limit` bytes."""
    found = b"\n".join(_data_lines(body))
    return found[:limit]


def _data_lines(body: bytes) -> Iterator[bytes]:
    for line in _LINE_END.split(body.removeprefix(_BOM)):
        if line == b"data":
            yield b""
        elif line.startswith(b"data:"):
            yield line[5:].removeprefix(b" ")


def _text(value: bytes) -> str:
    return value[:_VALUE].decode("utf-8", "replace")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
