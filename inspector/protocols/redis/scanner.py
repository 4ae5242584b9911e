"""The framing of RESP: one direction's bytes cut into messages, without I/O and without their values.

One counter of elements to come, flat over all levels, cuts messages of any depth and size: each byte is
looked at once, and nothing of a message is held but its place and its first words. Source: the Redis
serialization protocol specification; where it leaves room, what redis-server takes (inline commands).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from inspector.model.language import sentence
from inspector.protocols.redis.commands import is_known
from inspector.wire.text import escaped

LINE = 64               # bytes of a line that its scanner looks at
NUMBER = 32             # bytes that a line with a length may have
INLINE = 1 << 16        # redis-server's own limit of an inline command
_SIZED = NUMBER + 2      # the same with its end
_LARGEST = 1 << 40       # bytes of a bulk string, elements of an array
_STREAMED = 32           # streamed aggregates inside each other

AGGREGATES = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}
STRINGS = (b"$", b"!", b"=")
_SCALAR = {
    b"+": re.compile(rb".*", re.DOTALL), b"-": re.compile(rb".*", re.DOTALL),
    b":": re.compile(rb"[+-]?\d+"), b"_": re.compile(rb""), b"#": re.compile(rb"[tf]"),
    b",": re.compile(rb"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+|inf|nan)"), b"(": re.compile(rb"[+-]?\d+"),
}
TYPES = {
    "+": "simple string", "-": "error", ":": "integer", "$": "bulk string", "*": "array", "_": "null",
    "#": "boolean", ",": "double", "(": "big number", "!": "bulk error", "=": "verbatim string", "%": "map",
    "~": "set", ">": "push",
}


class Unit(NamedTuple):
    """A message as its framing shows it: bytes [start, stop), its first byte, its first words (cut)."""

    start: int
    stop: int
    type: str                        # "" for an inline command
    words: tuple[bytes, ...]
    size: int                        # elements of an array, words of an inline command
    complete: bool = True


class Problem(NamedTuple):
    """Bytes that break a rule."""

    rule: str
    what: str
    start: int
    stop: int


class Scanner:
    """One direction of a connection cut into messages, without I/O; `offset`: up to which bytes were fed.

    `doubted`: bytes were lost before, so that what looks broken may be our own mistake. `lost`: the place of
    bytes that cannot be read on from. What grew since the last look is in `units` and `problems`.
    """

    def __init__(self, is_request: bool, offset: int = 0, doubted: bool = False) -> None:
        self.is_request, self.doubted = is_request, doubted
        self.units: list[Unit] = []
        self.problems: list[Problem] = []
        self.restart(offset)

    def restart(self, offset: int) -> None:
        """Go on with a message at `offset`."""
        self.offset, self.lost = offset, -1
        self._open = False                   # a message has begun
        self._left = 0                       # elements of it that are to come, counted flat over all levels
        self._outer: list[int] = []          # the same of what is around a streamed aggregate
        self._string_left = 0                # bytes of a string that are to come, its CR LF with them
        self._ragged = False                 # what ends a string is no CR LF
        self._chunked = False                # in a streamed string
        self._damaged = False
        self._held, self._held_size, self._held_last = b"", 0, b""   # the line that has begun
        self._start, self._line_start, self._type, self._count = offset, offset, "", 0
        self._words: list[bytes] = []
        self._word = 0                       # bytes of a word that still may be kept

    @property
    def pending(self) -> bool:
        """True inside of a message."""
        return self._open or self._held_size > 0

    @property
    def start(self) -> int:
        """Where the message under way begins."""
        return self._start if self._open else self._line_start

    def feed(self, data: bytes, at: int = 0) -> None:
        """Take the bytes of `data` from `at` on, which follow those before; stops where `lost`."""
        base, size = self.offset - at, len(data)
        while at < size and self.lost < 0:
            if self._string_left:
                at = self._string(data, at, base)
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._hold(data, at, base)
                break
            start = base + at - self._held_size
            before = data[end - 1 : end] if end > at else self._held_last
            line = data[at : min(end, at + LINE)]
            if self._held_size:
                line = (self._held + line)[:LINE]
                self._held, self._held_size, self._held_last = b"", 0, b""
            at = end + 1
            if before == b"\r":
                line = line[: base + end - 1 - start]
            self._line(line, before == b"\r", start, base + at)
        if self.lost < 0:
            self.offset = base + size

    def lose(self, size: int) -> bool:
        """`size` bytes are missing; False when more than a string is hit: then `restart`."""
        if self._string_left < size:
            return False
        self.offset += size
        self._string_left -= size
        self._damaged = True
        if not self._string_left:
            self._string_ended()
        return True

    def give_up(self) -> None:
        """What is under way will not be whole."""
        start, stop = self.start, self.offset if self.lost < 0 else self.lost
        if self.pending and stop > start:
            kind = self._type if self._open else ""
            self.units.append(Unit(start, stop, kind, tuple(self._words), self._count, False))
        self._open, self._held_size = False, 0

    # --- pieces ------------------------------------------------------------------------------------

    def _hold(self, data: bytes, at: int, base: int) -> None:
        """A line that is not whole: its beginning is kept, as much as is looked at."""
        start = base + at - self._held_size
        self._line_start = start
        self._held += data[at : at + LINE - len(self._held)]
        self._held_size += len(data) - at
        self._held_last = data[-1:]
        inline = self.is_request and not self._open and self._held[:1] != b"*"
        if inline and self._held_size > INLINE:
            self._too_long(start)
        elif not inline and self._valid_type(self._held[:1], start) and self._held_size >= _SIZED \
                and self._held[:1] not in _SCALAR:
            self._bad_length(self._held, start)

    def _string(self, data: bytes, at: int, base: int) -> int:
        """Bytes of a string, and of the CR LF after it."""
        before = self._string_left
        step = min(before, len(data) - at)
        stop, left = at + step, before - step
        if self._word:
            part = data[at : at + min(self._word, step)]
            self._words[-1] += part
            self._word -= len(part)
        self._string_left = left
        if left < 2:
            first, last = 2 - min(before, 2), 2 - left
            self._ragged = self._ragged or data[stop - last + first : stop] != b"\r\n"[first:last]
            if not left:
                self.offset = base + stop
                if self._ragged:
                    what = sentence("No CR LF stands after the bytes of a string.")
                    self._problem("redis.invalid-line-end", what, self.offset - 2, self.offset)
                self._string_ended()
        return stop

    def _string_ended(self) -> None:
        self._word, self._ragged = 0, False
        if not self._chunked:
            self._element(self.offset)

    def _line(self, line: bytes, ended: bool, start: int, stop: int) -> None:
        kind = line[:1]
        if not self._open:
            if self.is_request and kind != b"*":
                self._inline(line, start, stop)
                return
            self._open, self._start, self._type, self._count = True, start, "", 0
            self._words.clear()
        if not self._valid_type(kind, start):
            return
        if not ended and (kind in _SCALAR or stop - start <= _SIZED):
            self._problem("redis.invalid-line-end", "A line ends with LF alone.", stop - 1, stop)
        if kind == b"." and line == b".":
            self._left = self._outer.pop()
            self._end_if_whole(stop)
            return
        if not self._left:
            self._left = 1
        if self._left == 1 and not self._outer and self._type in ("", "|"):
            self._type, self._count = kind.decode("ascii"), 0
            self._words.clear()
        if kind in _SCALAR:
            self._scalar(kind, line, start, stop)
        else:
            self._sized(kind, line, start, stop)

    def _valid_type(self, kind: bytes, start: int) -> bool:
        """Whether a line may begin so; a finding, and no way to go on, where it may not."""
        if self._chunked:
            right = kind == b";"
        elif self.is_request:
            right = kind == (b"$" if self._open and self._left else b"*")
        elif kind == b".":
            right = bool(self._outer) and not self._left
        else:
            right = kind in _SCALAR or kind in AGGREGATES or kind in STRINGS
        if not right:
            which = sentence("A line's end") if kind in (b"", b"\r", b"\n") else f"\"{escaped(kind)}\""
            what = (sentence("{which} begins no argument.", which=which) if self.is_request else
                    sentence("{which} begins no value.", which=which))
            self._problem("redis.invalid-type", what, start, start + 1)
            self.lost = start
        return right

    def _scalar(self, kind: bytes, line: bytes, start: int, stop: int) -> None:
        text = line[1:]
        if stop - start <= LINE and not _SCALAR[kind].fullmatch(text):
            what = sentence(
                "\"{said}\" is no {types}.", said=escaped(text, 40), types=TYPES[kind.decode("ascii")])
            self._problem("redis.invalid-value", what, start, stop)
        if len(self._words) < 3:
            self._words.append(text[:NUMBER])
        self._element(stop)

    def _sized(self, kind: bytes, line: bytes, start: int, stop: int) -> None:
        """A line with a length: what it announces follows."""
        text = line[1:]
        if text.isdigit() and stop - start <= _SIZED and (number := int(text)) <= _LARGEST:
            pass
        elif text == b"-1" and kind in (b"*", b"$") and not self.is_request:
            number = -1
        elif text == b"-1" and self.is_request and kind == b"*":
            number = 0                       # redis-server takes it for no command
        elif text == b"?" and kind != b";" and not self.is_request:
            self._streamed(kind, start)
            return
        else:
            self._bad_length(line, start)
            return
        if kind == b";":
            if number:
                self._string_left = number + 2
            else:
                self._chunked = False
                self._element(stop)
        elif kind in AGGREGATES:
            if not self._count:
                self._count = max(number, 0)
            self._left += max(number, 0) * AGGREGATES[kind] - (kind != b"|")
            self._end_if_whole(stop)
        elif number < 0:
            self._element(stop)
        else:
            self._string_left = number + 2
            if len(self._words) < 3:
                self._words.append(b"")
                self._word = min(number, NUMBER)

    def _streamed(self, kind: bytes, start: int) -> None:
        if kind in STRINGS:
            self._chunked = True
        elif len(self._outer) >= _STREAMED:
            what = sentence("{streamed} streamed aggregates are inside each other.", streamed=_STREAMED)
            self._problem("redis.too-deep", what, start, start + 1)
            self.lost = start
        else:
            self._outer.append(self._left - (kind != b"|"))
            self._left = 0

    def _inline(self, line: bytes, start: int, stop: int) -> None:
        if stop - start > INLINE:
            self._too_long(start)
            return
        words = tuple(word[:NUMBER] for word in line.split())
        if self.doubted and words and not is_known(words[0]):
            self.lost = start
            return
        self.units.append(Unit(start, stop, "", words[:3], len(words)))

    def _element(self, stop: int) -> None:
        self._left -= 1
        self._end_if_whole(stop)

    def _end_if_whole(self, stop: int) -> None:
        if not self._left and not self._outer:
            self._finish(stop, complete=not self._damaged)

    def _finish(self, stop: int, complete: bool) -> None:
        self.units.append(Unit(self._start, stop, self._type, tuple(self._words), self._count, complete))
        self._open = self._damaged = False

    def _bad_length(self, line: bytes, start: int) -> None:
        what = sentence("\"{line}\" gives no length.", line=escaped(line[:NUMBER]))
        self._problem("redis.invalid-length", what, start, start + min(len(line), NUMBER))
        self.lost = start

    def _too_long(self, start: int) -> None:
        what = sentence("The line goes on after {inline} bytes.", inline=INLINE)
        self._problem("redis.inline-too-long", what, start, start + INLINE)
        self.lost = start

    def _problem(self, rule: str, what: str, start: int, stop: int) -> None:
        if not self.doubted:
            self.problems.append(Problem(rule, what, start, stop))
