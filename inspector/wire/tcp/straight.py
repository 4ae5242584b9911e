"""Runs of packets of a TCP conversation in which everything goes straight on, told by columns.

A batch of packets -> where each is the next data of its end, or acknowledges something new, judged by the
packet before it from either end (`Straight`) -> runs of such packets. Where both ends are in step with what
columns assume, a run is taken at once: no packet of it has a flag, and round trips, bytes in flight, and both
ends afterwards are what `TcpAnalysis` finds packet by packet.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from inspector.model.numbers import ACK, FIN, RST, SYN
from inspector.model.packets import Row
from inspector.wire.arrays import Bools, Int64s
from inspector.wire.tcp.side import HALF, MASK, MOST_SEGMENTS, Segment, Side

LEAST = 48               # packets that are worth it
UNKNOWN_TIME = -(1 << 63)
_TIMESTAMPS = 32         # header length with the timestamps option alone
_FAR = 1 << 30           # bytes within which numbers are compared (RFC 7323 section 2.3)
_OPENING = SYN | FIN | RST

Packet = tuple[Row, int, int, int, int, int, int, int, int]       # a line of `Columns`


class Columns(NamedTuple):
    """A batch of one conversation's packets: int64 columns, all of one length.

    `direction` 0 (a to b) or 1; `flags` 12 bits; `length` payload bytes on the wire; `header` bytes of the
    TCP header with options; times in nanoseconds.
    """

    row: Int64s
    direction: Int64s
    flags: Int64s
    seq: Int64s
    ack: Int64s
    length: Int64s
    window: Int64s
    time_ns: Int64s
    header: Int64s

    def packets(self, first: int, last: int) -> list[Packet]:
        """The packets from `first` to before `last`, one by one."""
        return list(zip(*(column[first:last].tolist() for column in self), strict=True))


class _Sent(NamedTuple):
    """What one end sends in a run: places of its data, of the other end's acknowledgments, what these cover.

    Numbers count from the first byte not acknowledged before the run. `ends` and `times` are those of the
    segments that were under way then (`before` of them) and of the data since; `covered` goes with `acks`.
    """

    data: Int64s
    acks: Int64s
    origin: int
    before: int
    ends: Int64s
    times: Int64s
    covered: Int64s


def _before(last: Int64s) -> Int64s:
    found = np.full(len(last), -1, np.int64)
    found[1:] = last[:-1]
    return found


class Straight:
    """Where a batch goes straight on. `scales`: of both ends' windows, as `Side` has them, for all of it."""

    def __init__(self, columns: Columns, scales: tuple[int, int]) -> None:
        _, direction, flags, seq, ack, length, window, _, header = columns
        self.columns = columns
        back, places = direction == 1, np.arange(len(direction))
        self._last = tuple(np.maximum.accumulate(np.where(mine, places, -1)) for mine in (~back, back))
        by_a, by_b = map(_before, self._last)
        self._own, other = np.where(back, by_b, by_a), np.where(back, by_a, by_b)
        self._end = (seq + length + (flags & (SYN | FIN) != 0)) & MASK
        scale = np.where(back, scales[1], scales[0])
        shift = np.where((flags & SYN == 0) & (scale > 0), scale, 0)
        self._limit = np.where(scale == -1, -1, (ack + (window << shift)) & MASK)
        self._calm = self._is_calm(self._own, other)
        self._plain = tuple(int(header[self._calm & mine].max(initial=0)) for mine in (~back, back))

    def _is_calm(self, own: Int64s, other: Int64s) -> Bools:
        _, _, flags, seq, ack, length, window, _, header = self.columns
        end = self._end
        news = (ack - ack[own]) & MASK
        ahead = (ack - end[other]) & MASK                 # it acknowledges what was not seen
        calm: Bools = (own >= 0) & (other >= 0) & (flags & (_OPENING | ACK) == ACK) & (seq == end[own])
        calm &= np.where(length > 0, length > 1, news > 0) & (window > 0) & (news < HALF)
        calm &= ((ahead == 0) | (ahead >= HALF)) & (header <= _TIMESTAMPS)
        calm &= (seq != 0) & (end != 0) & (ack != 0)      # 0 stands for "nothing yet"
        calm &= (length == 0) | ((((ack[other] - end) & MASK) >= HALF) & (end != self._limit[other]))
        return calm

    def runs(self, first: int) -> list[tuple[int, int]]:
        """Runs of calm packets from `first` on, up to a SYN: (first, behind the last)."""
        opens = np.flatnonzero(self.columns.flags[first:] & SYN)
        calm = self._calm[first : first + int(opens[0])] if len(opens) else self._calm[first:]
        edges = np.flatnonzero(np.diff(np.concatenate(([False], calm, [False])).astype(np.int8))) + first
        return [(start, stop) for start, stop in edges.reshape(-1, 2).tolist() if stop - start >= LEAST]

    def in_step(self, at: int, sides: tuple[Side, Side]) -> bool:
        """Whether both ends stand, before packet `at`, where the packets before it alone would lead."""
        for side, last, plain in zip(sides, self._last, self._plain, strict=True):
            place = int(last[at - 1]) if at else -1
            end = int(self._end[place])
            if place < 0 or side.next != end or side.reach != end or not (end and side.ack and side.tracked):
                return False
            if side.sacked or side.plain_header < plain or side.limit != self._limit[place]:
                return False
            waiting = side.segments
            if waiting and (waiting[-1].next != end or any(
                    one.next != another.seq for one, another in pairwise(waiting))):
                return False
        return True

    def take(self, first: int, last: int, sides: tuple[Side, Side], position: int,
             rtt_ns: array[int], in_flight: array[int]) -> bool:
        """Take the packets from `first` to before `last`, which are a run, as `TcpAnalysis` would.

        `position` is that of the first one. False, and nothing taken, where more is under way than is kept.
        """
        sent = [self._sent(first, last, number, sides[number]) for number in (0, 1)]
        if not all(map(_fits, sent)):
            return False
        rtts, flights = np.full(last - first, UNKNOWN_TIME, np.int64), np.zeros(last - first, np.int64)
        time_ns = self.columns.time_ns
        for one in sent:
            known = _before(one.covered)
            at = np.minimum(np.searchsorted(one.ends, one.covered), max(len(one.ends) - 1, 0))
            if len(one.ends):
                exact = (one.covered > np.maximum(known, 0)) & (one.ends[at] == one.covered)
                places = one.acks[exact]
                rtts[places - first] = time_ns[places] - one.times[at[exact]]
            flights[one.data - first] = one.ends[one.before :] - _covered_at(one)
        rtt_ns.frombytes(rtts.tobytes())
        in_flight.frombytes(flights.tobytes())
        for number, one in enumerate(sent):
            self._go_on(sides[number], one, sent[1 - number].acks, position - first)
        return True

    def _sent(self, first: int, last: int, number: int, side: Side) -> _Sent:
        columns, part = self.columns, slice(first, last)
        mine = columns.direction[part] == number
        data = np.flatnonzero(mine & (columns.length[part] > 0)) + first
        acks = np.flatnonzero(~mine) + first
        origin = side.segments[0].seq if side.segments else side.next
        under_way = [one.next for one in side.segments]
        ends = (np.concatenate((np.array(under_way, np.int64), self._end[data])) - origin) & MASK
        sent = np.array([one.time for one in side.segments], np.int64)
        times = np.concatenate((sent, columns.time_ns[data]))
        away = ((columns.ack[acks] - origin + HALF) & MASK) - HALF
        return _Sent(data, acks, origin, len(under_way), ends, times,
                     np.maximum.accumulate(np.maximum(away, 0)))

    def _go_on(self, side: Side, sent: _Sent, own: Int64s, offset: int) -> None:
        """Leave an end as its packets `own` leave it."""
        columns = self.columns
        if len(own):
            last = int(own[-1])
            side.window, side.ack = int(columns.window[last]), int(columns.ack[last])
            side.ack_time, side.flags, side.limit = int(columns.time_ns[last]), 0, int(self._limit[last])
            fresh = np.flatnonzero(columns.ack[own] != columns.ack[self._own[own]])
            if len(fresh):
                side.first_duplicate, side.count_duplicate = int(own[fresh[-1]]) + offset, 0
                side.reported = side.hurried = False
        if len(sent.data):
            last = int(sent.data[-1])
            side.next = side.reach = int(self._end[last])
            side.next_time = int(columns.time_ns[last])
        covered = int(sent.covered[-1]) if len(sent.covered) else 0
        left = int(np.searchsorted(sent.ends, covered, "right"))
        fresh = sent.data[max(left - sent.before, 0) :]
        side.segments = side.segments[left:] + [Segment(*one) for one in zip(
            columns.seq[fresh].tolist(), self._end[fresh].tolist(), columns.time_ns[fresh].tolist(),
            strict=True)]
        if side.segments and left < len(sent.ends):
            start = (side.segments[0].seq - sent.origin) & MASK
            side.segments[0].seq = (sent.origin + max(start, covered)) & MASK


def _covered_at(sent: _Sent) -> Int64s:
    """At each segment of data what was acknowledged before it."""
    at = np.searchsorted(sent.acks, sent.data) - 1
    return np.append(sent.covered, 0)[at] if len(sent.data) else np.zeros(0, np.int64)


def _fits(sent: _Sent) -> bool:
    """Whether numbers do not go round, and no more segments are under way than are remembered."""
    if len(sent.ends) and int(sent.ends[-1]) >= _FAR:
        return False
    gone = np.searchsorted(sent.ends, _covered_at(sent), "right")
    under_way = sent.before + np.arange(len(sent.data)) - gone
    return int(under_way.max(initial=0)) < MOST_SEGMENTS
