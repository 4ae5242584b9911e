"""One direction of a TCP connection as a stream of bytes, with the packet that brought each of them.

Segments come in the order of the capture, with any sequence numbers; payload bytes stay where they are (in
the trace) and are fetched when they are read. So a stream costs 24 bytes a segment, and gigabytes can be read
in windows. Offset 0 is the first byte after the SYN or, where no SYN was captured, the first byte seen.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from inspector.model.packets import BEFORE, Row
from inspector.wire.arrays import Int64s, Integers, UInt32s
from inspector.wire.tcp.segments import FEW, Overlap, Piece, Pieces, Segments, extend_column

__all__ = ["ByteStream", "Conflict", "Fetch", "Gap", "Gather", "Piece", "Pieces"]

Fetch = Callable[[Row, int, int], bytes]
"""(row, position in the frame, length) -> bytes; fewer where the file has fewer."""

Gather = Callable[[Int64s, Int64s, Int64s], bytes]
"""Columns of rows, positions and lengths -> all these bytes joined; fewer where the file has fewer."""

_MANY = 8192           # bytes from which a read goes by columns
ENDS = 256             # segments at the start whose ends are told
_LITTLE = 64           # bytes of a little piece; who reads several gets them out of so many
_AHEAD = _MANY
_SEVERAL = 8           # segments of a run from which on columns are faster
_HEAD = 2048           # bytes at the start that are kept: many look at them to tell what it is,
SAMPLE = 1 << 16       # and while they do so that many, or so many
BEHIND = _MANY         # behind the last of the segments whose ends are told
MOST_COMPARED = 1 << 16


Column = list[Any] | Integers
"""Values of many segments; longer ones are faster as an array."""


class Gap(NamedTuple):
    """Bytes `start .. end` of the stream that the capture lacks; `cut`: a snapshot length took some."""

    start: int
    end: int
    cut: bool


class Conflict(NamedTuple):
    """Packet `row` brought bytes again that packet `first_row` had brought with other contents.

    `start .. end`: from the first that differs to the last. The stream keeps those that came first.
    """

    row: Row
    first_row: Row
    start: int
    end: int


class Urgent(NamedTuple):
    """An urgent byte, announced by packet `row`: it stands, with a number of its own, before `offset`."""

    row: Row
    offset: int


class ByteStream(Segments):
    """The bytes one end sent. Offsets are 64-bit and never wrap; sequence numbers are the wire's 32 bits.

    Urgent bytes are none of them: a program reads them apart (RFC 6093 section 2, as all systems have it),
    unless it asks otherwise. They have sequence numbers, but no offsets.

    A sequence number is unwrapped against the segment seen before it (RFC 9293 section 3.4), so segments
    may lie up to 2 GiB before or after their predecessor in the capture.
    """

    __slots__ = ("_announced", "_compared", "_conflicts", "_cuts", "_ends", "_fetch", "_first_few", "_gather",
                 "_head", "_last", "_next_overlap", "_on", "_reference", "_reference_seq", "_sample",
                 "_urgent", "captured", "contiguous", "end", "length", "start", "start_known")

    def __init__(self, fetch: Fetch, gather: Gather | None = None) -> None:
        super().__init__()
        self._fetch = fetch
        self._gather = gather
        self._reference = 0           # offset of the segment seen last, and its sequence number
        self._reference_seq: int | None = None
        # The lowest offset there is: below 0 where earlier bytes came later and no SYN was captured.
        self.start = 0
        self.start_known = False      # offset 0 is the byte after a SYN
        self.length = 0               # end of the highest byte seen on the wire
        self.contiguous = 0           # bytes 0 .. contiguous are all there
        self.captured = 0             # bytes that the stream has
        self.end: int | None = None   # offset at which a FIN closed the stream
        self._urgent: list[int] = []  # where numbers alone count (see `_number`), ascending: urgent bytes,
        self._announced: list[Row] = []                # and the packets that announce each
        self._cuts = array("q")       # offsets at which a frame was cut short, ascending
        self._conflicts: list[Conflict] = []
        self._next_overlap = 0        # overlaps before this one were compared
        self._compared = 0            # pieces that were
        self._head = -1, 0, b""       # what there is at the start: of how many bytes, from where on
        self._on = -1, 0, b""         # the same of what is read on, a little at a time,
        self._last = -1               # and where the last little piece ended
        # More of it, from where on and whether that is all, while many look: see `sampled`.
        self._sample: tuple[int, bytes, bool] | None = None
        self._ends: tuple[tuple[int, int], list[int]] = (-1, 0), []
        # Of a stream of few segments, up to which offset they were asked for, and where they begin and end.
        self._first_few: tuple[tuple[int, int, int], list[tuple[int, int]]] = (-1, 0, 0), []

    def open_at(self, seq: int) -> None:
        """Let offset 0 be `seq`, the number after a SYN's. Without effect once data came without a SYN."""
        if self._reference_seq is None:
            self._reference_seq = seq & 0xFFFFFFFF
            self.start_known = True
        elif self.offset_of(seq) == 0:
            self.start_known = True

    def offset_of(self, seq: int) -> int:
        """The stream offset of a sequence number (negative: before the first byte known)."""
        number = self._number(seq)
        return number - bisect_left(self._urgent, number) if self._urgent else number

    def _number(self, seq: int) -> int:
        """A sequence number as one of 64 bits, which counts urgent bytes too."""
        if self._reference_seq is None:
            return 0
        return self._reference + ((seq - self._reference_seq + 0x80000000) & 0xFFFFFFFF) - 0x80000000

    def take_out(self, begins: int, pointer: int, row: Row) -> None:
        """Let the byte before `pointer`, counted from `begins`, be urgent, as packet `row` announces.

        What is there already stays.
        """
        if self._reference_seq is None:
            self._reference_seq = begins & 0xFFFFFFFF
        number = self._number(begins) + pointer - 1
        at = bisect_left(self._urgent, number)
        known = self._urgent[at : at + 1] == [number] or (self.captured and number - at < self.length)
        if known or (number < 0 and self.start_known):
            return
        self._urgent.insert(at, number)
        self._announced.insert(at, row)

    @property
    def urgent(self) -> list[Urgent]:
        """The urgent bytes, in order."""
        return [Urgent(row, number - at) for at, (number, row) in enumerate(
            zip(self._urgent, self._announced, strict=True))]

    def offsets_of(self, numbers: UInt32s) -> Int64s:
        """The stream offsets of many sequence numbers; 0 for all while no byte is known."""
        if self._reference_seq is None:
            return np.zeros(len(numbers), np.int64)
        away = (numbers.astype(np.int64) - self._reference_seq + 0x80000000) & 0xFFFFFFFF
        found: Int64s = self._reference + away - 0x80000000
        return found - np.searchsorted(self._urgent, found) if self._urgent else found

    def add(self, seq: int, length: int, row: Row, frame_offset: int, captured: int | None = None) -> int:
        """Take a segment with `length` bytes of payload, of which the file has `captured` (default: all).

        `row` must not be lower than that of the segment before. Returns the offset of its first byte.
        """
        number, start = self._number(seq), self.offset_of(seq)
        if length <= 0:
            return start
        self._reference, self._reference_seq = number, seq & 0xFFFFFFFF
        size = length if captured is None else max(0, min(length, captured))
        at = bisect_left(self._urgent, number)
        for urgent in self._urgent[at : bisect_left(self._urgent, number + length)]:
            before = urgent - number
            self._put(number - at, before, row, frame_offset, min(size, before))
            number, at, frame_offset = urgent + 1, at + 1, frame_offset + before + 1
            length, size = length - before - 1, max(size - before - 1, 0)
        self._put(number - at, length, row, frame_offset, size)
        return start

    def _put(self, start: int, length: int, row: Row, frame_offset: int, size: int) -> None:
        """Take bytes at `start`, none of them urgent, of which the file has the first `size`."""
        if length <= 0:
            return
        if start + length > self.length:
            self.length = start + length
        if size < length:
            insort(self._cuts, start + size)
        index = self._append(row, start, size, frame_offset)
        end = start + size
        first = start if start >= 0 or not self.start_known else 0
        if first < end:
            self.captured += self._insert(first, end, index)
            if first < self.start:
                self.start = first
            if first <= self.contiguous < end:
                self.contiguous = self.contiguous_from(self.contiguous)

    def add_run(self, seq: int, rows: Column, starts: Column, sizes: Column, places: Column) -> bool:
        """Take many whole segments at once if they follow each other and all that came before them.

        `starts` are relative to the first one's (so starts[0] is 0), each the end of the one before. False,
        and nothing taken, when the first is not the next byte of the stream.
        """
        start = self.offset_of(seq)
        if start != self.length or start != self.contiguous or not len(rows) or self._urgent:
            return False
        index, last = len(self._row), int(starts[-1])
        end = start + last + int(sizes[-1])
        if isinstance(starts, list):
            starts = [start + offset for offset in starts] if start else starts
        else:
            starts = starts + start
        for column, values in ((self._row, rows), (self._start, starts), (self._size, sizes),
                               (self._place, places)):
            extend_column(column, values)
        self._reference, self._reference_seq = start + last, (seq + last) & 0xFFFFFFFF
        self.length = self.contiguous = end
        self.captured += end - start
        if self._run_end and self._run_end[-1] == start and self._run_last[-1] == index - 1:
            self._run_end[-1] = end
            self._run_last[-1] = index + len(rows) - 1
        else:
            self._insert_run(len(self._run_start), start, end, index, index + len(rows) - 1)
        return True

    def add_cut_run(self, seq: int, rows: Sequence[Row], starts: Sequence[int], lengths: Sequence[int],
                    sizes: Sequence[int], places: Sequence[int]) -> bool:
        """Take many segments that follow each other, of each of which the file lacks the rest.

        As `add_run`, but for `lengths` on the wire and `sizes` of what there is. False, and nothing taken,
        when the first does not begin where the highest byte seen so far ends, behind some that lack.
        """
        start = self.offset_of(seq)
        if start != self.length or start <= self.contiguous or start < 0 or not rows or self._urgent:
            return False
        index, begins = len(self._row), [start + offset for offset in starts]
        ends = [begin + size for begin, size in zip(begins, sizes, strict=True)]
        self._row.extend(rows)
        self._start.extend(begins)
        self._size.extend(sizes)
        self._place.extend(places)
        self._cuts.extend(ends)
        self._reference, self._reference_seq = begins[-1], (seq + starts[-1]) & 0xFFFFFFFF
        self.length = begins[-1] + lengths[-1]
        self.captured += sum(sizes)
        there = [number for number, size in enumerate(sizes) if size]
        self._run_start.extend([begins[number] for number in there])
        self._run_end.extend([ends[number] for number in there])
        for column in (self._run_first, self._run_last):
            column.extend([index + number for number in there])
        return True

    def finish_at(self, seq: int) -> None:
        """Note that a FIN closes the stream at `seq`, the number after the last byte. The first counts."""
        if self.end is None:
            self.end = max(self.offset_of(seq), 0)

    def tail(self, offset: int, known: bool) -> ByteStream:
        """The stream as it stands now, as if it began at `offset`; `known`: something does begin there.

        Offsets stay those of the whole stream. For looking at it, not for adding to it.
        """
        tail = copy(self)
        tail.start, tail.start_known = offset, known
        tail.contiguous = max(self.contiguous, self.contiguous_from(offset))
        return tail

    def before(self, row: Row) -> ByteStream:
        """The beginning of the stream as it stood before packet `row` came; for looking at it."""
        found = ByteStream(self._fetch, self._gather)
        found.start_known = self.start_known
        for piece in self.pieces(self.start, min(self.contiguous, self.start + SAMPLE)):
            if piece.row >= row:
                break
            found._put(piece.offset, piece.length, piece.row, piece.frame_offset, piece.length)
        return found

    @property
    def gaps(self) -> list[Gap]:
        """The holes from `start` to `length`, in order."""
        found: list[Gap] = []
        cursor = self.start
        while (gap := self.gap_from(cursor)) is not None:
            found.append(gap)
            cursor = gap.end
        return found

    def gap_from(self, offset: int) -> Gap | None:
        """The first hole at or behind `offset`, up to `length`; None where there is none."""
        start = self.contiguous_from(offset)
        if start >= self.length:
            return None
        at = bisect_right(self._run_start, start)
        end = self._run_start[at] if at < len(self._run_start) else self.length
        cut = bisect_left(self._cuts, start)
        return Gap(start, end, cut < len(self._cuts) and self._cuts[cut] < end)

    def cut_in(self, start: int, stop: int) -> tuple[int, Row] | None:
        """The first offset in [start, stop) from which bytes lack as a frame was cut short, and its row."""
        for at in range(bisect_left(self._cuts, start), bisect_left(self._cuts, stop)):
            offset = self._cuts[at]
            piece = next(self.pieces(offset - 1, offset), None)
            if piece is not None and self.contiguous_from(offset) == offset:
                return offset, piece.row
        return None

    def missing_in(self, start: int, stop: int) -> int:
        """How many bytes of [start, stop) the capture lacks."""
        missing = 0
        while start < stop and (gap := self.gap_from(start)) is not None and gap.start < stop:
            missing += min(gap.end, stop) - gap.start
            start = gap.end
        return missing

    def conflicts(self) -> tuple[Conflict, ...]:
        """What came again with other bytes; each overlap is fetched and compared once.

        Comparing ends after MOST_COMPARED pieces, so that no capture can keep it busy for ever.
        """
        for overlap in self._overlaps[self._next_overlap :]:
            if self._compared >= MOST_COMPARED:
                break
            self._conflicts += self._compare(overlap)
        self._next_overlap = len(self._overlaps)
        return tuple(self._conflicts)

    def _compare(self, overlap: Overlap) -> list[Conflict]:
        """One conflict, from the first byte that differs to the last, or none."""
        index = bisect_left(self._row, overlap.row)
        place = self._place[index] + overlap.start - self._start[index]
        again = self._fetch(overlap.row, place, overlap.end - overlap.start)
        different: list[int] = []
        first_row = BEFORE
        for piece in self.pieces(overlap.start, overlap.end):
            self._compared += 1
            at = piece.offset - overlap.start
            second = again[at : at + piece.length]
            first = self._fetch(piece.row, piece.frame_offset, piece.length)
            if second == first[: len(second)]:
                continue
            pairs = enumerate(zip(first, second, strict=False))
            different += [piece.offset + i for i, (old, new) in pairs if old != new]
            first_row = piece.row if first_row < 0 else first_row
        return [Conflict(overlap.row, first_row, different[0], different[-1] + 1)] if different else []

    def wire(self, start: int, stop: int) -> tuple[int, int]:
        """Where bytes stand in what was sent: here itself; for a stream inside of another one, there."""
        return start, stop

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, or to the first hole before it."""
        if not self._run_start:                # as one direction of many a conversation, which all look at
            return b""
        captured, base, head = self._head
        if captured != self.captured and start < end <= self.start + _HEAD:
            captured, base = self.captured, self.start
            sampled = self._sample is not None and self._sample[0] == base
            head = self._sample[1][:_HEAD] if self._sample and sampled else self._read(base, base + _HEAD)
            self._head = captured, base, head
        size = len(head)
        if captured == self.captured and base <= start < base + size and (
                end <= base + size or size < _HEAD):
            return head[start - base : end - base]
        if self._sample is not None:
            base, sample, whole = self._sample
            if base <= start < base + len(sample) and (end <= base + len(sample) or whole):
                return sample[start - base : end - base]
        return self._read_on(start, end)

    def all_at_start(self) -> bytes | None:
        """All that there is from the start to the first hole, where that is little enough to be kept."""
        data = self.read(self.start, self.start + _HEAD)
        return data if len(data) < _HEAD else None

    def _read_on(self, start: int, end: int) -> bytes:
        """The same; who reads a little, and then what follows close behind, gets it out of more of it."""
        captured, base, data = self._on
        if captured == self.captured and base <= start and end <= base + len(data):
            return data[start - base : end - base]
        if end - start > _LITTLE:
            return self._read(start, end)
        last, self._last = self._last, end
        if not last <= start <= last + _LITTLE or self._gather is None:
            return self._read(start, end)
        data = self._read(start, start + _AHEAD)
        self._on = self.captured, start, data
        return data[: end - start]

    @contextmanager
    def sampled(self) -> Iterator[None]:
        """Keep what there is at the start in memory: inside, many look at it here and there.

        Nothing is added meanwhile.
        """
        if self.captured > _HEAD:
            base, ends = self.start, self.segment_ends()
            size = SAMPLE if len(ends) < ENDS else min(SAMPLE, ends[-1] - base + BEHIND)
            sample = self._read(base, base + size)
            self._sample = base, sample, len(sample) < size
        try:
            yield
        finally:
            self._sample = None

    def segment_ends(self) -> list[int]:
        """Offsets at which the first segments end, from the start to the first hole, ascending."""
        key = self.captured, self.start
        if self._ends[0] != key:
            self._ends = key, [stop for _, stop in self.first_segments(ENDS, self.contiguous_from(key[1]))]
        return self._ends[1]

    def first_segments(self, most: int, end: int) -> list[tuple[int, int]]:
        """Where in the stream the first `most` segments before `end` begin and end, in order of offset."""
        if len(self._row) <= FEW:
            key = self.captured, self.start, end
            if self._first_few[0] != key:
                pieces = self.pieces(self.start, end)
                self._first_few = key, [(piece.offset, piece.offset + piece.length) for piece in pieces]
            return self._first_few[1][:most]
        at = bisect_right(self._run_end, self.start)
        last, count = at, 0                       # the runs of which these segments are
        while last < len(self._run_start) and count < most:
            before, count = count, count + self._run_last[last] - self._run_first[last] + 1
            last += 1
        if count < _SEVERAL * (last - at) or last == at:      # short runs are faster piece by piece
            pieces = islice(self.pieces(self.start, end), most)
            return [(piece.offset, piece.offset + piece.length) for piece in pieces]
        if count > most:
            end = min(end, self._start[self._run_first[last - 1] + most - before])
        elif last < len(self._run_start):
            end = min(end, self._run_end[last - 1])
        found = self.columns(self.start, end)
        return list(zip(found.offset.tolist(), (found.offset + found.length).tolist(), strict=True))[:most]

    def _read(self, start: int, end: int) -> bytes:
        if not self._run_start or start >= end:
            return b""
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
