"""Screens that are left at any moment: nothing reaches them any more while they are taken down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from inspector.tui.app import InspectorApp
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.messages import TraceGrew
from inspector.tui.widgets.base import BaseModal
from inspector.tui.widgets.leaving import LeavesQuietly
from inspector.tui.workbench.workbench import WorkbenchScreen
from tests.support.lab import needs_lab

TRACES = Path(__file__).parent.parent / "data" / "traces"
MOMENTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6)      # seconds after the start at which one leaves


async def until(pilot: Pilot[Any], true: Callable[[], object], what: str) -> None:
    """Wait for it, 20 s at most; a failure says what it waited for and which screens there were."""
    for _ in range(2000):
        if true():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"waited in vain for {what}; screens: {pilot.app.screen_stack}")


class Asked(Message):
    """Somebody wants the box to look for its child."""


class Slow(Static):
    """A child that takes its time to go."""

    async def on_unmount(self) -> None:
        box = self.parent
        assert isinstance(box, Box)
        for _ in range(3):
            box.post_message(Asked())
            box.call_after_refresh(box.look)
            box.call_later(box.look)


class Box(LeavesQuietly, Vertical):
    """Looks for its child whenever it is asked to."""

    def compose(self) -> ComposeResult:
        yield Slow(id="child")

    def on_mount(self) -> None:
        self.set_interval(0.001, self.look)

    def look(self) -> None:
        self.query_one("#child")

    def on_asked(self) -> None:
        self.look()


class BoxApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Box()


async def test_nothing_reaches_a_node_whose_children_go() -> None:
    app = BoxApp()
    async with app.run_test() as pilot:
        for _ in range(20):
            box = app.query_one(Box)
            box.post_message(Asked())
            box.call_after_refresh(box.look)
            await box.remove()
            await app.mount(Box())
            await pilot.pause()


async def test_a_workbench_on_a_file_may_be_left_while_it_grows() -> None:
    app = InspectorApp(trace_path=TRACES / "websocket.pcapng")
    app.preload = lambda: None  # type: ignore[method-assign]
    async with app.run_test() as pilot:
        for _ in range(8):
            await until(pilot, lambda: getattr(app.screen, "trace", None) is not None, "the trace")
            bench = app.screen
            assert isinstance(bench, WorkbenchScreen)
            bench.action_new()
            for _ in range(2000):
                bench.post_message(TraceGrew())
                await pilot.pause(0)
                if not bench.is_attached:
                    break
            assert not bench.is_attached
            assert isinstance(app.screen, LauncherScreen)
            app._open_workbench(None, TRACES / "websocket.pcapng")


async def test_a_trace_that_breaks_takes_the_boxes_over_it_along() -> None:
    app = InspectorApp(trace_path=TRACES / "websocket.pcapng")
    app.preload = lambda: None  # type: ignore[method-assign]
    async with app.run_test() as pilot:
        await until(pilot, lambda: getattr(app.screen, "trace", None) is not None, "the trace")
        bench = app.screen
        assert isinstance(bench, WorkbenchScreen)
        app.action_help()
        bench._failed("The file is gone.")
        await until(pilot, lambda: isinstance(app.screen, LauncherScreen), "the launcher")
        assert [type(screen) for screen in app.screen_stack[1:]] == [LauncherScreen]


@needs_lab
@pytest.mark.parametrize("kind", ["w", "t"])
async def test_a_session_may_be_left_at_any_moment_of_its_start(kind: str) -> None:
    app = InspectorApp()
    app.preload = lambda: None  # type: ignore[method-assign]
    async with app.run_test(size=(120, 40)) as pilot:
        for moment in MOMENTS * 2:
            await pilot.press(kind)
            await until(pilot, lambda: isinstance(app.screen, WorkbenchScreen), "the workbench")
            await pilot.pause(moment)
            await pilot.press("n")
            await until(pilot, lambda: app.screen.query("#kind-tcp"), "the launcher")


class Cover(BaseModal[None]):
    """A box over the screen."""

    def compose(self) -> ComposeResult:
        yield Static("a box over it")


async def test_a_box_that_closes_takes_no_callback_of_the_screen_below_with_it() -> None:
    app = BoxApp()
    async with app.run_test() as pilot:
        box, came = app.query_one(Box), set()  # type: Box, set[tuple[int, int]]
        moments = {(before, after) for before in range(12) for after in range(4)}
        for before, after in sorted(moments):
            cover = Cover()
            app.push_screen(cover)
            await turns_of_the_loop(before)
            box.call_after_refresh(came.add, (before, after))
            cover.refresh(layout=True)
            await turns_of_the_loop(after)
            cover.dismiss()
            await pilot.pause(0)
        await until(pilot, lambda: came == moments, "the callback of each box")


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
