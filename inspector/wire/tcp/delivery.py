"""Both streams of a TCP conversation as one sequence of runs, in the order in which bytes were delivered.

A byte counts as delivered with the packet after which nothing before it was missing, and not before what its
sender acknowledged by then. So a response comes after its request, whatever the packets' order, and reading
stays in large pieces where one end speaks alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from inspector.model.packets import Row
from inspector.wire.arrays import Int64s
from inspector.wire.tcp.stream import ByteStream

WINDOW = 1 << 20
_AHEAD = 1 << 18


Acknowledged = Callable[[int, Int64s], Int64s]
"""(direction, rows of its packets) -> offsets of the other stream up to which they say that all has come."""

Run = tuple[int, int, int]
"""(direction, start, stop): bytes that were delivered before anything more from the other side."""


class Runs(NamedTuple):
    """Many runs as columns."""

    direction: Int64s
    start: Int64s
    stop: Int64s

    def part(self, first: int, last: int) -> Runs:
        """The runs from `first` to before `last`."""
        return Runs(*(column[first:last] for column in self))


class Pump:
    """Tells what is to be read next; `position` has per direction the offset up to which all was taken."""

    def __init__(
        self, streams: tuple[ByteStream, ByteStream], acknowledged: Acknowledged | None = None
    ) -> None:
        self.streams = streams
        self._acknowledged = acknowledged
        self.position = [stream.start for stream in streams]
        self.before: list[Row | None] = [None, None]   # rows from which on a direction is not read now
        self._ahead: list[tuple[int, bytes]] = [(0, b""), (0, b"")]

    def available(self, direction: int) -> int:
        """The offset up to which bytes can be read without a hole."""
        return self.streams[direction].contiguous_from(self.position[direction])

    def runs(self) -> list[Run]:
        """What has come since `position`, in order of delivery."""
        runs = self.merged()
        return list(zip(runs.direction.tolist(), runs.start.tolist(), runs.stop.tolist(), strict=True))

    def merged(self) -> Runs:
        """The same as columns."""
        alone = [(direction, self.position[direction], self.available(direction)) for direction in (0, 1)
                 if self.available(direction) > self.position[direction]]
        if len(alone) < 2 and self.before == [None, None]:        # one end has spoken, or none: one run
            return Runs(*np.array(alone, np.int64).reshape(-1, 3).T)
        rows, stops = zip(*(self._boundaries(direction) for direction in (0, 1)), strict=True)
        merged = np.argsort(np.concatenate(self._order(rows, stops)), kind="stable")
        who = (merged >= len(rows[0])).astype(np.int64)
        last = np.flatnonzero(np.append(who[1:] != who[:-1], len(who) > 0))
        who, ends = who[last], np.concatenate(stops)[merged[last]]
        starts = np.empty(len(ends), np.int64)
        for direction in (0, 1):
            own = np.flatnonzero(who == direction)
            starts[own] = np.append(self.position[direction], ends[own[:-1]])[: len(own)]
        return Runs(who, starts, ends)

    def _order(self, rows: tuple[Int64s, ...], stops: tuple[Int64s, ...]) -> list[Int64s]:
        """Keys by which bytes are read: their rows (doubled), or behind the row of what they answer."""
        keys = [2 * rows[0], 2 * rows[1]]
        if self._acknowledged is None or not len(rows[0]) or not len(rows[1]):
            return keys
        for direction in (0, 1):
            other = 1 - direction
            known = self._acknowledged(direction, rows[direction])
            at = np.searchsorted(stops[other], known)
            late = np.flatnonzero((known > self.position[other]) & (at < len(stops[other])))
            keys[direction][late] = np.maximum(keys[direction][late], 2 * rows[other][at[late]] + 1)
            keys[direction] = np.maximum.accumulate(keys[direction])
        return keys

    def _boundaries(self, direction: int) -> tuple[Int64s, Int64s]:
        """Row after which bytes were delivered, and the offset up to which they then were."""
        stop = self.available(direction)
        found = self.streams[direction].columns(self.position[direction], stop)
        rows, stops = np.maximum.accumulate(found.row), found.offset + found.length
        limit = self.before[direction]
        if limit is not None:
            count = int(np.searchsorted(rows, limit))
            rows, stops = rows[:count], stops[:count]
        return rows, stops

    def read(self, direction: int, start: int, stop: int) -> bytes:
        """Bytes of a direction; small reads are served from a window that was read ahead."""
        if stop - start >= _AHEAD:
            return self.streams[direction].read(start, stop)
        base, data = self._ahead[direction]
        if not base <= start <= stop <= base + len(data):
            end = min(max(self.available(direction), stop), start + _AHEAD)
            base, data = self._ahead[direction] = start, self.streams[direction].read(start, end)
        return data[start - base : stop - base]

    def windows(self, run: Run) -> Iterator[tuple[int, bytes]]:
        """The run's bytes from the direction's position on, with offset, in windows that advance it."""
        direction, _, stop = run
        while (start := self.position[direction]) < stop:
            data = self.read(direction, start, min(stop, start + WINDOW))
            if not data:
                return
            self.position[direction] = start + len(data)
            yield start, data
