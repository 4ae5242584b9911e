"""What a direction says inside of TLS: a stream whose bytes lie in the packets of the sealed ones.

A byte of the plain stream stands where its sealed one stands, since the ciphers keep lengths; so packets,
rows and places in frames are known as for any stream. Nothing is kept but where records lie: they are opened
again when somebody reads.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from typing import Any

import numpy as np

from inspector.model.packets import BEFORE, Row
from inspector.protocols.api import Cut, Source
from inspector.protocols.tls.keys import Keys
from inspector.wire.arrays import Int64s
from inspector.wire.keylog import KeyLog
from inspector.wire.tcp.delivery import Pump
from inspector.wire.tcp.stream import ByteStream

_OPEN = 1 << 20          # bytes of records that stay open for the next read,
_RECORD = 200            # with what each of them takes besides


class PlainStream(ByteStream):
    """The plain bytes of one direction. Offsets count from the first one."""

    def __init__(self, sealed: ByteStream) -> None:
        super().__init__(lambda row, place, length: b"")
        self.open_at(0)
        self.sealed = sealed
        self._begins, self._sizes = array("q"), array("q")       # of each record in this stream
        self._records, self._stops = array("q"), array("q")      # and in the sealed one
        self._numbers, self._before = array("q"), array("q")
        self._keys: list[Keys | None] = []                       # None: it was not opened
        self._opened: OrderedDict[int, bytes] = OrderedDict()
        self._open_size = 0
        self._newest = BEFORE

    def take(self, start: int, stop: int, size: int, keys: Keys, number: int) -> None:
        """Add the `size` plain bytes of the record at [start, stop) of the sealed stream."""
        self._note(start, stop, size, keys.before, number)
        self._keys.append(keys)
        body = start + 5 + keys.before
        for piece in self.sealed.pieces(body, body + size):
            self._newest = max(self._newest, piece.row)
            self.add(self._begins[-1] + piece.offset - body, piece.length, self._newest, piece.frame_offset)

    def miss(self, start: int, stop: int, size: int) -> None:
        """Leave a hole of `size` bytes, as far as that can be told, for what did not open."""
        if size > 0:
            self._note(start, stop, size, 0, -1)
            self._keys.append(None)
            self.length += size

    def _note(self, start: int, stop: int, size: int, before: int, number: int) -> None:
        self._begins.append(self.length)
        self._sizes.append(size)
        self._records.append(start)
        self._stops.append(stop)
        self._before.append(before)
        self._numbers.append(number)

    def _at(self, offset: int) -> int:
        """The record that has a byte."""
        return max(bisect_right(self._begins, offset) - 1, 0)

    def wire(self, start: int, stop: int) -> tuple[int, int]:
        """Where bytes stand in the sealed stream; with all of a record that they begin, or end."""
        if not self._begins:
            return 0, 0
        first, last = self._at(start), self._at(max(stop - 1, start))
        begin, end = start - self._begins[first], max(stop, start) - self._begins[last]
        low = self._records[first] + (5 + self._before[first] + begin if begin else 0)
        whole = end >= self._sizes[last]
        high = self._stops[last] if whole else self._records[last] + 5 + self._before[last] + end
        return low, max(low, high)

    def plain_to(self, sealed: Int64s) -> Int64s:
        """How many plain bytes stand in whole records up to offsets of the sealed stream."""
        stops, ends = (np.array(column, np.int64) for column in (self._stops, self._begins))
        ends = np.append(ends, self.length)
        found: Int64s = ends[np.searchsorted(stops, sealed, "right")]
        return found

    def of_record(self, start: int) -> bytes:
        """The plain bytes of the record that begins at `start` of the sealed stream."""
        at = bisect_right(self._records, start) - 1
        return self._open(at) if at >= 0 and self._records[at] == start else b""

    def read(self, start: int, end: int) -> bytes:
        end = min(end, self.contiguous_from(start))
        parts: list[bytes] = []
        while start < end:
            at = self._at(start)
            data = self._open(at)
            place = start - self._begins[at]
            part = data[place : min(place + end - start, self._sizes[at])]
            if not part:
                break
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def _open(self, at: int) -> bytes:
        """The plain bytes of a record; of those opened last they are kept."""
        found = self._opened.get(at)
        if found is None:
            record = self.sealed.read(self._records[at], self._stops[at])
            keys = self._keys[at]
            opened = b"" if keys is None else keys.open(record, self._numbers[at]) or b""
            found = opened[: self._sizes[at]]            # without type and padding of TLS 1.3
            self._opened[at] = found
            self._open_size += len(found) + _RECORD
            while self._open_size > _OPEN:
                self._open_size -= len(self._opened.popitem(last=False)[1]) + _RECORD
        return found


class PlainSource:
    """What decoders of the plain streams may ask: as of any conversation, with rows of the same packets."""

    def __init__(self, outer: Source, streams: tuple[PlainStream, PlainStream], pump: Pump) -> None:
        self._outer, self.limit, self._pump = outer, outer.limit, pump
        self.streams: Any = streams

    @property
    def secrets(self) -> KeyLog:
        return self._outer.secrets

    def rows_of(self, direction: int, start: int, stop: int) -> tuple[Row, ...]:
        return tuple(dict.fromkeys(piece.row for piece in self.streams[direction].pieces(start, stop)))

    def missing_in(self, direction: int, start: int, stop: int) -> int:
        return int(self.streams[direction].missing_in(start, stop))

    def cut_in(self, direction: int, start: int, stop: int) -> Cut | None:
        return None                     # of a record that is cut nothing is opened

    def time_of(self, row: Row) -> int:
        return self._outer.time_of(row)

    def acknowledged(self, direction: int, rows: Int64s) -> Int64s:
        return self._plain(1 - direction, self._outer.acknowledged(direction, rows))

    def acknowledged_by(self, row: Row) -> int:
        known = np.array([self._outer.acknowledged_by(row)])
        other = 0 if self.streams[0].sealed.range_of(row) is None else 1    # what the packet does not bring
        return self._plain(other, known).item()

    def sent_to_others(self, direction: int) -> tuple[bytes, ...]:
        return ()                       # they are sealed by secrets of their own

    def _plain(self, direction: int, sealed: Int64s) -> Int64s:
        """Up to which plain bytes sealed ones go; beyond all that there are where more came than was read."""
        stream = self.streams[direction]
        known = stream.plain_to(sealed)
        more = np.maximum(sealed - self._pump.position[direction], 0)
        found: Int64s = known + more
        return found
