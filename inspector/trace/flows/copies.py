"""Packets that a file holds twice: they were sent once, and are no retransmissions, whatever numbers say.

A section of a pcapng is a capture of its own (`cat a.pcapng b.pcapng`): `copies` finds what stands in a later
one at the very same time with the very same bytes. A capture on several interfaces, or on "any", has a packet
on each that it passes (a container's, the bridge, the card): `Elsewhere` finds those that an interface sees
for the first time, and another one saw just before. What is sent again comes to each interface again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.numbers import LINK_SLL, LINK_SLL2, TCP
from inspector.model.packets import Row, first_rows, row_at, rows_in
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.index.packets import Packets

_PASSES_NS = 50_000_000        # within which a packet passes from one interface to the next,
_NUMBERED_NS = 1_000_000_000   # and one whose number in IPv4 tells it from one that was sent again
_MANY = 4096                   # packets that are remembered before those of long ago are forgotten
_COOKED = frozenset({LINK_SLL, LINK_SLL2})


def copies(trace: Packets, rows: Int64s, since: int = 0) -> dict[Row, Row]:
    """Of a conversation's packets (ascending) from place `since` on those that stand in an earlier section.

    Each with the row of the first one.
    """
    index = trace.index
    begins = index.sections.values
    if not len(begins) or not len(rows) or rows[-1] < begins[0]:
        return {}
    section = np.searchsorted(begins, rows, "right")
    later = np.flatnonzero(section[since:] > section[0]) + since
    times = index.time_ns[rows]
    found: dict[Row, Row] = {}
    for place in later[np.isin(times[later], times[: int(later[-1])])].tolist() if len(later) else ():
        row = row_at(rows, place)
        earlier = rows[:place][(times[:place] == times[place]) & (section[:place] < section[place])]
        frame = trace.frame(row)
        same = next((one for one in rows_in(earlier) if trace.frame(one) == frame), None)
        if same is not None:
            found[row] = found.get(same, same)
    return found


def out_of_order(trace: Packets, rows: Int64s) -> bool:
    """Whether a later section tells of a conversation what was before: its order is not that of the file."""
    index = trace.index
    if not len(index.sections.values):
        return False
    places = np.unique(np.searchsorted(rows, index.sections.values))
    places = places[(places > 0) & (places < len(rows))]
    return bool((index.time_ns[rows[places]] < index.time_ns[rows[places - 1]]).any())


def seen_in_several_places(trace: Packets, row: Row) -> bool:
    """Whether the capture of this packet had more than one interface."""
    return trace.index.several_interfaces or trace.link_type(row) in _COOKED


def may_hold_copies(trace: Packets) -> bool:
    """Whether a packet may stand in this trace more than once: few traces are like that."""
    index = trace.index
    first = first_rows(min(index.count, 1))
    return bool(len(index.sections.values)) or any(seen_in_several_places(trace, row) for row in first)


class _Seen:
    """A packet, and the interfaces that saw it so far (known when another one is like it)."""

    __slots__ = ("contents", "places", "row", "time_ns")

    def __init__(self, row: Row, time_ns: int) -> None:
        self.row, self.time_ns = row, time_ns
        self.contents = b""
        self.places: set[tuple[int, bytes]] = set()


class Elsewhere:
    """Which packets of a conversation another interface saw before; `take` is given each once, in order."""

    def __init__(self, trace: Packets) -> None:
        self._trace = trace
        self._seen: dict[tuple[int, ...], _Seen] = {}
        self._limit = _MANY

    def take(self, rows: Int64s) -> dict[Row, Row]:
        """Those of them that were seen before, each with the row of the first one."""
        if not len(rows) or not seen_in_several_places(self._trace, row_at(rows, 0)):
            return {}
        found: dict[Row, Row] = {}
        times = self._trace.index.time_ns[rows].tolist()
        for row, now, key in zip(rows_in(rows), times, self._keys(rows), strict=True):
            known = self._seen.get(key)
            if known is not None and self._is_same(known, row, now):
                found[row] = known.row
            else:
                self._seen[key] = _Seen(row, now)
                self._forget(now)
        return found

    def _keys(self, rows: Int64s) -> Iterable[tuple[int, ...]]:
        """What packets have in common that may be the same, of each."""
        index = self._trace.index
        if int(index.protocol[rows[0]]) != TCP:
            return ((zlib.crc32(_contents(self._trace, row)),) for row in rows_in(rows))
        columns = index.src, index.sport, index.seq, index.ack, index.tcp_flags, index.payload_length
        return zip(*(column[rows].tolist() for column in columns), strict=True)

    def _is_same(self, known: _Seen, row: Row, now: int) -> bool:
        if not known.places:
            known.contents = _contents(self._trace, known.row)
            known.places.add(self._place(known.row))
        contents, place = _contents(self._trace, row), self._place(row)
        numbered = contents[:1] >= b"\x40" and contents[:1] < b"\x50" and contents[4:6] != b"\0\0"
        within = _NUMBERED_NS if numbered else _PASSES_NS
        if now - known.time_ns > within or contents != known.contents or place in known.places:
            return False
        known.places.add(place)
        return True

    def _place(self, row: Row) -> tuple[int, bytes]:
        """Where it was seen: the interface, which cooked headers of "any" name (or tell by its address)."""
        link, head = self._trace.link_type(row), b""
        if link == LINK_SLL2:
            frame = self._trace.frame(row)
            head = frame[4:8] + frame[10:11]
        elif link == LINK_SLL:
            head = self._trace.frame(row)[:14]
        return self._trace.index.interface_of(row), head

    def _forget(self, now: int) -> None:
        if len(self._seen) > self._limit:
            self._seen = {key: one for key, one in self._seen.items() if now - one.time_ns <= _NUMBERED_NS}
            self._limit = max(_MANY, 2 * len(self._seen))


def _contents(trace: Packets, row: Row) -> bytes:
    """The datagram without what changes on its way: hops left, and checksums, which may be filled in late."""
    index, frame = trace.index, trace.frame(row)
    start, transport = int(index.l3[row]), int(index.l4[row])
    stop = int(index.payload[row]) + int(index.payload_length[row])
    data = bytearray(frame[start:stop] if start < transport <= stop <= len(frame) else frame[start:])
    if len(data) < 20:
        return bytes(data)
    if data[0] >> 4 == 4:
        data[8] = 0
        data[10:12] = bytes(2)
    else:
        data[7] = 0
    checksum = transport - start + (16 if int(index.protocol[row]) == TCP else 6)
    if 0 < checksum <= len(data) - 2:
        data[checksum : checksum + 2] = bytes(2)
    return bytes(data)
