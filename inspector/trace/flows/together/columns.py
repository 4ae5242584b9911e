"""All TCP packets of a trace as columns, conversation by conversation, and how each follows those before it.

Index -> `TcpColumns` -> `Followed`: for each packet the one before it of either end. What is regular
(patterns.py), and what goes straight on without an opening (midway.py), is told from these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from inspector.model.numbers import FIN, SYN, TCP, URG
from inspector.trace.index.conversations import by_stream
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int64s, UInt16s, UInt32s
from inspector.wire.headers.read import NO_OFFSET, UNSIZED

FAR = 1 << 30            # bytes within which numbers are compared (RFC 7323 section 2.3)


@dataclass(frozen=True, slots=True)
class TcpColumns:
    """Columns of all TCP packets, conversation by conversation; `group`: which; `starts`: their places.

    `place` counts in the conversation. Numbers are the wire's 32 bits: differences wrap by themselves.
    """

    rows: Int64s
    group: Int64s
    starts: Int64s
    stops: Int64s
    place: Int64s
    reverse: Bools
    flags: UInt16s
    seq: UInt32s
    ack: UInt32s
    length: UInt32s

    @property
    def head(self) -> Int64s:
        """For each packet the place of its conversation's first."""
        return np.repeat(self.starts, self.stops - self.starts)

    def having(self, marked: Bools) -> Bools:
        """Which conversations have a packet that is marked."""
        found = np.zeros(len(self.starts), np.bool_)
        found[self.group[marked]] = True
        return found

    def at(self, place: int) -> Int64s:
        """Where the packets at this place of their conversations stand, of all that have so many."""
        found = self.starts + place
        return found[found < self.stops]

    @property
    def span(self) -> UInt32s:
        """How many sequence numbers each packet takes."""
        takes = (self.flags & SYN != 0).astype("u4")
        takes += self.flags & FIN != 0
        found: UInt32s = self.length + takes
        return found

    def first(self, marked: Bools, key: Int64s, size: int) -> Int64s:
        """Of each of `size` keys where the first marked packet that has it stands; behind all: none."""
        found = np.full(size, len(marked))
        places = np.flatnonzero(marked)[::-1]
        found[key[places]] = places                        # of several the first one stays
        return found

    def cut(self, index: Index) -> Bools:
        """Which conversations have a packet of which the file lacks some payload."""
        payload = index.payload[self.rows] + self.length
        return self.having((index.cap_len[self.rows] < payload) & (self.length > 0))

    def small(self) -> Bools:
        """Which conversations carry so little that numbers do not go round."""
        if not len(self.starts):
            return np.zeros(0, np.bool_)
        found: Bools = np.add.reduceat(self.length, self.starts, dtype=np.int64) < FAR
        return found

    def readable(self, index: Index) -> Bools:
        """Which packets have a header that can be read, a known length, and no urgent byte."""
        found: Bools = (index.status[self.rows] & UNSIZED == 0) & (index.l4[self.rows] != NO_OFFSET)
        found &= (self.flags & URG == 0) | (self.length == 0)
        return found


def tcp_columns(index: Index) -> TcpColumns:
    """The columns of all TCP packets that an index has now."""
    rows = np.flatnonzero((index.protocol == TCP) & (index.stream >= 0))
    rows = rows[by_stream(index.stream[rows])]
    stream = index.stream[rows]
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = stream[1:] != stream[:-1]
    starts = np.flatnonzero(begins)
    stops = np.append(starts[1:], len(rows))[: len(starts)]
    counts = stops - starts
    group = np.repeat(np.arange(len(starts)), counts)
    place = np.arange(len(rows)) - np.repeat(starts, counts)
    first = rows[starts]
    source, port = np.repeat(index.src[first], counts), np.repeat(index.sport[first], counts)
    reverse = (index.src[rows] != source) | (index.sport[rows] != port)
    return TcpColumns(rows, group, starts, stops, place, reverse, index.tcp_flags[rows], index.seq[rows],
                    index.ack[rows], index.payload_length[rows])


def previous(which: Bools, head: Int64s) -> Int64s:
    """Of each packet the place of the one before it among those of `which` in its conversation; -1: none.

    `head`: for each packet the place of its conversation's first.
    """
    last = np.maximum.accumulate(np.where(which, np.arange(len(which)), -1))
    before = np.full(len(which), -1, "i8")
    before[1:] = last[:-1]
    before[before < head] = -1
    return before


class Followed(NamedTuple):
    """Of each packet the places of the one before it from the same end, and from the other; -1: none.

    `end`: the sequence number behind it; `left`: bytes of the other end that it leaves unacknowledged.
    """

    own: Int64s
    other: Int64s
    end: UInt32s
    left: UInt32s


def followed(columns: TcpColumns) -> Followed:
    """How each packet follows those before it."""
    end = columns.seq + columns.span
    # What one end sends at a stretch has the same packet of the other before it: the last of the stretch
    # before, whose own last one before is the first packet's of this stretch.
    begins = np.ones(len(end), np.bool_)
    begins[1:] = columns.reverse[1:] != columns.reverse[:-1]
    begins[columns.starts] = True
    first = np.flatnonzero(begins)
    counts = np.diff(first, append=len(end))
    opens = columns.place[first] == 0
    before = np.where(opens, -1, first - 1)
    own = np.arange(-1, len(end) - 1)
    own[first] = np.where(opens, -1, np.append(-1, before)[:-1])
    return Followed(own, np.repeat(before, counts), end, np.repeat(end[before], counts) - columns.ack)
