"""Conversations whose packets lie far apart in the file are told the same, read together or one by one."""

from __future__ import annotations

import random
from pathlib import Path
from unittest.mock import patch

from inspector.cli.exports import export_of
from inspector.model.numbers import LINK_RAW
from inspector.trace.flows.together.ahead import Ahead
from inspector.trace.trace import Trace
from inspector.wire.arrays import Int64s
from tests.support.captures.frames import pcapng_bytes, trace_of
from tests.support.captures.tcp import segment
from tests.support.tiers import sweep, thorough

_CONVERSATIONS, _EACH = 24, 180
_SENT = (b"\x81\x05hello", b"+OK\r\n", b"hello world ", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0" * 300)


def capture(chance: random.Random) -> bytes:
    """Conversations that began before it and take turns, so that 16 KB and more lie between two packets."""
    at = [[1000, 9000] for _ in range(_CONVERSATIONS)]
    before = [chance.choice(_SENT) for _ in range(_CONVERSATIONS)]
    frames = []
    for number in range(_EACH):
        for which, (sent, before_it) in enumerate(zip(at, before, strict=True)):
            side = chance.randrange(2)
            before_it = before_it if number % 50 or not which % 3 else _SENT[3]
            payload = before_it * (chance.choice((200, 300)) // len(before_it) + 1)
            seq = sent[side] + (chance.random() < 0.002)
            frames.append(segment(side, "PA", seq, sent[1 - side], payload, ports=(20_000 + which, 7000)))
            sent[side] += len(payload)
            frames.append(segment(0, "PA", number, 1, bytes(1200), ports=(30_000 + number, 9000 + which)))
    return pcapng_bytes(frames, LINK_RAW)


def printed(trace: Trace) -> list[str]:
    found = []
    for name in ("conversations", "findings"):
        export = export_of(name)
        assert export is not None
        found += [line for some in export.lines(trace, None) for line in some]
    return found


@thorough
@sweep("seed", range(3), lambda seed: seed == 0)
def test_read_together_or_alone_it_is_the_same(seed: int, tmp_path: Path) -> None:
    data = capture(random.Random(seed))
    with trace_of(tmp_path / "x.pcapng", data) as trace, patch.object(Ahead, "expect"):
        trace.finish()
        alone = printed(trace)
    helped = []

    def find(self: Ahead, starts: Int64s, lengths: Int64s) -> list[bytes] | None:
        found = _find(self, starts, lengths)
        if found is not None:
            helped.append(len(found))
        return found

    with trace_of(tmp_path / "y.pcapng", data) as trace, patch.object(Ahead, "find", find):
        trace.finish()
        assert printed(trace) == alone
    assert len(helped) >= _CONVERSATIONS


_find = Ahead.find
