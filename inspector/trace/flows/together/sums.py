"""How far both ends of regular TCP conversations had sent, and been acknowledged, at a moment: by columns.

Regular conversations (patterns.py), and for each the last packet that counts -> offsets in both streams, the
time of that packet, and whether something of a close was seen by then.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inspector.model.numbers import ACK, FIN, RST, SYN
from inspector.trace.flows.together.patterns import Regular
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int64s, Integers

_ALL = np.iinfo(np.int64).max


class Sums(NamedTuple):
    """Of each regular conversation, by its place; of both directions: a to b, and back.

    `opened`: the SYN of that direction is there. `closes`: a FIN or RST is; `whole`: no packet came later.
    """

    sent: tuple[Int64s, Int64s]
    acknowledged: tuple[Int64s, Int64s]
    opened: tuple[Bools, Bools]
    last_ns: Int64s
    closes: Bools
    whole: Bools


def sums(index: Index, regular: Regular, until: Int64s | None = None) -> Sums:
    """`until`: of each the row of the last packet that counts; None: all do."""
    counts = regular.last - regular.first
    places = np.repeat(regular.first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    rows, reverse = regular.rows[places], regular.reverse[places]
    starts = np.cumsum(counts) - counts
    limit = np.full(len(counts), _ALL) if until is None else until
    counts_here = rows <= np.repeat(limit, counts)

    def total(values: Integers | Bools) -> Int64s:
        return np.add.reduceat(values, starts, dtype=np.int64) if len(starts) else np.zeros(0, np.int64)

    def most(values: Int64s) -> Int64s:
        return np.maximum.reduceat(values, starts) if len(starts) else np.zeros(0, np.int64)

    flags, length, seq = index.tcp_flags[rows], index.payload_length[rows], index.seq[rows]
    sent, opened, known = [], [], []
    for side in (False, True):
        own = (reverse == side) & counts_here
        sent.append(total(np.where(own, length, 0)))
        syn = (reverse == side) & (flags & SYN != 0)
        opened.append(most(syn.astype("i8")) > 0)
        base = most(np.where(syn, seq.astype("i8") + 1, 0))           # a regular one has one SYN of each end
        answers = (reverse != side) & counts_here & (flags & ACK != 0)
        acked = (index.ack[rows] - np.repeat(base, counts).astype("u4")).astype("i4").astype("i8")
        known.append(most(np.where(answers, acked, 0)))
    inside = total(counts_here)
    last_ns = index.time_ns[rows[starts + np.maximum(inside - 1, 0)]].astype("i8") if len(rows) else inside
    closes = most(((flags & (FIN | RST) != 0) & counts_here).astype("i8")) > 0
    acknowledged = tuple(np.where(opened[side], np.clip(known[side], 0, sent[side]), 0) for side in (0, 1))
    return Sums((sent[0], sent[1]), (acknowledged[0], acknowledged[1]), (opened[0], opened[1]),
                np.where(inside > 0, last_ns, 0), closes, inside == counts)
