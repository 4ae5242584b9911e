"""The other fragments of a packet's IP datagram, and its payload put together.

Fragments of one datagram stand near each other, so only the packets around one are looked at; nothing is
kept between questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.packets import Row, rows_in
from inspector.wire.headers.fragment import Fragment, join, read_fragment
from inspector.wire.headers.read import CUT, FRAGMENT, NO_LAYER, NO_OFFSET

if TYPE_CHECKING:
    from inspector.trace.index.packets import Packets

_AROUND = 4096               # packets before and after that are searched
_LIFETIME_NS = 60 * 10**9    # RFC 8200 section 4.5: a receiver waits 60 s for the rest


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


def fragments_of(trace: Packets, row: Row) -> FragmentedDatagram | None:
    """The datagram that packet `row` is a fragment of; None when it is none."""
    index = trace.index
    if not int(index.status[row]) & FRAGMENT or int(index.l3[row]) == NO_LAYER:
        return None
    mine = read_fragment(trace.frame(row), int(index.l3[row]))
    if mine is None:
        return None
    near = slice(max(0, row - _AROUND), row + _AROUND)
    found = np.flatnonzero(
        (index.status[near] & FRAGMENT != 0) & (index.src[near] == index.src[row])
        & (index.dst[near] == index.dst[row])
        & (np.abs(index.time_ns[near] - index.time_ns[row]) < _LIFETIME_NS)
    ) + near.start
    parts: list[tuple[Row, Fragment, bytes]] = []
    for other in rows_in(found):
        frame = trace.frame(other)
        part = read_fragment(frame, int(index.l3[other]))
        if part is not None and part[:2] == mine[:2]:
            parts.append((other, part, frame))
    payload, length, overlap = join((part, frame) for _, part, frame in parts)
    return FragmentedDatagram(tuple(other for other, _, _ in parts), mine.identification, mine.protocol,
                              length, payload, overlap)
