"""Every word of the screens passes the door: in a language made up for it no English is left, but for names.

The language is the code's own English in other letters, so that a text that is not translated is seen, and
one that is cut is taken for no other. What stands on a screen and is no text of ours (names of protocols,
calls, fields, keys, what programs say) is listed. Pictures in Chinese show that columns stand, no sign cut.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

import inspector.tui
from inspector.lessons.library import find
from inspector.model import language
from inspector.model.language import tr
from inspector.model.packets import Row
from inspector.sessions.kinds import REGISTRY, kind_named
from inspector.trace.application import decode_as
from inspector.tui.files.settings import kept, kept_language
from inspector.tui.launcher.help import HelpScreen
from inspector.tui.lessons.map import LessonMapScreen
from inspector.tui.lessons.screen import LessonScreen
from inspector.tui.lessons.teach import TeachScreen
from inspector.tui.lessons.vote import VoteScreen
from inspector.tui.messages import LessonsAsked, Selection
from inspector.tui.panes.registry import PANES
from inspector.tui.widgets.base import Options, PlainScroll
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.prompt import MenuScreen
from inspector.tui.widgets.tab_bar import TabBar
from inspector.tui.widgets.title_bar import TitleBar
from inspector.tui.workbench.control import ending_items
from inspector.views.line.spans import cell_width
from tests.support.running.lab import needs_lab
from tests.support.screen.grids import assert_kept
from tests.support.screen.live import (
    SMALL,
    USUAL,
    QuietApp,
    bench,
    grid,
    launcher,
    opened,
    running,
    session,
    settled,
    until,
)
from tests.support.screen.strange import look_up
from tests.support.tiers import sweep, thorough
from tests.tools.translations import DECLARED, called

_WORD = re.compile(r"[A-Za-z]{3,}")
# Names: the program's, protocols' and their fields', calls' and files'; keys; what the sessions say.
_NAMES = """
    inspector pid tcp udp http html browser client server pcap pcapng json curl svg websocket TCP UDP HTTP IPv
    ICMP MSS TLS GUID SHA RFC JSON VXLAN GENEVE GTP SYN ACK FIN RST LISTEN ESTABLISHED TIME WAIT
    connect sendto send recv accept socket bind listen close shutdown SHUT getsockname setsockopt
    enter esc escape tab shift super ctrl space backspace delete home end insert PgUp PgDn pgup pgdn English
"""
NAMES = frozenset(_NAMES.split())
IN_LAUNCHER = ("hello", "Content", "Length", "Transfer", "Encoding", "deflate", "chunked")
IN_LEGENDS = ("Wireshark", "websocat")


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screens speak English in other letters."""
    monkeypatch.setattr(language, "_look_up", look_up)
    language.ask_for("zh")


def english(text: str, *known: str) -> list[str]:
    """Words of a picture that passed no door; `known`: what else stands there by right."""
    return sorted(set(_WORD.findall(text)) - NAMES - set(known))


async def taken(pilot: Pilot[Any], *keys: str) -> str:
    """The picture after these keys."""
    await pilot.press(*keys)
    await settled(pilot)
    return grid(pilot.app.screen)


def parts(screen: Screen[Any], *kinds: type[Widget]) -> str:
    """What stands in the cells of these widgets."""
    lines = screen._compositor.render_strips()
    regions = [one.region for kind in kinds for one in screen.query(kind) if one.is_on_screen]
    return "\n".join(line.crop(region.x, region.right).text for region in regions
                     for line in lines[region.y : region.bottom])


@pytest.mark.usefixtures("strange")
async def test_the_launcher_and_its_prompts() -> None:
    async with QuietApp().run_test(size=USUAL) as pilot:
        await launcher(pilot)
        await settled(pilot)
        assert not english(grid(pilot.app.screen), *IN_LAUNCHER)
        for key in ("b", "s", "i"):
            assert not english(await taken(pilot, key), *IN_LAUNCHER), key
        for key in ("o", "p", "v"):
            await pilot.press(key)
            await until(pilot, lambda: pilot.app.screen.is_modal, "what the key asks")
            assert not english(parts(pilot.app.screen, Static, KeyLine), "dumpcap", "root"), key
            await pilot.press("escape")
            await until(pilot, lambda: not pilot.app.screen.is_modal, "the launcher")


