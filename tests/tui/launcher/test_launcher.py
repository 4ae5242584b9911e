"""The launcher: what a key or a click starts, what the options do, and the words when something is wrong."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.widgets import Input, Static

from inspector.lab.options import Watch
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.tui.files import traces
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.widgets.prompt import PromptScreen
from tests.support.running.lab import needs_lab
from tests.support.screen.live import SMALL, QuietApp, grid, idle, launcher, until, workbench
from tests.support.tiers import sweep


class LauncherApp(QuietApp):
    """The app, but what would be opened is only noted down."""

    def __init__(self) -> None:
        super().__init__()
        self.specs: list[SessionSpec] = []
        self.paths: list[Path] = []

    def _open_workbench(self, spec: SessionSpec | None, path: Path | None = None,
                        watch: Watch | None = None) -> None:
        if spec is not None:
            self.specs.append(spec)
        if path is not None:
            self.paths.append(path)


@sweep(("key", "kind"), [("t", "tcp"), ("u", "udp"), ("h", "http"), ("w", "websocket")],
       lambda case: case[0] == "u")
async def test_one_key_starts_a_session(key: str, kind: str) -> None:
    app = LauncherApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        spec = app.specs[0]
        assert (spec.kind, spec.interactive, spec.port, spec.messages) == (kind, True, 0, None)
        assert resolved(spec).port > 0


async def test_a_click_and_enter_start_sessions_too() -> None:
    app = LauncherApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click("#kind-http")
        await pilot.press("enter")
        await pilot.press("down", "enter")
        assert [spec.kind for spec in app.specs] == ["http", "http", "websocket"]


@sweep(("keys", "field", "value"), [
    ("b", "behaviour", "push"), ("bb", "behaviour", "silent"), ("bbb", "behaviour", "echo"),
    ("6", "ipv6", True), ("l", "with_server", False), ("s", "paused", True), ("c", "connected", False),
    ("k", "chunked", True), ("d", "deflate", True),
], lambda case: case[0] in ("bb", "l"))
async def test_options_turn_by_one_key(keys: str, field: str, value: object) -> None:
    app = LauncherApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys, "w")
        assert getattr(app.specs[0], field) == value


async def test_options_turn_by_a_click_and_show_what_they_mean() -> None:
    app = LauncherApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click("#option-behaviour")
        shown = str(app.screen.query_one("#option-behaviour", Static).render())
        assert "● push" in shown
        assert "speaks first" in shown


@needs_lab
@sweep("size", [(60, 16), SMALL], lambda size: size == (60, 16))
async def test_what_was_chosen_is_said_where_sessions_start(size: tuple[int, int]) -> None:
    async with QuietApp().run_test(size=size) as pilot:
        screen = await launcher(pilot)
        assert "press a key, or click" in grid(screen)
        await pilot.press("s", "i")
        await until(pilot, lambda: "Start  with Pace step (s), Wire held (i)" in grid(screen), "what was set")
        await pilot.press("t")
        await workbench(pilot)
        await pilot.press("n")                                 # it stays for the next one
        again = await launcher(pilot)
        await until(pilot, lambda: "with Pace step (s), Wire held (i)" in grid(again), "the same")
        await pilot.press("s", "i", "i")
        await until(pilot, lambda: "press a key, or click" in grid(again), "nothing chosen any more")


async def test_a_port_is_asked_for_and_checked() -> None:
    app = LauncherApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p", *"70000", "enter")
        assert isinstance(app.screen, PromptScreen)
        hint = str(app.screen.query_one(".hint", Static).render())
        assert "70000 is out of range" in hint
        app.screen.query_one(Input).value = "4242"
        await pilot.press("enter", "t")
        assert app.specs[0].port == 4242


async def test_a_file_is_asked_for_and_checked(tmp_path: Path) -> None:
    capture = tmp_path / "lesson.pcap"
    capture.write_bytes(b"x")
    app = LauncherApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        entry = app.screen.query_one(Input)
        wrongs = {"": "Type the file", str(tmp_path): "directory", str(capture) + "x": "no file"}
        for wrong, word in wrongs.items():
            entry.value = wrong
            await pilot.press("enter")
            assert word in str(app.screen.query_one(".hint", Static).render())
        entry.value = str(tmp_path / "les")
        await pilot.press("right")
        await idle(pilot)
        entry.value = str(capture)
        await pilot.press("enter")
        assert app.paths == [capture]


async def test_kept_traces_are_offered_newest_first() -> None:
    for number, label in enumerate(("tcp", "udp")):
        trace = traces.begin(label)
        trace.path.write_bytes(b"x" * 2000)
        trace.close()
        moment = time.time() - 100 + number
        os.utime(trace.path, (moment, moment))
    app = LauncherApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "2", "3")
        assert [path.name.rpartition("_")[2] for path in app.paths] == ["udp.pcapng", "tcp.pcapng"]


async def test_each_kept_trace_that_is_shown_has_a_key() -> None:
    for number in range(10):
        trace = traces.begin(f"t{number}")
        trace.path.write_bytes(b"x" * 2000)
        trace.close()
        os.utime(trace.path, (time.time() - number, time.time() - number))
    app = LauncherApp()
    async with app.run_test(size=(80, 60)) as pilot:
        shown = [str(row.render()).split()[0] for row in pilot.app.screen.query(".trace")]
        assert shown == list("12345789")                   # 6 is IPv6
        await pilot.press(*shown)
        assert [path.name.rpartition("_")[2] for path in app.paths] == [f"t{n}.pcapng" for n in range(8)]


async def test_all_there_is_to_choose_is_in_sight_or_said_to_be_further_down() -> None:
    async with LauncherApp().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Open a file  " in grid(pilot.app.screen), "the row of files")
        assert "more below" not in grid(pilot.app.screen)
    for _ in range(9):
        trace = traces.begin("tcp")
        trace.path.write_bytes(b"x" * 2000)
        trace.close()
    async with LauncherApp().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "more below" in grid(pilot.app.screen), "that there is more")
        (rest,) = re.findall(r"▼ (\d+) more below", grid(pilot.app.screen))
        assert "Open a file  " in grid(pilot.app.screen)
        await pilot.press("up")                                 # from the first row to the last one
        await until(pilot, lambda: f"▲ {rest} above" in grid(pilot.app.screen), "that there was more")
        assert "more below" not in grid(pilot.app.screen)
        await pilot.resize_terminal(80, 50)
        await until(pilot, lambda: "above" not in grid(pilot.app.screen), "all of it")


async def test_every_option_is_explained_whole_at_80_columns() -> None:
    async with LauncherApp().run_test(size=(80, 24)) as pilot:
        for key in "b6lsckdb6lsckd":
            await pilot.press(key)
            await idle(pilot)
            assert "…" not in grid(pilot.app.screen)


async def test_options_stay_when_one_comes_back() -> None:
    screen = LauncherScreen(SessionSpec(kind="tcp", ipv6=True, behaviour="silent", port=99))
    assert (screen.spec.ipv6, screen.spec.behaviour, screen.spec.port) == (True, "silent", 99)


async def test_styles_are_made_once_for_the_first_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round over all widgets, and each paint that is not painted with, is waited for at the start."""
    made: list[DOMNode] = []
    apply = Stylesheet.apply

    def noted(self: Stylesheet, node: DOMNode, **options: Any) -> None:
        made.append(node)
        apply(self, node, **options)

    monkeypatch.setattr(Stylesheet, "apply", noted)
    app = LauncherApp()
    async with app.run_test(size=(120, 40)):
        sample = app.screen.query_one("#sample")
        assert sample.size.height and made.count(sample) == 1
        parts = [node for node in made if type(node) is DOMNode]
        assert 0 < len(parts) < 40
