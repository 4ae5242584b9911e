"""A stream cut into units whose first bytes say how long they are: what TLS, HTTP/2, SOCKS and DNS share.

    pump ─> measure (how long?) ─> make (a record) ─> records

A subclass says how long a unit is and what it means. Each byte is read once; a hole inside of a unit costs
that unit, and behind one that hides a length reading goes on at a segment that begins with a plausible unit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar, cast

from inspector.protocols.api import Decoder, Hole, MessageIndex, MessageLine, R, Source, Start, T
from inspector.protocols.framing.segments import starts_between
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import worded

MORE, FOREIGN = 0, -1
"""Measures: more bytes are needed to say; this is no unit of the protocol."""


class Numbered(Protocol):
    """A record that can be read again: its position among its decoder's, and whether it has all its bytes."""

    @property
    def number(self) -> int: ...

    @property
    def complete(self) -> bool: ...


N = TypeVar("N", bound=Numbered)


class Unit(NamedTuple):
    """One unit in the stream of its direction; `whole`: the capture has all of its bytes.

    `cut`: else it cut them off a packet, and has what stands before.
    """

    direction: int
    start: int
    stop: int
    whole: bool = True
    cut: bool = False


class UnitDecoder(Decoder[R]):
    """`head`: bytes that are enough to measure any unit, `most`: of a unit that `make` gets.

    `doubted`: bytes were lost, nobody is accused. `takes_cut`: what is there of a unit means something.
    """

    head = 64
    most = 1 << 24
    takes_cut = True

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        self._records: list[R] = []
        # Of a direction in which reading stands where a unit is cut: where that ends.
        self._ahead: list[int | None] = [None, None]
        self._lost = [False, False]              # what a direction says is not understood any more
        self._reread: tuple[int, object] | None = None       # of `reread`: a record's number, and its answer
        self.doubted = not start.from_the_start(source.streams)

    @abstractmethod
    def measure(self, direction: int, head: bytes) -> int:
        """How long the unit is that begins so, in bytes (at least 1), or MORE, or FOREIGN."""

    @abstractmethod
    def make(self, unit: Unit, data: bytes) -> None:
        """Take the next unit and its (first) bytes, of which some may be missing where it is not whole."""

    def plausible(self, direction: int, head: bytes) -> bool:
        """Whether after lost bytes a unit may begin so."""
        return self.measure(direction, head) != FOREIGN

    def foreign(self, direction: int, start: int) -> None:
        """A direction goes on with what is no unit, at offset `start`."""

    def ready(self, direction: int) -> bool:
        """False while a direction's next unit can be read only when the other's has come."""
        return True

    def take(self) -> bool:
        before, done = list(self.pump.position), self._done
        reached, waited = [0, 0], [False, False]
        at_once = type(self).ready is UnitDecoder.ready          # no direction ever waits for the other

        def one(direction: int) -> bool:
            if not self.ready(direction):
                waited[direction] = True
                return False
            return self._next(direction, reached[direction])

        for direction, _, stop in self.pump.runs():
            reached[direction] = stop
            if at_once:
                while not self._done and self._next(direction, stop):
                    pass
            while not self._done and ((waited[1 - direction] and one(1 - direction)) or one(direction)):
                pass                         # who waited for this unit goes on before the next one
            if self._done:
                break
        return self.pump.position != before or self._done != done

    @property
    def _done(self) -> bool:
        return self.over or self.successor is not None

    def _next(self, direction: int, stop: int) -> bool:
        """Take the next unit of a direction, as far as bytes came up to `stop`."""
        position, ahead = self.pump.position, self._ahead[direction]
        if ahead is not None and position[direction] < stop:     # what was cut off came after all
            position[direction], self._ahead[direction] = min(ahead, stop), None
        start = position[direction]
        if start >= stop:
            return False
        if self._lost[direction]:
            position[direction] = stop
            return False
        head = self.pump.read(direction, start, min(stop, start + self.head))
        size = self.measure(direction, head)
        if size == FOREIGN:
            self._lost[direction] = True
            if not self.doubted:
                self.foreign(direction, start)
            return True
        if size == MORE or start + size > stop:
            return size != MORE and self._take_cut(Unit(direction, start, start + size, False, True), stop)
        end = position[direction] = start + size             # one number, which many records keep
        taken = min(size, self.most)
        data = head[:taken] if taken <= len(head) else self.pump.read(direction, start, start + taken)
        self.make(Unit(direction, start, end), data)
        return True

    def _take_cut(self, unit: Unit, stop: int) -> bool:
        """Take what is there of a unit, where the capture cut its packet at `stop`; the hole is met there."""
        stream = self.source.streams[unit.direction]
        if not self.takes_cut or stop >= stream.length or stream.contiguous_from(stop) != stop:
            return False
        cut = self.source.cut_in(unit.direction, stop, stop + 1)
        if cut is None or cut.start != stop:
            return False
        self.pump.position[unit.direction], self._ahead[unit.direction] = stop, unit.stop
        self.make(unit, self.pump.read(unit.direction, unit.start, min(stop, unit.start + self.most)))
        return True

    def wants(self, direction: int) -> bool:
        return not self._done and not self._lost[direction]

    def lose(self, hole: Hole) -> bool:
        direction, position = hole.direction, self.pump.position
        if self._done:
            return False
        self.doubted = True
        ahead, self._ahead[direction] = self._ahead[direction], None
        if ahead is not None:
            position[direction] = ahead if ahead >= hole.stop else self._resume(direction, hole.stop)
            return True
        start = position[direction]
        data = self.source.streams[direction].read(start, hole.start)
        size = self.measure(direction, data[: self.head]) if data else MORE
        if size > 0 and start + size >= hole.stop:
            position[direction] = start + size
            self.make(Unit(direction, start, start + size, False), data[: self.most])
        else:
            position[direction] = self._resume(direction, hole.stop)
        return True

    def _resume(self, direction: int, offset: int) -> int:
        """Where behind lost bytes a unit begins; else the end of what there is."""
        stream = self.source.streams[direction]
        stop = stream.contiguous_from(offset)
        for start in starts_between(stream, offset, stop):
            if self.plausible(direction, stream.read(start, min(stop, start + self.head))):
                return start
        return stop

    @property
    def records(self) -> Sequence[R]:
        """The units of both directions, in the order in which they came."""
        return self._records

    def line(self, index: MessageIndex) -> MessageLine:
        record = self._records[index]
        rows = tuple(sorted(self.rows_of(record)))
        kind, text = self.kind_and_text(record)
        return MessageLine(record.direction, kind, text, record.stop - record.start, rows)

    def reread(self, record: N, read: Callable[[N], T]) -> T:
        """What a record says, read again; the last answer is kept, since one record is asked several things.

        A decoder has one `read` alone.
        """
        if self._reread is not None and self._reread[0] == record.number:
            return cast("T", self._reread[1])
        found = read(record)
        self._reread = (record.number, found) if record.complete else None
        return found

    @abstractmethod
    def kind_and_text(self, record: R) -> tuple[str, str]:
        """A record for the list of messages: a short word for its kind, and what it says; safe to show."""

    def summary(self, record: R) -> str:
        kind, text = self.kind_and_text(record)
        return worded((kind, text))
