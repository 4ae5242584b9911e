"""Several processes that work on one trace: all is told as by one, in order, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import TypeVar

import pytest

from inspector.cli.errors import end_at_once
from inspector.cli.exports import export_of
from inspector.trace.flows.processes import Processes
from inspector.trace.trace import Trace
from inspector.views.json import spread
from tests.support.running.commands import COMMAND, LIMIT
from tests.support.tiers import sweep
from tests.tools.benchmarks import bench_tcp

HERE = os.getpid()
DATA = Path(__file__).parents[2] / "data"
P = TypeVar("P")
R = TypeVar("R")


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture that is worth several processes."""
    path = tmp_path_factory.mktemp("processes") / "lossy.pcap"
    bench_tcp.make(path, 210_000, bench_tcp.Shape(conversations=400, segment=20, snap=96, loss=0.02, port=80))
    return path


@pytest.fixture
def trouble() -> list[str]:
    """What is wrong with the file."""
    return []


@pytest.fixture
def processes(trouble: list[str]) -> Iterator[Processes]:
    with Processes(lambda: "".join(trouble), end_at_once) as found:
        yield found



def where(part: int) -> tuple[bool, int]:
    return os.getpid() == HERE, part


def test_parts_are_done_in_turn_and_told_in_order(processes: Processes) -> None:
    assert list(processes.spread(where, range(7))) == [(place % 2 == 0, place) for place in range(7)]


def test_parts_of_a_process_that_died_are_done_here(processes: Processes) -> None:
    def dies(part: int) -> tuple[bool, int]:
        if os.getpid() != HERE and part == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return where(part)

    found = list(processes.spread(dies, range(8)))
    assert found == [(place % 2 == 0 or place >= 3, place) for place in range(8)]


def test_trouble_with_the_file_is_met_here(processes: Processes, trouble: list[str]) -> None:
    def fails(part: int) -> tuple[bool, int]:
        if os.getpid() != HERE:
            trouble.append("It cannot be read further.")
        return where(part)

    assert list(processes.spread(fails, range(4))) == [(True, place) for place in range(4)]


def test_an_error_is_raised_here(processes: Processes) -> None:
    def wrong(part: int) -> int:
        return 1 // (part - 3)

    with pytest.raises(ZeroDivisionError):
        list(processes.spread(wrong, range(8)))


def test_without_further_processes_all_is_done_here(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refused)
    assert list(processes.spread(where, range(4))) == [(True, place) for place in range(4)]


def test_who_leaves_early_ends_those_that_still_work(processes: Processes) -> None:
    def endless(part: int) -> int:
        if os.getpid() != HERE:
            signal.pause()
        return part

    assert next(processes.spread(endless, range(4))) == 0
    ((child, _),) = processes._running
    processes.end()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@sweep("what", ["conversations", "findings"], lambda what: what == "findings")
@sweep("name", ["tcp/random.pcap", "frames/reuse.pcapng"], lambda name: name.startswith("tcp"))
def test_several_processes_tell_the_same(what: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "_CONVERSATIONS", 7)
    monkeypatch.setattr(spread, "_LEAST", 0)
    export, found_by, used = export_of(what), [], []
    assert export is not None
    for several in (False, True):
        with Trace.open(DATA / name) as trace, Processes(lambda: None, end_at_once) as found:
            trace.finish()

            def by(do: Callable[[P], R], parts: Sequence[P], found: Processes = found) -> Iterator[R]:
                for one in found.spread(do, parts):
                    used.append(len(found._running))
                    yield one

            found_by.append([line for some in export.lines(trace, None, by if several else map)
                             for line in some])
            assert not found._running
    assert 1 in used
    assert found_by[0] == found_by[1] and found_by[0]


@sweep("end", ["SIGTERM", "SIGINT", "closed"], lambda end: end == "SIGINT")
def test_a_command_leaves_no_process_behind(lossy: Path, end: str) -> None:
    reading, writing = os.pipe()
    fcntl(writing, F_SETPIPE_SZ, 4096)
    command = subprocess.Popen([*COMMAND, "decode", str(lossy), "--json", "conversations"], stdout=writing,
                               stderr=subprocess.DEVNULL)
    os.close(writing)
    children, deadline = list[str](), time.monotonic() + LIMIT
    while not children and time.monotonic() < deadline and command.poll() is None:
        children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
        time.sleep(0.01)
    if end == "closed":
        os.close(reading)
    else:
        command.send_signal(signal.Signals[end])
    status = command.wait(LIMIT)
    assert status == {"SIGTERM": 143, "SIGINT": 130, "closed": 141}[end]
    assert children and not any(Path(f"/proc/{child}").exists() for child in children)
    if end != "closed":
        os.close(reading)
