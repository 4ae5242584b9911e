"""What many conversations say first, read together in the order of the file, before each is looked at.

Numbers of conversations whose packets lie far apart -> some of them at a time -> the beginning of both
directions, as pieces. Without this each packet would be a read of its own. What is not found here (TCP had
trouble, or more is asked for) is read as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inspector.model.endpoint import Transport
from inspector.model.numbers import TCP
from inspector.trace.file.window import are_scattered
from inspector.trace.flows.together.spoken import Pieces
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int64s
from inspector.wire.tcp.stream import BEHIND, ENDS, SAMPLE

_BUDGET = 24 << 20       # bytes that are read at once, about
_LEAST = 64              # packets of a conversation from which on it is worth it


class Ahead:
    """The beginnings of conversations that are asked for next.

    `rows_of` gives the packets of one; `pieces` bytes of many.
    """

    def __init__(self, index: Index, rows_of: Callable[[Transport, int], Int64s], pieces: Pieces) -> None:
        self._index, self._rows_of, self._pieces = index, rows_of, pieces
        self._waiting: dict[int, None] = {}           # conversations, in the order they will be asked for
        self._expected: frozenset[int] = frozenset()  # all of them, those that came too
        # By where in the file the first piece of a direction stands: places, sizes, and all its pieces.
        self._held: dict[int, tuple[Int64s, Int64s, list[bytes]]] = {}

    def expect(self, streams: Sequence[int]) -> None:
        """These conversations are asked for next, one after the other."""
        self._expected = frozenset(streams)
        self._waiting = {} if self._index.reassembly.segments else dict.fromkeys(streams)

    def expect_part(self, streams: Sequence[int]) -> None:
        """The same of some of them, unless all are expected already."""
        if not self._expected.issuperset(streams[:1]):
            self.expect(streams)

    def come(self, stream: int) -> None:
        """This one is asked for now."""
        if stream not in self._waiting:
            return
        self._held, total, chosen = {}, 0, []
        waiting = list(self._waiting)
        for one in waiting[: waiting.index(stream)]:      # nobody wanted to decode them
            del self._waiting[one]
        for one in list(self._waiting):
            rows = self._of(one)
            del self._waiting[one]
            if len(rows):
                chosen.append(rows)
                total += int(self._index.payload_length[rows].sum())
            if total >= _BUDGET:
                break
        if chosen:
            self._read(chosen)

    def _of(self, stream: int) -> Int64s:
        """The packets that bring the beginning of both directions; none where they stand close together."""
        index, rows = self._index, self._rows_of("tcp", stream)
        rows = rows[(index.protocol[rows] == TCP) & (index.payload_length[rows] > 0)]
        if len(rows) < _LEAST:
            return np.zeros(0, np.int64)
        back = self._reverse(rows)
        sizes = index.payload_length[rows].astype(np.int64)
        rows = rows[_first(sizes, ~back) | _first(sizes, back)]
        starts = index.offset[rows].astype(np.int64)
        return np.asarray(rows, np.int64) if are_scattered(starts, starts) else np.zeros(0, np.int64)

    def _reverse(self, rows: Int64s) -> Bools:
        index, first = self._index, rows[0]
        found: Bools = (index.src[rows] != index.src[first]) | (index.sport[rows] != index.sport[first])
        return found

    def _read(self, chosen: list[Int64s]) -> None:
        index = self._index
        by_direction = [rows[mine] for rows in chosen for back in (self._reverse(rows),)
                        for mine in (~back, back)]
        rows = np.concatenate(by_direction)
        payload = index.payload[rows].astype(np.int64)
        captured = np.maximum(index.cap_len[rows].astype(np.int64) - payload, 0)
        sizes = np.minimum(index.payload_length[rows].astype(np.int64), captured)
        order = np.argsort(rows, kind="stable")
        found = [b""] * len(rows)
        for place, piece in zip(order.tolist(), self._pieces(rows[order], payload[order], sizes[order]),
                                strict=True):
            found[place] = piece
        starts, stop = index.offset[rows].astype(np.int64) + payload, 0
        for one in by_direction:
            part = slice(stop, stop := stop + len(one))
            if len(one):
                self._held[int(starts[part][0])] = starts[part], sizes[part], found[part]

    def find(self, starts: Int64s, lengths: Int64s) -> list[bytes] | None:
        """So many bytes from each of these places of the file on, where all of them are held."""
        held = self._held.get(int(starts[0])) if len(starts) else None
        if held is None or len(starts) > len(held[0]):
            return None
        places, sizes, pieces = (held[0][: len(starts)], held[1][: len(starts)], held[2][: len(starts)])
        if (places != starts).any() or (sizes[:-1] != lengths[:-1]).any() or lengths[-1] > len(pieces[-1]):
            return None
        return [*pieces[:-1], pieces[-1][: int(lengths[-1])]]


def _first(sizes: Int64s, mine: Bools) -> Bools:
    """Of packets that carry so much, those of a direction that are read to tell what it speaks."""
    own = sizes[mine]
    before = np.cumsum(own) - own
    limit = SAMPLE if len(own) <= ENDS else min(SAMPLE, int(before[ENDS]) + BEHIND)
    found: Bools = mine.copy()
    found[mine] = before < limit
    return found
