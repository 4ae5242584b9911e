"""Runs of packets taken by columns leave what packets walked one by one leave, to the last field."""

from __future__ import annotations

import random
from unittest.mock import patch

import numpy as np
import pytest

from inspector.wire.tcp import analysis as analysis_module
from inspector.wire.tcp.analysis import Columns, TcpAnalysis
from inspector.wire.tcp.options import TcpOptions
from inspector.wire.tcp.side import MASK, Side
from inspector.wire.tcp.straight import Straight

S, A, F = 2, 16, 1
Line = tuple[int, ...]


class Exchange:
    """A conversation that is made up: mostly straight on, now and then with something of everything."""

    def __init__(self, seed: int, opened: bool) -> None:
        self.dice = random.Random(seed)
        self.next = [self.dice.choice([100, MASK - 30_000, self.dice.randrange(MASK)]) for _ in (0, 1)]
        self.acked = [self.next[1], self.next[0]]            # what each end acknowledged last
        self.lines: list[Line] = []
        self.options: dict[int, TcpOptions] = {}
        self.time = 10**18
        self.header = self.dice.choice([20, 32])
        self.trouble = self.dice.choice([0.0, 0.003, 0.02])
        if opened:
            self.write(0, S, 0, window=60_000)
            self.next[0] = (self.next[0] + 1) & MASK
            self.acked[1] = self.next[0]
            self.write(1, S | A, 0, window=60_000)
            self.next[1] = (self.next[1] + 1) & MASK
            self.acked[0] = self.next[1]
            self.write(0, A, 0)

    def write(self, end: int, flags: int, length: int, *, back: int = 0, window: int = 5000,
              header: int = 0) -> None:
        self.time += self.dice.choice([900, 40_000, 3_000_000])
        row = len(self.lines)
        sack = ((self.acked[end], (self.acked[end] + 500) & MASK),) if header > self.header else ()
        stamp = 1 if self.header == 32 else None
        self.options[row] = TcpOptions(sack=sack, timestamp=stamp, scale=self.scale if flags & S else None)
        self.lines.append((row, end, flags, (self.next[end] - back) & MASK,
                           self.acked[end] if flags & A else 0, length, window, self.time,
                           header or self.header))

    @property
    def scale(self) -> int | None:
        return self.dice.choice([None, 0, 3])

    def go_on(self) -> None:
        dice, end = self.dice, self.dice.randrange(2)
        away = (self.next[1 - end] - self.acked[end]) & MASK
        if dice.random() < self.trouble:
            self.stumble(end)
        elif not away or dice.random() < 0.6:
            size = dice.choice([2, 30, 1448, 9000])
            self.write(end, A, size, window=dice.choice([5000, 5001]))
            self.next[end] = (self.next[end] + size) & MASK
        else:
            self.acked[end] = (self.acked[end] + (away if dice.random() < 0.6 else away // 3 + 1)) & MASK
            self.write(end, A, 0)

    def stumble(self, end: int) -> None:
        dice = self.dice
        match dice.randrange(8):
            case 0:
                self.write(end, A, 30, back=30)                         # again
            case 1:
                self.next[end] = (self.next[end] + 300) & MASK        # lost on the way
                self.write(end, A, 20)
                self.next[end] = (self.next[end] + 20) & MASK
            case 2:
                self.write(end, A, 0, window=0)
            case 3:
                for _ in range(dice.randrange(1, 5)):
                    self.write(end, A, 0)                               # duplicates
            case 4:
                self.write(end, A, 0, header=44)                        # SACK
                self.write(end, A, 0, header=44)
            case 5:
                self.write(end, A, 1, back=1)                           # keep-alive
            case 6:
                self.acked[end] = (self.next[1 - end] + 900) & MASK   # of what was not captured
                self.write(end, A, 0)
            case _:
                self.write(end, A, 1)
                self.next[end] = (self.next[end] + 1) & MASK


def columns_of(exchange: Exchange, batch: int) -> tuple[object, ...]:
    """All that the analysis of a conversation has, fed in batches of so many."""
    analysis = TcpAnalysis(lambda row: exchange.options[row])
    table = np.array(exchange.lines, np.int64)
    for at in range(0, len(table), batch):
        analysis.feed(Columns(*table[at : at + batch].T))
    sides = [{name: getattr(side, name) for name in Side.__slots__ if name != "segments"}
             | {"segments": [(one.seq, one.next, one.time) for one in side.segments]}
             for side in analysis._sides]
    return (analysis.flags, analysis.duplicates, list(analysis.rtt_ns), list(analysis.in_flight),
            analysis.count, analysis.initial_rtt_ns, analysis.states.current, sides, analysis.base(0),
            analysis.base(1))


@pytest.mark.parametrize("seed", range(60))
def test_by_columns_as_one_by_one(seed: int) -> None:
    exchange = Exchange(seed, opened=seed % 4 != 0)
    for _ in range(900):
        exchange.go_on()
    if seed % 3 == 0:
        exchange.write(0, F | A, 0)
        exchange.next[0] = (exchange.next[0] + 1) & MASK
        for _ in range(100):
            exchange.go_on()
    with patch.object(analysis_module, "LEAST", 1 << 60):
        wanted = columns_of(exchange, 1 << 14)
    for batch in (1 << 14, 300):
        found = columns_of(exchange, batch)
        for one, another in zip(found, wanted, strict=True):
            assert one == another


def test_nearly_all_of_what_is_straight_is_taken_at_once() -> None:
    exchange = Exchange(1, opened=True)
    exchange.trouble = 0.0
    for _ in range(5000):
        exchange.go_on()
    taken = 0
    take = Straight.take

    def counted(self: Straight, first: int, last: int, *others: object) -> bool:
        nonlocal taken
        taken += last - first
        return take(self, first, last, *others)  # type: ignore[arg-type]

    with patch.object(Straight, "take", counted):
        columns_of(exchange, 1 << 14)
    assert taken > 3000


def test_what_nobody_acknowledges_is_remembered_up_to_the_same_bound() -> None:
    exchange = Exchange(2, opened=True)
    exchange.trouble = 0.0
    exchange.write(1, A, 0)
    for _ in range(12_000):
        exchange.write(0, A, 100)
        exchange.next[0] = (exchange.next[0] + 100) & MASK
    exchange.acked[1] = exchange.next[0]
    exchange.write(1, A, 0)
    with patch.object(analysis_module, "LEAST", 1 << 60):
        wanted = columns_of(exchange, 1 << 14)
    assert columns_of(exchange, 1 << 14) == wanted
