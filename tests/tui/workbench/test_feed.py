"""Reading on in a trace: whatever was read is told, however the reading fell into turns."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from textual.timer import Timer

from inspector.trace.trace import Trace
from inspector.tui.pace import WORK_SECONDS
from inspector.tui.panes.packets import PacketsPane
from inspector.tui.workbench.feed import POLL, SELDOM, TraceFeed
from inspector.tui.workbench.workbench import WorkbenchScreen
from inspector.wire.pcapng import interface_statistics
from tests.support.captures.frames import pcapng_bytes
from tests.support.captures.traces import TRACES
from tests.support.screen.live import USUAL, QuietApp, idle, settled, until

FRAME = b"\xff" * 12 + b"\x08\x00" + bytes(46)


async def test_the_last_packets_are_told_when_the_machine_stood_still_while_they_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [len(pcapng_bytes([FRAME] * count)) for count in range(5)]
    whole = pcapng_bytes([FRAME] * 4)
    path = tmp_path / "trace.pcapng"
    path.write_bytes(whole[: sizes[2]])
    wake, written = os.pipe()
    os.set_blocking(wake, False)
    counts: list[int] = []

    async def until_count(count: int) -> None:
        deadline = time.monotonic() + 10
        while counts[-1:] != [count]:
            assert time.monotonic() < deadline, f"told of {counts}, never of {count}"
            await asyncio.sleep(0.001)

    def grew() -> None:
        counts.append(trace.index.count)
        feed.taken()

    def come(count: int) -> None:
        with path.open("ab") as file:
            file.write(whole[sizes[count - 1] : sizes[count]])
        os.write(written, b"\0")

    with Trace.open(path, following=True) as trace:
        feed = TraceFeed(trace, grew, pytest.fail, lambda: None, wake)
        feed.start()
        await until_count(2)
        come(3)
        await until_count(3)
        refresh = trace.refresh

        def slow(limit_bytes: int | None = None) -> bool:
            grown = refresh(limit_bytes)
            time.sleep(2 * WORK_SECONDS)               # the turn is over, and more may stand there
            return grown

        monkeypatch.setattr(trace, "refresh", slow)
        come(4)                                        # sooner than one behind is told of anything
        await until_count(4)
        feed.stop()
    os.close(wake)
    os.close(written)


async def test_a_batch_is_painted_once_and_one_that_shows_nothing_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looks at the kernel come ten times a second: where no pane shows what they tell, nothing is painted."""
    app = QuietApp(trace_path=TRACES / "tcp.pcapng")
    async with app.run_test(size=USUAL) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WorkbenchScreen) and app.screen.trace is not None
                    and app.screen.trace.complete, "the trace")
        await settled(pilot)
        painted: list[object] = []
        timers: list[object] = []
        monkeypatch.setattr(app, "_display", lambda *given: painted.append(given))
        screen = app.screen
        assert isinstance(screen, WorkbenchScreen)
        set_timer = screen.set_timer

        def later(*given: Any) -> Timer:
            timers.append(given)
            return set_timer(*given)

        monkeypatch.setattr(screen, "set_timer", later)
        screen._trace_grew()
        await idle(pilot)
        assert (painted, timers) == ([], [])


async def test_statistics_have_no_line_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For twelve seconds after a packet a capture says each second that it goes on."""
    path = tmp_path / "trace.pcapng"
    path.write_bytes((TRACES / "tcp.pcapng").read_bytes())
    app = QuietApp(trace_path=path)
    async with app.run_test(size=USUAL) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WorkbenchScreen) and app.screen.trace is not None
                    and app.screen.trace.complete, "the trace")
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, WorkbenchScreen) and screen.trace is not None and screen.feed is not None
        made: list[int] = []
        monkeypatch.setattr(screen.query_one(PacketsPane).packets, "line", lambda *given: made.append(given))
        before = screen.trace.statistics.received
        now = int(screen.trace.index.time_ns[-1])
        counts = interface_statistics(now, before + 1, 0, start_ns=now, end_ns=now + 10**9, os_dropped=0,
                                      delivered=before + 1)
        with path.open("ab") as file:
            file.write(counts)
        screen.feed._turn()
        await until(pilot, lambda: screen.trace is not None and screen.trace.statistics.received > before,
                    "the statistics")
        await settled(pilot)
        assert made == []


@pytest.mark.parametrize(("following", "writer", "wakes", "seconds"), [
    (True, "unknown", True, SELDOM),       # a session: its agent says when there is more
    (True, "unknown", False, POLL),        # a program that is watched, in a file
    (False, "writes", False, POLL),
    (False, "unknown", False, SELDOM),     # a file that stands there
])
def test_who_is_told_of_news_looks_seldom(
    following: bool, writer: str, wakes: bool, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Still:
        def __init__(self) -> None:
            self.following, self.writer, self.looks = following, writer, 0

        def refresh(self, limit_bytes: int | None = None) -> bool:
            self.looks += 1
            return False

    clock, trace = Clock(), Still()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    feed = TraceFeed(cast(Trace, trace), lambda: feed.taken(), pytest.fail, lambda: None)
    feed.start()
    feed._wake_fd = 0 if wakes else None
    clock.run(59.9)
    assert abs(trace.looks - 60 / seconds) <= 1


class Clock:
    """A loop whose time goes by as it is told: nothing waits for a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[Due] = []

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, call: Callable[[], None]) -> Due:
        one = Due(due, call)
        self._calls.append(one)
        return one

    def run(self, until: float) -> None:
        while self.now < until:
            one = min((one for one in self._calls if one.call is not None), key=Due.when)
            self._calls.remove(one)
            self.now = max(self.now, one.due)
            one()


@dataclass(eq=False)
class Due:
    """What is called at a time."""

    due: float
    call: Callable[[], None] | None

    def when(self) -> float:
        return self.due

    def cancel(self) -> None:
        self.call = None

    def __call__(self) -> None:
        assert self.call is not None
        self.call()


@pytest.mark.parametrize("drawing", [0.01, 0.1, 0.5])
def test_most_of_the_time_is_for_reading_where_the_picture_is_behind(
    drawing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice of 4 ms may take 20 on a busy machine, and a drawing half a second."""
    clock, read, counts = Clock(), [0.0], [0]

    class Endless:
        def refresh(self, limit_bytes: int | None = None) -> bool:
            clock.now += 0.02
            read[0] += 0.02
            return True

    def grew() -> None:
        counts[0] += 1
        clock.call_at(clock.now + drawing, feed.taken)

    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    feed = TraceFeed(cast(Trace, Endless()), grew, pytest.fail, lambda: None)
    feed.start()
    clock.run(60)
    assert read[0] > 30 and counts[0] > 30
