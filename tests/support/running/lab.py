"""What tests of the lab and the capture share: whether there can be a lab, and a plain reading of a trace."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inspector.lab.launch import Agent, start_agent
from inspector.lab.network import namespace
from inspector.model.commands import Start
from inspector.model.records import EventKind
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.trace.trace import Trace
from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, EventRecord, Record, from_fields

_FORBIDDEN = namespace.probe()
needs_lab = pytest.mark.skipif(_FORBIDDEN is not None, reason=f"no lab here: {_FORBIDDEN}")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@dataclass
class Reading:
    """A trace as it stands on disk: frames and records in file order, the last statistics."""

    frames: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    items: list[int | Record] = field(default_factory=list)
    counted: pcapng.Statistics | None = None
    rest: int = 0                                  # bytes after the last whole block

    @property
    def calls(self) -> list[CallRecord]:
        return [item for item in self.items if isinstance(item, CallRecord)]

    @property
    def events(self) -> list[EventRecord]:
        return [item for item in self.items if isinstance(item, EventRecord)]

    def has(self, kind: EventKind) -> bool:
        return any(event.kind == kind for event in self.events)

    def event(self, kind: EventKind) -> EventRecord:
        """The first event of a kind, which there has to be."""
        found = [event for event in self.events if event.kind == kind]
        assert found, f"no {kind} in {[event.text for event in self.events]}"
        return found[0]

    def fact(self, kind: EventKind, name: str) -> str:
        """A field of the first event of a kind."""
        return dict(self.event(kind).fields)[name]

    @property
    def statistics(self) -> pcapng.Statistics:
        """The last statistics, which there have to be."""
        assert self.counted is not None, "no statistics in the trace"
        return self.counted

    @property
    def received(self) -> int:
        """How many packets the kernel counted, dropped ones among them."""
        assert self.statistics.received is not None
        return self.statistics.received

    @property
    def dropped(self) -> int:
        """How many packets the kernel dropped."""
        assert self.statistics.dropped is not None
        return self.statistics.dropped


def read_trace(path: str | Path) -> Reading:
    """All blocks of a trace, up to the last whole one."""
    data = Path(path).read_bytes()
    reading, at = Reading(), 0
    while (block := pcapng.block_at(data, at, "<")) is not None:
        body = memoryview(data)[block.body : block.body_end]
        if block.type == pcapng.ENHANCED_PACKET:
            _, high, low, captured, length = struct.unpack_from("<5I", body)
            reading.items.append(len(reading.frames))
            reading.frames.append(bytes(body[20 : 20 + captured]))
            reading.times.append(high << 32 | low)
            reading.lengths.append(length)
        elif block.type == pcapng.JOURNAL_EXPORT:
            record = from_fields(pcapng.parse_journal(body))
            assert record is not None
            reading.items.append(record)
        elif block.type == pcapng.INTERFACE_STATISTICS:
            reading.counted = pcapng.parse_statistics(body, "<")
        at = block.end
    reading.rest = len(data) - at
    return reading


def wait_until(condition: Callable[[], object], what: str, timeout: float = 60.0) -> None:
    """Wait for something that has to happen; the test fails when it does not, and says `what` did not."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s in vain for {what}"
        time.sleep(0.01)


def wait_for_frames(path: Path, count: int) -> None:
    """Wait until a trace holds that many frames."""
    wait_until(lambda: len(read_trace(path).frames) >= count, f"{count} frames in the trace")


def wait_until_gone(network: int) -> None:
    """Wait until no process is left in a network namespace."""
    wait_until(lambda: not processes_in(network), "the end of all processes in the lab")


def wait_for_event(
    agent: Agent, path: str | Path, kind: EventKind, count: int = 1, timeout: float = 60.0
) -> Reading:
    """Wait until the trace holds `count` events of a kind."""
    deadline = time.monotonic() + timeout
    while True:
        reading = read_trace(path)
        if sum(event.kind == kind for event in reading.events) >= count:
            return reading
        assert agent.poll() is None, f"the agent ended: {agent.failure()}"
        assert time.monotonic() < deadline, f"no {kind} in {[event.text for event in reading.events]}"
        agent.wait_for_news(0.5)


def processes_in(network: int) -> list[int]:
    """Processes in a network namespace."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and (path / "ns/net").stat().st_ino == network:
                found.append(int(path.name))
        except OSError:
            continue
    return found


def network_of(agent: Agent) -> int:
    """The network namespace of an agent's lab."""
    return namespace.identity(agent.pid)


def played(path: Path, spec: SessionSpec) -> Trace:
    """The trace of a session that ran to its end by itself."""
    spec = resolved(spec)
    with start_agent(path, wiring=spec.wiring) as agent:
        agent.send(Start(spec))
        wait_for_event(agent, path, "session-ended")
    trace = Trace.open(path)
    while trace.refresh():
        pass
    return trace
