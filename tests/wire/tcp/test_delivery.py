"""Runs of a conversation of few packets are those that columns give, whatever came when, or not at all."""

from __future__ import annotations

from random import Random
from unittest.mock import patch

import numpy as np

from inspector.model.packets import Row
from inspector.wire.arrays import Int64s
from inspector.wire.tcp.delivery import Pump, Run
from inspector.wire.tcp.segments import Segments
from inspector.wire.tcp.stream import ByteStream


def pump(chance: Random) -> Pump:
    """Segments of both ends in any order, with holes; of each something may have been read, or may not be."""
    streams = ByteStream(lambda row, start, length: b""), ByteStream(lambda row, start, length: b"")
    alone = chance.random() < 0.2
    for row in range(chance.randrange(12)):
        stream = streams[0 if alone else chance.randrange(2)]
        start = stream.length if chance.random() < 0.7 else chance.randrange(20)
        stream.add(100 + start, chance.randrange(6), Row(row), 0)
    heard = [chance.randrange(30) for _ in range(12)]

    def acknowledged(direction: int, rows: Int64s) -> Int64s:
        return np.array(heard, np.int64)[rows]

    found = Pump(streams, acknowledged if chance.random() < 0.7 else None)
    found.position = [stream.start + chance.choice((0, 0, 2)) for stream in streams]
    found.before = [chance.choice((None, None, Row(chance.randrange(12)))) for _ in streams]
    return found


def runs(seed: int) -> list[Run]:
    return pump(Random(seed)).runs()


def test_runs_of_few_packets_are_those_of_columns() -> None:
    several = 0
    for seed in range(400):
        few = runs(seed)
        with patch.object(Segments, "is_short", property(lambda self: False)):
            assert few == runs(seed), seed
        several += len({run[0] for run in few}) == 2
    assert several > 50
