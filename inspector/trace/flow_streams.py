"""Segments of one direction, as columns, into its stream: runs of neighbours in one go, others singly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inspector.wire.tcp_flags import FIN, RST, SYN

if TYPE_CHECKING:
    from inspector.trace.columns import Array
    from inspector.wire.reassembly import ByteStream


def extend(stream: ByteStream, rows: Array, flags: Array, seq: Array, length: Array, captured: Array,
            payload: Array) -> None:
    """Give segments of one direction to its stream: those that follow each other in one go."""
    marks = flags & (SYN | FIN | RST) != 0
    seq = seq.astype(np.int64)
    opens = np.flatnonzero(flags & SYN != 0)
    if len(opens):
        stream.open_at((int(seq[opens[0]]) + 1) & 0xFFFFFFFF)
    following = (seq[:-1] + length[:-1]) & 0xFFFFFFFF == seq[1:]
    alone = marks | (captured < length)
    breaks = np.flatnonzero(~following | alone[1:] | alone[:-1]) + 1
    starts = [0, *breaks.tolist()]
    for first, last in zip(starts, [*starts[1:], len(rows)], strict=True):
        part = slice(first, last)
        sizes = length[part].astype(np.int64)
        begins = np.cumsum(sizes) - sizes
        if not marks[first] and captured[first] == length[first] and stream.add_run(
            int(seq[first]), rows[part].tolist(), begins.tolist(), sizes.tolist(), payload[part].tolist()
        ):
            continue
        for i in range(first, last):
            _add(stream, int(rows[i]), int(flags[i]), int(seq[i]), int(length[i]), int(captured[i]),
                 int(payload[i]))


def _add(stream: ByteStream, row: int, flags: int, seq: int, length: int, captured: int, place: int) -> None:
    if flags & SYN:
        seq = (seq + 1) & 0xFFFFFFFF            # data in a SYN (RFC 7413) comes after it
    if flags & RST:
        return                                  # what a reset carries is no part of the stream
    stream.add(seq, length, row, place, captured)
    if flags & FIN:
        stream.finish_at((seq + length) & 0xFFFFFFFF)
