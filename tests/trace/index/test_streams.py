"""Conversations: whole batches, however cut, get the numbers that counting packet by packet gives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.numbers import ACK, SYN
from inspector.trace.index.addresses import NO_ADDRESS, Addresses, KeyTable
from inspector.trace.index.streams import Streams, Traffic
from inspector.wire import compiled

SEGMENT = st.tuples(
    st.booleans(), st.integers(0, 2), st.integers(0, 1),
    st.sampled_from([SYN, SYN | ACK, ACK, 0, 1 | ACK, SYN | 1]),
    st.integers(99, 102), st.integers(99, 102), st.booleans(),
)
Segment = tuple[bool, int, int, int, int, int, bool]


def traffic_of(segments: list[Segment], start: int) -> Traffic:
    """Segments between two hosts, a few ports at each."""
    columns = []
    for row, (back, here, there, flags, seq, ack, sized) in enumerate(segments, start):
        ends = (1, 2, 1000 + here, 80 + there)
        source, destination, sport, dport = (ends[1], ends[0], ends[3], ends[2]) if back else ends
        columns.append((row, source, destination, sport, dport, flags, seq, ack, sized))
    kinds = ("i8", "u4", "u4", "u2", "u2", "u2", "u4", "u4", "?")
    turned = zip(zip(*columns, strict=True), kinds, strict=True)
    return Traffic(*(np.array(column, kind) for column, kind in turned))


def counted(segments: list[Segment]) -> list[int]:
    """The same by the rule itself, one packet after the other."""
    newest: dict[tuple[int, int], int] = {}
    bases: list[dict[bool, int]] = []
    found = []
    for back, here, there, flags, seq, ack, sized in segments:
        key = (here, there)
        opening = flags & (SYN | ACK) == SYN
        if key not in newest or (opening and bases[newest[key]].get(back, seq) != seq):
            newest[key] = len(bases)
            bases.append({})
        base = bases[newest[key]]
        if flags & (SYN | ACK) == SYN | ACK and back in base:
            base[back] = seq
        if sized:
            base.setdefault(back, seq if flags & SYN else seq - 1)
            if flags & ACK:
                base.setdefault(not back, ack - 1)
        found.append(newest[key])
    return found


@pytest.fixture(scope="module", params=["compiled", "numpy"], autouse=True)
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """All of it with the compiled loops, and without."""
    loops = compiled.loops
    if request.param == "numpy":
        compiled.loops = None  # type: ignore[assignment]
    elif loops is None:
        pytest.skip("it was installed without a compiler")
    yield
    compiled.loops = loops


@settings(max_examples=100, deadline=None)
@given(st.lists(SEGMENT, min_size=1, max_size=40), st.data())
def test_batches_are_numbered_as_packet_by_packet(segments: list[Segment], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(segments)))) | {0, len(segments)})
    streams, found = Streams(reuse=True), []
    for start, stop in pairwise(cuts):
        found += streams.number(traffic_of(segments[start:stop], start)).tolist()
    assert found == counted(segments)
    assert streams.first_row.tolist() == [found.index(stream) for stream in range(len(streams))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), max_size=300), max_size=6))
def test_keys_are_numbered_in_order_of_appearance(batches: list[list[int]]) -> None:
    table, known = KeyTable(), dict[int, int]()
    for batch in batches:
        keys = np.array(batch, "u8")
        numbers = table.number(keys * np.uint64(0x9E3779B97F4A7C15), keys % np.uint64(7))
        assert numbers.tolist() == [known.setdefault(key, len(known)) for key in batch]


def test_a_table_grows_over_many_keys() -> None:
    table, keys = KeyTable(), np.arange(100_000, dtype="u8")
    assert table.number(keys, keys).tolist() == keys.tolist()
    assert table.number(keys[::-1], keys[::-1]).tolist() == keys[::-1].tolist()
    assert len(table) == 100_000


def test_addresses_have_ids_and_texts() -> None:
    addresses = Addresses()
    numbers = np.array([0, 0x7F000001, 0xEFFFFFFF, 0xF0000000, 0xFFFFFFFF], "u4")
    ids = addresses.number4(numbers)
    assert [addresses.text(number) for number in ids] == [
        "0.0.0.0", "127.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255"
    ]
    assert addresses.numbers4(ids).tolist() == numbers.tolist()
    six = addresses.number6(np.array([0, 0x20010DB8 << 32], "u8"), np.array([1, 5], "u8"))
    assert [addresses.text(number) for number in six] == ["::1", "2001:db8::5"]
    assert addresses.text(NO_ADDRESS) == ""
    assert len({*ids.tolist(), *six.tolist()}) == 7
