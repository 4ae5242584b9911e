"""The compiled loops give what numpy gives: every column of every capture, byte for byte, of any bytes."""

from __future__ import annotations

import random
import re
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model import numbers
from inspector.trace.index.streams import Streams, Traffic
from inspector.wire import compiled
from tests.support.captures.frames import pcap_bytes, pcapng_bytes
from tests.support.fuzzing import differences
from tests.support.fuzzing.differences import compiled_and_not, index_of
from tests.support.fuzzing.seeds import DATA, frames, spoilt
from tests.support.tiers import sweep, thorough

pytestmark = pytest.mark.skipif(compiled.loops is None, reason="it was installed without a compiler")
FILES = sorted(path for path in DATA.rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng", ".gz", ".zst"))
SMALL = [path for path in FILES if path.stat().st_size < 1 << 18]
END = st.tuples(st.integers(0, 3), st.integers(0, 2))
PACKET = st.tuples(END, END, st.sampled_from([2, 18, 16, 0, 17, 3, 4]), st.integers(0, 3), st.integers(0, 3),
                   st.booleans())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DATA)))
def test_every_capture_has_the_same_columns_either_way(path: Path) -> None:
    looped, plain = compiled_and_not(lambda: index_of(path))
    assert looped == plain


@sweep("seed", range(60), lambda seed: seed < 1)
def test_captures_that_are_spoilt_are_the_same_either_way(seed: int) -> None:
    chance = random.Random(seed)
    for path in chance.sample(SMALL, 12):
        data = path.read_bytes()
        for _ in range(3):
            differences.loops(spoilt(data, chance))
        differences.loops(data[: chance.randrange(len(data))])


@sweep("seed", range(40), lambda seed: seed < 1)
def test_frames_that_are_spoilt_are_the_same_either_way(seed: int) -> None:
    chance = random.Random(seed)
    for frame in islice(frames(), 200):
        differences.loop_frames(frame)
        differences.loop_frames(spoilt(frame, chance))


@thorough
@sweep(("order", "kind"), list(product("<>", ["micro", "nano", "modified", "pcapng"])),
       lambda case: case == (">", "pcapng"))
def test_lengths_that_lie_are_told_the_same_either_way(order: str, kind: str) -> None:
    frame = next(one[1:] for one in frames() if len(one) > 60)
    data = pcapng_bytes([frame] * 6) if kind == "pcapng" else pcap_bytes(
        [frame] * 6, order=order, nano=kind == "nano", modified=kind == "modified")
    for at in range(0, len(data) - 4, 4):
        for word in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\x00\x05\x00\x00"):
            differences.loops(data[:at] + word + data[at + 4 :])


@given(st.lists(st.lists(PACKET, max_size=40), max_size=6), st.booleans())
def test_conversations_are_numbered_the_same_either_way(
    batches: list[list[tuple[tuple[int, int], tuple[int, int], int, int, int, bool]]], reuse: bool
) -> None:
    def numbered() -> list[object]:
        streams, row, found = Streams(reuse), 0, list[object]()
        for batch in batches:
            rows = np.arange(row, row + len(batch))
            row += len(batch)
            cells = [(here[0], there[0], here[1], there[1], *rest) for here, there, *rest in batch]
            columns = [np.array([one[at] for one in cells], kind)
                       for at, kind in enumerate(("u4", "u4", "u2", "u2", "u2", "u4", "u4", "?"))]
            found.append(streams.number(Traffic(rows, *columns)).tolist())
        begun = [streams.reopened(one) for one in range(len(streams))]
        return [*found, streams.first_row.tolist(), streams.answered.tolist(), begun]

    looped, plain = compiled_and_not(numbered)
    assert looped == plain


def test_tables_grow_over_many_conversations() -> None:
    def numbered() -> list[int]:
        streams, count = Streams(reuse=True), 40_000
        found: list[int] = []
        for start in range(0, count, 15_000):
            rows = np.arange(start, min(start + 15_000, count))
            ends, none = (rows // 3).astype("u4"), np.zeros(len(rows), "u2")
            others = ends + np.uint32(1 << 20)
            traffic = Traffic(rows, ends, others, none, none, none, ends, ends, none == 0)
            found += streams.number(traffic).tolist()
        return found

    looped, plain = compiled_and_not(numbered)
    assert looped == plain == [row // 3 for row in range(40_000)]


def test_the_loops_know_protocols_by_the_numbers_of_the_model() -> None:
    """C has no import of them: what stands there under a name of ours is the same number."""
    text = (Path(compiled.__file__).parent / "_loops.c").read_text(encoding="utf-8")
    own = {name.replace("TYPE_", "ETHERTYPE_") if name.startswith("TYPE_") else name: int(value, 0)
           for enum in re.findall(r"^enum \{(.*)\}", text, re.M)
           for name, value in re.findall(r"(\w+) = (\w+)", enum)}
    shared = {name: getattr(numbers, name) for name in own if hasattr(numbers, name)}
    assert len(shared) >= 14 and {name: own[name] for name in shared} == shared
