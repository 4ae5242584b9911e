"""What regular conversations say where the capture lacks some of it: packets cut short, or the end.

As spoken.py, many conversations at a time, in the order of the file. On the wire nothing was lost, so that
columns tell where turns begin; of each there are the bytes up to the first that lack. What was cut off a
packet is lost for good (as for a decoder, see application/engine.py).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.packets import Row, rows_in
from inspector.protocols.api import Turns
from inspector.trace.flows.together.patterns import Regular
from inspector.trace.flows.together.spoken import BEGINS, LARGE, LARGEST, Pieces, ranges

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.wire.arrays import Bools, Int64s

_BYTES, _CONVERSATIONS = 1 << 20, 1 << 12      # that are read together, at most, or one conversation;
_MOST = 16               # times as many bytes of those that are asked for in order, where nobody waits


class Packets(NamedTuple):
    """The packets of one conversation that carry something: how much of it, and how much there is of that.

    `turns`: where each turn begins among them, and at last their number.
    """

    rows: Int64s
    back: Bools
    lengths: Int64s
    captured: Int64s
    turns: Int64s

    def numbered(self) -> tuple[list[Row], list[bool]]:
        """Their rows, and which of them b sent."""
        return rows_in(self.rows), self.back.tolist()


class Partly(NamedTuple):
    """Some conversations by their places among the regular ones; None: one has to be decoded."""

    places: dict[int, int]
    found: list[tuple[Packets, Turns] | None]


class PartlySpoken:
    """What those regular conversations say that are not whole, or have no end.

    `perhaps` tells of the first bytes of a conversation whether it may be worth reading; `few`: somebody
    waits.
    """

    def __init__(self, index: Index, regular: Regular, pieces: Pieces, perhaps: Callable[[bytes], bool],
                 few: bool) -> None:
        self._index, self._regular, self._pieces, self._perhaps = index, regular, pieces, perhaps
        self._chosen: Int64s = np.flatnonzero(~regular.whole | ~regular.ended)
        self._size = np.zeros(0, np.int64)
        self._follows, self._times, self._most = -1, 1, 1 if few else _MOST

    def read(self, place: int) -> Partly:
        """What the conversation at this place says, and those behind it that are read with it."""
        if not len(self._size):
            carried = np.minimum(self._index.payload_length, self._index.cap_len)
            sums = np.concatenate(([0], np.cumsum(carried[self._regular.rows], dtype=np.int64)))
            self._size = sums[self._regular.last] - sums[self._regular.first]
        at = int(np.searchsorted(self._chosen, place))
        self._times = min(2 * self._times, self._most) if at == self._follows else 1
        some = self._chosen[at : at + _CONVERSATIONS]
        reach = int(np.searchsorted(np.cumsum(self._size[some]), self._times * _BYTES, "right"))
        some = some[: max(reach, 1)]
        self._follows = at + len(some)
        chosen = self._size[some] <= LARGEST
        for number in np.flatnonzero(chosen & (self._size[some] > LARGE)).tolist():
            chosen[number] = self._may_be_known(int(some[number]))
        found: list[tuple[Packets, Turns] | None] = [None] * len(some)
        for number, one in zip(np.flatnonzero(chosen).tolist(), self._read(some[chosen]), strict=True):
            found[number] = one
        return Partly(dict(zip(some.tolist(), range(len(some)), strict=True)), found)

    def _may_be_known(self, place: int) -> bool:
        """Whether a conversation is to be read, by the first packet that carries something."""
        index, regular = self._index, self._regular
        rows = regular.rows[regular.first[place] : regular.last[place]]
        row = rows[np.argmax(index.payload_length[rows] > 0)][None]
        payload = index.payload[row].astype(np.int64)
        size = np.clip(index.cap_len[row] - payload, 0, np.minimum(index.payload_length[row], BEGINS))
        return self._perhaps(self._pieces(row, payload, size.astype(np.int64))[0])

    def _read(self, some: Int64s) -> list[tuple[Packets, Turns] | None]:
        index, regular = self._index, self._regular
        first, last = regular.first[some], regular.last[some]
        places = ranges(first, last)
        rows, back = regular.rows[places], regular.reverse[places]
        owner = np.repeat(np.arange(len(some)), last - first)
        carries = np.flatnonzero(index.payload_length[rows] > 0)
        rows, back, owner = rows[carries], back[carries], owner[carries]
        lengths, payload = index.payload_length[rows].astype(np.int64), index.payload[rows].astype(np.int64)
        captured = np.clip(index.cap_len[rows].astype(np.int64) - payload, 0, lengths)
        order = np.argsort(index.offset[rows], kind="stable")
        read = self._pieces(rows[order], payload[order], captured[order])
        pieces = [b""] * len(rows)
        for at, piece in zip(order.tolist(), read, strict=True):
            pieces[at] = piece
        bounds = np.searchsorted(owner, np.arange(len(some) + 1)).tolist()
        cut = (captured < lengths) & (index.cap_len[rows] < index.length[rows])
        kept, found = np.where(cut, index.cap_len[rows], 0), []
        for start, stop in pairwise(bounds):
            part = slice(start, stop)
            packets = Packets(rows[part], back[part], lengths[part], captured[part], rows)
            found.append(_turns_of(packets, pieces[part], kept[part]))
        return found


def _turns_of(packets: Packets, pieces: list[bytes], kept: Int64s) -> tuple[Packets, Turns] | None:
    """The turns of one conversation; `kept`: see `Turns`, of each packet."""
    rows, back, lengths, captured, _ = packets
    if not len(rows) or back[0] or not captured.all() or any(
            len(piece) != size for piece, size in zip(pieces, captured.tolist(), strict=True)):
        return None                          # (or the file became shorter)
    begins = np.append(True, back[1:] != back[:-1])
    bounds = np.append(np.flatnonzero(begins), len(rows))
    there_packets = Packets(rows, back, lengths, captured, bounds)
    if len(bounds) == len(rows) + 1:
        return there_packets, Turns(pieces, lengths.tolist(), kept.tolist(), None)
    whole = captured == lengths
    cut = np.append(np.flatnonzero(~whole), len(rows)).tolist()
    sent, ends = [], []
    for start, stop in pairwise(bounds.tolist()):
        there = min(cut[bisect_right(cut, start - 1)] + 1, stop)      # packets up to the first that is cut
        ends.append(there - 1)
        sent.append(pieces[start] if there == start + 1 else b"".join(pieces[start:there]))
    sizes = np.add.reduceat(lengths, bounds[:-1]).tolist()
    return there_packets, Turns(sent, sizes, kept[ends].tolist(), partial(_packets, pieces, bounds, whole))


def _packets(pieces: list[bytes], bounds: Int64s, whole: Bools, number: int) -> tuple[list[bytes], bool]:
    """See `Turns.packets`."""
    start, stop = int(bounds[number]), int(bounds[number + 1])
    return pieces[start:stop], bool(whole[stop - 1])
