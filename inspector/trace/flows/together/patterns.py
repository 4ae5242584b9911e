"""TCP conversations without surprises, told by columns alone, for all conversations of a trace together.

rows by conversation -> which are regular (opened by SYN, all in order, nothing twice) -> the pattern of each
-> one conversation of each pattern is walked, and speaks for all the others. A pattern is what states depend
on: the opening, and from the first FIN or RST on each packet's direction, flags, and whether it acknowledges
all. Sequence numbers, lengths and what comes in between do not matter while everything is in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inspector.model.numbers import ACK, FIN, RST, SYN
from inspector.trace.flows.together.columns import FAR, Followed, TcpColumns, followed, tcp_columns
from inspector.trace.index.addresses import KeyTable
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int64s, UInt8s
from inspector.wire.tcp.analysis import UNKNOWN_TIME
from inspector.wire.tcp.findings import DELAYED_ACK_NS, NAGLE_NS, SLOW_ANSWER_NS

_MOST = 16               # packets of a pattern


@dataclass(frozen=True, slots=True)
class Regular:
    """The regular conversations: numbers, nanoseconds of the opening's round trip (UNKNOWN_TIME).

    `kind` says which of the patterns that there are each one has, counted in order of appearance.
    `rows` are their packets, conversation by conversation: those of number i are `rows[first[i] : last[i]]`.
    `reverse` tells of each row whether b sent it; `whole`: all payload of the conversation was captured;
    `quiet`: nothing that goes wrong in TCP can be seen in it; `ended`: by a FIN or RST.
    """

    stream: Int64s
    kind: Int64s
    round_trip: Int64s
    first: Int64s
    last: Int64s
    rows: Int64s
    reverse: Bools
    whole: Bools
    quiet: Bools
    ended: Bools


def regular(index: Index) -> Regular:
    """The regular TCP conversations of a trace."""
    columns = tcp_columns(index)
    follows = followed(columns)
    return regular_ones(index, columns, follows, quiet_ones(index, columns))


def regular_ones(index: Index, columns: TcpColumns, follows: Followed, quiet: Bools) -> Regular:
    """The same where the columns are known."""
    starts, stops = columns.starts, columns.stops
    acks_all, fits = _in_order(columns, follows)
    fits &= _opens(columns) & ~_after_end(columns) & columns.readable(index)
    matters = _that_matter(columns)
    # Of those that matter, how many of their conversation came before.
    owner = columns.group[matters]
    begins = np.searchsorted(owner, np.arange(len(starts)))
    at = np.arange(len(matters)) - begins[owner]
    good = ~columns.having(~fits) & columns.small()
    good[owner[at >= _MOST]] = False
    chosen = at < _MOST
    matters, owner, at = matters[chosen], owner[chosen], at[chosen]
    codes = np.zeros((len(starts), _MOST), "u1")
    codes[owner, at] = _codes(columns, matters, acks_all[matters])
    words = codes[good].view("u8")
    return Regular(
        index.stream[columns.rows[starts[good]]].astype("i8"),
        KeyTable().number(words[:, 0].copy(), words[:, 1].copy()),
        _round_trips(index, columns)[good], starts[good], stops[good], columns.rows, columns.reverse,
        ~columns.cut(index)[good], quiet[good], columns.having(columns.flags & (FIN | RST) != 0)[good],
    )


def quiet_ones(index: Index, columns: TcpColumns) -> Bools:
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
    quiet &= ~columns.having((flags & RST != 0) | (index.window[columns.rows] == 0) | waits
                             | _late_answers(index, columns))
    return quiet


def _late_answers(index: Index, columns: TcpColumns) -> Bools:
    """Which packets of b begin an answer that a had to wait for."""
    found = np.zeros(len(columns.flags), np.bool_)
    with_payload = np.flatnonzero(columns.length > 0)
    waited = np.diff(index.time_ns[columns.rows[with_payload]].astype("i8")) >= SLOW_ANSWER_NS
    late, before = with_payload[1:][waited], with_payload[:-1][waited]
    same = columns.group[late] == columns.group[before]
    found[late[same & columns.reverse[late] & ~columns.reverse[before]]] = True
    return found


def _in_order(columns: TcpColumns, follows: Followed) -> tuple[Bools, Bools]:
    """Which packets acknowledge all that the other end had sent; which are the next of their sender."""
    own, other, end, left = follows
    fits = (own < 0) | (columns.seq == end[own])
    head = columns.head
    first = np.where(columns.reverse, head, np.minimum(head + 1, len(head) - 1))
    known = columns.ack - columns.seq[first]
    has_ack = columns.flags & ACK != 0
    valid = (other >= 0) & (left < FAR) & (known > 0) & (known < FAR)
    bare = columns.flags & (RST | SYN) != 0
    return has_ack & (left == 0), fits & np.where(has_ack, valid, bare)


def _opens(columns: TcpColumns) -> Bools:
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


def _after_end(columns: TcpColumns) -> Bools:
    """Which packets carry something though their sender had closed."""
    side = 2 * columns.group + columns.reverse
    closed = columns.first(columns.flags & FIN != 0, side, 2 * len(columns.starts))
    if not (closed < len(side)).any():
        return np.zeros(len(side), np.bool_)
    found: Bools = (columns.span > 0) & (np.arange(len(side)) > closed[side])
    return found


def _that_matter(columns: TcpColumns) -> Int64s:
    """The packets that a pattern tells: the opening, and all from the first FIN or RST on."""
    ended = columns.first(columns.flags & (FIN | RST) != 0, columns.group, len(columns.starts))
    counts = columns.stops - columns.starts
    return np.flatnonzero((columns.place <= 2) | (np.arange(len(columns.rows)) >= np.repeat(ended, counts)))


def _codes(columns: TcpColumns, which: Int64s, acks_all: Bools) -> UInt8s:
    """Each of some packets as one byte: all that states depend on."""
    found = np.full(len(which), 128, "u1")
    flags = columns.flags[which]
    for bit, marked in enumerate((
        acks_all, columns.length[which] > 0, flags & ACK != 0, flags & RST != 0, flags & FIN != 0,
        flags & SYN != 0, columns.reverse[which],
    )):
        found |= (marked.astype("u1") << bit).astype("u1")
    return found


def _round_trips(index: Index, columns: TcpColumns) -> Int64s:
    """From each SYN to the ACK that ends the opening, the third packet."""
    time, starts = index.time_ns, columns.starts
    found = np.full(len(starts), UNKNOWN_TIME, "i8")
    there = starts + 2 < columns.stops
    at = starts[there] + 2
    ends = columns.flags[at] & (SYN | ACK) == ACK
    there[there] = ends
    spans = time[columns.rows[at[ends]]] - time[columns.rows[starts[there]]]
    found[there] = np.where(spans >= 0, spans, UNKNOWN_TIME)          # the clock may have been set back
    return found
