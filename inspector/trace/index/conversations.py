"""Conversations as facts that columns alone give: ends, packets and bytes each way, first and last time.

Everything is found with operations over whole columns; rows of single conversations are kept and
extended as the trace grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from inspector.model.endpoint import Transport, join_endpoint
from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int32s, Int64s, UInt16s, UInt32s

PROTOCOLS: dict[Transport, int] = {"tcp": TCP, "udp": UDP}
_KEPT = 4096            # conversations whose rows are remembered
_PATIENCE = 8           # times the whole trace is looked through before it is sorted


class ConversationRow(NamedTuple):
    """One conversation. `a` sent its first packet; ends as "127.0.0.1:8000", "[::1]:8000"; payload bytes.

    `carries`: how many of its packets carry what has conversations of its own, as a tunnel's do. `copies`:
    packets that stand in the file once more, where somebody looked for them and counted them once.
    """

    protocol: Transport
    stream: int
    a: str
    b: str
    packets_ab: int
    packets_ba: int
    bytes_ab: int
    bytes_ba: int
    start_ns: int
    end_ns: int
    first_row: Row
    carries: int = 0
    copies: int = 0


class RowLists:
    """Rows of conversations, found once and extended over new packets.

    A single conversation is found by looking through the columns. When many are asked for, all rows are
    sorted by conversation once, and only packets that came later are looked through.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[tuple[int, int], tuple[int, Int64s]] = {}
        self._sorted: dict[int, SortedRows] = {}
        self._packets_read = 0            # packets that were looked through since the last sorting

    def of(self, protocol: Transport, stream: int) -> Int64s:
        """Rows of conversation `stream` of "tcp" or "udp"; none where there is no such conversation."""
        index, number = self._index, PROTOCOLS[protocol]
        streams = index.streams[number]
        if not 0 <= stream < len(streams):
            return np.zeros(0, "i8")
        key = (number, stream)
        start, rows = self._known.get(key, (-1, np.zeros(0, "i8")))
        if start == index.count:
            return rows
        if start < 0:
            start, rows = int(streams.first_row[stream]), np.zeros(0, "i8")
            if number in self._sorted:
                done, found = self._sorted[number].of(stream)
                start, rows = max(start, done), found
        self._packets_read += index.count - start
        if self._packets_read > _PATIENCE * max(index.count, 1 << 16):
            self._sort(number)
            start, rows = self._sorted[number].of(stream)
        if start < index.count:
            new = np.flatnonzero((index.stream[start:] == stream) & (index.protocol[start:] == number))
            rows = np.concatenate((rows, new + start)) if len(new) else rows
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = (index.count, rows)
        return rows

    def _sort(self, number: int) -> None:
        self._packets_read = 0
        self._sorted[number] = sorted_rows(self._index, number)

    def take(self, found: Mapping[int, SortedRows]) -> None:
        """Rows that were sorted apart, on a thread."""
        self._sorted.update(found)


def by_stream(stream: Int32s) -> Int64s:
    """The places of numbers of conversations, in order of the numbers, equal ones as they stand."""
    few = not len(stream) or int(stream.max()) < 1 << 15     # 16 bits are sorted ten times as fast
    order: Int64s = np.argsort(stream.astype("i2") if few else stream, kind="stable")
    return order


def sorted_rows(index: Index, number: int) -> SortedRows:
    """All rows of the protocol `number`, by conversation."""
    rows = np.flatnonzero((index.protocol == number) & (index.stream >= 0))
    stream = index.stream[rows]
    ends = np.cumsum(np.bincount(stream, minlength=len(index.streams[number])))
    return SortedRows(index.count, rows[by_stream(stream)], ends)


class SortedRows(NamedTuple):
    """All rows of a protocol among the first `reach`, sorted by conversation; where each one's rows end."""

    reach: int
    rows: Int64s
    ends: Int64s

    def of(self, stream: int) -> tuple[int, Int64s]:
        """How far this reaches, and the rows of a conversation up to there."""
        if stream >= len(self.ends):
            return self.reach, self.rows[:0]
        start = int(self.ends[stream - 1]) if stream else 0
        return self.reach, self.rows[start : int(self.ends[stream])]


def grown(index: Index, protocol: Transport, since: int) -> tuple[Int64s, Int64s]:
    """The conversations that have packets from row `since` on, and the first of these rows of each."""
    mine = (index.protocol[since:] == PROTOCOLS[protocol]) & (index.stream[since:] >= 0)
    rows = np.flatnonzero(mine) + since
    stream = index.stream[rows]
    first = np.full(len(index.streams[PROTOCOLS[protocol]]), -1, "i8")
    first[stream[::-1]] = rows[::-1]                  # of several the first one stays
    streams = np.flatnonzero(first >= 0)
    return streams, first[streams]


