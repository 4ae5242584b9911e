"""What regular conversations say, many of them read at a time: the payload of each packet, in order.

Nothing of them was lost, repeated or out of order (see patterns.py), so that the payloads joined are their
streams, and no stream has to be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.trace.flows.patterns import Regular

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.wire.arrays import Int64s

_CONVERSATIONS, _BYTES = 256, 1 << 20        # that are read together: so many, or so much,
_LARGEST = 1 << 26                           # but none that is larger


Pieces = Callable[["Int64s", "Int64s", "Int64s"], Iterator[bytes]]
"""(rows, positions, lengths) -> of each packet so many bytes from that place of its frame."""


class Said(NamedTuple):
    """The packets of a conversation that carry something: their rows, who sent each (True: b), what."""

    rows: list[int]
    back: list[bool]
    pieces: list[bytes]


class Spoken:
    """What each of the regular conversations says, by its place among them; in order it costs least."""

    def __init__(self, index: Index, regular: Regular, pieces: Pieces) -> None:
        self._index, self._regular, self._pieces = index, regular, pieces
        lengths = np.concatenate(([0], np.cumsum(index.payload_length[regular.rows], dtype=np.int64)))
        self._ends = lengths[regular.last]
        self._size = self._ends - lengths[regular.first]
        self._begin = 0                          # the conversations that were read last
        self._said: list[Said | None] = []

    def of(self, place: int) -> Said | None:
        """What the conversation says; None where the capture lacks some of it, or it is very large."""
        if not self._begin <= place < self._begin + len(self._said):
            self._begin, self._said = place, self._read(place)
        return self._said[place - self._begin]

    def _read(self, begin: int) -> list[Said | None]:
        found, index = self._regular, self._index
        ahead = slice(begin, begin + _CONVERSATIONS)
        sizes, whole = self._size[ahead], found.whole[ahead] & (self._size[ahead] <= _LARGEST)
        if not whole[0]:
            return [None]
        bad = np.append(np.flatnonzero(~whole), len(whole))[0]
        count = max(1, min(int(np.searchsorted(np.cumsum(sizes), _BYTES)), int(bad)))
        first, last = found.first[begin : begin + count], found.last[begin : begin + count]
        places = _ranges(first, last)
        rows = found.rows[places]
        lengths = index.payload_length[rows].astype(np.int64)
        carries = np.flatnonzero(lengths > 0)
        bounds = np.searchsorted(carries, np.concatenate(([0], np.cumsum(last - first)))).tolist()
        rows, lengths = rows[carries], lengths[carries]
        pieces = list(self._pieces(rows, index.payload[rows].astype(np.int64), lengths))
        cut = [number for number, (piece, length) in enumerate(zip(pieces, lengths.tolist(), strict=True))
               if len(piece) < length]            # the file became shorter
        numbers, back = rows.tolist(), found.reverse[places[carries]].tolist()
        return [None if any(start <= one < stop for one in cut)
                else Said(numbers[start:stop], back[start:stop], pieces[start:stop])
                for start, stop in pairwise(bounds)]


def _ranges(first: Int64s, last: Int64s) -> Int64s:
    """All places of the ranges, one after the other."""
    counts = last - first
    found: Int64s = np.arange(int(counts.sum())) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return found
