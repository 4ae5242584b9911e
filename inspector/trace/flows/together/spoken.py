"""What regular conversations say, many of them read at a time: the payload of each packet, in order.

Nothing of them was lost, repeated or out of order (see patterns.py), so that the payloads joined are their
streams, and no stream has to be made.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.packets import Row, rows_in
from inspector.trace.flows.together.patterns import Regular

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.wire.arrays import Bools, Int64s

_CONVERSATIONS, _BYTES = 256, 1 << 20        # that are read together: so many at first, or so much,
_MOST = 16                                  # times as many, as much, of those that are asked for in order;
LARGEST = 1 << 26                           # but none that is larger
LARGE = 1 << 14                            # bytes from which the beginning is looked at before all is read
BEGINS = 64                                 # bytes of it


Pieces = Callable[["Int64s", "Int64s", "Int64s"], list[bytes]]
"""(rows, positions, lengths) -> of each packet so many bytes from that place of its frame."""


class Block(NamedTuple):
    """What some regular conversations say, one after the other: their packets that carry something.

    The conversations have places from `begin` on among the regular ones. A turn is what one end says until
    the other one speaks: `sent` has its bytes, `turns` where its packets begin among `rows` (and at last the
    number of rows), `bounds` where each conversation's turns begin. `back` tells of each packet whether b
    sent it, `known` of each conversation whether the capture has all of it, it is not very large, and where
    it is large begins as something that is known.
    """

    begin: int
    known: list[bool]
    bounds: list[int]
    turns: Int64s
    sent: list[bytes]
    rows: Int64s
    back: Bools

    def packets(self, number: int) -> tuple[list[Row], list[bool]]:
        """The packets of conversation `number` of the block, and which of them b sent."""
        packets = slice(int(self.turns[self.bounds[number]]), int(self.turns[self.bounds[number + 1]]))
        return rows_in(self.rows[packets]), self.back[packets].tolist()


class Spoken:
    """What the regular conversations say, many of them read at a time.

    `perhaps` tells of the first bytes of a conversation whether it may be worth reading.
    """

    def __init__(self, index: Index, regular: Regular, pieces: Pieces,
                 perhaps: Callable[[bytes], bool] = lambda begins: True) -> None:
        self._index, self._regular, self._pieces, self._perhaps = index, regular, pieces, perhaps
        lengths = np.concatenate(([0], np.cumsum(index.payload_length[regular.rows], dtype=np.int64)))
        self._size = lengths[regular.last] - lengths[regular.first]
        self._follows, self._times = -1, 1     # where the block ends that was read last, and its measure

    def read(self, begin: int) -> Block:
        """What the conversation at place `begin` says, and those behind it that are read with it."""
        found, index = self._regular, self._index
        self._times = min(2 * self._times, _MOST) if begin == self._follows else 1
        ahead = slice(begin, begin + self._times * _CONVERSATIONS)
        sizes, whole = self._size[ahead], found.whole[ahead] & (self._size[ahead] <= LARGEST)
        together = int(np.searchsorted(np.cumsum(sizes), self._times * _BYTES))
        for number in np.flatnonzero((sizes[: together + 1] > LARGE) & whole[: together + 1]).tolist():
            whole[number] = self._may_be_known(begin + number)
            if not whole[number]:
                break                          # the block ends before it
        if not whole[0]:
            none = np.zeros(0, np.int64)
            return Block(begin, [False], [0, 0], np.zeros(1, np.int64), [], none, none > 0)
        bad = np.append(np.flatnonzero(~whole), len(whole))[0]
        count = max(1, min(together, int(bad)))
        self._follows = begin + count
        first, last = found.first[begin : begin + count], found.last[begin : begin + count]
        places = ranges(first, last)
        rows = found.rows[places]
        lengths = index.payload_length[rows].astype(np.int64)
        carries = np.flatnonzero(lengths > 0)
        owner = np.repeat(np.arange(count), last - first)[carries]
        rows, lengths, back = rows[carries], lengths[carries], found.reverse[places[carries]]
        pieces = self._pieces(rows, index.payload[rows].astype(np.int64), lengths)
        begins = np.ones(len(rows), np.bool_)
        begins[1:] = (owner[1:] != owner[:-1]) | (back[1:] != back[:-1])
        turns = np.append(np.flatnonzero(begins), len(rows))
        bounds = np.searchsorted(owner[turns[:-1]], np.arange(count + 1))
        known = [True] * count
        if sum(map(len, pieces)) < int(lengths.sum()):           # the file became shorter
            for number, (piece, length) in enumerate(zip(pieces, lengths.tolist(), strict=True)):
                if len(piece) < length:
                    known[int(owner[number])] = False
        sent = pieces if len(turns) == len(rows) + 1 else [
            pieces[start] if stop == start + 1 else b"".join(pieces[start:stop])
            for start, stop in pairwise(turns.tolist())]
        return Block(begin, known, bounds.tolist(), turns, sent, rows, back)

    def _may_be_known(self, place: int) -> bool:
        """Whether a conversation is to be read, by the first packet that carries something."""
        found, index = self._regular, self._index
        rows = found.rows[found.first[place] : found.last[place]]
        carries = rows[np.argmax(index.payload_length[rows] > 0)][None]
        lengths = np.minimum(index.payload_length[carries], BEGINS).astype(np.int64)
        return self._perhaps(self._pieces(carries, index.payload[carries].astype(np.int64), lengths)[0])


def ranges(first: Int64s, last: Int64s) -> Int64s:
    """All places of the ranges, one after the other."""
    counts = last - first
    found: Int64s = np.arange(int(counts.sum())) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return found
