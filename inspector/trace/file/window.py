"""Reads of frames with what lies behind them: neighbours in the file are served from one piece that was read.

offset of a frame -> the piece that holds it, else a new one -> its bytes. Only the piece is read from the
source, so what a read has to make sure of (is it still the same file?) is done once a piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from inspector.trace.file.source import Source
from inspector.wire import compiled
from inspector.wire.arrays import Bools, Int64s

_AHEAD = 1 << 17         # bytes that are read at once, at most, after reads that followed each other,
_APART = 1 << 11         # and at first
_MOST = 1 << 20          # longer ones are not kept
_MOST_PEEKED = 1 << 22   # bytes that `peek` keeps room for
_EACH = 1 << 12          # places that are read before it is looked again whether it is still the same file
_BETWEEN = 1 << 14       # bytes between wanted ones that are read with them rather than in two reads
_TOGETHER = 1 << 22      # bytes that are read at once for many places
_DENSE = 8               # part of what is read that is wanted, at least: it is copied whole first
_SCATTERED = 4           # fewer neighbours than so many: each place is read by itself


def _far(starts: Int64s, stops: Int64s) -> Bools:
    """Of each place but the first, whether it stands so far from the one before that each is read alone."""
    ahead = starts[1:] - stops[:-1]
    return (ahead > _BETWEEN) | (ahead < 0)


def are_scattered(starts: Int64s, stops: Int64s) -> bool:
    """Whether places have so few neighbours that each is read by itself."""
    return _SCATTERED * int(_far(starts, stops).sum()) > len(starts)


class Window:
    """A piece of `source`, moved to where it is read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start = 0
        self._data = b""
        self._ahead = _APART
        self._buffer = bytearray()

    def read(self, start: int, stop: int, limit: int) -> bytes:
        """The bytes from `start` to `stop`, fewer where there are fewer; nothing from `limit` on is kept.

        `limit`: up to where the file is written for good.
        """
        base, data = self._start, self._data
        if base <= start and stop <= base + len(data):
            return data[start - base : stop - base]
        follows = base < start <= base + len(data) + self._ahead
        self._ahead = min(2 * self._ahead, _AHEAD) if follows else _APART
        end = max(stop, min(start + self._ahead, limit))
        buffer = bytearray(end - start)
        count = self._source.read(start, memoryview(buffer))
        data = bytes(memoryview(buffer)[:count])
        if stop - start <= _MOST:
            self._start, self._data = start, data
        return data[: stop - start]

    def each(self, starts: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """So many bytes from each of `starts` on, fewer where there are fewer: for what lies far apart."""
        found: list[bytes] = []
        for at in range(0, len(starts), _EACH):
            found += self._source.read_each(starts[at : at + _EACH], sizes[at : at + _EACH])
        return found

    def scattered(self, starts: Int64s, lengths: Int64s) -> list[bytes]:
        """The bytes of many places, each by itself, that are not neighbours as they come.

        Those of conversations that went on side by side are neighbours in the order of the file.
        """
        order = np.argsort(starts, kind="stable")
        in_order = starts[order]
        if are_scattered(in_order, in_order + lengths[order]):
            return self.each(starts.tolist(), lengths.tolist())
        found = self.together(in_order, lengths[order])
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return list(map(found.__getitem__, back.tolist()))

    def peek(self, start: int, stop: int) -> memoryview:
        """The bytes from `start` to `stop`, fewer where there are fewer; good until the next `peek`."""
        size = stop - start
        if len(self._buffer) < size <= _MOST_PEEKED or not self._buffer:
            self._buffer = bytearray(min(size, _MOST_PEEKED))
        buffer = memoryview(self._buffer if size <= len(self._buffer) else bytearray(size))[:size]
        return buffer[: self._source.read(start, buffer)].toreadonly()

    def together(self, starts: Int64s, lengths: Int64s) -> list[bytes]:
        """The bytes of many places, each by itself; those that stand close together are read at once."""
        stops, found = starts + lengths, []
        for first, last in _close_ones(starts, stops):
            low = int(starts[first])
            data: memoryview | bytes = self.peek(low, int(stops[last - 1]))
            if compiled.loops is not None:
                places = starts[first:last] - low, np.ascontiguousarray(lengths[first:last])
                found += compiled.loops.pieces(data, places)
                continue
            if len(data) < _DENSE * int(lengths[first:last].sum()):
                data = bytes(data)            # of which a piece is taken twice as fast
            cuts = zip((starts[first:last] - low).tolist(), (stops[first:last] - low).tolist(), strict=True)
            if isinstance(data, bytes):
                found += [data[start:stop] for start, stop in cuts]
            else:
                found += [bytes(data[start:stop]) for start, stop in cuts]
        return found


def _close_ones(starts: Int64s, stops: Int64s) -> list[tuple[int, int]]:
    """Ranges of places: what they name stands so close together in the file that it is read at once."""
    if not len(starts):
        return []
    far = np.flatnonzero(_far(starts, stops)) + 1
    found, bounds = [], [0, *far.tolist(), len(starts)]
    for first, last in pairwise(bounds):
        while int(stops[last - 1]) - int(starts[first]) > _TOGETHER and last - first > 1:
            middle = max(first + 1, int(np.searchsorted(stops[:last], starts[first] + _TOGETHER)))
            middle = min(middle, last - 1)
            found.append((first, middle))
            first = middle
        found.append((first, last))
    return found
