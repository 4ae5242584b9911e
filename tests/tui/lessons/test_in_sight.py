"""What became of an answer stands in sight, at each step of each lesson, on the smallest usual screen."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.lessons import progress
from inspector.lessons.library import find, names
from inspector.lessons.play.player import ASKED
from inspector.tui.lessons.page_list import NumberInput, PageList
from inspector.tui.lessons.screen import LessonScreen
from tests.support.running.lab import needs_lab
from tests.support.screen.live import SMALL, grid, idle, until
from tests.tui.lessons.test_lessons import joined, lesson, taking, until_over, words

ASKS = [(name, place, step) for name in names() if name != "browser"
        for place, step in enumerate(find(name).steps) if step.kind in {*ASKED, "explain"}]
USUALLY = {("socket", 7), ("data", 2)}


async def answered_somehow(pilot: Pilot[Any], screen: LessonScreen) -> None:
    """Wrongly at first where one may try again; then the truth is shown."""
    kind = screen.player.step.kind
    if kind == "explain":
        await pilot.press("enter")
        return
    if kind == "order":
        digits = [str(number) for number in range(len(screen.player.step.items), 0, -1)]
        await pilot.press(*digits, "enter")
    elif screen.query_one(NumberInput).display:
        for _ in range(len(screen.player.step.blanks) or 1):
            await pilot.press("7", "7", "enter")
    else:
        await pilot.press("1", "enter")
    if kind in ("order", "blank") and screen.player.record.phase == "ask":
        await pilot.press("s")


@needs_lab
@pytest.mark.parametrize(("name", "place"), [
    pytest.param(name, place, id=f"{name}-{step.id}",
                 marks=() if (name, place) in USUALLY else pytest.mark.thorough)
    for name, place, step in ASKS
])  # fmt: skip
async def test_the_verdict_and_the_truth_are_in_sight(name: str, place: int) -> None:
    progress.keep(name, progress.Progress(place, len(find(name).steps)))
    async with taking(name, SMALL) as pilot:
        screen = lesson(pilot)
        record = screen.player.records[place]
        await until(pilot, lambda: screen.player.place == place and record.phase in ("ask", "read"), "it")
        await answered_somehow(pilot, screen)
        await until(pilot, lambda: record.phase == "over" or record.revealed, "what became of it")
        page = screen.query_one(PageList)
        shown = page.page
        assert shown is not None and shown.news
        last = min(shown.count, shown.news + 5)            # the verdict, and what was said beside the truth

        def in_sight() -> bool:
            top = round(page.scroll_y)
            return top <= shown.news and last <= top + page.size.height

        await until(pilot, in_sight, "the verdict in sight")
        await pilot.resize_terminal(SMALL[0] + 1, SMALL[1])
        await until(pilot, in_sight, "the same after the window has changed")


@needs_lab
async def test_numbers_that_were_filled_in_anew_stand_beside_the_truth() -> None:
    progress.keep("handshake", progress.Progress(3, 11))
    async with taking("handshake", SMALL) as pilot:
        screen = lesson(pilot)
        await until(pilot, lambda: screen.query_one(NumberInput).has_focus, "the line for numbers")
        await pilot.press("7", "enter", "8", "enter", "5", "enter", "6", "s")
        await until_over(pilot)
        assert "tcp.ack = 5  ✗ 1" in words(pilot) and "= 7" not in words(pilot)
        assert "tcp.seq = ____ 1" in joined(words(pilot)) and "= 8" not in words(pilot)
        assert "tcp.ack = 5  ✗ 1" in grid(screen)
        await pilot.press("enter")
        assert screen.query_one(NumberInput).value == ""   # the 6 is no answer of another step


@needs_lab
async def test_what_is_to_be_done_is_said_until_it_was_done() -> None:
    progress.keep("socket", progress.Progress(7, 10))
    async with taking("socket", SMALL) as pilot:
        await until(pilot, lambda: lesson(pilot).player.place == 7, "the step")
        await pilot.press("1", "enter")
        await until(pilot, lambda: any("1 of 4" in text for text in now(pilot)), "how many have their place")
        await pilot.press("2")
        await idle(pilot)
        assert not any("1 of 4" in text for text in now(pilot))


def now(pilot: Pilot[Any]) -> list[str]:
    """The toasts that are seen now."""
    return [note.message for note in pilot.app._notifications]
