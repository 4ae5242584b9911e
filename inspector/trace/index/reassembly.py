"""TCP segments that came in fragments of IP, put together as packets arrive (RFC 791, RFC 8200 section 4.5).

    headers of a batch ─> fragments of TCP ─> a datagram is whole ─> its last packet becomes the segment's

So a fragmented segment counts once, where its receiver had all of it; that packet takes the TCP columns of
the first fragment. What the segment carries stands in several frames: `Segment.parts` say where.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from inspector.model.numbers import TCP
from inspector.model.packets import Row
from inspector.wire.arrays import UInt32s
from inspector.wire.findings import MOST_ROWS
from inspector.wire.headers.read import CUT, MALFORMED, NO_OFFSET, SHORT, UNSIZED, Headers

MOST_WAITING = 1024          # datagrams that wait for their rest
_MOST = 8192                 # fragments of one: 65,535 bytes by 8
_COPIED = ("sport", "dport", "seq", "ack", "tcp_flags", "window")
_UNREADABLE = CUT | MALFORMED | SHORT


class Part(NamedTuple):
    """Bytes [start, stop) of a datagram's payload stand in packet `row` from byte `place` on."""

    row: Row
    start: int
    stop: int
    place: int
    more: bool


class Segment(NamedTuple):
    """A TCP segment out of fragments: where its bytes are, and where in them the payload begins."""

    parts: tuple[Part, ...]      # in order of `start`, without holes or overlaps
    header: int
    length: int


class _Waiting:
    """Parts of one datagram; `head` holds the TCP columns, once the first fragment came."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.head: dict[str, int] = {}
        self.header = 0

    def whole(self) -> tuple[Part, ...]:
        """The parts in order where they are all there; none as long as one lacks (or where they overlap)."""
        parts, reach = sorted(self.parts, key=lambda part: part.start), 0
        for part in parts:
            if part.start != reach:
                return ()
            reach = part.stop
        return tuple(parts) if not parts[-1].more and self.head else ()


class Reassembly:
    """Fragments of TCP over IP. `segments`: those put together, by the row that completed them."""

    def __init__(self) -> None:
        self.segments: dict[Row, Segment] = {}
        self._waiting: dict[tuple[int, ...], _Waiting] = {}
        self.given_up = 0                         # datagrams that were not waited for any longer,
        self.first_given_up: list[Row] = []       # a packet of each of the first of them

    def take(self, headers: Headers, source: UInt32s, destination: UInt32s, first_row: Row) -> None:
        """Take a batch whose rows begin at `first_row`, and fill in packets that complete a segment."""
        found = sorted(_fragments(headers, source, destination, first_row), key=lambda one: one[1].row)
        for key, part in found:
            waiting = self._waiting.setdefault(key, _Waiting())
            if any(other.start == part.start for other in waiting.parts) or len(waiting.parts) >= _MOST:
                continue                        # it came again: what was first stays
            waiting.parts.append(part)
            at = part.row - first_row
            if part.start == 0 and not int(headers.status[at]) & _UNREADABLE:
                waiting.head = {name: int(getattr(headers, name)[at]) for name in _COPIED}
                waiting.header = int(headers.payload[at]) - int(headers.l4[at])
            whole = waiting.whole()
            if whole:
                self._complete(headers, at, part.row, waiting, whole)
                del self._waiting[key]
        while len(self._waiting) > MOST_WAITING:
            lost = self._waiting.pop(next(iter(self._waiting)))
            self.given_up += 1
            if len(self.first_given_up) < MOST_ROWS:
                self.first_given_up.append(lost.parts[0].row)

    def _complete(
        self, headers: Headers, at: int, row: Row, waiting: _Waiting, whole: tuple[Part, ...]
    ) -> None:
        length = whole[-1].stop - waiting.header
        if length < 0:
            return
        self.segments[row] = Segment(whole, waiting.header, length)
        for name, value in waiting.head.items():
            getattr(headers, name)[at] = value
        headers.protocol[at], headers.payload_length[at], headers.in_flow[at] = TCP, length, True
        headers.l4[at] = headers.payload[at] = NO_OFFSET
        headers.status[at] &= 0xFF ^ UNSIZED


def _fragments(
    headers: Headers, source: UInt32s, destination: UInt32s, first_row: Row
) -> Iterator[tuple[tuple[int, ...], Part]]:
    """The fragments of a batch that carry TCP, each with what its datagram is told by."""
    for one in headers.fragments:
        rows = one.rows.tolist()
        columns = (one.identification, one.start, one.stop, one.place, one.more)
        for row, identification, start, stop, place, more in zip(
            rows, *(column.tolist() for column in columns), strict=True
        ):
            if stop > start:
                key = int(source[row]), int(destination[row]), identification, int(headers.network[row])
                yield key, Part(first_row + row, start, stop, place, bool(more))
