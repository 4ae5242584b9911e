"""Screens that are left at any moment: nothing reaches them any more while they are taken down."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual.app import App, ComposeResult, ScreenStackError
from textual.command import CommandList
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, Static
from textual.worker import WorkerFailed

from inspector.model.spec import SessionSpec
from inspector.tui.launcher.palette import Palette
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.messages import TraceGrew
from inspector.tui.widgets.base import BaseModal
from inspector.tui.widgets.leaving import LeavesQuietly
from inspector.tui.widgets.prompt import PromptScreen
from inspector.tui.workbench.trace_screen import LeavingMenu
from inspector.tui.workbench.workbench import WorkbenchScreen
from tests.support.captures.traces import TRACES
from tests.support.running.lab import needs_lab
from tests.support.screen.keys import burst
from tests.support.screen.live import (
    QuietApp,
    idle,
    launcher,
    running,
    until,
    until_shown,
    until_workbench,
    workbench,
)
from tests.support.tiers import sweep, thorough

MOMENTS: dict[str, Callable[[WorkbenchScreen], bool]] = {      # of a session's start, at which one leaves
    "the screen": lambda screen: True,
    "the agent": lambda screen: screen.session is not None and screen.session._agent is not None,
    "the trace": lambda screen: screen.trace is not None,
    "the first event": lambda screen: screen.trace is not None and len(screen.trace.events) > 0,
    "the first packet": lambda screen: screen.trace is not None and screen.trace.index.count > 0,
    "a message": lambda screen: screen.trace is not None and screen.trace.index.count > 5,
}


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


@thorough
async def test_nothing_reaches_a_node_whose_children_go() -> None:
    app = BoxApp()
    async with app.run_test() as pilot:
        for _ in range(20):
            box = app.query_one(Box)
            box.post_message(Asked())
            box.call_after_refresh(box.look)
            await box.remove()
            await app.mount(Box())
            await idle(pilot)


class Searching(LeavesQuietly, Vertical):
    """Looks for its child in every way that goes on beside its messages."""

    sought: reactive[int] = reactive(0)

    def compose(self) -> ComposeResult:
        yield Lingering(id="child")

    def look(self) -> None:
        self.query_one("#child")

    async def search(self, gone: asyncio.Event) -> None:
        await gone.wait()
        self.look()

    async def watch_sought(self) -> None:
        self.look()


class Lingering(Static):
    """A child whose box is looking for it when it has gone."""

    async def on_unmount(self) -> None:
        box = self.parent
        assert isinstance(box, Searching)
        gone = asyncio.Event()
        box.run_worker(box.search(gone))
        box.run_worker(partial(box.search, gone))
        box.set_timer(0.001, box.look)
        box.call_next(box.look)
        asyncio.get_running_loop().call_soon(gone.set)
        asyncio.get_running_loop().call_soon(setattr, box, "sought", 1)


class SearchApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Searching()


async def test_what_goes_on_beside_the_messages_of_a_node_may_outlast_its_children() -> None:
    app = SearchApp()
    async with app.run_test() as pilot:
        for _ in range(5):
            await app.query_one(Searching).remove()
            await app.mount(Searching())
            await idle(pilot)


async def test_a_worker_that_looks_for_what_never_was_is_told_so() -> None:
    app = SearchApp()
    with pytest.raises(WorkerFailed):
        async with app.run_test() as pilot:
            box = app.query_one(Searching)

            async def look() -> None:
                box.query_one("#nowhere")

            box.run_worker(look)
            await idle(pilot)


@thorough
@sweep("times", [3, 8], lambda times: times == 3)
async def test_a_workbench_on_a_file_may_be_left_while_it_grows(times: int) -> None:
    app = QuietApp(trace_path=TRACES / "websocket.pcapng")
    async with app.run_test() as pilot:
        for _ in range(times):
            bench = await workbench(pilot)
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
    app = QuietApp(trace_path=TRACES / "websocket.pcapng")
    async with app.run_test() as pilot:
        bench = await workbench(pilot)
        app.action_help()
        bench._failed("The file is gone.")
        await launcher(pilot)
        assert [type(screen) for screen in app.screen_stack[1:]] == [LauncherScreen]


@thorough
@sweep(("search", "step"), [("", 15), ("", 4), ("zzzz", 4)], lambda case: case[1] > 4)
async def test_the_palette_may_be_left_at_any_moment(
    search: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Palette, "_NO_MATCHES_COUNTDOWN", 0.001)
    app = QuietApp(trace_path=TRACES / "websocket.pcapng")
    async with app.run_test() as pilot:
        bench = await workbench(pilot)
        for turns in range(0, 60, step):
            await pilot.press("ctrl+p")
            burst(app, search)
            await turns_of_the_loop(turns)
            palette = next(screen for screen in app.screen_stack if isinstance(screen, Palette))
            burst(app, "\x1b[A\x1b[Z")
            palette._action_escape()
            palette._action_escape()
            await until(pilot, lambda: app.screen is bench, "the workbench")


@pytest.mark.parametrize("action", ["page_up", "page_down"])
async def test_the_palettes_list_may_be_moved_in_before_it_is_laid_out(action: str) -> None:
    app = QuietApp()
    async with app.run_test() as pilot:
        await launcher(pilot)
        app.action_command_palette()
        for _ in range(60):
            if isinstance(palette := app.screen, Palette) and palette.query(CommandList):
                palette._action_command_list(action)
            await asyncio.sleep(0)


async def test_a_timer_of_the_app_may_be_due_when_it_has_no_screens_any_more() -> None:
    app = QuietApp()
    with pytest.raises(ScreenStackError):
        async with app.run_test() as pilot:
            await launcher(pilot)
            app.call_next(app._screen_stack.clear)
            app.call_next(app.deliver_screenshot)              # while it runs, that is an error
            await idle(pilot)
    await app._while_it_runs(app.deliver_screenshot)           # and not when it has ended


async def test_a_palette_that_is_covered_closes_nothing_but_itself() -> None:
    app = QuietApp(trace_path=TRACES / "websocket.pcapng")
    async with app.run_test() as pilot:
        await workbench(pilot)
        await pilot.press("ctrl+p")
        palette = app.screen
        assert isinstance(palette, Palette)
        await pilot.resize_terminal(40, 10)
        cover = app.screen
        palette.dismiss()
        await idle(pilot)
        assert app.screen is cover


async def test_a_command_of_the_palette_for_a_screen_that_has_gone_does_nothing() -> None:
    app = QuietApp(trace_path=TRACES / "websocket.pcapng")
    async with app.run_test() as pilot:
        bench = await workbench(pilot)
        commands = {command.title: command.callback for command in app.get_system_commands(bench)}
        bench.action_new()
        await launcher(pilot)
        for title in ("Zoom", "Ladder", "Filter", "Save"):
            commands[title]()
        await idle(pilot)
        assert isinstance(app.screen, LauncherScreen)


@needs_lab
@sweep("moments", [["the screen", "the trace"], list(MOMENTS)], lambda some: len(some) < 3,
       ids=["two", "all"])
async def test_a_session_may_be_left_at_any_moment_of_its_start(moments: list[str]) -> None:
    app = QuietApp()
    async with app.run_test(size=(120, 40)) as pilot:
        for kind, moment in zip("wtwtwt", moments, strict=False):
            is_reached = MOMENTS[moment]
            await pilot.press(kind)
            screen = await until_workbench(pilot)
            await until(pilot, partial(is_reached, screen), moment)
            await pilot.press("n")
            await launcher(pilot)


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


@thorough
@needs_lab
@sweep("key", ["q", "n", "ctrl+q", "ctrl+c"], lambda key: key == "n")
async def test_a_trace_that_is_kept_nowhere_is_asked_for_once(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is kept, as usual, every way out is open at once: see the tests above."""
    monkeypatch.setenv("XDG_STATE_HOME", "/etc/passwd")
    app = QuietApp(start=SessionSpec(kind="udp"))
    async with app.run_test(size=(120, 40)) as pilot:
        await running(pilot)
        screen = app.screen
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, LeavingMenu), "the question")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the session, as it was")
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, LeavingMenu), "the question again")
        if key == "ctrl+q":
            await pilot.press(key)                              # who asks again means it
        else:
            await pilot.press("y")
        if key == "n":
            await launcher(pilot)
        else:
            await until(pilot, lambda: app.return_code == 0, "the end")


@thorough
@needs_lab
async def test_what_was_saved_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/etc/passwd")
    app = QuietApp(start=SessionSpec(kind="udp"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await workbench(pilot)
        await until(pilot, lambda: screen.state.ended, "the end of the session")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LeavingMenu), "the question")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen), "the prompt")
        app.screen.query_one(Input).value = str(tmp_path / "x.pcapng")
        await pilot.press("enter")
        await until_shown(pilot, "The trace is saved")
        await pilot.press("n")
        await launcher(pilot)
    assert (tmp_path / "x.pcapng").stat().st_size > 500


async def test_a_timer_comes_though_the_machine_stood_still_while_it_was_set_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A millisecond is over then before it began: the picture of a live session stayed as it was for good."""
    moments = itertools.count()
    came = asyncio.Event()
    async with BoxApp().run_test() as pilot:
        box = pilot.app.query_one(Box)
        monkeypatch.setattr("textual.timer._time.get_time", lambda: next(moments) * 0.01)
        box.set_timer(0.001, came.set)
        await asyncio.wait_for(came.wait(), 30)
