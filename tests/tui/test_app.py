"""The app around its screens: quitting, help, palette, themes, keymap, sizes."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.color import Color
from textual.dom import DOMNode
from textual.widgets import Input, Static

from inspector.model.language import use
from inspector.tui.files.settings import keep
from inspector.tui.launcher.help import HelpScreen, TooSmallScreen
from inspector.tui.launcher.palette import Palette
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.widgets.painter import PAINTS, Painter, contrast
from inspector.tui.widgets.prompt import MenuItem, MenuScreen
from tests.support.screen.live import QuietApp, grid, idle, launcher, opened, until
from tests.support.tiers import sweep, thorough


@pytest.mark.quick
@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_keys_quit(key: str) -> None:
    app = QuietApp()
    async with app.run_test() as pilot:
        await pilot.press(key)
        await until(pilot, lambda: app._exit, "the end of the app")


async def test_q_is_a_letter_while_one_types() -> None:
    app = QuietApp()
    async with app.run_test() as pilot:
        await pilot.press("o", "q")
        assert app.screen.query_one(Input).value == "q"
        assert not app._exit


@pytest.mark.quick
@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_says_the_keys_and_what_they_do(key: str) -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        assert isinstance(app.screen, HelpScreen)
        text = "\n".join(str(widget.render()) for widget in app.screen.query(Static))
        assert "WebSocket" in text
        assert "Quit" in text
        assert "private network" in text.replace("\n", " ")
        await pilot.press("escape")
        assert isinstance(app.screen, LauncherScreen)


async def test_the_palette_knows_our_commands() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert {"Help", "Theme", "Quit", "TCP", "WebSocket", "Open a file"} <= set(titles)
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, Palette)


@sweep("key", ["", "question_mark", "o", "v"], lambda key: key in ("", "question_mark"))
async def test_the_palette_lists_each_action_once(key: str) -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await launcher(pilot)
        if key:
            await pilot.press(key)
            await idle(pilot)
        listed = [(command.title, command.help) for command in app.get_system_commands(app.screen)]
        assert len(listed) == len(set(listed)), listed
        titles = [title for title, _ in listed]
        assert titles.count("Quit") == 1 and len(titles) == len(set(titles))
        if not key:
            traces = [title for title, about in listed if about.startswith("Key: ")]
            assert all(title.startswith("Kept trace ") for title in traces), traces
        if key == "question_mark":
            assert titles.count("Back") == 1 and "Help" not in titles


@thorough
async def test_every_theme_can_be_worn() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for name in app.available_themes:
            app.theme = name
            await idle(pilot)
            assert app.screen.query_one("#kind-tcp").styles.height is not None


@sweep("themes", [("textual-light", "nord", "dracula"), ()], bool, ids=["some", "all"])
async def test_every_role_can_be_read_in_every_theme(themes: tuple[str, ...]) -> None:
    app = QuietApp()
    async with app.run_test(size=(120, 40)) as pilot:
        head = app.screen.query_one("#sample Head", Painter)
        cursors = ((), ("line--cursor",), ("line--cursor-blurred",), ("line--also",))
        for theme in themes or app.available_themes:
            app.theme = theme
            await idle(pilot)
            for cursor, name in itertools.product(cursors, sorted(PAINTS)):
                style = head.colours(*cursor, name)
                ink, paper = style.color, style.bgcolor
                if theme.startswith("ansi") or ink is None or paper is None:
                    continue
                ratio = contrast(Color.from_rich_color(ink), Color.from_rich_color(paper))
                assert ratio > 4.3, (theme, cursor, name)


def _bindings(node: DOMNode) -> list[Binding]:
    return [binding for _, binding in node._bindings]


async def test_every_binding_of_ours_has_an_id() -> None:
    app = QuietApp()
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        for node in (app, *app.screen_stack):
            assert [binding for binding in _bindings(node) if not binding.id] == []


async def test_a_keymap_changes_keys(tmp_path: Path) -> None:
    path = tmp_path / "config" / "inspector" / "keymap.toml"
    path.parent.mkdir(parents=True)
    path.write_text('app.quit = "f10"\n')
    app = QuietApp()
    async with app.run_test() as pilot:
        await pilot.press("q")
        assert not app._exit
        await pilot.press("f10")
        assert app._exit


async def test_a_pane_s_tab_shows_the_key_of_the_keymap(tmp_path: Path) -> None:
    path = tmp_path / "config" / "inspector" / "keymap.toml"
    path.parent.mkdir(parents=True)
    path.write_text('workbench.messages = "f7"\n')
    async with opened("tcp.pcapng", (160, 30)) as (_, screen):
        assert "f7Messages" in grid(screen)


async def test_a_damaged_keymap_is_told_and_nothing_worse(tmp_path: Path) -> None:
    path = tmp_path / "config" / "inspector" / "keymap.toml"
    path.parent.mkdir(parents=True)
    path.write_text("what?")
    app = QuietApp()
    async with app.run_test() as pilot:
        await idle(pilot)
        assert [note.severity for note in app._notifications] == ["warning"]


async def test_a_small_terminal_says_so_and_recovers() -> None:
    app = QuietApp()
    async with app.run_test(size=(59, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen), "the screen's warning")
        assert "60 columns and 16 lines" in str(app.screen.query_one(Static).render())
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: isinstance(app.screen, LauncherScreen), "the launcher")
        await pilot.resize_terminal(80, 15)
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen), "the screen's warning")
        await pilot.press("q")
        assert app._exit


async def test_one_palette_is_enough_also_below_a_terminal_that_is_too_small() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p")
        await pilot.resize_terminal(50, 14)
        await pilot.press("ctrl+p")
        await idle(pilot)
        assert isinstance(app.screen, TooSmallScreen)
        await pilot.resize_terminal(80, 24)
        await idle(pilot)
        assert [type(screen) for screen in app.screen_stack[1:]] == [LauncherScreen, Palette]


@sweep("key", ["", "ctrl+p", "question_mark"], lambda key: key == "ctrl+p")
async def test_the_word_of_a_small_terminal_goes_with_its_reason(key: str) -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await launcher(pilot)
        if key:
            await pilot.press(key)
        before = list(app.screen_stack)
        await pilot.resize_terminal(40, 10)
        await pilot.press("ctrl+p")
        await pilot.resize_terminal(50, 12)
        await idle(pilot)
        assert [*before, app.screen] == app.screen_stack and isinstance(app.screen, TooSmallScreen)
        await pilot.resize_terminal(80, 24)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LauncherScreen), "the launcher")


async def test_a_box_that_opens_on_a_small_terminal_waits_below_the_word() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await launcher(pilot)
        await pilot.resize_terminal(40, 10)
        menu = MenuScreen("Whether?", [MenuItem("y", "Yes", "", "yes")])
        app.push_screen(menu)                                  # as a worker does that has found something out
        await idle(pilot)
        assert isinstance(app.screen, TooSmallScreen)
        await pilot.resize_terminal(80, 24)
        await idle(pilot)
        assert app.screen_stack[1:] == [app.screen_stack[1], menu]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LauncherScreen), "the launcher")


async def test_the_size_is_looked_at_again_when_a_screen_goes() -> None:
    app = QuietApp()
    async with app.run_test(size=(40, 10)) as pilot:
        await idle(pilot)
        app.pop_screen()
        await idle(pilot)
        assert isinstance(app.screen, TooSmallScreen)


async def test_sentences_are_never_read_as_markup() -> None:
    app = QuietApp()
    async with app.run_test() as pilot:
        sentence = "[::1]:8765 [@click=app.quit] [bold is in use."
        app.notify(sentence)
        app.screen.notify(f"Too: {sentence}")
        await idle(pilot)
        notes = [(note.message, note.markup) for note in app._notifications]
        assert notes == [(sentence, False), (f"Too: {sentence}", False)]


async def test_a_sentence_stands_there_once() -> None:
    app = QuietApp()
    async with app.run_test() as pilot:
        for _ in range(5):
            app.notify("Nothing to step.")
        await idle(pilot)
        assert len(app._notifications) == 1
        app.clear_notifications()
        app.notify("Nothing to step.")
        await idle(pilot)
        assert len(app._notifications) == 1


async def test_a_theme_that_is_chosen_stays_for_the_next_time() -> None:
    for chosen in ("textual-dark", "textual-light"):
        app = QuietApp()
        async with app.run_test(size=(80, 24)) as pilot:
            await launcher(pilot)
            assert app.theme == chosen
            app.theme = "textual-light"
            await idle(pilot)


async def test_a_theme_that_is_not_known_is_as_if_there_were_none() -> None:
    keep(theme="no such theme")
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await launcher(pilot)
        assert app.theme == "textual-dark"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(80, 24), (60, 16)])
async def test_a_toast_of_any_length_is_shown_whole(size: tuple[int, int], language: str) -> None:
    app = QuietApp()
    async with app.run_test(size=size, notifications=True) as pilot:
        await launcher(pilot)
        use(language)
        for length in range(size[0] - 7, size[0] + 2):         # one line, or just not
            end = f"<{length}>"
            filling = "待" * ((length - len(end)) // 2) if language == "zh" else "x " * (length // 2)
            app.notify(filling[: length - len(end)] + end, timeout=60)
            await until(pilot, partial(shown_in, app, end), f"the end of a toast of {length} cells")
            app.clear_notifications()
            await until(pilot, partial(gone_from, app, end), "none again")


def shown_in(app: QuietApp, text: str) -> bool:
    return text in grid(app.screen)


def gone_from(app: QuietApp, text: str) -> bool:
    return not shown_in(app, text)
