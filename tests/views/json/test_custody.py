"""Custody as JSON: both directions of each conversation, at the end or at a chosen packet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inspector.trace.trace import Trace
from inspector.views.json.custody import custodies
from tests.support.captures.traces import TRACES

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
