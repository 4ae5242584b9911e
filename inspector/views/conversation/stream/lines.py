"""The lines of follow stream as columns: whose bytes each one shows, and where they stand.

A line is a stretch of bytes as they came, a part of a message, or a note (what is missing, what is not
decided). Lines of a direction ascend by offset, so that the line of a byte is found without a search.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

from inspector.views.line.spans import Style

RAW = -1                  # the unit of bytes as they came; from 0 on it is a message's
_NOTE = -2                # and from here down it is a note's
_NEAR = 256               # lines before the place of a byte that are looked at for it


class Note(NamedTuple):
    """What a line says that shows no bytes."""

    text: str
    style: Style


class Cut(NamedTuple):
    """Bytes of a line. `part` counts the lines of one message; `unit`: RAW, a message's number, a note's."""

    direction: int
    start: int
    stop: int
    part: int
    unit: int


class StreamLines:
    """Lines, appended and taken back at the end."""

    def __init__(self) -> None:
        self._side = array("B")
        self._start, self._stop = array("q"), array("q")
        self._part = array("I")
        self._unit = array("q")
        self._notes: list[Note] = []
        self._by_side: tuple[array[int], array[int]] = (array("I"), array("I"))   # lines of each direction

    def __len__(self) -> int:
        return len(self._side)

    def __getitem__(self, index: int) -> Cut:
        return Cut(self._side[index], self._start[index], self._stop[index], self._part[index],
                   self._unit[index])

    def add(self, direction: int, start: int, stop: int, parts: int = 1, unit: int = RAW) -> None:
        """Append the `parts` lines of bytes [start, stop)."""
        for part in range(parts):
            self._by_side[direction].append(len(self._side))
            self._side.append(direction)
            self._start.append(start)
            self._stop.append(stop)
            self._part.append(part)
            self._unit.append(unit)

    def note(self, direction: int, start: int, stop: int, text: str, style: Style = "dim") -> None:
        """Append a note about bytes [start, stop)."""
        self._notes.append(Note(text, style))
        self.add(direction, start, stop, 1, _NOTE - len(self._notes) + 1)

    def note_of(self, unit: int) -> Note | None:
        """The note that a line is; None where it shows bytes."""
        return self._notes[_NOTE - unit] if unit <= _NOTE else None

    def cut_to(self, count: int) -> None:
        """Take back all lines but the first `count`."""
        while len(self._side) > count:
            if self._unit[-1] <= _NOTE:
                self._notes.pop()
            self._by_side[self._side[-1]].pop()
            for column in (self._side, self._start, self._stop, self._part, self._unit):
                column.pop()

    def turns(self, index: int) -> bool:
        """Whether another end spoke before line `index`."""
        return index == 0 or self._side[index - 1] != self._side[index]

    def index_at(self, direction: int, offset: int) -> int | None:
        """The (first) line that has byte `offset` of a direction; None where none has."""
        numbers = self._by_side[direction]
        at = bisect_right(numbers, offset, key=lambda line: self._start[line]) - 1
        for near in range(at, max(at - _NEAR, -1), -1):      # over notes, and messages inside of others
            if self._stop[numbers[near]] > offset:
                return numbers[near] - self._part[numbers[near]]
        return None
