"""Segments of one direction, as columns, into its stream: runs of neighbours in one go, others singly.

Columns of new packets -> runs that follow each other -> `ByteStream.add_run`; where that refuses, one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.model.numbers import FIN, RST, SYN
from inspector.model.packets import Row
from inspector.wire.arrays import Int64s, UInt8s, UInt16s, UInt32s

_FEW = 16                # segments up to which columns cost more than they save
_LONG = 64               # segments of a run, on average, from which on arrays are faster than lists

if TYPE_CHECKING:
    from inspector.wire.tcp.stream import ByteStream


def extend(streams: tuple[ByteStream, ByteStream], directions: UInt8s, rows: Int64s, flags: UInt16s,
           seq: UInt32s, length: UInt32s, captured: Int64s, payload: UInt16s) -> None:
    """Give segments, in the order of the capture, to the streams of their directions."""
    for direction, stream in enumerate(streams):
        mine = np.flatnonzero(directions == direction)
        if not len(mine):
            continue
        opens = mine[flags[mine] & SYN != 0]
        if len(opens):
            stream.open_at((int(seq[opens[0]]) + 1) & 0xFFFFFFFF)
        columns = rows[mine], flags[mine], seq[mine], length[mine], captured[mine], payload[mine]
        if len(mine) > _FEW:
            _extend_by_runs(stream, *columns)
        else:
            for segment in zip(*(column.tolist() for column in columns), strict=True):
                _add(stream, *segment)


Segment = tuple[Row, int, int, int, int, int]
"""Row, flags, sequence number, bytes of payload, how many of them were captured, their place in the frame."""


def extend_few(streams: tuple[ByteStream, ByteStream], segments: tuple[list[Segment], list[Segment]]) -> None:
    """The same for a few segments, of each direction in the order of the capture."""
    for stream, mine in zip(streams, segments, strict=True):
        opens = next((seq for _, flags, seq, _, _, _ in mine if flags & SYN), None)
        if opens is not None:
            stream.open_at((opens + 1) & 0xFFFFFFFF)
        for segment in mine:
            _add(stream, *segment)


def _extend_by_runs(stream: ByteStream, rows: Int64s, flags: UInt16s, seq: UInt32s, length: UInt32s,
                    captured: Int64s, payload: UInt16s) -> None:
    """Those that follow each other in one go: whole ones, or such as were cut."""
    marks = flags & (SYN | FIN | RST) != 0
    seq, size = seq.astype(np.int64), length.astype(np.int64)
    following = (seq[:-1] + size[:-1]) & 0xFFFFFFFF == seq[1:]
    cut = captured < size
    breaks = np.flatnonzero(~following | marks[1:] | marks[:-1] | (cut[1:] != cut[:-1])) + 1
    begins = np.cumsum(size) - size
    arrays = rows, flags, seq, size, captured, payload
    starts = [0, *breaks.tolist()]
    lists = [column.tolist() for column in arrays] if len(rows) < _LONG * len(starts) or cut.any() else None
    for first, last in zip(starts, [*starts[1:], len(rows)], strict=True):
        if lists is None:
            part = slice(first, last)
            offsets = begins[part] - begins[first]
            where = int(seq[first]), rows[part], offsets, size[part], payload[part]
            if last - first == 1 or not stream.add_run(*where):
                _add_each(stream, [column[part].tolist() for column in arrays])
            continue
        if cut[first] and last - first > 1:
            _add(stream, *(column[first] for column in lists))        # what is before it may go on in it
            first += 1
        part = slice(first, last)
        run = lists[2][first], lists[0][part], (begins[part] - begins[first]).tolist(), lists[3][part]
        if last - first == 1:
            taken = False
        elif cut[first]:
            taken = stream.add_cut_run(*run, lists[4][part], lists[5][part])
        else:
            taken = stream.add_run(*run, lists[5][part])
        if not taken:
            _add_each(stream, [column[part] for column in lists])


def _add_each(stream: ByteStream, columns: list[list[Any]]) -> None:
    for segment in zip(*columns, strict=True):
        _add(stream, *segment)


def _add(stream: ByteStream, row: Row, flags: int, seq: int, length: int, captured: int, place: int) -> None:
    if flags & SYN:
        seq = (seq + 1) & 0xFFFFFFFF            # data in a SYN (RFC 7413) comes after it
    if flags & RST:
        return                                  # what a reset carries is no part of the stream
    stream.add(seq, length, row, place, captured)
    if flags & FIN:
        stream.finish_at((seq + length) & 0xFFFFFFFF)
