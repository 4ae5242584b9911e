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
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int64s, UInt8s, UInt16s
from inspector.wire.headers.read import NO_OFFSET, UNSIZED
from inspector.wire.tcp.analysis import UNKNOWN_TIME
from inspector.wire.tcp.findings import DELAYED_ACK_NS, NAGLE_NS

_MOST = 16               # packets of a pattern
_FAR = 1 << 30           # bytes within which numbers are compared (RFC 7323 section 2.3)
_MASK = 0xFFFFFFFF


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
    """Columns of all TCP packets, conversation by conversation; `group`: which; `starts`: their places."""

    rows: Int64s
    group: Int64s
    starts: Int64s
    reverse: Bools
    flags: UInt16s
    seq: Int64s
    ack: Int64s
    length: Int64s

    @property
    def head(self) -> Int64s:
        """For each packet the place of its conversation's first."""
        return self.starts[self.group]


def regular(index: Index) -> Regular:
    """The regular TCP conversations of a trace."""
    columns = _columns(index)
    starts, group, count = columns.starts, columns.group, len(columns.rows)
    span = columns.length + (columns.flags & SYN != 0) + (columns.flags & FIN != 0)
    acks_all, fits = _in_order(columns, span)
    fits &= _opens(columns) & ~_after_end(columns, span)
    fits &= (index.status[columns.rows] & UNSIZED == 0) & (index.l4[columns.rows] != NO_OFFSET)
    place = np.arange(count) - columns.head
    ends = _running(columns.flags & (FIN | RST) != 0, starts, group) > 0
    matters = (place <= 2) | ends
    at = _running(matters, starts, group) - 1
    fits &= (at < _MOST) | ~matters
    good = np.ones(len(starts), np.bool_)
    good[group[~fits]] = False
    good &= np.bincount(group, columns.length, len(starts)) < _FAR
    codes = np.zeros((len(starts), _MOST), "u1")
    chosen = matters & (at < _MOST)
    codes[group[chosen], at[chosen]] = _codes(columns, acks_all)[chosen]
    keys = codes[good].tobytes()
    payload = index.payload[columns.rows].astype("i8") + columns.length
    cut = (index.cap_len[columns.rows] < payload) & (columns.length > 0)
    stops = np.append(starts[1:], count)
    return Regular(
        index.stream[columns.rows[starts[good]]].astype("i8"),
        [keys[at : at + _MOST] for at in range(0, len(keys), _MOST)],
        _round_trips(index, columns, stops)[good], starts[good], stops[good], columns.rows, columns.reverse,
        np.bincount(group, cut, len(starts))[good] == 0, _quiet(index, columns)[good],
    )


def _quiet(index: Index, columns: _Columns) -> Bools:
    """Which conversations have nothing of what `wire.tcp.findings` tells; where it may be, they have not.

    No reset, no window that is closed, no close of one end alone, no wait as long as that of a delayed ACK
    before a short one, and no ICMP error in the whole trace.
    """
    group, size, flags = columns.group, len(columns.starts), columns.flags
    quiet: Bools = np.full(size, not len(index.quoted), np.bool_)
    fins = [np.bincount(group, columns.flags & FIN * (columns.reverse == side) != 0, size) for side in (0, 1)]
    quiet &= (fins[0] > 0) == (fins[1] > 0)
    time = index.time_ns[columns.rows]
    waits = np.zeros(len(time), np.bool_)
    waits[1:] = (np.diff(time) >= DELAYED_ACK_NS[0]) & (columns.length[1:] == 0) & (columns.length[:-1] > 0)
    waits &= np.append(np.diff(time) <= NAGLE_NS, False) if len(time) else waits
    odd = (flags & RST != 0) | (index.window[columns.rows] == 0) | waits
    quiet[group[odd]] = False
    return quiet


def _columns(index: Index) -> _Columns:
    rows = np.flatnonzero((index.protocol == TCP) & (index.stream >= 0))
    rows = rows[np.argsort(index.stream[rows], kind="stable")]
    stream = index.stream[rows]
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = stream[1:] != stream[:-1]
    starts, group = np.flatnonzero(begins), np.cumsum(begins) - 1
    heads = rows[starts][group]
    reverse = (index.src[rows] != index.src[heads]) | (index.sport[rows] != index.sport[heads])
    flags = index.tcp_flags[rows]
    return _Columns(rows, group, starts, reverse, flags, index.seq[rows].astype("i8"),
                    index.ack[rows].astype("i8"), index.payload_length[rows].astype("i8"))


