"""The slow reader with the kernel's own TCP: the window closes, is asked for, opens, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.lab.launch import start_agent
from inspector.model.commands import Start
from inspector.model.packets import rows_in
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.sessions.kinds.slow_reader.exchange import LOAD, load
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import analysis_marks
from inspector.trace.trace import Trace
from tests.support.running.lab import needs_lab, wait_for_event
from tests.support.running.sessions import session

pytestmark = needs_lab


@pytest.mark.parametrize("ending", ["close", "half-close", "abort"])
def test_the_window_closes_and_opens_and_every_byte_arrives(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "slow.pcapng"
    spec = resolved(SessionSpec.from_json({"kind": "slow-reader", "ending": ending}))
    with start_agent(path, mode="lab") as agent:
        agent.send(Start(spec))
        ended = wait_for_event(agent, path, "session-ended").event("session-ended")
    assert ended is not None and dict(ended.fields)["ok"] == "true"
    with Trace.open(path) as trace:
        while trace.refresh():
            pass
        flow = trace.flow(0)
        assert flow.streams[0].read(0, LOAD) == load(spec)
        marks = [(flow.direction(row), analysis_marks(facts(trace, row))) for row in rows_in(flow.rows)]
    closed = marks.index((1, "[ZeroWindow]"))
    opened = next(at for at, (end, mark) in enumerate(marks) if end == 1 and "Window Update" in mark)
    assert not any("Keep-Alive" in mark for _, mark in marks)
    assert any(end == 0 and "Window probe" in mark for end, mark in marks[closed:opened])


def test_a_short_patience_means_a_short_rest() -> None:
    with session(kind="slow-reader", timeout=1.0) as pair:
        assert pair.finish() == [0, 0], [endpoint.report() for endpoint in pair.endpoints]


def test_a_slow_reader_that_is_sent_nothing_says_nothing() -> None:
    with session(kind="slow-reader", messages=()) as pair:
        assert pair.finish() == [0, 0], [endpoint.report() for endpoint in pair.endpoints]
        assert not pair.server.calls("send")
