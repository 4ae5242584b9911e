"""Numbers of conversations, counted as Wireshark counts `tcp.stream` and `udp.stream`.

A conversation is an unordered pair of address and port. For TCP a SYN without ACK whose sequence number
is not the one its direction began with opens a new one on the same ports (port reuse). Whole batches
are numbered with column operations; packet by packet go only pairs that see such a SYN. Where there is a
compiled loop, it goes packet by packet through all of them, over the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inspector.model.numbers import ACK, SYN
from inspector.trace.index.addresses import KeyTable
from inspector.trace.index.columns import Growing
from inspector.wire import compiled
from inspector.wire.arrays import Bools, Int32s, Int64s, UInt16s, UInt32s


@dataclass(slots=True)
class Traffic:
    """The conversation's side of some frames, in order of the file; `row` is counted in the whole trace.

    `sized` tells that a TCP segment's length is known: only such ones say where a direction begins.
    """

    row: Int64s
    source: UInt32s
    destination: UInt32s
    sport: UInt16s
    dport: UInt16s
    tcp_flags: UInt16s
    seq: UInt32s
    ack: UInt32s
    sized: Bools


class Streams:
    """The conversations of one protocol. `first_row` has the row in which each was first seen."""

    def __init__(self, reuse: bool) -> None:
        self._reuse = reuse                    # TCP: ports may be used again
        self._pairs = KeyTable()
        self._stream = Growing(np.int32)           # the newest conversation of each pair
        self._first_row = Growing(np.int64)
        self._reopened = Growing(np.bool_)          # by a SYN, on ports of an earlier conversation
        self._low_first = Growing(np.bool_)         # its first packet came from the lower end of the pair
        self._answered = Growing(np.bool_)          # a packet went back
        self._base = Growing(np.uint32, 2)          # sequence number with which each direction begins
        self._known = Growing(np.bool_, 2)          # and whether that is known

    def __len__(self) -> int:
        return self._first_row.count

    @property
    def first_row(self) -> Int64s:
        """Row of each conversation's first packet."""
        return self._first_row.values

    @property
    def answered(self) -> Bools:
        """Of each conversation, whether a packet went back from b to a."""
        return self._answered.values

    def reopened(self, stream: int) -> bool:
        """Whether a conversation began on the ports of an earlier one (port reuse)."""
        return bool(self._reopened.values[stream])

    def number(self, traffic: Traffic) -> Int32s:
        """The conversation of each frame of `traffic`."""
        if compiled.loops is not None:
            return self._looped(traffic)
        low, pair = self._pair(traffic)
        count = self._stream.count
        new = np.flatnonzero(pair >= count)
        first = np.zeros(len(pair), np.bool_)
        if len(new):
            fresh = len(self._pairs) - count
            self._stream.extend(np.full(fresh, -1, "i4"))
            heads = np.empty(fresh, "i8")
            heads[pair[new][::-1] - count] = new[::-1]     # of several the last one written, the first, stays
            first[heads] = True
        contested = np.zeros(0, "i8")
        fresh_pair = first.copy()
        if self._reuse:
            again = ((traffic.tcp_flags & (SYN | ACK)) == SYN) & ~first
            if again.any():
                contested = np.flatnonzero(np.isin(pair, np.unique(pair[again])))
                first |= self._reused(traffic, low, pair, contested, first)
        births = np.flatnonzero(first)
        self._reopened.extend(~fresh_pair[births])
        stream = self._give(traffic, low, pair, births, contested)
        self._answered.values[stream[low != self._low_first.values[stream]]] = True
        if self._reuse:
            self._learn(traffic, low, stream)
        return stream

    def _looped(self, traffic: Traffic) -> Int32s:
        """The same by the compiled loop, which ends early where a table is full."""
        count, done, pairs = len(traffic.row), 0, self._pairs
        found = np.empty(count, "i4")
        columns = (
            traffic.source, traffic.destination, traffic.sport, traffic.dport, traffic.tcp_flags, traffic.seq,
            traffic.ack, traffic.sized, traffic.row)
        by_pair = pairs.first, pairs.second, self._stream
        of_stream = self._first_row, self._reopened, self._low_first, self._answered
        bases = self._base, self._known
        grows = (*by_pair, *of_stream, *(bases if self._reuse else ()))
        while True:
            for one in grows:
                one.room(count - done)
            first, second, stream = (one.room(0) for one in by_pair)
            by_stream, numbers = (tuple(one.room(0) for one in some) for some in (of_stream, bases))
            done, with_pairs, with_streams = compiled.loops.number_streams(
                done, self._reuse, (len(pairs), len(self)), columns, (first, second, pairs.slots, stream),
                (pairs.mix,), by_stream, numbers, (found,))
            for one in grows:
                one.count = with_pairs if one in by_pair else with_streams
            if done == count:
                return found
            pairs.enlarge()

    def _pair(self, traffic: Traffic) -> tuple[Bools, Int64s]:
        source = traffic.source.astype("u8") << np.uint64(16) | traffic.sport
        destination = traffic.destination.astype("u8") << np.uint64(16) | traffic.dport
        low = source <= destination
        pair = self._pairs.number(np.where(low, source, destination), np.where(low, destination, source))
        return low, pair

    def _give(self, traffic: Traffic, low: Bools, pair: Int64s, births: Int64s, contested: Int64s) -> Int32s:
        """Numbers for the conversations that begin at `births`, and the number of every frame."""
        numbers = np.arange(len(self), len(self) + len(births), dtype="i4")
        before = self._stream.values[pair[contested]]
        self._first_row.extend(traffic.row[births])
        self._low_first.extend(low[births])
        self._answered.extend(np.zeros(len(births), np.bool_))
        if self._reuse:
            self._base.extend(np.zeros((len(births), 2), "u4"))
            self._known.extend(np.zeros((len(births), 2), np.bool_))
        self._stream.values[pair[births]] = numbers        # in order: the newest stays
        stream: Int32s = self._stream.values[pair]
        if len(contested):
            begun = dict(zip(births.tolist(), numbers.tolist(), strict=True))
            current: dict[int, int] = {}
            cells = zip(contested.tolist(), pair[contested].tolist(), before.tolist(), strict=True)
            for i, key, old in cells:
                current[key] = begun.get(i, current.get(key, old))
                stream[i] = current[key]
        return stream

    def _reused(self, traffic: Traffic, low: Bools, pair: Int64s, rows: Int64s, first: Bools) -> Bools:
        """Which of the frames `rows` open a conversation anew, followed packet by packet."""
        opens = np.zeros(len(pair), np.bool_)
        bases: dict[int, list[int | None]] = {}
        columns = (pair, low, first, traffic.tcp_flags, traffic.seq, traffic.ack, traffic.sized)
        cells: Any = zip(rows.tolist(), *(column[rows].tolist() for column in columns), strict=True)
        for i, key, is_low, is_first, flags, seq, ack, sized in cells:
            base = bases.get(key)
            if base is None:
                base = bases[key] = [None, None] if is_first else self._bases(int(self._stream.values[key]))
            here, there = (0, 1) if is_low else (1, 0)
            if flags & (SYN | ACK) == SYN and base[here] is not None and base[here] != seq:
                opens[i] = True
                base[:] = [None, None]
            if flags & (SYN | ACK) == SYN | ACK and base[here] is not None:
                base[here] = seq
            if sized:
                if base[here] is None:
                    base[here] = seq if flags & SYN else (seq - 1) & 0xFFFFFFFF
                if base[there] is None and flags & ACK:
                    base[there] = (ack - 1) & 0xFFFFFFFF
        return opens

    def _bases(self, stream: int) -> list[int | None]:
        pairs = zip(self._base.values[stream].tolist(), self._known.values[stream].tolist(), strict=True)
        return [base if known else None for base, known in pairs]

    def _learn(self, traffic: Traffic, low: Bools, stream: Int32s) -> None:
        """Note where directions begin: the first segment of each, or the first ACK from the other side.

        A later SYN ACK with another number is taken for what its direction begins with from then on.
        """
        known, base = self._known.values.reshape(-1), self._base.values.reshape(-1)
        here = stream.astype("i8") * 2 + ~low
        again = np.flatnonzero((traffic.tcp_flags & (SYN | ACK)) == SYN | ACK)
        counts = traffic.sized[again] | known[here[again]]
        slots, moments = self._learn_first(traffic, here)
        for i in np.flatnonzero(~counts).tolist():     # known from earlier in this batch?
            row = int(again[i])
            counts[i] = bool(((slots == here[row]) & (moments < 2 * row)).any())
        again = again[counts]
        base[here[again]] = traffic.seq[again]

    def _learn_first(self, traffic: Traffic, here: Int64s) -> tuple[Int64s, Int64s]:
        """Learn what was not known; which directions it is, and when (twice the place in the batch)."""
        known, base = self._known.values.reshape(-1), self._base.values.reshape(-1)
        sends = np.flatnonzero(traffic.sized & ~known[here])
        acks = np.flatnonzero(traffic.sized & (traffic.tcp_flags & ACK != 0) & ~known[here ^ 1])
        slots = np.concatenate((here[sends], here[acks] ^ 1))
        moments = np.concatenate((sends * 2, acks * 2 + 1))
        offset = np.where(traffic.tcp_flags[sends] & SYN != 0, 0, 1).astype("u4")
        values = np.concatenate((traffic.seq[sends] - offset, traffic.ack[acks] - np.uint32(1)))
        order = np.argsort(moments, kind="stable")[::-1]     # of two sorted runs, which are merged
        base[slots[order]] = values[order]             # the earliest is written last and stays
        known[slots] = True
        return slots, moments
