"""The segments of a stream, and which of its bytes each one brought: `reassembly.ByteStream` stands on this.

Segments are kept as columns in order of arrival; runs, ordered by offset, say which segments in a row hold a
stretch of bytes without a hole. A stream in order is one run, however long.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, MutableSequence
from typing import Any, NamedTuple

import numpy as np

from inspector.model.packets import BEFORE, Row, row_column, rows_in
from inspector.wire.arrays import Int64s, Integers

FEW = 16                # segments up to which columns cost more than they save


class Piece(NamedTuple):
    """Bytes `offset .. offset + length` of the stream stand in packet `row` from byte `frame_offset` on."""

    row: Row
    frame_offset: int
    offset: int
    length: int


class Pieces(NamedTuple):
    """Many pieces as columns of int64, in order of offset."""

    row: Int64s
    frame_offset: Int64s
    offset: Int64s
    length: Int64s


class Overlap(NamedTuple):
    """Packet `row` brought bytes `start .. end` again; the stream keeps those that came first."""

    row: Row
    start: int
    end: int


def extend_column(column: MutableSequence[Any], values: list[Any] | Integers) -> None:
    """Put values behind those of one of the columns below."""
    if isinstance(column, array) and not isinstance(values, list):
        column.frombytes(values.astype(column.typecode).tobytes())
    else:
        column.extend(values)


class Segments:
    """Where the bytes of one stream stand. Offsets are 64-bit; rows grow with arrival."""

    __slots__ = ("_overlaps", "_place", "_row", "_run_end", "_run_first", "_run_last", "_run_start", "_size",
                 "_start")            # there are two of them for each of many conversations

    def __init__(self) -> None:
        # Segments in order of arrival …
        self._row = row_column()
        self._start = array("q")
        self._size = array("I")       # captured payload
        self._place = array("I")      # position of the payload in its frame
        # … and runs of them, ordered by offset: neighbours in both orders, without a hole between them.
        self._run_start = array("q")
        self._run_end = array("q")
        self._run_first = array("I")
        self._run_last = array("I")
        self._overlaps: list[Overlap] = []

    @property
    def is_short(self) -> bool:
        """Whether there are so few segments that columns of them cost more than they save."""
        return len(self._row) <= FEW

    @property
    def overlaps(self) -> bool:
        """Whether bytes came more than once."""
        return bool(self._overlaps)

    def _append(self, row: Row, start: int, size: int, place: int) -> int:
        """Add a segment to the columns, without its bytes; its index."""
        index = len(self._row)
        self._row.append(row)
        self._start.append(start)
        self._size.append(size)
        self._place.append(place)
        return index

    def _insert_run(self, at: int, start: int, end: int, first: int, last: int) -> None:
        self._run_start.insert(at, start)
        self._run_end.insert(at, end)
        self._run_first.insert(at, first)
        self._run_last.insert(at, last)

    def _insert(self, start: int, end: int, index: int) -> int:
        """Give bytes `start .. end` to segment `index` where no other has them; how many these are."""
        run_start, run_end = self._run_start, self._run_end
        count = len(run_start)
        if count and start < run_end[-1]:
            return self._fill(start, end, index)
        if count and start == run_end[-1] and self._run_last[-1] == index - 1:
            run_end[-1], self._run_last[-1] = end, index
        else:
            self._insert_run(count, start, end, index, index)
        return end - start

    def _fill(self, start: int, end: int, index: int) -> int:
        """Put the bytes that are new into the holes, and note the others as overlaps."""
        run_start, run_end = self._run_start, self._run_end
        row, fresh, known = self._row[index], 0, len(self._overlaps)
        at = bisect_right(run_end, start)
        while start < end:
            stop = min(end, max(start, run_start[at])) if at < len(run_start) else end
            if start < stop:
                self._insert_run(at, start, stop, index, index)
                fresh += stop - start
                at += 1
            if stop == end:
                break
            start = min(end, run_end[at])
            if len(self._overlaps) > known and self._overlaps[-1].end == stop:
                stop = self._overlaps.pop().start
            self._overlaps.append(Overlap(row, stop, start))
            at += 1
        return fresh

    def contiguous_from(self, offset: int) -> int:
        """The end of the bytes that are there without a hole from `offset` on (`offset` itself: none)."""
        at = bisect_right(self._run_end, offset)
        while at < len(self._run_start) and self._run_start[at] <= offset:
            offset = self._run_end[at]
            at += 1
        return offset

    def _piece(self, at: int, segment: int) -> Piece:
        segment_start = self._start[segment]
        start = max(segment_start, self._run_start[at])
        end = min(segment_start + self._size[segment], self._run_end[at])
        return Piece(self._row[segment], self._place[segment] + start - segment_start, start, end - start)

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """The pieces of `start .. end` in order, cut to it; holes are simply missing."""
        at = bisect_right(self._run_end, start)
        while at < len(self._run_start) and self._run_start[at] < end:
            first, last = self._run_first[at], self._run_last[at]
            segment = max(first, bisect_right(self._start, start, first, last + 1) - 1)
            while segment <= last and self._start[segment] < end:
                row, place, offset, length = self._piece(at, segment)
                skip = max(0, start - offset)
                stop = min(offset + length, end)
                if stop > offset + skip:
                    yield Piece(row, place + skip, offset + skip, stop - offset - skip)
                segment += 1
            at += 1

    def last_row(self, start: int, end: int) -> Row:
        """The packet that came last of those that brought `start .. end`; -1: none did."""
        newest = -1
        at = bisect_right(self._run_end, start)
        while at < len(self._run_start) and self._run_start[at] < end:
            first, last = self._run_first[at], self._run_last[at]
            if self._run_end[at] > end:
                last = max(first, bisect_left(self._start, end, first, last + 1) - 1)
            newest = max(newest, last)
            at += 1
        return self._row[newest] if newest >= 0 else BEFORE

    def columns(self, start: int, end: int) -> Pieces:
        """The pieces of `start .. end` as columns, for streams of many segments."""
        if len(self._row) <= FEW:
            few = np.array([tuple(piece) for piece in self.pieces(start, end)], np.int64).reshape(-1, 4).T
            return Pieces(*few)
        empty = np.zeros(0, np.int64)
        found = [Pieces(empty, empty, empty, empty)]
        at = bisect_right(self._run_end, start)
        while at < len(self._run_start) and self._run_start[at] < end:
            first, stop = self._run_first[at], self._run_last[at] + 1
            first = max(first, bisect_right(self._start, start, first, stop) - 1)
            stop = max(first + 1, bisect_left(self._start, end, first, stop))
            part = slice(first, stop)
            begin, last = np.array(self._start[part], np.int64), np.array(self._size[part], np.int64)
            last = np.minimum(begin + last, min(end, self._run_end[at]))
            offset = np.maximum(begin, max(start, self._run_start[at]))
            place = np.array(self._place[part], np.int64) + offset - begin
            found.append(Pieces(np.array(self._row[part], np.int64), place, offset, last - offset))
            at += 1
        return Pieces(*map(np.concatenate, zip(*found, strict=True)))

    def rows_at(self, offsets: Int64s) -> list[Row]:
        """The packets that brought the bytes at these offsets; what lacks is left out."""
        if not len(offsets):
            return []
        pieces = self.columns(int(offsets.min()), int(offsets.max()) + 1)
        if not len(pieces.row):
            return []
        at = np.searchsorted(pieces.offset, offsets, "right") - 1
        there = (at >= 0) & (offsets < pieces.offset[at] + pieces.length[at])
        return rows_in(np.unique(pieces.row[at[there]]))

    def last_rows(self, starts: Int64s, stops: Int64s) -> Int64s:
        """The latest of the packets that brought bytes of each range; -1 where there is none."""
        if not len(starts):
            return np.zeros(0, np.int64)
        pieces = self.columns(int(starts.min()), int(stops.max()))
        first = np.searchsorted(pieces.offset + pieces.length, starts, "right")
        last = np.searchsorted(pieces.offset, stops, "left")
        rows = np.append(np.asarray(pieces.row, np.int64), -1)
        found = np.maximum.reduceat(rows, np.stack((first, last), 1).ravel())[::2]
        return np.where(first < last, found, -1)

    def ranges_of(self, row: Row) -> list[tuple[int, int]]:
        """The ranges (start, end) of the stream that packet `row` was the first to bring."""
        found: list[tuple[int, int]] = []
        index = bisect_left(self._row, row)
        while index < len(self._row) and self._row[index] == row:
            start, end = self._start[index], self._start[index] + self._size[index]
            at = bisect_right(self._run_end, start)
            while at < len(self._run_start) and self._run_start[at] < end:
                if self._run_first[at] <= index <= self._run_last[at]:
                    piece = self._piece(at, index)
                    found.append((piece.offset, piece.offset + piece.length))
                at += 1
            index += 1
        return found

    def range_of(self, row: Row) -> tuple[int, int] | None:
        """The range (start, end) of stream offsets that packet `row` carries, new or not; None: no data."""
        index = bisect_left(self._row, row)
        if index >= len(self._row) or self._row[index] != row:
            return None
        return self._start[index], self._start[index] + self._size[index]
