"""TCP conversations without surprises, told by columns alone, for all conversations of a trace together.

rows by conversation -> which are regular (opened by SYN, all in order, nothing twice) -> the pattern of each
-> one conversation of each pattern is walked, and speaks for all the others. A pattern is what states depend
on: the opening, and from the first FIN or RST on each packet's direction, flags, and whether it acknowledges
all. Sequence numbers, lengths and what comes in between do not matter while everything is in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inspector.model.numbers import ACK, FIN, RST, SYN, TCP
from inspector.trace.index.conversations import by_stream
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int64s, UInt8s, UInt16s, UInt32s
from inspector.wire.headers.read import NO_OFFSET, UNSIZED
from inspector.wire.tcp.analysis import UNKNOWN_TIME
from inspector.wire.tcp.findings import DELAYED_ACK_NS, NAGLE_NS

_MOST = 16               # packets of a pattern
_FAR = 1 << 30           # bytes within which numbers are compared (RFC 7323 section 2.3)


@dataclass(frozen=True, slots=True)
class Regular:
    """The regular conversations: numbers, patterns, nanoseconds of the opening's round trip (UNKNOWN_TIME).

    `rows` are their packets, conversation by conversation: those of number i are `rows[first[i] : last[i]]`.
    `reverse` tells of each row whether b sent it; `whole`: all payload of the conversation was captured;
    `quiet`: nothing that goes wrong in TCP can be seen in it.
    """

    stream: Int64s
    pattern: list[bytes]
    round_trip: Int64s
    first: Int64s
    last: Int64s
    rows: Int64s
    reverse: Bools
    whole: Bools
    quiet: Bools


@dataclass(frozen=True, slots=True)
class _Columns:
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


def regular(index: Index) -> Regular:
    """The regular TCP conversations of a trace."""
    columns = _columns(index)
    starts, stops = columns.starts, columns.stops
    takes = (columns.flags & SYN != 0).astype("u4")
    takes += columns.flags & FIN != 0
    span = columns.length + takes
    acks_all, fits = _in_order(columns, span)
    fits &= _opens(columns) & ~_after_end(columns, span)
    fits &= (index.status[columns.rows] & UNSIZED == 0) & (index.l4[columns.rows] != NO_OFFSET)
    matters = _that_matter(columns)
    # Of those that matter, how many of their conversation came before.
    owner = columns.group[matters]
    begins = np.searchsorted(owner, np.arange(len(starts)))
    at = np.arange(len(matters)) - begins[owner]
    good = ~columns.having(~fits)
    good[owner[at >= _MOST]] = False
    if len(starts):
        good &= np.add.reduceat(columns.length, starts, dtype=np.int64) < _FAR
    chosen = at < _MOST
    matters, owner, at = matters[chosen], owner[chosen], at[chosen]
    codes = np.zeros((len(starts), _MOST), "u1")
    codes[owner, at] = _codes(columns, matters, acks_all[matters])
    keys = codes[good].tobytes()
    payload = index.payload[columns.rows] + columns.length
    cut = (index.cap_len[columns.rows] < payload) & (columns.length > 0)
    return Regular(
        index.stream[columns.rows[starts[good]]].astype("i8"),
        [keys[at : at + _MOST] for at in range(0, len(keys), _MOST)],
        _round_trips(index, columns)[good], starts[good], stops[good], columns.rows, columns.reverse,
        ~columns.having(cut)[good], _quiet(index, columns)[good],
    )


def _quiet(index: Index, columns: _Columns) -> Bools:
    """Which conversations have nothing of what `wire.tcp.findings` tells; where it may be, they have not.

    No reset, no window that is closed, no close of one end alone, no wait as long as that of a delayed ACK
    before a short one, and no ICMP error in the whole trace.
    """
    if len(index.quoted):
        return np.zeros(len(columns.starts), np.bool_)
    fin, reverse, flags = columns.flags & FIN != 0, columns.reverse, columns.flags
    quiet: Bools = columns.having(fin & ~reverse) == columns.having(fin & reverse)
    spans = np.diff(index.time_ns[columns.rows])
    waits = np.zeros(len(flags), np.bool_)
    waits[1:] = (spans >= DELAYED_ACK_NS[0]) & (columns.length[1:] == 0) & (columns.length[:-1] > 0)
    waits[:-1] &= spans <= NAGLE_NS
    waits[-1:] = False
    quiet &= ~columns.having((flags & RST != 0) | (index.window[columns.rows] == 0) | waits)
    return quiet


def _columns(index: Index) -> _Columns:
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
    return _Columns(rows, group, starts, stops, place, reverse, index.tcp_flags[rows], index.seq[rows],
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


def _in_order(columns: _Columns, span: UInt32s) -> tuple[Bools, Bools]:
    """Which packets acknowledge all that the other end had sent; which are the next of their sender."""
    reverse, seq, ack, head = columns.reverse, columns.seq, columns.ack, columns.head
    end = seq + span
    by_a, by_b = previous(~reverse, head), previous(reverse, head)
    own, other = np.where(reverse, by_b, by_a), np.where(reverse, by_a, by_b)
    fits = (own < 0) | (seq == end[own])
    left = end[other] - ack                             # bytes that are not acknowledged
    first = np.where(reverse, head, np.minimum(head + 1, len(seq) - 1))
    known = ack - seq[first]
    has_ack = columns.flags & ACK != 0
    valid = (other >= 0) & (left < _FAR) & (known > 0) & (known < _FAR)
    bare = columns.flags & (RST | SYN) != 0
    return has_ack & (left == 0), fits & np.where(has_ack, valid, bare)


def _opens(columns: _Columns) -> Bools:
    """Which packets are where they belong: SYN, then SYN ACK or RST of b, then ACK of a, then no SYN more."""
    flags, reverse, empty = columns.flags & (SYN | ACK | FIN | RST), columns.reverse, columns.length == 0
    fits: Bools = flags & SYN == 0
    for place in range(3):
        at = columns.at(place)
        mine = flags[at]
        if place == 0:
            found = ~reverse[at] & (mine == SYN)
        elif place == 1:
            found = reverse[at] & ((mine == SYN | ACK) | (mine & (RST | SYN | FIN) == RST))
        else:                                           # it acknowledges the packet before it and no more
            found = ~reverse[at] & (mine == ACK) & (flags[at - 1] & RST == 0)
            found &= columns.ack[at] == columns.seq[at - 1] + np.uint32(1)
        fits[at] = found & empty[at]
    fits &= (flags & RST == 0) | empty
    return fits


def _first(columns: _Columns, marked: Bools, key: Int64s, size: int) -> Int64s:
    """Of each of `size` keys where the first packet that is marked and has it stands; behind all: none."""
    found = np.full(size, len(marked))
    places = np.flatnonzero(marked)[::-1]
    found[key[places]] = places                        # of several the first one stays
    return found


def _after_end(columns: _Columns, span: UInt32s) -> Bools:
    """Which packets carry something though their sender had closed."""
    side = 2 * columns.group + columns.reverse
    closed = _first(columns, columns.flags & FIN != 0, side, 2 * len(columns.starts))
    found: Bools = (span > 0) & (np.arange(len(span)) > closed[side])
    return found


def _that_matter(columns: _Columns) -> Int64s:
    """The packets that a pattern tells: the opening, and all from the first FIN or RST on."""
    ended = _first(columns, columns.flags & (FIN | RST) != 0, columns.group, len(columns.starts))
    counts = columns.stops - columns.starts
    return np.flatnonzero((columns.place <= 2) | (np.arange(len(columns.rows)) >= np.repeat(ended, counts)))


def _codes(columns: _Columns, which: Int64s, acks_all: Bools) -> UInt8s:
    """Each of some packets as one byte: all that states depend on."""
    found = np.full(len(which), 128, "u1")
    flags = columns.flags[which]
    for bit, marked in enumerate((
        acks_all, columns.length[which] > 0, flags & ACK != 0, flags & RST != 0, flags & FIN != 0,
        flags & SYN != 0, columns.reverse[which],
    )):
        found |= (marked.astype("u1") << bit).astype("u1")
    return found


def _round_trips(index: Index, columns: _Columns) -> Int64s:
    """From each SYN to the ACK that ends the opening, its second packet or its third."""
    time, starts = index.time_ns, columns.starts
    found = np.full(len(starts), UNKNOWN_TIME, "i8")
    for place in (2, 1):
        there = starts + place < columns.stops
        at = starts[there] + place
        ends = columns.flags[at] & (SYN | ACK) == ACK
        there[there] = ends
        found[there] = time[columns.rows[at[ends]]] - time[columns.rows[starts[there]]]
    return found