@thorough
@pytest.mark.usefixtures("strange")
async def test_the_frame_of_every_pane_and_its_help() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        for pane in PANES:
            await taken(pilot, pane.key)
            assert not english(parts(screen, TitleBar, TabBar, KeyLine)), pane.id
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen), "help")
            shown = [str(one.content) for one in pilot.app.screen.query(Static)]
            assert not english("\n".join(shown), *IN_LEGENDS), pane.id
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is screen, "the workbench")


@thorough
@pytest.mark.usefixtures("strange")
async def test_the_palette_the_menus_and_the_toasts() -> None:
    async with opened("http.pcapng") as (pilot, screen):
        texts = [text for one in pilot.app.get_system_commands(screen) for text in (one.title, one.help)]
        assert not english("\n".join(texts), "Wireshark", "websocat")
        for key in ("ctrl+s", "colon", "number_sign", "x"):
            await pilot.press(key)
            shown = parts(pilot.app.screen, Static, Options) if pilot.app.screen.is_modal else ""
            assert not english(shown, "Wireshark", "tshark"), key
            await pilot.press("escape")
            await settled(pilot)
        for kind in REGISTRY:
            menu = MenuScreen("How should it go on, or end?", ending_items(kind.endings))
            pilot.app.push_screen(menu)
            await until(pilot, partial(menu.query_one_optional, Options), "the menu")
            await settled(pilot)
            assert not english(parts(menu, Static, Options)), kind.name
            await pilot.press("escape")
            await settled(pilot)
        for key in ("Y", "J", "M", "y", "e", "W"):
            await pilot.press(key)
        await settled(pilot)
        assert isinstance(pilot.app, QuietApp) and pilot.app.toasts
        texts = [one.message for one in pilot.app.toasts]
        assert not english("\n".join(texts), "Wireshark", "DISPLAY", "PATH", "OSC", "tmux")


@thorough
@pytest.mark.usefixtures("strange")
async def test_what_is_typed_wrong_and_what_is_not_found() -> None:
    async with opened("http.pcapng") as (pilot, screen):
        await taken(pilot, "2", "slash", *"frog ==", "enter")
        shown = screen.query_one("#filter-error", Static)
        assert str(shown.content) and not english(str(shown.content))
        await taken(pilot, "escape", "escape", "0", "enter", "0")
        await pilot.press("d")
        await until(pilot, lambda: pilot.app.screen.is_modal, "what is spoken")
        await pilot.press(*"foo", "enter")
        await settled(pilot)
        texts = str(pilot.app.screen.query_one(".hint", Static).content)
        assert "'foo'" in texts and not english(texts, "foo", *decode_as.known())
        await pilot.press("escape", "ctrl+p")
        await until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette), "the palette")
        await pilot.press(*"zzzz")
        nothing = tr("No matches found")
        await until(pilot, lambda: nothing in grid(pilot.app.screen), "that nothing was found")


@thorough
@needs_lab
@pytest.mark.usefixtures("strange")
async def test_a_session_on_a_held_wire() -> None:
    async with session("websocket", wire="held") as pilot:
        await running(pilot)
        screen = bench(pilot)
        assert not english(parts(screen, TitleBar, TabBar, KeyLine, Composer))
        await pilot.press("P", "c")
        for _ in kind_named("websocket").forms:
            await settled(pilot)
            assert not english(parts(screen, Composer), "fragments")
            await pilot.press("ctrl+t")
        await pilot.press("escape", "P", "space")
        await settled(pilot)
        assert not english(parts(screen, TitleBar, KeyLine))
        assert isinstance(pilot.app, QuietApp)
        assert not english("\n".join(one.message for one in pilot.app.toasts))


