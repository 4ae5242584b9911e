"""What tests of live sessions in the app share: waiting for what has to come, and what the screen shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from inspector.trace.trace import Trace
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.workbench.workbench import WorkbenchScreen
from inspector.views.line.spans import plain


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    for _ in range(4000):
        if true():
            return
        await pilot.pause(0.01)
    raise AssertionError("what was waited for did not come")


def bench(pilot: Pilot[Any]) -> WorkbenchScreen:
    screen = pilot.app.screen
    assert isinstance(screen, WorkbenchScreen)
    return screen


def trace(pilot: Pilot[Any]) -> Trace:
    found = bench(pilot).trace
    assert found is not None
    return found


def ladder_text(pilot: Pilot[Any]) -> str:
    ladder = bench(pilot).query_one(LadderPane).ladder
    if ladder is None:
        return ""
    return "\n".join(plain(ladder.line(index, 140)) for index in range(ladder.count))


async def running(pilot: Pilot[Any], packets: int = 1) -> None:
    """Wait for the session's picture."""
    await until(pilot, lambda: isinstance(pilot.app.screen, WorkbenchScreen))
    await until(pilot, lambda: bench(pilot).trace is not None and trace(pilot).index.count >= packets)
