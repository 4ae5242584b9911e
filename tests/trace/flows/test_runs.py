"""Segments put into a stream run by run leave what they leave one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.packets import Row
from inspector.trace.flows.tcp_streams import _add, _extend_by_runs
from inspector.wire.tcp.stream import ByteStream

Step = tuple[int, int, int, int]
STEP = st.tuples(
    st.sampled_from([0, 0, 0, 0, 0, 0, 7, -7, -40, 200]),       # where it begins, behind the last one
    st.integers(1, 30), st.sampled_from([0, 0, 0, 0, 1, 5, 30]),       # bytes, and how many were cut off
    st.sampled_from([16] * 12 + [17, 18, 20]))                  # ACK; FIN, SYN, RST now and then


def state(stream: ByteStream) -> dict[str, object]:
    names = ("_row", "_start", "_size", "_place", "_cuts",
             "_run_start", "_run_end", "_run_first", "_run_last")
    columns: dict[str, object] = {name: list(getattr(stream, name)) for name in names}
    return columns | {name: getattr(stream, name) for name in (
        "length", "contiguous", "captured", "end", "start", "_overlaps", "_reference", "_reference_seq")}


@given(st.lists(STEP, min_size=1, max_size=60), st.booleans(), st.sampled_from([1000, 2**32 - 200]))
def test_runs_are_as_segments(steps: list[Step], opened: bool, seq: int) -> None:
    table = []
    at = seq
    for row, (away, size, lacking, flags) in enumerate(steps):
        table.append((row, flags, (at + away) % 2**32, size, max(size - lacking, 0), 40))
        at = max(at, at + away + size)
    by_runs, singly = ByteStream(lambda *_: b""), ByteStream(lambda *_: b"")
    for stream in (by_runs, singly):
        if opened:
            stream.open_at(seq)
    _extend_by_runs(by_runs, *np.array(table, np.int64).T)
    for row, *segment in table:
        _add(singly, Row(row), *segment)
    assert state(by_runs) == state(singly)
