"""What a conversation says in turn where TCP had trouble with it, but all of it arrived in the end.

Streams without a hole -> runs as a decoder reads them (wire/tcp/delivery.py) -> a block of one conversation,
as regular ones give it (spoken.py): what is exchanged turn by turn needs no decoder then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.numbers import ACK
from inspector.trace.flows.together.spoken import LARGEST, Block
from inspector.wire.arrays import Int64s
from inspector.wire.tcp.delivery import Pump
from inspector.wire.tcp.stream import ByteStream

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.index.index import Index


def delivered(index: Index, flow: TcpFlow, known: Callable[[list[bytes]], bool]) -> Block | None:
    """What both ends say in turn, a first; None where bytes lack, b speaks first, or it is very large.

    None too where what is said is not `known`: where its packets are is looked for last.
    """
    streams = flow.streams
    whole = all(stream.contiguous_from(stream.start) == stream.length for stream in streams)
    size = sum(stream.length - stream.start for stream in streams)
    if not whole or not 0 < size <= LARGEST:
        return None
    if streams[1].length == streams[1].start:
        return _one_turn(streams[0], size, known)

    def acknowledged(direction: int, rows: Int64s) -> Int64s:
        offsets = streams[1 - direction].offsets_of(index.ack[rows])
        return np.where(index.tcp_flags[rows] & ACK != 0, offsets, 0)

    runs = Pump(streams, acknowledged).merged()
    if not len(runs.direction) or runs.direction[0]:
        return None
    data = [stream.read(stream.start, stream.length) for stream in streams]
    if sum(map(len, data)) < size:               # the file became shorter
        return None
    base = streams[0].start, streams[1].start
    sent = [data[side][start - base[side] : stop - base[side]]
            for side, start, stop in zip(*(column.tolist() for column in runs), strict=True)]
    if not known(sent):
        return None
    found = [_packets(stream, runs.start[runs.direction == side], np.flatnonzero(runs.direction == side))
             for side, stream in enumerate(streams)]
    turn, row = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((row, turn))
    turn, row = turn[order], row[order]
    first = np.append(True, (turn[1:] != turn[:-1]) | (row[1:] != row[:-1]))       # each packet once
    turn, row = turn[first], row[first]
    turns = np.searchsorted(turn, np.arange(len(sent) + 1))
    return Block(0, [True], [0, len(sent)], turns, sent, row, runs.direction[turn] == 1)


def _one_turn(stream: ByteStream, size: int, known: Callable[[list[bytes]], bool]) -> Block | None:
    """The same where a alone speaks: one turn, whatever is acknowledged."""
    data = stream.read(stream.start, stream.length)
    if len(data) < size or not known([data]):    # the file became shorter
        return None
    row = np.unique(stream.columns(stream.start, stream.length).row)
    return Block(0, [True], [0, 1], np.array([0, len(row)]), [data], row, np.zeros(len(row), np.bool_))


def _packets(stream: ByteStream, starts: Int64s, turns: Int64s) -> tuple[Int64s, Int64s]:
    """Of all pieces of a stream the turn that each belongs to, and its packet; turns begin at `starts`."""
    pieces = stream.columns(stream.start, stream.length)
    return turns[np.searchsorted(starts, pieces.offset, "right") - 1], pieces.row