@needs_lab
@pytest.mark.usefixtures("strange")
async def test_the_frame_of_lessons() -> None:
    async with QuietApp(lessons=LessonsAsked(None, "zh")).run_test(size=USUAL) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, LessonMapScreen), "the map")
        await settled(pilot)
        assert not english(parts(pilot.app.screen, KeyLine))
        pilot.app.post_message(LessonsAsked(find("socket"), "zh"))
        await until(pilot, lambda: isinstance(pilot.app.screen, LessonScreen), "the lesson")
        await settled(pilot)
        screen = pilot.app.screen
        assert not english(parts(screen, TitleBar, TabBar, KeyLine))
        for legend in (LessonScreen, TeachScreen, VoteScreen, LessonMapScreen):
            texts = (tr(legend.LEGEND_TITLE), *map(tr, legend.LEGEND))
            bindings = (tr(one.description) for one in legend.BINDINGS if isinstance(one, Binding))
            assert not english("\n".join((*texts, *bindings)), "serve", "class", "DIR")


async def test_every_other_language_is_chosen_at_once_and_kept() -> None:
    async with opened("tcp.pcapng") as (pilot, screen):
        assert "Packets" in parts(screen, TabBar)
        pilot.app.action_language()  # type: ignore[attr-defined]
        await settled(pilot)
        assert "数据包" in parts(screen, TabBar) and "帮助" in parts(screen, KeyLine)
    assert kept()["language"] == "zh"
    async with QuietApp().run_test(size=SMALL) as pilot:
        await launcher(pilot)
        assert "选项" in grid(pilot.app.screen)
        pilot.app.action_language()  # type: ignore[attr-defined]
        await until(pilot, lambda: "with these options" in grid(pilot.app.screen), "English again")
    language.ask_for("zh")
    assert kept_language() == "zh" and kept()["language"] == "en"


# --- what the code says ---

WORDS = re.compile(r"[A-Za-z]{3,}.* [a-z]|[A-Z][a-z]{2,}")
SHOWING = {"Static": 0, "Content": 0, "Prose": 0, "update": 0, "Span": 0}


def unmarked(tree: ast.Module) -> Iterator[str]:
    """Literals with words that go to the screen by no door: f-strings in doors, any text in `SHOWING`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        asked = [] if name in ("tr", "marked", "sentence") else [
            argument for place, argument in enumerate(node.args) if place in DECLARED.get(name, ())]
        asked += node.args[:1] if name in SHOWING else []
        for argument in asked:
            pieces = argument.values if isinstance(argument, ast.JoinedStr) else (
                [argument] if name in SHOWING else [])
            text = " ".join(str(one.value) for one in pieces if isinstance(one, ast.Constant))
            if WORDS.search(text):
                yield f"{node.lineno}: {text!r}"


def test_no_literal_goes_to_the_screen_by_no_door() -> None:
    found = {}
    for path in sorted(Path(inspector.tui.__file__).parent.rglob("*.py")):
        wrong = list(unmarked(ast.parse(path.read_text())))
        if wrong:
            found[path.name] = wrong
    assert not found


# --- Chinese, as it looks ---

KEPT = Path(__file__).with_name("chinese")


@sweep("size", [SMALL, USUAL], lambda size: size == SMALL, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_chinese_stands_in_its_columns(size: tuple[int, int]) -> None:
    language.ask_for("zh")
    async with QuietApp().run_test(size=size) as pilot:
        await launcher(pilot)
        await settled(pilot)
        pictures = {"launcher": grid(pilot.app.screen)}
    async with opened("websocket.pcapng", size) as (pilot, screen):
        screen.choose(Selection(row=Row(7)))
        for pane in PANES:
            pictures[pane.id] = await taken(pilot, pane.key)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen), "help")
        await settled(pilot)
        pictures["help"] = parts(pilot.app.screen, PlainScroll) + "\n"        # alone: without what lies below
    for name, picture in pictures.items():
        assert all(cell_width(line) <= size[0] for line in picture.splitlines()), name
        if name in ("launcher", "help") or (name == "ladder" and size == SMALL):
            assert_kept(KEPT / f"{name}-{size[0]}x{size[1]}.txt", picture)
