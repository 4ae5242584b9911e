"""Both streams of a TCP conversation as one sequence of runs, in the order in which bytes were delivered.

A byte counts as delivered with the packet after which nothing before it was missing, and not before what its
sender acknowledged by then. So a response comes after its request, whatever the packets' order, and reading
stays in large pieces where one end speaks alone.
"""

from __future__ import annotations

from bisect import bisect_left
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
        reach = self.available(0), self.available(1)
        speak = [direction for direction in (0, 1) if reach[direction] > self.position[direction]]
        if len(speak) < 2:                             # one end, or none: one run
            alone = [(one, self.position[one], self._delivered(one, reach[one])) for one in speak]
            return Runs(*np.array([run for run in alone if run[2] > run[1]], np.int64).reshape(-1, 3).T)
        if self.streams[0].is_short and self.streams[1].is_short:
            return self._merged_few(reach)
        rows, stops = zip(*(self._boundaries(direction, reach[direction]) for direction in (0, 1)),
                          strict=True)
        merged = np.argsort(np.concatenate(self._order(rows, stops)), kind="stable")
        who = (merged >= len(rows[0])).astype(np.int64)
        last = np.flatnonzero(np.append(who[1:] != who[:-1], len(who) > 0))
        who, ends = who[last], np.concatenate(stops)[merged[last]]
        starts = np.empty(len(ends), np.int64)
        for direction in (0, 1):
            own = np.flatnonzero(who == direction)
            starts[own] = np.append(self.position[direction], ends[own[:-1]])[: len(own)]
        return Runs(who, starts, ends)

    def _merged_few(self, reach: tuple[int, int]) -> Runs:
        """The same for so few packets that columns would take longer."""
        rows: tuple[list[int], list[int]] = ([], [])
        stops: tuple[list[int], list[int]] = ([], [])
        for direction, stream in enumerate(self.streams):
            limit, row = self.before[direction], -1
            for piece in stream.pieces(self.position[direction], reach[direction]):
                row = max(row, piece.row)
                if limit is not None and row >= limit:
                    break
                rows[direction].append(row)
                stops[direction].append(piece.offset + piece.length)
        keys = [[2 * row for row in mine] for mine in rows]
        if self._acknowledged is not None and all(rows):
            for direction, mine in enumerate(keys):
                other, key = 1 - direction, -1
                known = self._acknowledged(direction, np.array(rows[direction], np.int64)).tolist()
                for place, offset in enumerate(known):
                    at = bisect_left(stops[other], offset)
                    late = offset > self.position[other] and at < len(stops[other])
                    key = mine[place] = max(key, mine[place], 2 * rows[other][at] + 1 if late else 0)
        order = sorted((key, direction, stop) for direction in (0, 1)
                       for key, stop in zip(keys[direction], stops[direction], strict=True))
        found, position = list[Run](), list(self.position)
        for _, direction, stop in order:
            if found and found[-1][0] == direction:
                found[-1] = direction, found[-1][1], stop
            else:
                found.append((direction, position[direction], stop))
            position[direction] = stop
        return Runs(*np.array(found, np.int64).reshape(-1, 3).T)

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

    def _delivered(self, direction: int, stop: int) -> int:
        """The offset up to which bytes of a direction are read now, of those before `stop`."""
        limit = self.before[direction]
        if limit is None:
            return stop
        stops = self._boundaries(direction, stop)[1]
        return int(stops[-1]) if len(stops) else self.position[direction]

    def _boundaries(self, direction: int, stop: int) -> tuple[Int64s, Int64s]:
        """Row after which bytes before `stop` were delivered, and the offset up to which they then were."""
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
