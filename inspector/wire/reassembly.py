"""One direction of a TCP connection as a stream of bytes, with the packet that brought each of them.

Segments come in the order of the capture, with any sequence numbers; payload bytes stay where they are (in
the trace) and are fetched when they are read. So a stream costs 24 bytes a segment, and gigabytes can be read
in windows. Offset 0 is the first byte after the SYN or, where no SYN was captured, the first byte seen.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Fetch = Callable[[int, int, int], bytes]
"""(row, position in the frame, length) -> bytes; fewer where the file has fewer."""

Gather = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], bytes]
"""Columns of rows, positions and lengths -> all these bytes joined; fewer where the file has fewer."""

_MANY = 8192           # bytes from which a read goes by columns


class Piece(NamedTuple):
    """Bytes `offset .. offset + length` of the stream stand in packet `row` from byte `frame_offset` on."""

    row: int
    frame_offset: int
    offset: int
    length: int


class Pieces(NamedTuple):
    """Many pieces as columns of int64, in order of offset."""

    row: NDArray[np.int64]
    frame_offset: NDArray[np.int64]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]


class Gap(NamedTuple):
    """Bytes `start .. end` of the stream that the capture lacks; `cut`: a snapshot length took some."""

    start: int
    end: int
    cut: bool


class Overlap(NamedTuple):
    """Packet `row` brought bytes `start .. end` again; the stream keeps those that came first."""

    row: int
    start: int
    end: int


class ByteStream:
    """The bytes one end sent. Offsets are 64-bit and never wrap; sequence numbers are the wire's 32 bits.

    A sequence number is unwrapped against the segment seen before it (RFC 9293 section 3.4), so segments
    may lie up to 2 GiB before or after their predecessor in the capture.
    """

    def __init__(self, fetch: Fetch, gather: Gather | None = None) -> None:
        self._fetch = fetch
        self._gather = gather
        self._reference = 0           # offset of the segment seen last, and its sequence number
        self._reference_seq: int | None = None
        self.start_known = False      # offset 0 is the byte after a SYN
        self.length = 0               # end of the highest byte seen on the wire
        self.contiguous = 0           # bytes 0 .. contiguous are all there
        self.captured = 0             # bytes that the stream has
        self.end: int | None = None   # offset at which a FIN closed the stream
        # Segments in order of arrival …
        self._row = array("I")
        self._start = array("q")
        self._size = array("I")       # captured payload
        self._place = array("I")      # position of the payload in its frame
        # … and runs of them, ordered by offset: neighbours in both orders, without a hole between them.
        self._run_start = array("q")
        self._run_end = array("q")
        self._run_first = array("I")
        self._run_last = array("I")
        self._cuts = array("q")       # offsets at which a frame was cut short
        self._overlaps: list[Overlap] = []
        self._conflicts: list[Overlap] = []
        self._compared = 0

    def open_at(self, seq: int) -> None:
        """Let offset 0 be `seq`, the number after a SYN's. Without effect once data came without a SYN."""
        if self._reference_seq is None:
            self._reference_seq = seq & 0xFFFFFFFF
            self.start_known = True
        elif self.offset_of(seq) == 0:
            self.start_known = True

    def offset_of(self, seq: int) -> int:
        """The stream offset of a sequence number (negative: before the first byte known)."""
        if self._reference_seq is None:
            return 0
        return self._reference + ((seq - self._reference_seq + 0x80000000) & 0xFFFFFFFF) - 0x80000000

    def add(self, seq: int, length: int, row: int, frame_offset: int, captured: int | None = None) -> int:
        """Take a segment with `length` bytes of payload, of which the file has `captured` (default: all).

        `row` must not be lower than that of the segment before. Returns the offset of its first byte.
        """
        start = self.offset_of(seq)
        if length <= 0:
            return start
        self._reference, self._reference_seq = start, seq & 0xFFFFFFFF
        size = length if captured is None else max(0, min(length, captured))
        if start + length > self.length:
            self.length = start + length
        if size < length:
            self._cuts.append(start + size)
        index = len(self._row)
        self._row.append(row)
        self._start.append(start)
        self._size.append(size)
        self._place.append(frame_offset)
        end = start + size
        first = start if start >= 0 or not self.start_known else 0
        if first < end:
            self._insert(first, end, index)
        return start

    def add_run(self, seq: int, rows: Sequence[int], starts: Sequence[int], sizes: Sequence[int],
                places: Sequence[int]) -> bool:
        """Take many whole segments at once if they follow each other and all that came before them.

        `starts` are relative to the first one's (so starts[0] is 0), each the end of the one before. False,
        and nothing taken, when the first is not the next byte of the stream.
        """
        start = self.offset_of(seq)
        if start != self.length or start != self.contiguous or not rows:
            return False
        index, end = len(self._row), start + starts[-1] + sizes[-1]
        self._row.extend(rows)
        self._start.extend([start + offset for offset in starts] if start else starts)
        self._size.extend(sizes)
        self._place.extend(places)
        self._reference, self._reference_seq = start + starts[-1], (seq + starts[-1]) & 0xFFFFFFFF
        self.length = self.contiguous = end
        self.captured += end - start
        if self._run_end and self._run_end[-1] == start and self._run_last[-1] == index - 1:
            self._run_end[-1] = end
            self._run_last[-1] = index + len(rows) - 1
        else:
            self._insert_run(len(self._run_start), start, end, index, index + len(rows) - 1)
        return True

    def finish_at(self, seq: int) -> None:
        """Note that a FIN closes the stream at `seq`, the number after the last byte. The first counts."""
        if self.end is None:
            self.end = max(self.offset_of(seq), 0)

    def _insert_run(self, at: int, start: int, end: int, first: int, last: int) -> None:
        self._run_start.insert(at, start)
        self._run_end.insert(at, end)
        self._run_first.insert(at, first)
        self._run_last.insert(at, last)

    def _insert(self, start: int, end: int, index: int) -> None:
        run_start, run_end = self._run_start, self._run_end
        count = len(run_start)
        if not count or start >= run_end[-1]:
            if count and start == run_end[-1] and self._run_last[-1] == index - 1:
                run_end[-1], self._run_last[-1] = end, index
            else:
                self._insert_run(count, start, end, index, index)
            self.captured += end - start
        else:
            self._fill(start, end, index)
        if start <= self.contiguous < end:
            self.contiguous = self.contiguous_from(self.contiguous)

    def _fill(self, start: int, end: int, index: int) -> None:
        """Put the bytes that are new into the holes, and note the others as overlaps."""
        run_start, run_end = self._run_start, self._run_end
        at = bisect_right(run_end, start)
        while start < end:
            stop = min(end, max(start, run_start[at])) if at < len(run_start) else end
            if start < stop:
                self._insert_run(at, start, stop, index, index)
                self.captured += stop - start
                at += 1
            if stop == end:
                return
            start = min(end, run_end[at])
            self._note_overlap(self._row[index], stop, start)
            at += 1

    def _note_overlap(self, row: int, start: int, end: int) -> None:
        last = self._overlaps[-1] if len(self._overlaps) > self._compared else None
        if last is not None and last.row == row and last.end == start:
            self._overlaps[-1] = Overlap(row, last.start, end)
        else:
            self._overlaps.append(Overlap(row, start, end))

    def contiguous_from(self, offset: int) -> int:
        """The end of the bytes that are there without a hole from `offset` on (`offset` itself: none)."""
        at = bisect_right(self._run_end, offset)
        while at < len(self._run_start) and self._run_start[at] <= offset:
            offset = self._run_end[at]
            at += 1
        return offset

    @property
    def start(self) -> int:
        """The lowest offset there is: 0, or below where earlier bytes came later and no SYN was captured."""
        return min(0, self._run_start[0]) if self._run_start else 0

    @property
    def gaps(self) -> list[Gap]:
        """The holes from `start` to `length`, in order."""
        cuts = sorted(self._cuts)
        found: list[Gap] = []
        cursor = self.start
        for start, end in zip((*self._run_start, self.length), (*self._run_end, self.length), strict=True):
            if start > cursor:
                at = bisect_left(cuts, cursor)
                found.append(Gap(cursor, start, at < len(cuts) and cuts[at] < start))
            cursor = max(cursor, end)
        return found

    @property
    def overlaps(self) -> tuple[Overlap, ...]:
        """What came more than once (retransmissions, mostly), in order of arrival."""
        return tuple(self._overlaps)

    def conflicts(self) -> tuple[Overlap, ...]:
        """The overlaps whose bytes differ from those that came first; each is fetched and compared once."""
        for overlap in self._overlaps[self._compared:]:
            if any(True for _ in self._differences(overlap)):
                self._conflicts.append(overlap)
        self._compared = len(self._overlaps)
        return tuple(self._conflicts)

    def _differences(self, overlap: Overlap) -> Iterator[int]:
        index = bisect_left(self._row, overlap.row)
        for piece in self.pieces(overlap.start, overlap.end):
            place = self._place[index] + piece.offset - self._start[index]
            again = self._fetch(overlap.row, place, piece.length)
            if again != self._fetch(piece.row, piece.frame_offset, piece.length)[: len(again)]:
                yield piece.offset

    def _piece(self, at: int, segment: int) -> Piece:
        segment_start = self._start[segment]
        start = max(segment_start, self._run_start[at])
        end = min(segment_start + self._size[segment], self._run_end[at])
        return Piece(self._row[segment], self._place[segment] + start - segment_start, start, end - start)

    def locate(self, offset: int) -> Piece | None:
        """The piece that holds the byte at `offset`; None where the capture lacks it."""
        at = bisect_right(self._run_start, offset) - 1
        if at < 0 or offset >= self._run_end[at]:
            return None
        first, last = self._run_first[at], self._run_last[at]
        return self._piece(at, max(first, bisect_right(self._start, offset, first, last + 1) - 1))

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

    def columns(self, start: int, end: int) -> Pieces:
        """The pieces of `start .. end` as columns, for streams of many segments."""
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

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, or to the first hole before it."""
        if self._gather is not None and end - start >= _MANY:
            end = min(end, self.contiguous_from(start))
            found = self.columns(start, end)
            data = self._gather(found.row, found.frame_offset, found.length)
            if len(data) == end - start:
                return data
        parts: list[bytes] = []
        for piece in self.pieces(start, end):
            if piece.offset != start:
                break
            part = self._fetch(piece.row, piece.frame_offset, piece.length)
            parts.append(part)
            start += len(part)
            if len(part) < piece.length:
                break
        return b"".join(parts)

    def ranges_of(self, row: int) -> list[tuple[int, int]]:
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

    def range_of(self, row: int) -> tuple[int, int] | None:
        """The range (start, end) of stream offsets that packet `row` carries, new or not; None: no data."""
        index = bisect_left(self._row, row)
        if index >= len(self._row) or self._row[index] != row:
            return None
        return self._start[index], self._start[index] + self._size[index]