def _running(marked: Bools, starts: Int64s, group: Int64s) -> Int64s:
    """How many packets of its conversation are marked, up to each packet and with it."""
    sums = np.cumsum(marked)
    before: Int64s = sums[starts] - marked[starts]
    return sums - before[group]


def previous(which: Bools, head: Int64s) -> Int64s:
    """Of each packet the place of the one before it among those of `which` in its conversation; -1: none.

    `head`: for each packet the place of its conversation's first.
    """
    last = np.maximum.accumulate(np.where(which, np.arange(len(which)), -1))
    before = np.full(len(which), -1, "i8")
    before[1:] = last[:-1]
    return np.where(before >= head, before, -1)


def _in_order(columns: _Columns, span: Int64s) -> tuple[Bools, Bools]:
    """Which packets acknowledge all that the other end had sent; which are the next of their sender."""
    reverse, seq, ack = columns.reverse, columns.seq, columns.ack
    end = (seq + span) & _MASK
    by_a, by_b = previous(~reverse, columns.head), previous(reverse, columns.head)
    own, other = np.where(reverse, by_b, by_a), np.where(reverse, by_a, by_b)
    fits = (own < 0) | (seq == end[own])
    left = (end[other] - ack) & _MASK                   # bytes that are not acknowledged
    first = np.where(reverse, columns.head, np.minimum(columns.head + 1, len(seq) - 1))
    known = (ack - seq[first]) & _MASK
    has_ack = columns.flags & ACK != 0
    valid = (other >= 0) & (left < _FAR) & (known > 0) & (known < _FAR)
    bare = (columns.flags & RST != 0) | (columns.flags & SYN != 0)
    return has_ack & (left == 0), fits & np.where(has_ack, valid, bare)


def _opens(columns: _Columns) -> Bools:
    """Which packets are where they belong: SYN, then SYN ACK or RST of b, then ACK of a, then no SYN more."""
    flags, reverse = columns.flags & (SYN | ACK | FIN | RST), columns.reverse
    place, empty = np.arange(len(flags)) - columns.head, columns.length == 0
    refused = np.zeros(len(flags), np.bool_)
    refused[1:] = (place[1:] == 2) & (flags[:-1] & RST != 0)
    wanted = [
        ~reverse & (flags == SYN) & empty,
        reverse & empty & ((flags == SYN | ACK) | (flags & (RST | SYN | FIN) == RST)),
        ~reverse & (flags == ACK) & ~refused & _acks_all_of_first(columns),
        flags & SYN == 0,
    ]
    fits: Bools = np.choose(np.minimum(place, 3), wanted)
    fits &= (flags & RST == 0) | empty
    return fits


def _acks_all_of_first(columns: _Columns) -> Bools:
    """Whether a packet acknowledges the packet before it and no more: the third of an opening."""
    found = np.zeros(len(columns.ack), np.bool_)
    found[1:] = columns.ack[1:] == (columns.seq[:-1] + 1) & _MASK
    return found


def _after_end(columns: _Columns, span: Int64s) -> Bools:
    """Which packets carry something though their sender had closed."""
    found = np.zeros(len(span), np.bool_)
    for mine in (columns.reverse, ~columns.reverse):
        closes = mine & (columns.flags & FIN != 0)
        before = _running(closes, columns.starts, columns.group) - closes
        found |= mine & (span > 0) & (before > 0)
    return found


def _codes(columns: _Columns, acks_all: Bools) -> UInt8s:
    """Each packet as one byte: all that states depend on."""
    found = np.full(len(columns.rows), 128, "u1")
    flags = columns.flags
    for bit, marked in enumerate((
        acks_all, columns.length > 0, flags & ACK != 0, flags & RST != 0, flags & FIN != 0, flags & SYN != 0,
        columns.reverse,
    )):
        found |= (marked.astype("u1") << bit).astype("u1")
    return found


def _round_trips(index: Index, columns: _Columns, stops: Int64s) -> Int64s:
    """From each SYN to the ACK that ends the opening, its second packet or its third."""
    time, starts = index.time_ns[columns.rows], columns.starts
    found = np.full(len(starts), UNKNOWN_TIME, "i8")
    for place in (2, 1):
        at = np.minimum(starts + place, len(time) - 1)
        there = (starts + place < stops) & (columns.flags[at] & (SYN | ACK) == ACK)
        found[there] = (time[at] - time[starts])[there]
    return found
