"""Custody as JSON: both directions of each conversation, at the end or at a chosen packet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inspector.model.packets import Row, row_at
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace
from inspector.views.json.custody import custodies, custody_lines
from inspector.views.session.custody import custody
from tests.support.captures.traces import TRACES
from tests.tools.benchmarks.bench_connections import make

KERNEL = sorted((TRACES.parent / "kernel").glob("*.pcapng"))


def test_a_session_s_bytes_are_all_read_and_their_owners_named() -> None:
    with Trace.open(TRACES / "tcp.pcapng") as trace:
        trace.finish()
        there, back = custodies(trace)
    assert (there["sender"], there["receiver"]) == (back["receiver"], back["sender"])
    assert there["written"] == there["sent"] == there["acknowledged"] == there["read"] > 0
    assert there["unsent"] == there["on_the_way"] == there["unread"] == 0
    assert there["sender_process"].startswith("client ") and there["receiver_process"].startswith("server ")


def test_a_filter_chooses_the_moment_and_the_conversations() -> None:
    with Trace.open(TRACES / "tcp.pcapng") as trace:
        trace.finish()
        first = next(row for row in trace.flow(0).rows.tolist() if trace.index.payload_length[row])
        there, back = custodies(trace, np.array([0, first]))
        assert there["on_the_way"] == there["sent"] > 0 and back["sent"] == 0
        assert list(custodies(trace, np.array([], "i8"))) == []


@pytest.mark.parametrize("path", KERNEL, ids=lambda path: path.stem)
def test_the_sums_hold(path: Path) -> None:
    with Trace.open(path) as trace:
        trace.finish()
        for one in custodies(trace):
            assert one["sent"] == one["on_the_way"] + one["acknowledged"]
            assert "written" not in one or one["written"] == one["sent"] + one["unsent"]
            assert not {"unread", "read"} <= one.keys() or one["acknowledged"] <= one["unread"] + one["read"]


@pytest.mark.parametrize("path", [*KERNEL, *sorted(TRACES.glob("*.pcapng"))], ids=lambda path: path.stem)
def test_gone_says_that_both_ends_are_over(path: Path) -> None:
    """However they were looked at meanwhile: connections that ended alike are told alike."""
    with Trace.open(path) as trace:
        trace.finish()
        for one in custodies(trace):
            states = trace.flow(one["tcp.stream"]).state
            assert one["gone"] == ({*states} <= {"CLOSED", "TIME-WAIT"})


@pytest.mark.parametrize("step", [None, 1, 3])
@pytest.mark.parametrize("path", [*KERNEL, *sorted(TRACES.glob("*.pcapng"))], ids=lambda path: path.stem)
def test_columns_tell_what_a_walk_tells(path: Path, step: int | None) -> None:
    with Trace.open(path) as trace:
        trace.finish()
        rows = None if step is None else np.arange(0, trace.index.count, step)
        found = list(custodies(trace, rows))
        assert [json.loads(line) for lines in custody_lines(trace, rows) for line in lines] == found
        for one, other in zip(found[::2], found[1::2], strict=True):
            stream = one["tcp.stream"]
            mine = trace.flow(stream).rows if rows is None else rows[trace.index.stream[rows] == stream]
            for way, objects in zip(custody(trace, stream, None if step is None else row_at(mine, -1)),
                                    (one, other), strict=True):
                assert (way.sent, way.acknowledged, way.gone, way.read) == (
                    objects["sent"], objects["acknowledged"], objects["gone"], objects.get("read"))


def test_many_connections_that_go_straight_on_are_not_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "many.pcap", 2000)
    walked, name_ends = [], TcpFlow._name_ends

    def noted(flow: TcpFlow, row: Row) -> None:
        walked.append(flow.stream)
        name_ends(flow, row)

    monkeypatch.setattr(TcpFlow, "_name_ends", noted)
    with Trace.open(tmp_path / "many.pcap") as trace:
        trace.finish()
        lines = [line for lines in custody_lines(trace) for line in lines]
    assert len(lines) == 4000 and len(walked) < 10
