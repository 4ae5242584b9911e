"""Every pane in the list: its name, its key, its help; shown by its key on a session and on any file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Static

from inspector.model.packets import Row
from inspector.tui.launcher.help import HelpScreen
from inspector.tui.messages import NOTHING, Selection
from inspector.tui.panes.base import PaneSpec
from inspector.tui.panes.detail import HINT
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.panes.registry import PANES
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.tui.widgets.title_bar import TitleBar
from inspector.tui.workbench.workbench import WorkbenchScreen, _tabs
from inspector.wire import pcapng
from tests.support.running.lab import needs_lab
from tests.support.screen.live import (
    LARGE,
    SMALL,
    USUAL,
    bench,
    grid,
    opened,
    running,
    session,
    settled,
    trace,
    until,
)
from tests.support.tiers import sweep, thorough

every_pane = pytest.mark.parametrize("spec", PANES, ids=[spec.id for spec in PANES])


def test_names_and_keys_are_each_ones_own() -> None:
    bound = [binding.key for binding in WorkbenchScreen.BINDINGS if isinstance(binding, Binding)]
    for own in ([spec.id for spec in PANES], [spec.title for spec in PANES], bound):
        assert len(set(own)) == len(own)


@every_pane
def test_it_has_a_title_a_key_and_an_explanation(spec: PaneSpec) -> None:
    assert spec.title and spec.key and spec.pane.LEGEND
    assert f"show_pane('{spec.id}')" in [
        binding.action for binding in WorkbenchScreen.BINDINGS
        if isinstance(binding, Binding) and binding.key == spec.key
    ]  # fmt: skip


def test_a_tab_shows_the_sign_of_its_key() -> None:
    assert [tab.key for tab in _tabs((replace(PANES[1], key="minus"), PANES[1]))] == ["-", PANES[1].key]


def lines(screen: WorkbenchScreen, name: str) -> list[str]:
    """What the list of a pane shows, line by line."""
    shown = screen.pane(name).query_one(LineList)
    return [shown.render_line(y).text.rstrip() for y in range(shown.size.height)]


async def show_each(pilot: Pilot[Any], screen: WorkbenchScreen) -> None:
    """By its key each pane gets a place and the keys, and says something."""
    for spec in PANES:
        await pilot.press(spec.key)
        await settled(pilot)
        pane = screen.pane(spec.id)
        assert pane.is_seen and pane.region.area, spec.id
        assert screen.focused is not None and pane in screen.focused.ancestors, spec.id
        assert any(lines(screen, spec.id)), spec.id


@sweep("size", [SMALL, USUAL, LARGE, (60, 16)], lambda size: size == SMALL,
       ids="{0[0]}x{0[1]}".format)
async def test_all_hold_something_on_a_file(size: tuple[int, int]) -> None:
    async with opened("websocket.pcapng", size) as (pilot, screen):
        screen.choose(Selection(row=Row(7)))
        await show_each(pilot, screen)


@thorough
async def test_all_say_that_there_is_nothing_on_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcapng"
    path.write_bytes(pcapng.section_header() + pcapng.interface_description(1))
    async with opened(path, SMALL) as (pilot, screen):
        await show_each(pilot, screen)
        await pilot.resize_terminal(*USUAL)
        await show_each(pilot, screen)


def drawn(head: Head) -> str:
    return " ".join(head.render_line(y).text for y in range(head.size.height))


async def test_a_chosen_socket_moves_no_time() -> None:
    async with opened("tcp.pcapng", USUAL) as (pilot, screen):
        await pilot.press("6")
        await settled(pilot)
        before = lines(screen, "sockets")
        foot = screen.query_one("#sockets-foot", Head)
        for key in ("down", "down", "home", "end"):
            await pilot.press(key)
            await settled(pilot)
            assert screen.selection == NOTHING
            now = [text[1:] for text in lines(screen, "sockets")]
            assert now == [text[1:] for text in before][: len(now)]
        screen.choose(Selection(row=Row(2)))
        await settled(pilot)
        await pilot.press("home", "down", "down")
        await settled(pilot)
        assert screen.selection.row == 2
        shown = next(text for text in lines(screen, "sockets") if text.startswith("▶"))
        assert " ESTABLISHED" in shown
        screen.choose(Selection(row=Row(11)))            # the foot tells of the line as it is now
        await until(pilot, lambda: "TIME-WAIT" in drawn(foot), "the foot's word of the new state")
        await pilot.press("enter")
        await until(pilot, lambda: screen.front == "ladder", "the ladder")
        assert screen.selection.row == 11                # of this conversation it is the packet then


@needs_lab
async def test_all_hold_something_while_a_session_runs() -> None:
    async with session("websocket", SMALL) as pilot:
        await running(pilot, 8)
        await show_each(pilot, bench(pilot))
        await pilot.resize_terminal(*USUAL)
        await show_each(pilot, bench(pilot))


@thorough
async def test_help_explains_the_pane_that_has_the_keys() -> None:
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        for spec in PANES:
            await pilot.press(spec.key)
            await settled(pilot)
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen), "help")
            headings = [str(widget.render()) for widget in pilot.app.screen.query(Static)]
            assert headings[0] == spec.title
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is screen, "the workbench")


@sweep(("pane", "key", "words"), [
    ("detail", "8", HINT),
    ("packets", "2", "No packet of 12 is let through by udp. Escape shows all of them."),
    ("findings", "7", "Nothing to complain about."),
    ("stream", "4", "UDP has no stream: every datagram stands for itself, as the packets show."),
], lambda case: case[0] == "stream")
async def test_a_paragraph_is_wrapped_anew_when_its_pane_changes_its_width(
    pane: str, key: str, words: str
) -> None:
    async with opened("udp.pcapng" if pane == "stream" else "tcp.pcapng", (200, 50)) as (pilot, screen):
        if pane == "packets":
            await pilot.press("slash", *"udp", "enter")
        await pilot.press(key)
        for width in (200, 80, 61, 130):
            await pilot.resize_terminal(width, 40)
            await pilot.press(key)

            def whole() -> bool:
                lines = screen.pane(pane).query_one(LineList)
                seen = min(lines.count, lines.size.height)
                parts = [part for y in range(seen) if (part := lines.render_line(y).text.strip())]
                return " ".join(parts) == words and (len(parts) == 1 or len(parts[0]) > lines.line_width // 2)

            await until(pilot, whole, f"all of it in {width} columns")


async def test_states_above_the_ladder_are_those_of_what_is_in_sight() -> None:
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        pane = screen.query_one(LadderPane)
        head = screen.query_one("#ladder-head", Head)
        await until(pilot, lambda: drawn(head).count("CLOSED") == 2, "those before its first call")
        pane.lines.scroll_to(y=pane.lines.max_scroll_y - 1, animate=False)
        await until(pilot, lambda: "LISTEN" in drawn(head), "those of the first line in sight")
        screen.choose(Selection(row=Row(0)))
        await until(pilot, lambda: "SYN-SENT" in drawn(head), "those of the chosen packet")


async def test_states_above_the_ladder_of_a_file_are_those_of_what_is_chosen_after_its_end() -> None:
    async with opened("tcp.pcapng", LARGE) as (pilot, screen):
        head = screen.query_one("#ladder-head", Head)
        await pilot.press("1", "G")
        await until(pilot, lambda: "TIME-WAIT" in drawn(head), "those of the end")
        screen.choose(Selection(row=Row(0)))            # it is in sight, and nothing moves
        await until(pilot, lambda: "SYN-SENT" in drawn(head), "those of the chosen packet")


@sweep(("file", "key", "words"), [
    ("udp.pcapng", "3", "UDP 0 has no stream of messages"), ("tcp.pcapng", "7", "Nothing to complain about."),
], lambda case: case[0] == "tcp.pcapng")
async def test_what_is_wholly_there_has_no_so_far(file: str, key: str, words: str) -> None:
    async with opened(file, SMALL) as (pilot, screen):
        for spec in PANES:
            await pilot.press(spec.key)
            await settled(pilot)
            assert "so far" not in grid(screen), spec.id
        await pilot.press(key)
        await until(pilot, lambda: words in grid(screen), "the words")


@needs_lab
async def test_the_word_for_uncaptured_packets_is_one_for_all_of_a_session() -> None:
    async with session("tcp", SMALL, wire="held") as pilot:
        facts = [bench(pilot).query_one(TitleBar).facts.loss]
        await until(pilot, lambda: trace(pilot).fates.waiting, "a packet that waits")
        facts.append(bench(pilot).query_one(TitleBar).facts.loss)
        assert set(facts) == {"missed"}
        await pilot.press("P")
        await until(pilot, lambda: not trace(pilot).fates.waiting, "its way")
        assert bench(pilot).query_one(TitleBar).facts.loss == "missed"


@needs_lab
async def test_while_a_session_is_followed_the_head_is_of_the_chosen_packet_too() -> None:
    """One moment, one account: Detail and Sockets are of that packet."""
    async with session("tcp") as pilot:
        screen = bench(pilot)
        head = screen.query_one(LadderPane).query_one(Head)
        await until(pilot, lambda: drawn(head).count("ESTABLISHED") == 2, "the connection")
        screen.choose(Selection(row=Row(0)))
        await until(pilot, lambda: "SYN-SENT" in drawn(head), "those of the SYN")
        assert "SYN-RECEIVED" in drawn(head)
        assert screen.query_one(LadderPane).lines.following
