"""Records between packets: where each call and event lands, however the packets came in batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.capture.batch import Times
from inspector.capture.merge import Merge
from inspector.wire.journal import CallRecord, EventRecord

pytestmark = pytest.mark.quick


def call(number: int, start: int, end: int | None = None) -> CallRecord:
    result = None if end is None else 0
    return CallRecord(number, 9, 9, "client", "connect", "3", start, end, result)


def event(moment: int) -> EventRecord:
    return EventRecord("waiting", "x", moment)


def times(*values: int) -> Times:
    return np.array(values, np.int64)


def taken(
    merge: Merge, moments: Sequence[int] = (), until: int | None = None
) -> list[tuple[int, int, int | None]]:
    placed = merge.take(times(*moments), until)
    return [(p.place, p.time_ns, getattr(p.record, "end_ns", None)) for p in placed]


def test_a_call_without_packets_inside_is_written_once() -> None:
    merge = Merge()
    merge.add(call(1, 10))
    merge.add(call(1, 10, 20))
    assert taken(merge, (5, 30), 30) == [(1, 10, 20)]


def test_a_call_with_a_packet_inside_is_written_at_its_entry_and_its_return() -> None:
    merge = Merge()
    merge.add(call(1, 10))
    merge.add(call(1, 10, 20))
    assert taken(merge, (5, 15, 30), 30) == [(1, 10, None), (2, 20, 20)]


def test_a_call_that_blocks_is_written_and_written_again_when_it_returns() -> None:
    merge = Merge()
    merge.add(call(1, 10))
    assert taken(merge, (), 12) == [(0, 10, None)]
    merge.add(call(1, 10, 50))
    assert taken(merge, (40,), 40) == []
    assert taken(merge, (60,), 60) == [(0, 50, 50)]


def test_a_call_that_only_tells_its_return_is_split_as_well() -> None:
    merge = Merge()
    merge.add(call(1, 10, 20))
    assert taken(merge, (15,), 15) == [(0, 10, None)]
    assert taken(merge, (), None) == [(0, 20, 20)]


def test_records_wait_until_the_capture_has_passed_them() -> None:
    merge = Merge()
    merge.add(event(10))
    assert taken(merge, (), 10) == []
    assert merge.next_time() == 10
    assert taken(merge, (), 11) == [(0, 10, None)]
    assert merge.next_time() is None


def test_a_late_record_never_goes_back() -> None:
    merge = Merge()
    merge.add(event(100))
    assert taken(merge, (50, 100, 150), 150) == [(1, 100, None)]
    merge.add(event(60))                           # its process was suspended before it could tell
    assert taken(merge, (200,), 200) == [(0, 60, None)]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=8),
    st.lists(st.integers(0, 140), max_size=12).map(sorted),
    st.lists(st.integers(0, 12), max_size=3).map(sorted),
)
def test_every_call_comes_out_in_order_of_time_however_batches_are_cut(
    calls: list[tuple[int, int]], packets: list[int], cuts: list[int]
) -> None:
    merge = Merge()
    for number, (start, length) in enumerate(calls):
        merge.add(call(number, start))
        merge.add(call(number, start, start + length))
    written = []
    bounds = [0, *cuts, len(packets)]
    for low, high in zip(bounds, [*bounds[1:], len(packets)], strict=True):
        batch = packets[low:high]
        if batch:
            places = merge.take(times(*batch), batch[-1])
            written += [p.time_ns for p in places]
            assert [p.place for p in places] == [int(np.searchsorted(batch, p.time_ns)) for p in places]
    rest = merge.take()
    written += [p.time_ns for p in rest]
    assert written == sorted(written)
    assert merge.next_time() is None
