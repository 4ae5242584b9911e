"""Lessons on the screen: asked before it happens, the truth beside the answer, back and forth, the map."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.lessons import progress
from inspector.lessons.library import EXAMPLE, find, names
from inspector.lessons.play.answers import truth_of
from inspector.sessions.kinds.browser.programs import NONE
from inspector.trace.trace import Trace
from inspector.tui.lessons.ladder_pane import LessonLadderPane
from inspector.tui.lessons.map import LessonMapScreen
from inspector.tui.lessons.page_list import NumberInput, PageList
from inspector.tui.lessons.screen import LessonScreen
from inspector.tui.messages import LessonsAsked
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.line_list import LineList
from inspector.views.line.spans import plain
from tests.support.running.lab import needs_lab
from tests.support.screen.grids import assert_kept
from tests.support.screen.live import SMALL, USUAL, QuietApp, grid, idle, launcher, until, until_shown
from tests.support.tiers import sweep, thorough

KEPT = Path(__file__).with_name("snapshots")


def lesson(pilot: Pilot[Any]) -> LessonScreen:
    screen = pilot.app.screen
    assert isinstance(screen, LessonScreen)
    return screen


@asynccontextmanager
async def taking(
    name: str, size: tuple[int, int] = USUAL, language: str = "en"
) -> AsyncIterator[Pilot[Any]]:
    """The app on a lesson whose first run is there."""
    app = QuietApp(lessons=LessonsAsked(find(name), language))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LessonScreen), "the lesson")
        await until(pilot, lambda: lesson(pilot).player.scene, "its run")
        await until(pilot, lambda: not lesson(pilot).player.catching_up, "what came before")
        yield pilot


def trace_of(pilot: Pilot[Any]) -> Trace:
    scene = lesson(pilot).player.scene
    assert scene is not None
    return scene.trace


def words(pilot: Pilot[Any]) -> str:
    page = lesson(pilot).query_one(PageList).page
    assert page is not None
    return "\n".join(plain(line) for line in page.lines)


def joined(text: str) -> str:
    return " ".join(text.split())


async def until_over(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: lesson(pilot).player.record.phase == "over", "the end of the step")
    await idle(pilot)


@needs_lab
async def test_a_lesson_from_its_beginning_to_its_end() -> None:
    async with taking(str(EXAMPLE)) as pilot:
        screen = lesson(pilot)
        await pilot.press("enter")
        assert "How many packets" in words(pilot) and screen.query_one(NumberInput).has_focus
        shown = {key.shown: key.name for key in screen.query_one(KeyLine).keys(100)}
        wanted = {"⏎": "Answer", "esc": "To the words", "i": "Hint", "]": "Panes", "m": "Map", "q": "Quit"}
        assert wanted.items() <= shown.items()
        await pilot.press("right")                         # nothing is passed by before it was answered
        assert screen.player.place == 1 and screen.player.scene is not None
        assert screen.player.scene.trace.index.count == 0
        await pilot.press("i")
        assert "Each end has to say something" in words(pilot)
        await pilot.press("2", "enter")
        await until_over(pilot)
        assert "You said: 2" in words(pilot) and "It was: 3" in words(pilot)
        assert "must also say that it heard" in words(pilot) and "to port 9000" in words(pilot)
        await pilot.press("enter")
        assert "packet 2  tcp.ack = ____" in words(pilot)
        ladder = screen.query_one(LessonLadderPane).ladder
        assert ladder is not None
        assert any("SYN ACK  seq 0 ack ?" in plain(ladder.line(index, 76)) for index in range(ladder.count))
        await pilot.press("5", "enter")
        assert "✗" in words(pilot) and screen.player.record.phase == "ask"
        await pilot.press("1", "enter")
        await until_over(pilot)
        assert not any("ack ?" in plain(ladder.line(index, 76)) for index in range(ladder.count))
        await pilot.press("left")
        assert "You said: 2" in words(pilot)
        await pilot.press("right", "enter")
        assert "client ◀── RST ACK ── server" in words(pilot)
        await pilot.press("2", "enter")
        await until_over(pilot)
        assert "Right." in words(pilot) and screen.comparing
        await until(pilot, lambda: "≠" in grid(screen).partition("before")[2], "what differs, in sight")
        marked = [line for line in grid(screen).splitlines() if " ≠" in line]
        assert any("SYN ACK" in line for line in marked) and any("RST ACK" in line for line in marked)
        await pilot.press("o")
        assert not screen.comparing
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LessonMapScreen), "the map")


@needs_lab
async def test_an_agent_that_is_killed_is_told_and_the_lesson_begins_anew() -> None:
    async with taking(str(EXAMPLE)) as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.player.scene is not None, "the run")
        session = screen.runs.session
        assert session is not None and session._agent is not None
        os.kill(session._agent.pid, 9)
        app = pilot.app
        assert isinstance(app, QuietApp)
        await until(pilot, lambda: any("R plays this" in note.message for note in app.toasts), "a word")
        await pilot.press("R")
        await until(pilot, lambda: screen.runs.session is not session and screen.player.scene is not None,
                    "another run")


@needs_lab
async def test_the_words_have_the_room_that_they_need_and_a_key_scrolls_more() -> None:
    async with taking(str(EXAMPLE), SMALL) as pilot:
        page = lesson(pilot).query_one(PageList)
        await pilot.press("enter")
        await until(pilot, lambda: lesson(pilot).query_one(NumberInput).has_focus, "the line for numbers")
        await idle(pilot)
        assert grid(lesson(pilot)).count("A number, then Enter") == 1
        assert not page.overflows and page.max_scroll_y == 0
        assert "PgDn" not in grid(lesson(pilot))
        for _ in range(3):
            await pilot.press("i")
        await pilot.press("2", "enter")
        await until_over(pilot)
        await until(pilot, lambda: page.overflows and "PgDn Scroll" in grid(lesson(pilot)), "words to scroll")
        await pilot.press("pageup")
        await until(pilot, lambda: page.scroll_y == 0, "the first line")
        await pilot.press("pagedown")
        await until(pilot, lambda: page.scroll_y > 0, "what stands below")


@needs_lab
async def test_a_lesson_that_lacks_its_browser_says_so_and_leads_to_the_map(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    app = QuietApp(lessons=LessonsAsked(find("browser"), "en"))
    async with app.run_test(size=SMALL) as pilot:
        await until_shown(pilot, NONE)
        await until(pilot, lambda: isinstance(app.screen, LessonMapScreen), "the map")


@needs_lab
async def test_no_visitor_starts_a_browser_of_this_machine() -> None:
    app = QuietApp(lessons=LessonsAsked(find("browser"), "en"), visitor=True)
    async with app.run_test(size=SMALL) as pilot:
        await until_shown(pilot, "not started for visitors")
        await until(pilot, lambda: isinstance(app.screen, LessonMapScreen), "the map")


@needs_lab
async def test_who_goes_away_goes_on_there() -> None:
    progress.keep("socket", progress.Progress(5, 10))
    async with taking("socket") as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.player.place == 5, "the step where one was")
        assert screen.player.scene is not None and screen.player.scene.trace.index.count == 3
        await pilot.press("R")
        await until(pilot, lambda: screen.player.place == 0 and screen.player.scene and not screen._starting,
                    "the beginning")
    assert progress.of("socket").step == 0


@needs_lab
async def test_what_a_step_looks_at_is_shown_to_who_goes_on_there_too() -> None:
    progress.keep("upgrade", progress.Progress(5, 11))
    async with taking("upgrade") as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.player.place == 5 and screen.front == "handshake", "the pane")
        await pilot.press("right_square_bracket")
        assert screen.front == "sockets"


@thorough
@needs_lab
async def test_what_is_asked_of_the_past_is_not_told_by_the_ladder() -> None:
    progress.keep("closing", progress.Progress(3, 13))
    async with taking("closing") as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.player.place == 3, "the step")
        await idle(pilot)
        ladder = screen.query_one(LessonLadderPane).ladder
        assert ladder is not None
        assert "?" in plain(ladder.header(76)[1]) and "FIN-WAIT-2" not in plain(ladder.header(76)[1])
        await pilot.press("3", "enter")
        await until_over(pilot)
        assert "FIN-WAIT-2" in plain(ladder.header(76)[1])
        await pilot.press("enter", "2", "enter", "enter")
        assert screen.player.step.id == "zero"
        shown = [plain(ladder.line(index, 76)) for index in range(ladder.count)]
        assert any("= ?" in line for line in shown) and not any("= 0  end" in line for line in shown)
        await pilot.press("0", "enter")
        await until_over(pilot)
        assert any("= 0" in plain(ladder.line(index, 76)) for index in range(ladder.count))


@thorough
@needs_lab
async def test_things_are_put_in_order_unseen_and_done_by_choice() -> None:
    progress.keep("handshake", progress.Progress(2, 11))
    async with taking("handshake") as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.player.place == 2, "the step")
        await idle(pilot)
        assert not screen.query_one("#beside").visible      # the ladder would tell
        assert "Press the numbers in their order" in words(pilot) and "i: a hint" in words(pilot)
        await pilot.press("enter")
        await until_shown(pilot, "Press the numbers in their order")       # and not how one predicts
        await pilot.press("1", "2", "backspace", "3", "3")
        await pilot.press("enter")
        await until_shown(pilot, "2 of 3 have their place")
        await pilot.press("2")
        assert "ACK, from the client  ← place 1" in words(pilot) and "Enter gives this order" in words(pilot)
        assert screen.player.record.judged is None         # not before Enter: one can take it back
        await pilot.press("enter")
        assert screen.player.record.phase == "ask" and "Not" in words(pilot)
        await pilot.press("s")
        await until_over(pilot)
        assert screen.query_one("#beside").visible
    progress.keep("closing", progress.Progress(11, 13))
    async with taking("closing") as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.player.place == 11, "the step")
        await pilot.press("2", "enter")
        await until(pilot, lambda: trace_of(pilot).index.count == 5, "the FIN")
        assert screen.player.record.phase == "ready"
        await pilot.press("1", "enter")
        await until_over(pilot)


@needs_lab
@pytest.mark.parametrize("language", ["en", "zh"])
@sweep("size", [SMALL, USUAL], lambda size: size == SMALL)
async def test_looks(size: tuple[int, int], language: str) -> None:
    async with taking(str(EXAMPLE), size, language) as pilot:
        await pilot.press("enter", "i", "2", "enter")
        await until_over(pilot)
        screen = lesson(pilot)
        region = screen.query_one("#words").region
        lines = screen._compositor.render_strips()[region.y : region.bottom]
        text = "\n".join(line.crop(region.x, region.right).text.rstrip() for line in lines) + "\n"
        assert_kept(KEPT / f"words-{size[0]}x{size[1]}-{language}.txt", text)


@thorough
@needs_lab
async def test_a_number_goes_into_its_line_also_after_escape() -> None:
    progress.keep("handshake", progress.Progress(3, 11))
    async with taking("handshake") as pilot:
        line = lesson(pilot).query_one(NumberInput)
        await until(pilot, lambda: line.has_focus, "the line for numbers")
        await pilot.press("escape")
        assert not line.has_focus
        await pilot.press("1", "0")
        assert line.has_focus and line.value == "10"
        await pilot.press("escape", "enter")
        assert line.has_focus


@needs_lab
async def test_arrows_and_enter_put_in_order_too_and_the_list_stays_in_sight() -> None:
    progress.keep("socket", progress.Progress(7, 10))
    async with taking("socket", SMALL) as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.player.place == 7, "the step")
        await pilot.press("i", "i", "i", "4", "3", "2", "1", "enter")
        assert screen.player.record.tries == 1 and screen.player.record.phase == "ask"
        await idle(pilot)
        seen = grid(screen)
        assert all(f" {number}  " in seen for number in range(1, 5)) and "Not" in seen, seen
        assert not screen.query_one(PageList).overflows        # the half below, where nothing stands, is used
        order = [one.id for one in screen.player.step.items]
        scene = screen.player.scene
        assert scene is not None
        truth = truth_of(screen.player.step, scene)
        assert truth is not None
        for name in truth:
            await pilot.press("up", "up", "up", "up", *["down"] * order.index(name), "enter")
        assert screen.player.record.phase == "ask"
        await pilot.press("enter")
        await until_over(pilot)
        judged = screen.player.record.judged
        assert judged is not None and judged.all_right


@thorough
@needs_lab
async def test_a_number_that_is_filled_in_anew_has_no_old_mark_and_right_ones_stay() -> None:
    progress.keep("handshake", progress.Progress(3, 11))
    async with taking("handshake") as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.query_one(NumberInput).has_focus, "the line for numbers")
        assert "A number, then Enter, for each in turn." in joined(words(pilot))
        await pilot.press("7", "enter")
        ladder = screen.query_one(LessonLadderPane).ladder
        assert ladder is not None
        shown = "\n".join(plain(ladder.line(index, 76)) for index in range(ladder.count))
        assert "ack ?" in shown                            # what was typed is not judged yet
        await pilot.press("1", "enter")
        assert "= 7  ✗" in words(pilot) and "= 1  ✓" in words(pilot)
        await pilot.press("1", "enter")                    # the other one stays: it is right
        await until_over(pilot)
    progress.keep("handshake", progress.Progress(3, 11))
    async with taking("handshake") as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.query_one(NumberInput).has_focus, "the line for numbers")
        await pilot.press("0", "enter", "7", "enter")
        assert words(pilot).count("✗") == 3                # both, and the verdict
        await pilot.press("1", "enter")
        assert "tcp.ack = 1\n" in words(pilot) and "tcp.seq = 7  ✗" in words(pilot)


@thorough
async def test_the_map_stands_on_the_next_lesson_after_one_that_was_finished() -> None:
    done = ("socket", "life", "data")
    for name in done:
        progress.keep(name, progress.Progress(0, 10, True))
    app = QuietApp()
    async with app.run_test(size=SMALL) as pilot:
        await launcher(pilot)
        for chosen, goes_on, stands in (
            ("life", True, "handshake"), ("data", True, "closing"), ("life", False, "life"),
            ("browser", True, "browser"), ("", False, "handshake"),
        ):
            app.push_screen(LessonMapScreen("en", chosen, goes_on=goes_on))
            await idle(pilot)
            assert isinstance(app.screen, LessonMapScreen)
            lines = app.screen.query_one(LineList)
            assert lines.provider is not None and lines.cursor is not None
            assert lines.provider.target(lines.cursor) == stands
            app.pop_screen()


async def test_the_map_and_the_way_there() -> None:
    progress.keep("socket", progress.Progress(0, 10, True))
    progress.keep("life", progress.Progress(5, 10))
    async with QuietApp().run_test(size=SMALL) as pilot:
        await launcher(pilot)
        await pilot.press("L")
        await until(pilot, lambda: isinstance(pilot.app.screen, LessonMapScreen), "the map")
        await idle(pilot)
        assert all(str(find(name).text("en").title) in grid(pilot.app.screen) for name in names())
        assert_kept(KEPT / "map-80x24-en.txt", grid(pilot.app.screen))
        await pilot.press("l")
        assert "三次握手" in grid(pilot.app.screen)
        await pilot.press("R")
        assert not progress.of("life").step                # the first one that is not done was chosen
        await pilot.press("n")
        await launcher(pilot)


def looked_at(pilot: Pilot[Any]) -> str:
    """What stands below the tabs of the pane, where the words stand above it."""
    screen = lesson(pilot)
    top = screen.pane.region
    return "\n".join(line[top.x : top.right] for line in grid(screen).splitlines()[top.y : top.bottom])


USUALLY = ("upgrade-headers", "facade-bytes")
LOOKS = [(name, place, step) for name in names() for place, step in enumerate(find(name).steps) if step.look]


@needs_lab
@pytest.mark.parametrize(("name", "place"), [
    pytest.param(name, place, id=f"{name}-{step.id}", marks=() if f"{name}-{step.id}" in USUALLY
                 else pytest.mark.thorough)
    for name, place, step in LOOKS
])  # fmt: skip
async def test_a_step_that_says_look_opens_the_very_place(name: str, place: int) -> None:
    steps = find(name).steps
    progress.keep(name, progress.Progress(place, len(steps)))
    look = steps[place].look
    assert look is not None
    async with taking(name, SMALL) as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: (screen.player.place, screen.front) == (place, look.pane), "the pane")
        if look.heading:
            await until(pilot, lambda: look.heading in looked_at(pilot).splitlines()[0], "the section")
            return
        await until(pilot, lambda: screen.selection.field is not None, "the field")
        field = screen.selection.field
        assert field is not None
        if look.pane == "detail":
            await until(pilot, lambda: any(line.startswith("▶") and field.label in line
                                           for line in looked_at(pilot).splitlines()), "the field's line")
        else:
            assert look.pane == "bytes" and screen.runs.trace is not None and screen.selection.row is not None
            first = screen.runs.trace.frame(screen.selection.row)[field.start : field.start + 2].hex(" ")
            await until(pilot, lambda: first in looked_at(pilot), "its bytes")