class ConversationColumns(NamedTuple):
    """All conversations of a protocol as columns, in order of their numbers; `a` sent the first packet.

    `addresses` and `ports` are those of a and b; `counted` what `ConversationRow` counts, in its order.
    """

    protocol: Transport
    stream: Int64s
    addresses: tuple[UInt32s, UInt32s]
    ports: tuple[UInt16s, UInt16s]
    counted: tuple[Int64s, Int64s, Int64s, Int64s]
    start_ns: Int64s
    end_ns: Int64s
    first_row: Int64s
    carries: Int64s
    copies: Int64s

    @property
    def packets(self) -> Int64s:
        """How many packets each has."""
        return self.counted[0] + self.counted[1]

    def taken(self, which: slice | Bools) -> ConversationColumns:
        """Some of them."""
        one, other, counted = self.addresses, self.ports, self.counted
        return ConversationColumns(
            self.protocol, self.stream[which], (one[0][which], one[1][which]),
            (other[0][which], other[1][which]),
            (counted[0][which], counted[1][which], counted[2][which], counted[3][which]),
            self.start_ns[which], self.end_ns[which], self.first_row[which], self.carries[which],
            self.copies[which],
        )

    def less(self, number: int, direction: int, packets: int, size: int) -> None:
        """Count these packets of conversation `number` here, and their payload, no more: they are copies."""
        self.counted[direction][number] -= packets
        self.counted[2 + direction][number] -= size
        self.copies[number] += packets

    def lists(self, index: Index) -> list[list[Any]]:
        """A list for each field of `ConversationRow` but the protocol."""
        ends = [_ends(index, addresses, ports)
                for addresses, ports in zip(self.addresses, self.ports, strict=True)]
        columns = (*self.counted, self.start_ns, self.end_ns, self.first_row, self.carries,
                   self.copies)
        return [self.stream.tolist(), *ends, *[column.tolist() for column in columns]]

    def rows(self, index: Index) -> list[ConversationRow]:
        """One by one."""
        return list(map(ConversationRow, repeat(self.protocol), *self.lists(index)))


def _ends(index: Index, addresses: UInt32s, ports: UInt16s) -> list[str]:
    """Texts of ends, where many have the same address."""
    before = {one: join_endpoint(index.address(one), "") for one in np.unique(addresses).tolist()}
    return [f"{before[one]}{port}" for one, port in zip(addresses.tolist(), ports.tolist(), strict=True)]


def conversations(index: Index, protocol: Transport) -> list[ConversationRow]:
    """All conversations of "tcp" or "udp", in order of their numbers; those around tunnels among them."""
    return conversation_columns(index, protocol).rows(index)


def conversation_columns(index: Index, protocol: Transport) -> ConversationColumns:
    """The same as columns."""
    number = PROTOCOLS[protocol]
    size = len(index.streams[number])
    segments = _segments(index, number)
    rows, stream = segments.row, segments.stream
    first = np.full(size, -1, "i8")
    first[stream[::-1]] = np.arange(len(rows))[::-1]
    last = np.full(size, -1, "i8")
    last[stream] = rows
    known = np.flatnonzero(first >= 0)    # others are known from the quotation in an ICMP error alone
    heads = first[known]
    source, port = np.zeros(size, "u4"), np.zeros(size, "u2")        # of each one's first packet
    source[known], port[known] = segments.src[heads], segments.sport[heads]
    back = (segments.src != source[stream]) | (segments.sport != port[stream])
    side = 2 * stream.astype("i8") + back
    packets = np.bincount(side, minlength=2 * size)
    lengths = np.bincount(side, segments.payload_length, 2 * size).astype("i8", copy=False)
    carries = np.bincount(stream[segments.carries], minlength=size)
    return ConversationColumns(
        protocol, known, (segments.src[heads], segments.dst[heads]),
        (segments.sport[heads], segments.dport[heads]),
        (packets[::2][known], packets[1::2][known], lengths[::2][known], lengths[1::2][known]),
        index.time_ns[rows[heads]], index.time_ns[last[known]], rows[heads],
        carries[known], np.zeros(len(known), np.int64),
    )


class _Segments(NamedTuple):
    """What belongs to conversations, in order of packets; `carries`: a header around a tunnel."""

    row: Int64s
    stream: Int32s
    src: UInt32s
    dst: UInt32s
    sport: UInt16s
    dport: UInt16s
    payload_length: UInt32s
    carries: Bools


def _segments(index: Index, number: int) -> _Segments:
    """The packets of a protocol that have conversations, and the headers of it around tunnels."""
    names = _Segments._fields[1:-1]
    rows = np.flatnonzero((index.protocol == number) & (index.stream >= 0))
    outer = index.outer
    around = np.flatnonzero((outer.protocol == number) & (outer.stream >= 0))
    mine = rows if len(rows) < index.count else slice(None)
    own = [rows, *(getattr(index, name)[mine] for name in names), np.zeros(len(rows), np.bool_)]
    if not len(around):
        return _Segments(*own)
    theirs = [outer.row[around], *(getattr(outer, name)[around] for name in names),
              np.ones(len(around), np.bool_)]
    order = np.argsort(np.concatenate((outer.row[around], rows)), kind="stable")
    return _Segments(*(np.concatenate((one, other))[order] for one, other in zip(theirs, own, strict=True)))


def streams_around(index: Index, rows: Int64s, protocol: Transport) -> Int64s:
    """The conversations of the headers around tunnels in these packets, ascending."""
    outer = index.outer
    places = outer.within(rows, index.count)[0]
    mine = (outer.protocol[places] == PROTOCOLS[protocol]) & (outer.stream[places] >= 0)
    return np.unique(outer.stream[places[mine]]).astype("i8")
