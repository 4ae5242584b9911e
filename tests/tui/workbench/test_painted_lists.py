"""After each key of a live session the terminal shows what the views have: no line stays that was elsewhere.

app -> its own output (`PaintedDriver`) -> `Painted` -> the cells of every list <- its provider's lines. Only
what differs is painted, of the screen and of a list that grows; here all of it is held against the trace.
"""

from __future__ import annotations

from typing import Any

from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot
from textual.widgets._toast import Toast

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.widgets.line_list import LineList
from inspector.tui.workbench.workbench import WorkbenchScreen
from inspector.views.ladder.ladder import Ladder
from inspector.views.line.spans import plain
from tests.support.running.lab import needs_lab
from tests.support.screen.keys import type_together
from tests.support.screen.live import QuietApp, bench, running, settled, until
from tests.support.screen.painted import Painted
from tests.support.tiers import sweep, thorough

NOTE = 16              # cells in which the last line says how many are new


class PaintedDriver(HeadlessDriver):
    """Takes all that the app would write to a terminal."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.painted = Painted(self._get_terminal_size())

    @property
    def is_headless(self) -> bool:
        return False       # or nothing is written

    def write(self, data: str) -> None:
        self.painted.feed(data.encode())


def painted(pilot: Pilot[Any]) -> Painted:
    driver = pilot.app._driver
    assert isinstance(driver, PaintedDriver)
    return driver.painted


def differences(pilot: Pilot[Any]) -> list[str]:
    """What stands on the screen beside what should: all lists in sight, and the ladder laid out anew."""
    screen, found = bench(pilot), []
    screen_lines = painted(pilot).text.split("\n")
    toasts = [toast.region for toast in screen.query(Toast)]
    for widget in screen.query(LineList):
        if widget.provider is None or not widget.is_on_screen:
            continue
        left, top, _, height = widget.content_region
        for y in range(height):
            seen = widget.line_width
            if widget.unseen and y == height - 1:
                seen -= NOTE
            index, start = round(widget.scroll_y) + y, left + len(widget.SIGN)
            over = [toast.x - start for toast in toasts if toast.y <= top + y < toast.bottom]
            seen = max(min([seen, *over]), 0)
            is_there = index < widget.provider.count
            wanted = plain(widget.provider.line(index, widget.line_width)) if is_there else ""
            stands = screen_lines[top + y][start:]
            # The sign of what is chosen stands in a blank of the ladder, and looks like an arrow's head.
            both = [text.ljust(seen)[:seen].replace("▶", " ").rstrip() for text in (stands, wanted)]
            if both[0] != both[1]:
                found.append(f"{widget.id} line {index}\n  painted {both[0]}\n  wanted  {both[1]}")
    return found + _ladder_differences(screen.query_one(LadderPane))


def _ladder_differences(pane: LadderPane) -> list[str]:
    """The ladder that grew beside one made of the same trace at once."""
    if pane.ladder is None or pane.trace is None:
        return []
    anew = Ladder(pane.trace, pane.ladder.conversation, relative=pane.relative)
    grown, whole = ([plain(one.line(index, 100)) for index in range(one.count)]
                    for one in (pane.ladder, anew))
    return [] if grown == whole else ["the ladder grew to", *grown, "and made at once is", *whole]


async def until_painted(pilot: Pilot[Any], after: str) -> None:
    """Wait until all agrees; what is open over the workbench hides it meanwhile."""
    if isinstance(pilot.app.screen, WorkbenchScreen):
        await settled(pilot)
        try:
            await until(pilot, lambda: not differences(pilot), "the screen")
        except AssertionError:
            raise AssertionError("\n".join([f"after {after!r}:", *differences(pilot)])) from None


@needs_lab
@sweep(("kind", "size"), [("tcp", (80, 24)), ("http", (120, 40)), ("websocket", (120, 40))],
       lambda case: case[0] == "tcp")
async def test_every_line_is_painted_once_where_it_stands(kind: str, size: tuple[int, int]) -> None:
    app = QuietApp(start=resolved(SessionSpec(kind=kind, interactive=True)))
    app.driver_class = PaintedDriver
    async with app.run_test(size=size, headless=False) as pilot:
        await running(pilot, 2)
        await until_painted(pilot, "the start")
        keys = ("chello\r", "\x1b", "s", "s", "\x1b[A", "\x1b[A", "chi\r", "\x1b", "G", "x", "h", "r", "a",
                "a", " ", "g", "G", "2", "\x1b[B", "1", "xc")
        for number, key in enumerate(keys):
            await type_together(pilot, key)
            await until_painted(pilot, key)
            if number % 7 == 3:
                width, height = size if painted(pilot).width != size[0] else (size[0] + 12, size[1] - 3)
                painted(pilot).resize(width, height)
                await pilot.resize_terminal(width, height)
                await until_painted(pilot, f"{width}x{height}")


@thorough
@needs_lab
async def test_what_is_chosen_nowhere_is_asked_for_from_the_beginning() -> None:
    app = QuietApp(start=resolved(SessionSpec(kind="tcp", interactive=True)))
    app.driver_class = PaintedDriver
    async with app.run_test(size=(120, 40), headless=False) as pilot:
        await running(pilot, 2)
        hint = "bytes of the packet that is chosen"
        await until(pilot, lambda: hint in painted(pilot).text, "what the empty pane is for")
