"""The workbench's dividers and panes, the theme, the line of keys: how they begin, and that they stay so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from inspector.lab.files.folders import settings_folder
from inspector.model.spec import SessionSpec
from inspector.tui.files.settings import keep, kept
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.panes.registry import PANES
from inspector.tui.workbench.sizes import Sizes, load_sizes, save_sizes
from tests.support.captures.traces import TRACES
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab
from tests.support.screen.live import (
    SMALL,
    USUAL,
    QuietApp,
    bench,
    grid,
    opened,
    session,
    until,
    workbench,
)
from tests.support.tiers import sweep, thorough


def ladder(pilot: Pilot[Any]) -> tuple[int, int]:
    """Width and height of the ladder pane."""
    size = bench(pilot).query_one(LadderPane).outer_size
    return size.width, size.height


@sweep(("size", "rows"), [((120, 40), 24), ((200, 50), 34), ((200, 80), 64)], lambda case: case[1] == 34)
async def test_the_ladder_grows_with_the_screen(size: tuple[int, int], rows: int) -> None:
    app = QuietApp(trace_path=TRACES / "tcp.pcapng")
    async with app.run_test(size=size) as pilot:
        await workbench(pilot)
        await until(pilot, lambda: ladder(pilot)[1] == rows, f"{rows} rows")


async def test_keys_and_mouse_move_the_dividers_and_they_stay_for_the_next_time() -> None:
    for again in (False, True):
        app = QuietApp(trace_path=TRACES / "tcp.pcapng")
        async with app.run_test(size=(120, 40)) as pilot:
            await workbench(pilot)
            if again:
                await until(pilot, lambda: ladder(pilot)[1] == 17 and ladder(pilot)[0] > 75, "the sizes")
                continue
            await until(pilot, lambda: ladder(pilot)[1] == 24, "the first sizes")
            await pilot.press("ctrl+up", "ctrl+right")
            await until(pilot, lambda: ladder(pilot)[1] < 24 and ladder(pilot)[0] > 75, "other sizes")
            await pilot.mouse_down("#tabs-middle", offset=(50, 0))
            await pilot.hover(offset=(50, 18))
            await pilot.mouse_up(offset=(50, 18))
            await until(pilot, lambda: ladder(pilot)[1] == 17, "the tabs where they were let go")


HOSTILE = {
    "words": '{"ladder": "high", "theme": 7, "lower": ["packets"], "front": {}}', "a list": "[1, 2]",
    "torn": "{",
    "without end": '{"ladder": 1e999}', "unknown": '{"theme": "no-such-theme", "lower": "no-such-pane"}',
    "deep": "[" * 50_000, "surrogates": '{"theme": "\\ud800"}', "null": "null",
}


@sweep("text", HOSTILE.values(), lambda text: text == "{", ids=HOSTILE)
async def test_settings_that_make_no_sense_are_as_if_there_were_none(text: str) -> None:
    save_sizes(Sizes(40, 30))
    assert load_sizes() == Sizes(40, 30)
    path = settings_folder() / "layout.json"
    path.write_text(text)
    assert load_sizes() == Sizes()
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        assert (screen.front, screen.lower, pilot.app.theme) == ("ladder", "packets", "textual-dark")
        await pilot.press("2")
        await until(pilot, lambda: screen.front == "packets", "the pane")


@sweep("kind", ["pipe", "folder", "read-only"], lambda kind: kind == "pipe")
async def test_settings_that_can_be_neither_read_nor_written_do_no_harm(kind: str) -> None:
    folder = settings_folder()
    folder.mkdir(parents=True)
    for name in ("layout.json", "keymap.toml"):
        if kind == "pipe":
            os.mkfifo(folder / name)               # to open it would wait for ever
        elif kind == "folder":
            (folder / name).mkdir()
        else:
            (folder / name).symlink_to("/proc/version")
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        await pilot.press("2")
        await until(pilot, lambda: screen.front == "packets", "the pane")
        pilot.app.theme = "nord"
        await pilot.press("ctrl+up")


@sweep("size", [SMALL, USUAL], lambda size: size == USUAL)
async def test_the_theme_and_the_panes_that_were_open_are_kept(size: tuple[int, int]) -> None:
    async with opened("tcp.pcapng", size) as (pilot, screen):
        pilot.app.theme = "nord"
        await pilot.press("7", "7")
        await until(pilot, lambda: kept().get("theme") == "nord", "the theme in the file")
    save_sizes(Sizes(40, 30))                      # what else is kept stays
    async with opened("tcp.pcapng", size) as (pilot, screen):
        assert pilot.app.theme == "nord" and screen.lower == "findings"
        if size == SMALL:
            await until(pilot, lambda: screen.pane("findings").display and screen.front == "findings", "it")
        else:
            assert screen.front == "ladder"
    async with session("tcp", size) as pilot:      # where one composes
        assert bench(pilot).front == "ladder" and bench(pilot).lower == "findings"


async def test_what_opens_by_itself_is_not_kept() -> None:
    async with opened("http-connections.pcapng", SMALL) as (pilot, screen):
        await until(pilot, lambda: screen.front == "conversations", "the overview")
    assert "front" not in kept()


@needs_lab
@sweep("size", [SMALL, USUAL], lambda size: size == SMALL)
async def test_a_program_that_said_nothing_opens_on_the_pane_that_says_why(
    size: tuple[int, int], tmp_path: Path
) -> None:
    silent = tmp_path / "silent.pcapng"
    assert inspector("exec", "--save", str(silent), "--", "true").returncode == 0
    keep(lower="sockets", front="sockets")
    app = QuietApp(trace_path=silent)
    async with app.run_test(size=size) as pilot:
        screen = await workbench(pilot)
        await until(pilot, lambda: "no packet came on this loopback" in grid(screen), "why")
        assert screen.front == "ladder"
    assert kept()["front"] == "sockets"


KEYS_AT_80 = {
    "packets": ("/ Filter", ": Go to", "⏎ Open", "esc Back", "y Copy"),
    "conversations": ("f Find", "> Sort", "⏎ Open", "esc Back", "y Copy"),
    "messages": ("f Find", "⏎ Open", "esc Back", "y Copy"),
    "stream": ("m Decoded", "⏎ Open", "esc Back", "y Copy"),
}


@thorough
@sweep("live", [False, True], bool)
async def test_the_keys_of_the_pane_one_is_in_come_first(live: bool) -> None:
    app = QuietApp(start=SessionSpec(kind="tcp", interactive=True) if live else None,
                   trace_path=None if live else TRACES / "tcp.pcapng")
    async with app.run_test(size=SMALL) as pilot:
        screen = await workbench(pilot)
        for spec in PANES[1:]:
            await pilot.press(spec.key)
            await until_keys(pilot, KEYS_AT_80.get(spec.id, ("⏎ Open", "esc Back", "y Copy")))
            assert last_line(pilot).endswith("? Help  q Quit")
        await pilot.press("1")
        steering = ("space Pause", "s Step", "c Client says", "v Server says", "x Close…")
        await until_keys(pilot, steering if live else ("⏎ Open", "y Copy"))
        assert screen.front == "ladder"


async def test_what_goes_on_anywhere_stands_last_where_it_has_room() -> None:
    app = QuietApp(trace_path=TRACES / "tcp.pcapng")
    async with app.run_test(size=(200, 24)) as pilot:
        await workbench(pilot)
        await pilot.press("1")
        await until_keys(pilot, ("⏎ Open", "y Copy", "a All/one", "r Relative/raw"))
        await until_keys(pilot, ("W Wireshark  z Zoom  / Filter  : Go to",))
        await pilot.press("6")
        await until_keys(pilot, ("W Wireshark  z Zoom  r Relative/raw  / Filter  : Go to",))


async def until_keys(pilot: Pilot[Any], keys: tuple[str, ...]) -> None:
    """Wait until the last line names them all."""
    await until(pilot, lambda: all(key in last_line(pilot) for key in keys), f"{keys} in the last line")


def last_line(pilot: Pilot[Any]) -> str:
    return grid(pilot.app.screen).rstrip("\n").rpartition("\n")[2]
