"""Every prompt of every screen answers whatever is typed: with a sentence, or by doing it.

The prompts are found by their keys, so that a new one is tried too; paths are not the only thing to be wrong.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

import inspector.tui
from inspector.sessions.kinds import REGISTRY
from inspector.tui.files.paths import is_capture
from inspector.tui.widgets.base import Options
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.prompt import MenuScreen, PathSuggester, PromptScreen
from inspector.tui.workbench.save import is_named_so
from inspector.views.line.spans import cell_width
from tests.support.captures.traces import TRACES
from tests.support.running.lab import needs_lab
from tests.support.running.users import UNKNOWN, environment, interpreter
from tests.support.screen.live import (
    SMALL,
    USUAL,
    QuietApp,
    bench,
    grid,
    idle,
    launcher,
    opened,
    running,
    session,
    settled,
    until,
    workbench,
)
from tests.support.screen.terminal import Terminal
from tests.support.tiers import sweep, thorough

TYPED = (
    "~nobody-such/x", "~", "a" * 300, "x\0y", "\udcff\udc9b.pcap", "folder/", "pipe", "", "/dev/null",
    "notes.txt/x", "/no/such/x", "loop", "k\x1b]52;c;aGk=\x07.pcap", "9" * 400, "-1", "1e999", "25:99:99",
    "\u0663", "[@click=app.quit]x", "(a", "\u202e",
)
PROMPTS = {
    "launcher": ["o", "p"], "ladder": ["ctrl+s"], "packets": [":", "number_sign"], "messages": ["f"],
    "conversations": ["f"],
}
OWN_TESTS = 4                  # what is spoken on a port (the picture is another one after each answer), how
                               # often something is said (in a session that lives: test_saying.py), a
                               # learner's name (test_class.py), what to compare with (test_conversations.py)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("these words are not to be lost")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


async def back(pilot: Pilot[Any], screen: Screen[Any]) -> None:
    """Leave what lies over the screen; a file that is none leads back to a screen of its kind."""
    for _ in range(3):
        if isinstance(pilot.app.screen, ModalScreen):
            await pilot.press("escape")
            await idle(pilot)
    await until(pilot, lambda: type(pilot.app.screen) is type(screen), "the screen itself")


async def try_all(pilot: Pilot[Any], key: str) -> None:
    """Type everything into the prompt of this key."""
    screen = pilot.app.screen
    for text in TYPED:
        prompt = pilot.app.screen
        if not isinstance(prompt, PromptScreen):          # else it is open: the last text was wrong
            await back(pilot, screen)
            await pilot.press(key)
            await until(pilot, lambda: isinstance(pilot.app.screen, PromptScreen), f"the prompt of {key}")
            prompt = pilot.app.screen
        hint = prompt.query_one(".hint", Static)
        hint.remove_class("-wrong").update("")
        prompt.query_one(Input).value = text
        await pilot.press("enter")
        await pilot.app.workers.wait_for_complete(
            [worker for worker in pilot.app.workers if worker.group == "save"])
        await idle(pilot)
        if pilot.app.screen is prompt:
            words = str(hint.content)
            assert hint.has_class("-wrong") and words and words.isprintable(), (key, words)
    await back(pilot, screen)


def in_sight(screen: Screen[Any]) -> bool:
    """Whether the box has room, frame and the way out, and its list shows what is highlighted."""
    box, options = screen.query_one(".prompt"), screen.query_one(Options)
    last, whole = screen.query_one(".keys"), screen.region
    chosen = options.get_option_at_index(options.highlighted or 0).prompt
    assert isinstance(chosen, Content)
    shown = all(part.strip() in grid(screen) for part in chosen.plain.split("\n"))
    inside = all(box.region.contains_region(one.region) for one in (last, options))
    return shown and inside and whole.contains_region(box.region)


@thorough
@needs_lab
@sweep("kind", [one.name for one in REGISTRY if one.endings and one.name != "browser"],
       lambda kind: kind == "tcp")
async def test_a_menu_can_be_read_and_used_on_the_smallest_screen(kind: str) -> None:
    async with session(kind, (60, 16)) as pilot:
        await running(pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen), "the menu")
        options = pilot.app.screen.query_one(Options)
        for size in ((60, 16), (80, 24), (60, 16)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: in_sight(pilot.app.screen), "all of the box")
            for key in ("end", *["up"] * (options.option_count - 1), "home"):
                await pilot.press(key)
                await until(pilot, lambda: in_sight(pilot.app.screen), "the chosen line")
        await pilot.press("end")
        assert options.highlighted == options.option_count - 1
        await pilot.press("escape")


def test_every_prompt_is_tried() -> None:
    """Where code asks for a line of text, the line above tells which key leads there."""
    calls = sum(len(re.findall(r'(?<!class )PromptScreen\(', path.read_text()))
                for path in Path(inspector.tui.__file__).parent.rglob("*.py"))
    assert calls == sum(map(len, PROMPTS.values())) + OWN_TESTS


@thorough
@sweep("place_of", PROMPTS, lambda place: place == "ladder")
async def test_a_prompt_answers_whatever_is_typed(place: Path, place_of: str) -> None:
    app = QuietApp(trace_path=None if place_of == "launcher" else TRACES / "http.pcapng")
    async with app.run_test(size=USUAL) as pilot:
        if place_of == "launcher":
            await launcher(pilot)
        else:
            (await workbench(pilot)).action_show_pane(place_of)
            await settled(pilot)                           # what is still being read is not saved
        for key in PROMPTS[place_of]:
            await try_all(pilot, key)
    assert (place / "notes.txt").read_text() == "these words are not to be lost"
    assert not list(place.rglob("*.part"))


@sweep("place_of", PROMPTS, lambda place: place in ("launcher", "packets"))
async def test_a_prompt_says_its_keys_whole_at_80_columns(place: Path, place_of: str) -> None:
    app = QuietApp(trace_path=None if place_of == "launcher" else TRACES / "http.pcapng")
    async with app.run_test(size=SMALL) as pilot:
        if place_of == "launcher":
            await launcher(pilot)
        else:
            (await workbench(pilot)).action_show_pane(place_of)
            await settled(pilot)                           # what is still being read is not saved
        screen = app.screen
        for key in PROMPTS[place_of]:
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, PromptScreen), f"the prompt of {key}")
            text = " ".join(map(str.strip, re.findall("\u2502(.*)\u2502", grid(app.screen))))
            hint = str(app.screen.query_one(".hint", Static).content)
            assert hint in text and "\u23ce takes it" in text and "esc: back" in text
            await back(pilot, screen)


async def test_lines_that_are_typed_in_name_keys_that_are_no_letters(place: Path) -> None:
    async with opened("http.pcapng", SMALL) as (pilot, screen):
        await pilot.press("2", "slash")
        await until(pilot, lambda: isinstance(screen.focused, Input), "the filter")
        keys = screen.query_one(KeyLine)
        await until(pilot, lambda: "Clear, then back" in keys.render_line(0).text, "its keys")
        line = keys.render_line(0).text
        assert "\u23ce Filter" in line and "f1 Help" in line and "? " not in line and "/ " not in line


@needs_lab
@sweep("kind", [kind.name for kind in REGISTRY], lambda kind: kind == "http")
async def test_what_a_composer_hints_at_is_seen_whole_at_80_columns(kind: str) -> None:
    async with session(kind, SMALL) as pilot:
        for composer in bench(pilot).query(Composer):
            for _ in composer._kind.forms:
                await idle(pilot)
                line = composer.input
                assert cell_width(str(line.placeholder)) <= line.size.width, line.placeholder
                composer.turn_form()


@pytest.mark.parametrize(("typed", "suggested"), [("s", "s1.pcapng"), ("f", "folder/"), ("x", None)])
async def test_a_prompt_for_a_capture_suggests_captures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, suggested: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s1.har").write_text("{}")
    (tmp_path / "s1.pcapng").write_bytes((TRACES / "tcp.pcapng").read_bytes())
    (tmp_path / "s0.pcapng").write_text("no capture")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "x")
    assert await PathSuggester(is_capture).get_suggestion(typed) == suggested
    assert await PathSuggester(is_named_so).get_suggestion("s1.") == "s1.pcapng"


@pytest.mark.skipif(not interpreter(), reason="needs root, and a Python that another user may run")
def test_what_another_user_may_not_read_is_told() -> None:
    with Terminal([], environment(HOME="/"), size=(100, 30), python=interpreter(), user=UNKNOWN) as app:
        app.until_shown("Open a file")
        app.press("o")
        app.until_shown("Open which capture?")
        app.press("/root/x.pcap\r")
        app.until_shown("cannot be read")
        app.press("\x1b")
        app.settle()
        app.press("q")
        assert app.end() == 0
    assert b"Traceback" not in app.seen
