"""Conversations as facts that columns alone give: ends, packets and bytes each way, first and last time.

Everything is found with operations over whole columns; rows of single conversations are kept and
extended as the trace grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int32s, Int64s, UInt16s, UInt32s

PROTOCOLS = {"tcp": TCP, "udp": UDP}
_KEPT = 4096            # conversations whose rows are remembered
_PATIENCE = 8           # times the whole trace is looked through before it is sorted


class ConversationRow(NamedTuple):
    """One conversation. `a` sent its first packet; ends as "127.0.0.1:8000", "[::1]:8000"; payload bytes.

    `carries`: how many of its packets carry what has conversations of its own, as a tunnel's do.
    """

    protocol: str
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

    def of(self, protocol: str, stream: int) -> Int64s:
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


def grown(index: Index, protocol: str, since: int) -> tuple[Int64s, Int64s]:
    """The conversations that have packets from row `since` on, and the first of these rows of each."""
    mine = (index.protocol[since:] == PROTOCOLS[protocol]) & (index.stream[since:] >= 0)
    rows = np.flatnonzero(mine) + since
    stream = index.stream[rows]
    first = np.full(len(index.streams[PROTOCOLS[protocol]]), -1, "i8")
    first[stream[::-1]] = rows[::-1]                  # of several the first one stays
    streams = np.flatnonzero(first >= 0)
    return streams, first[streams]


def conversations(index: Index, protocol: str) -> list[ConversationRow]:
    """All conversations of "tcp" or "udp", in order of their numbers; those around tunnels among them."""
    number = PROTOCOLS[protocol]
    size = len(index.streams[number])
    segments = _segments(index, number)
    rows, stream = segments.row, segments.stream
    if not len(rows):
        return []
    first = np.full(size, -1, "i8")
    first[stream[::-1]] = np.arange(len(rows))[::-1]
    last = np.full(size, -1, "i8")
    last[stream] = rows
    heads = first[stream]
    forward = (segments.src == segments.src[heads]) & (segments.sport == segments.sport[heads])
    packets, payload = np.ones(len(rows)), segments.payload_length.astype("f8")
    counted = [
        np.bincount(stream[mask], weights[mask], size).astype("i8")
        for weights in (packets, payload) for mask in (forward, ~forward)
    ]
    counted.append(np.bincount(stream, segments.carries, size).astype("i8"))
    known = np.flatnonzero(first >= 0)    # others are known from the quotation in an ICMP error alone
    heads = first[known]
    ends = [[join_endpoint(index.address(one), port) for one, port in zip(
        addresses[heads].tolist(), ports[heads].tolist(), strict=True)]
        for addresses, ports in ((segments.src, segments.sport), (segments.dst, segments.dport))]
    times = index.time_ns[rows[heads]], index.time_ns[last[known]]
    columns = (*[column[known] for column in counted], *times, rows[heads])
    return [
        ConversationRow(protocol, stream, a, b, packets_ab, packets_ba, bytes_ab, bytes_ba, start, end,
                        Row(row), carries)
        for stream, a, b, packets_ab, packets_ba, bytes_ab, bytes_ba, carries, start, end, row in zip(
            known.tolist(), *ends, *[column.tolist() for column in columns], strict=True)
    ]


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
    own = [rows, *(getattr(index, name)[rows] for name in names), np.zeros(len(rows), np.bool_)]
    if not len(around):
        return _Segments(*own)
    theirs = [outer.row[around], *(getattr(outer, name)[around] for name in names),
              np.ones(len(around), np.bool_)]
    order = np.argsort(np.concatenate((outer.row[around], rows)), kind="stable")
    return _Segments(*(np.concatenate((one, other))[order] for one, other in zip(theirs, own, strict=True)))


def streams_around(index: Index, rows: Int64s, protocol: str) -> Int64s:
    """The conversations of the headers around tunnels in these packets, ascending."""
    outer = index.outer
    places = outer.within(rows, index.count)[0]
    mine = (outer.protocol[places] == PROTOCOLS[protocol]) & (outer.stream[places] >= 0)
    return np.unique(outer.stream[places[mine]]).astype("i8")
