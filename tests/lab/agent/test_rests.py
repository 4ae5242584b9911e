"""An agent in which nothing happens sleeps; the first packet after that wakes it."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from inspector.kernel.sampler import EVERY, SELDOM
from inspector.lab.agent.supervisor import Supervisor
from inspector.lab.options import AgentOptions
from inspector.lab.programs.processes import Lab
from inspector.model.records import EventFields
from inspector.wire.journal import EventRecord

pytestmark = pytest.mark.quick


@dataclass
class Writer:
    """Of a capture what the supervisor asks of it."""

    packets: int = 0
    limited: bool = False


@dataclass
class Reported:
    """A capture that keeps what it is given."""

    writer: Writer = field(default_factory=Writer)
    records: list[object] = field(default_factory=list)

    def record(self, *records: object) -> None:
        self.records += records


@pytest.fixture
def agent() -> Iterator[Supervisor]:
    commands, writes = os.pipe()
    ended, woken = signal.getsignal(signal.SIGCHLD), signal.set_wakeup_fd(-1)
    supervisor = Supervisor(AgentOptions(mode="host", ports=(1,)), Lab((), "mark"), commands)
    supervisor.capture = cast(Any, Reported())
    yield supervisor
    signal.signal(signal.SIGCHLD, ended)
    signal.set_wakeup_fd(woken)
    assert supervisor._sampler is not None
    supervisor._sampler.close()
    supervisor._selector.close()
    for one in (commands, writes, supervisor._wake_reader, supervisor._wake_writer):
        os.close(one)


def turned(agent: Supervisor, monkeypatch: pytest.MonkeyPatch, meanwhile: Any = lambda: None) -> float:
    """Seconds that a turn would have waited; `meanwhile` happens while it waits."""
    waits: list[float | None] = []

    def select(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        waits.append(timeout)
        meanwhile()
        return agent._selector.__class__.select(agent._selector, 0)

    assert agent._sampler is not None
    with monkeypatch.context() as patch:
        patch.setattr(agent._selector, "select", select)
        agent._turn(agent._sampler.due(agent._still))
    assert waits[0] is not None
    return waits[0]


def long_ago(agent: Supervisor) -> None:
    """Nothing has moved for a while."""
    assert agent._sampler is not None
    agent._stirred = time.monotonic() - 60
    agent._sampler._changed = agent._stirred


def test_an_agent_rests_while_nothing_moves_and_wakes_for_packets_and_calls(
    agent: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned(agent, monkeypatch)
    long_ago(agent)
    writer = agent.capture.writer
    assert EVERY < turned(agent, monkeypatch) <= SELDOM

    def written() -> None:
        agent.stir()                               # nothing but statistics
        assert not agent._selector.__class__.select(agent._selector, 0)
        writer.packets += 1
        agent.stir()
        assert agent._selector.__class__.select(agent._selector, 0)

    assert turned(agent, monkeypatch, written) > EVERY
    assert turned(agent, monkeypatch) <= EVERY     # and looks often for a while
    long_ago(agent)
    writer.packets += 1                            # between two turns, when nobody would be woken
    assert turned(agent, monkeypatch) == 0
    long_ago(agent)
    agent._report("note", "A call would do the same.", **EventFields())
    assert turned(agent, monkeypatch) == 0
    assert isinstance(cast(Any, agent.capture).records[-1], EventRecord)
