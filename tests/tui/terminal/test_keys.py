"""Keys that arrive together do what they do when they are typed slowly, each once, where it was aimed."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from textual.widgets import Input

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.tui.app import InspectorApp
from inspector.tui.launcher.help import TooSmallScreen
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.panes.packets import FilterInput, PacketsPane
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.prompt import PromptScreen
from inspector.tui.workbench.workbench import WorkbenchScreen
from inspector.wire.text import escaped
from tests.support.running.lab import needs_lab
from tests.support.screen.keys import burst, type_together
from tests.support.screen.live import idle, until
from tests.support.tiers import sweep

TRACES = Path(__file__).parents[2] / "data" / "traces"
WEBSOCKET = TRACES / "websocket.pcapng"


class QuietApp(InspectorApp):
    """The app without its preloading."""

    def preload(self) -> None:
        return None


def bench(app: InspectorApp) -> WorkbenchScreen:
    screen = next(screen for screen in app.screen_stack if isinstance(screen, WorkbenchScreen))
    assert isinstance(screen, WorkbenchScreen)
    return screen


@sweep("loaded", [True, False], lambda loaded: not loaded)
async def test_a_filter_in_one_burst(loaded: bool) -> None:
    app = QuietApp(trace_path=WEBSOCKET)
    async with app.run_test(size=(80, 24)) as pilot:
        if loaded:
            await until(pilot, lambda: getattr(bench(app).trace, "complete", False), "the trace")
        burst(app, "/tcp.len > 0\r")
        line = bench(app).query_one(FilterInput)
        await until(pilot, lambda: line.in_force, "the filter")
        assert line.in_force == line.value == "tcp.len > 0"
        pane = bench(app).query_one(PacketsPane)
        await until(pilot, lambda: pane.packets is not None and pane.packets.count == 8, "8 packets")
        assert app.screen_stack[1:] == [bench(app)]


@sweep(("keys", "value"), [(":12", "12"), ("c", None), ("\x13lesson", "lesson")],
       lambda case: case[0] != ":12")
async def test_prompts_get_all_that_is_typed_after_their_key(keys: str, value: str | None) -> None:
    app = QuietApp(trace_path=WEBSOCKET)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: getattr(bench(app).feed, "loading", True) is False, "the trace")
        await type_together(pilot, keys + "\x1b[H\x1b[F")
        entry = app.focused
        assert (entry.value if isinstance(entry, Input) else None) == value


async def test_keys_that_edit_act_between_the_letters_where_they_were_typed() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for keys, value in (
            ("old\x15/root/new", "/root/new"), ("12\x7f3", "13"), ("ab\x1b[Dc", "acb"), ("ab\x1b[Hc", "cab"),
            ("ab\x1b[H\x1b[3~c\x1b[Fd", "cbd"), ("one two\x17three", "one three"),
        ):
            await type_together(pilot, "o" + keys)
            await until(pilot, partial(typed, app, value), value)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, LauncherScreen), "the launcher")


def typed(app: QuietApp, value: str) -> bool:
    """Whether this stands in the line that has the keys."""
    return isinstance(app.focused, Input) and app.focused.value == value


async def test_a_path_in_one_burst_then_keys_for_the_file_that_it_opens() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await type_together(pilot, f"o{WEBSOCKET}\r/udp\r:7")
        await until(pilot, lambda: isinstance(app.focused, Input) and app.focused.value == "7", "7")
        assert isinstance(app.screen, PromptScreen)
        assert bench(app)._path == WEBSOCKET
        assert bench(app).query_one(FilterInput).in_force == "udp"


async def test_a_box_that_is_asked_to_go_twice_goes_once() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        box = app.screen
        assert isinstance(box, PromptScreen)
        box.dismiss("42")
        box.dismiss("43")
        await idle(pilot)
        assert isinstance(app.screen, LauncherScreen)
        assert app.screen.spec.port == 42


async def test_a_paste_keeps_all_its_lines() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        burst(app, "o\x1b[200~/tmp/a\r\nb.pcap\n\x1b[201~")
        await until(pilot, lambda: isinstance(app.focused, Input) and app.focused.value, "the text")
        assert isinstance(app.focused, Input)
        assert app.focused.value == "/tmp/a b.pcap"


@sweep("key", ["o", "/", "\x10"], lambda key: key == "\x10")
async def test_line_feeds_and_what_turns_a_line_round_are_kept_and_shown(key: str) -> None:
    app = QuietApp(trace_path=WEBSOCKET) if key == "/" else QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        burst(app, f"{key}a\nb\x1b[200~\u202e\x1b[201~c\x1b[D")
        await until(pilot, lambda: isinstance(app.focused, Input) and "c" in app.focused.value, "the text")
        line = app.focused
        assert isinstance(line, Input) and escaped(line.value) == "a b\\u202ec"
        await until(pilot, lambda: line.cursor_position == len(line.value) - 1, "the cursor before the c")
        painted = line.render_line(0).text
        assert painted.startswith("a b\ufffdc") and line.cursor_screen_offset.x == line.content_region.x + 4


@sweep("key", ["o", "/", "\x10", ":", "#"], lambda key: key in ("\x10", "#"))
async def test_what_is_typed_on_a_terminal_that_became_too_small_stays_in_its_line(key: str) -> None:
    app = QuietApp(trace_path=WEBSOCKET) if key in "/:#" else QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        if key in "/:#":
            await until(pilot, lambda: getattr(bench(app).trace, "complete", False), "the trace")
        await type_together(pilot, f"{'2G' if key == '#' else ''}{key}12")
        line = app.focused
        assert isinstance(line, Input) and line.value == "12"
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen), "the word that it is too small")
        await type_together(pilot, "3qx\x7f4\x1b[200~5\x1b[201~\r\x1b")
        assert app.is_running and line.value == "123q45"
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.focused is line, "the line again")
        await type_together(pilot, "6")
        assert line.value == "123q456"


async def test_without_a_line_keys_on_a_terminal_that_is_too_small_do_nothing() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen), "the word that it is too small")
        await type_together(pilot, "o6abc")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: isinstance(app.screen, LauncherScreen), "the launcher")
        launcher = app.screen
        assert isinstance(launcher, LauncherScreen)
        assert not launcher.spec.ipv6 and not isinstance(app.focused, Input)


@sweep("turns", range(0, 12, 3), lambda turns: turns == 3)
async def test_what_was_typed_for_a_file_that_breaks_is_not_for_the_launcher(turns: int) -> None:
    app = QuietApp(trace_path=WEBSOCKET)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: getattr(bench(app).trace, "complete", False), "the trace")
        burst(app, "s" * 41)
        for _ in range(turns):
            await asyncio.sleep(0)
        bench(app)._failed("The file is gone.")
        await until(pilot, lambda: isinstance(app.screen, LauncherScreen), "the launcher")
        await type_together(pilot, "6")
        launcher = app.screen
        assert isinstance(launcher, LauncherScreen)
        assert launcher.spec == SessionSpec(interactive=True, ipv6=True)


@needs_lab
async def test_the_composer_sends_each_byte_that_was_pasted_and_each_line_feed() -> None:
    app = QuietApp(start=resolved(SessionSpec(kind="tcp", interactive=True, messages=())))
    async with app.run_test(size=(80, 24)) as pilot:
        burst(app, "cone\ntwo\x1b[200~\x1b[31m\t\x01\r\n\x1b[201~\r")
        sent = b"one\ntwo\x1b[31m\t\x01\n"

        def calls() -> list[str]:
            trace = bench(app).trace
            return [] if trace is None else [call.arguments for call in trace.calls if call.name == "send"]
        await until(pilot, lambda: bool(calls()), "the call of send")
        assert "one␊two␛[31m␉␁␊" in calls()[0] and f", {len(sent)}" in calls()[0]


@needs_lab
async def test_two_lines_for_the_composer_in_one_burst_are_two_messages() -> None:
    app = QuietApp(start=resolved(SessionSpec(kind="tcp", interactive=True, messages=())))
    async with app.run_test(size=(80, 24)) as pilot:
        burst(app, "csix\rseven\r")
        sent: list[str] = []

        def both() -> bool:
            trace = bench(app).trace
            sent[:] = [] if trace is None else [
                call.arguments for call in trace.calls if call.role == "client" and call.name == "send"]
            return len(sent) == 2
        await until(pilot, both, "two calls of send")
        assert bench(app).query_one("#composer-client", Composer).input.value == ""
        assert (["six" in sent[0], "seven" in sent[1]]) == [True, True]
