"""SO_TIMESTAMPING of our own ends: marks in the journal, and what views make of them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.packets import first_rows
from inspector.sessions.sockets.stamps import Mark, arrival_of, mark_of
from inspector.sessions.sockets.strace import SO_TIMESTAMPING
from inspector.trace.trace import Trace
from inspector.views.detail.call import call_fields
from inspector.views.detail.tree import packet_tree
from inspector.views.session.kernel_times import call_times, moments, packet_delay, packet_times
from tests.support.captures.traces import TRACES
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab
from tests.support.running.sessions import session

TIME = struct.pack("=6q", 1_700_000_000, 5, 0, 0, 0, 0)
AT = 1_700_000_000_000_000_005


def error(stage: int, byte: int, origin: int = 4) -> bytes:
    return struct.pack("=IBBBBII", 42, origin, 0, 0, 0, stage, byte)


@pytest.mark.parametrize(("ancillary", "mark"), [
    ([(1, SO_TIMESTAMPING, TIME), (0, 11, error(1, 6))], Mark("scheduled", 6, AT)),
    ([(0, 11, error(0, 13)), (1, SO_TIMESTAMPING, TIME)], Mark("sent", 13, AT)),
    ([(1, SO_TIMESTAMPING, TIME), (0, 11, error(2, 20))], Mark("acknowledged", 20, AT)),
    ([(1, SO_TIMESTAMPING, TIME), (0, 11, error(0, 1, origin=2))], None), ([(0, 11, error(1, 6))], None),
    ([], None),
])
def test_marks_are_read(ancillary: list[tuple[int, int, bytes]], mark: Mark | None) -> None:
    assert mark_of(ancillary) == mark


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.binary(max_size=60))))
def test_any_control_messages_are_a_mark_or_none(ancillary: list[tuple[int, int, bytes]]) -> None:
    mark_of(ancillary)
    arrival_of(ancillary)


def test_both_ends_write_their_kernels_times() -> None:
    with session(kind="tcp", behaviour="push", messages=("hello",), push_count=5, push_interval=0.05,
                 kernel_times=True) as pair:  # fmt: skip
        assert pair.finish() == [0, 0]
        marks = [{(dict(event.fields)["stage"], int(dict(event.fields)["byte"]))
                  for event in end.events("kernel-time")} for end in (pair.client, pair.server)]
        assert {("scheduled", 4), ("sent", 4), ("acknowledged", 4)} <= marks[0]
        last = 5 * len("push 1 of 5") - 1
        assert ("received", last) in marks[0] and {("scheduled", last), ("sent", last)} <= marks[1]
        for end in (pair.server, pair.client):
            assert "recvmsg" in end.names() and "recv" not in end.names()


@needs_lab
def test_packets_and_calls_say_where_their_time_went(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    done = inspector("run", "tcp", "--kernel-times", "--behaviour", "push", "--save", str(path))
    assert done.returncode == 0, done.stderr
    assert " kernel " in done.stdout
    with Trace.open(path) as trace:
        trace.finish()
        row = next(row for row in reversed(first_rows(trace.index.count)) if trace.index.payload_length[row])
        text = packet_times(trace, row)
        assert text.startswith("send(), ") and "the peer's kernel +" in text and "acknowledged +" in text
        delay = packet_delay(trace, row)
        assert delay is not None and 0 < delay < 10_000_000_000
        call = [call for call in trace.calls if call.name == "send" and call.role == "server"][-1]
        assert call.local and call.peer and call_times(trace, call) == text
        stages = [stage for stage, _ in moments(trace, (call.local, call.peer), 3 * len("push 1 of 3") - 1)]
        assert set(stages) == {"scheduled", "sent", "received", "acknowledged"}
        assert stages.index("scheduled") < stages.index("sent")
        assert text in json.dumps([str(field) for field in packet_tree(trace, row)], ensure_ascii=False)
        assert any(field.label == "In the kernels" for field in call_fields(trace, call)[0].children)


def test_other_traces_say_nothing_of_it() -> None:
    with Trace.open(TRACES / "tcp.pcapng") as trace:
        trace.finish()
        rows = [row for row in first_rows(trace.index.count) if trace.index.payload_length[row]]
        assert packet_times(trace, rows[0]) == "" and packet_delay(trace, rows[0]) is None
        assert all(call_times(trace, call) == "" for call in trace.calls)
