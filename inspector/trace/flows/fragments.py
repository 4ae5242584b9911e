"""The other fragments of a packet's IP datagram, and its payload put together.

Fragments of one datagram stand near each other, so only the packets around one are looked at. What each
header says of its datagram is read once, and so is a datagram of very many fragments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from inspector.model.packets import Row, rows_in
from inspector.wire.arrays import Int64s
from inspector.wire.headers.fragment import Fragment, join, read_fragment
from inspector.wire.headers.read import CUT, FRAGMENT, NO_LAYER, NO_OFFSET

if TYPE_CHECKING:
    from inspector.trace.index.packets import Packets

_AROUND = 4096               # packets before and after that are searched
_LIFETIME_NS = 60 * 10**9    # RFC 8200 section 4.5: a receiver waits 60 s for the rest
_BLOCK = 2048                # packets whose headers are read together,
_BLOCKS = 64                 # so many times in memory
_LARGE = 16                  # fragments from which on a datagram is kept


class FragmentedDatagram(NamedTuple):
    """One datagram that came in pieces. `payload`: what follows the IP header, up to the first hole."""

    rows: tuple[Row, ...]
    identification: int
    protocol: int
    length: int | None           # of the whole payload; None: the last fragment is missing
    payload: bytes
    overlap: bool

    @property
    def complete(self) -> bool:
        return self.length is not None and len(self.payload) >= self.length


def lost_after(trace: Packets, row: Row) -> int | None:
    """The byte behind which fragments of the datagram that begins in packet `row` lack; None: none do.

    Behind that the capture has some, the last one among them: it does not just go on.
    """
    index = trace.index
    if not int(index.status[row]) & FRAGMENT or int(index.l4[row]) == NO_OFFSET:
        return None
    datagram = fragments_of(trace, row)
    if datagram is None or datagram.length is None or datagram.complete:
        return None
    cut = any(int(index.status[other]) & CUT for other in datagram.rows)
    return None if cut else len(datagram.payload)


class _Headers:
    """What the fragments of a trace say of their datagrams: the identification and protocol of each row."""

    def __init__(self) -> None:
        self._blocks: dict[int, tuple[int, Int64s]] = {}     # how many packets of it were read, and theirs
        # The datagram of many fragments that was asked for last, and of how many packets that was.
        self.last: tuple[int, FragmentedDatagram] | None = None

    def among(self, trace: Packets, first: int, last: int, wanted: int) -> list[int]:
        """The rows in [first, last) that say `wanted`."""
        found: list[int] = []
        for number in range(first // _BLOCK, -(-last // _BLOCK)):
            begin = number * _BLOCK
            block = self._block(trace, number)
            part = block[max(first - begin, 0) : last - begin]
            found += (np.flatnonzero(part == wanted) + max(first, begin)).tolist()
        return found

    def _block(self, trace: Packets, number: int) -> Int64s:
        count = min(trace.index.count - number * _BLOCK, _BLOCK)
        if number not in self._blocks:
            self._blocks[number] = 0, np.full(_BLOCK, -1, np.int64)
        known, block = self._blocks.pop(number)
        if known < count:
            self._read(trace, number * _BLOCK, known, block[:count])
        self._blocks[number] = count, block
        if len(self._blocks) > _BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        return block[:count]

    @staticmethod
    def _read(trace: Packets, begin: int, known: int, block: Int64s) -> None:
        index = trace.index
        part = slice(begin + known, begin + len(block))
        fragments = (index.status[part] & FRAGMENT != 0) & (index.l3[part] != NO_LAYER)
        for row in rows_in(np.flatnonzero(fragments) + part.start):
            found = read_fragment(trace.frame(row), int(index.l3[row]))
            if found is not None:
                block[row - begin] = _datagram_of(found)


_headers: WeakKeyDictionary[Packets, _Headers] = WeakKeyDictionary()


def _datagram_of(fragment: Fragment) -> int:
    """Identification and protocol as one number."""
    return fragment.identification << 8 | fragment.protocol


def fragments_of(trace: Packets, row: Row) -> FragmentedDatagram | None:
    """The datagram that packet `row` is a fragment of; None when it is none."""
    index = trace.index
    if not int(index.status[row]) & FRAGMENT or int(index.l3[row]) == NO_LAYER:
        return None
    mine = read_fragment(trace.frame(row), int(index.l3[row]))
    if mine is None:
        return None
    headers = _headers.get(trace) or _headers.setdefault(trace, _Headers())
    if headers.last is not None and headers.last[0] == index.count and row in headers.last[1].rows:
        return headers.last[1]
    near = np.array(headers.among(trace, max(0, row - _AROUND), min(row + _AROUND, index.count),
                                  _datagram_of(mine)), np.int64)
    near = near[(index.src[near] == index.src[row]) & (index.dst[near] == index.dst[row])
                & (np.abs(index.time_ns[near] - index.time_ns[row]) < _LIFETIME_NS)]
    parts: list[tuple[Row, Fragment, bytes]] = []
    for other in rows_in(near):
        frame = trace.frame(other)
        part = read_fragment(frame, int(index.l3[other]))
        if part is not None and part[:2] == mine[:2]:
            parts.append((other, part, frame))
    payload, length, overlap = join((part, frame) for _, part, frame in parts)
    found = FragmentedDatagram(tuple(other for other, _, _ in parts), mine.identification, mine.protocol,
                               length, payload, overlap)
    if len(parts) > _LARGE:
        headers.last = index.count, found
    return found
