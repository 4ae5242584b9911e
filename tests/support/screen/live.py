"""What tests of the app share: the app itself, waiting for what has to come, and what the screen shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.notifications import Notification, Notify
from textual.pilot import Pilot
from textual.screen import Screen

from inspector.lab.launch import Agent
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.trace.trace import Trace
from inspector.tui.app import InspectorApp
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.panes.detail import DetailPane
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.widgets.title_bar import TitleBar
from inspector.tui.workbench.workbench import WorkbenchScreen
from inspector.views.line.spans import plain
from tests.support.captures.traces import TRACES

SMALL, USUAL, LARGE = (80, 24), (120, 40), (200, 50)
PATIENCE = 60.0          # seconds until a test that hangs fails; never a measure of speed


class QuietApp(InspectorApp):
    """The app without its preloading, which would go on beside the test. `toasts`: all that were shown."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.toasts: list[Notification] = []

    def preload(self) -> None:
        return None

    def _on_notify(self, event: Notify) -> None:
        self.toasts.append(event.notification)             # Textual's own handler follows


def grid(screen: Screen[Any]) -> str:
    """What stands in the cells of a screen."""
    return "\n".join(strip.text.rstrip() for strip in screen._compositor.render_strips()) + "\n"


def state(app: App[Any]) -> str:
    """What a person would see now, for the report of a test that waited in vain."""
    screens = " > ".join(type(screen).__name__ for screen in app.screen_stack)
    notes = "".join(f"\n{note.severity}: {note.message}" for note in getattr(app, "toasts", ()))
    return f"screens: {screens}{notes}\n{grid(app.screen)}"


async def until(pilot: Pilot[Any], condition: Callable[[], object], what: str) -> None:
    """Wait for something that has to come; a failure says `what` did not, and shows the screen.

    The app is left alone meanwhile: a pause of the pilot sends a message to each widget. One follows, for
    what came to be taken and drawn.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {PATIENCE:.0f} s in vain for {what}\n{state(pilot.app)}")
            await asyncio.sleep(0.01)
        await pilot.pause()


async def idle(pilot: Pilot[Any]) -> None:
    """Wait until the app has taken every message that was sent so far, and drawn what they changed.

    For what a test did itself, and for what must not have come of it; what comes by itself (a thread, a
    process, a turn of work) is waited for with `until`. No time is waited.
    """
    await pilot.pause()


async def settled(pilot: Pilot[Any]) -> None:
    """Wait until no pane is in the middle of its turns, and all messages are taken and drawn."""
    await idle(pilot)
    screen = pilot.app.screen
    if isinstance(screen, WorkbenchScreen):
        await until(pilot, lambda: not at_work(screen), "the panes' work")
        await idle(pilot)


def at_work(screen: WorkbenchScreen) -> bool:
    """Whether the screen has something to draw still, or a pane to work out."""
    feed = screen.feed
    drawing = feed is not None and (feed.loading or feed._announced)
    drawing = drawing or (screen.behind is not None and screen.behind.busy)
    drawing = drawing or screen.query_one(DetailPane).waits_for_dissector
    return drawing or any(pane._next_turn is not None for pane in screen.panes)


async def launcher(pilot: Pilot[Any]) -> LauncherScreen:
    """Wait for the launcher, all of it there."""
    await until(pilot, lambda: pilot.app.screen.query("#kind-tcp"), "the launcher")
    screen = pilot.app.screen
    assert isinstance(screen, LauncherScreen)
    return screen


async def until_workbench(pilot: Pilot[Any]) -> WorkbenchScreen:
    """Wait for the workbench, which may have no trace yet."""
    await until(pilot, lambda: isinstance(pilot.app.screen, WorkbenchScreen), "the workbench")
    return bench(pilot)


async def workbench(pilot: Pilot[Any]) -> WorkbenchScreen:
    """Wait for the workbench and its trace."""
    await until_workbench(pilot)
    await until(pilot, lambda: bench(pilot).trace is not None, "the trace")
    return bench(pilot)


@asynccontextmanager
async def opened(
    path: Path | str, size: tuple[int, int] = USUAL
) -> AsyncIterator[tuple[Pilot[Any], WorkbenchScreen]]:
    """The app on a file (or on a trace of tests/data/traces by its name), all of it read."""
    app = QuietApp(trace_path=TRACES / path)
    async with app.run_test(size=size) as pilot:
        screen = await workbench(pilot)
        await settled(pilot)
        yield pilot, screen


@asynccontextmanager
async def session(
    kind: str, size: tuple[int, int] = USUAL, **options: Any
) -> AsyncIterator[Pilot[Any]]:
    """The app on a session that is steered by hand."""
    app = QuietApp(start=resolved(SessionSpec(kind=kind, interactive=True, **options)))
    async with app.run_test(size=size) as pilot:
        await workbench(pilot)
        yield pilot


def bench(pilot: Pilot[Any]) -> WorkbenchScreen:
    screen = pilot.app.screen
    assert isinstance(screen, WorkbenchScreen)
    return screen


def trace(pilot: Pilot[Any]) -> Trace:
    found = bench(pilot).trace
    assert found is not None
    return found


def agent(pilot: Pilot[Any]) -> Agent:
    """The agent of the session that runs."""
    session = bench(pilot).session
    assert session is not None and session._agent is not None
    return session._agent


def life(pilot: Pilot[Any]) -> str:
    """What the title says of the session: live, paused, ended, file."""
    return bench(pilot).query_one(TitleBar).facts.life


def ladder_text(pilot: Pilot[Any]) -> str:
    ladder = bench(pilot).query_one(LadderPane).ladder
    if ladder is None:
        return ""
    return "\n".join(plain(ladder.line(index, 140)) for index in range(ladder.count))


async def until_drawn(pilot: Pilot[Any], *words: str) -> None:
    """Wait until the ladder shows all these words."""
    await until(pilot, lambda: all(word in ladder_text(pilot) for word in words), f"{words} in the ladder")


def toasts(pilot: Pilot[Any]) -> list[str]:
    """What all toasts have said, those too that are gone: nobody looks while the machine stands still."""
    assert isinstance(pilot.app, QuietApp)
    return [note.message for note in pilot.app.toasts]


async def until_shown(pilot: Pilot[Any], word: str) -> None:
    """Wait for a toast with this word in it."""
    await until(pilot, lambda: any(word in toast for toast in toasts(pilot)), f"a toast with {word!r}")


async def running(pilot: Pilot[Any], packets: int = 1) -> None:
    """Wait for the session's picture."""
    await workbench(pilot)
    await until(pilot, lambda: trace(pilot).index.count >= packets, f"{packets} packets")
