"""The pane of conversations: it opens first on a file of several, sorts, narrows, and leads to the ladder."""

from __future__ import annotations

import shutil
import socket
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from inspector.lab.capture.access import may_capture
from inspector.lab.files.folders import traces_folder
from inspector.lab.options import Watch
from inspector.tui.files.settings import keep
from inspector.tui.panes.conversations import ConversationsPane
from inspector.tui.panes.registry import PANES
from tests.support.captures.growth import requests_in_turn
from tests.support.captures.traces import DATA
from tests.support.screen.live import (
    QuietApp,
    grid,
    opened,
    running,
    trace,
    until,
    until_shown,
    workbench,
)
from tests.support.tiers import sweep, thorough


def app_screen(pilot: Pilot[object]) -> Screen[object]:
    return pilot.app.screen


@sweep("left", [spec.id for spec in PANES if spec.place == "middle"], lambda left: left == "findings")
async def test_a_file_of_several_opens_on_it_wherever_one_left_before(left: str) -> None:
    keep(front=left, lower=left)
    async with opened(DATA / "protocols" / "redis.pcapng", (80, 24)) as (pilot, screen):
        await until(pilot, lambda: screen.front == "conversations", "the list of conversations")
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.lines.has_focus, "the keys in the list")


@pytest.mark.quick
async def test_it_opens_first_and_enter_leads_to_the_ladder() -> None:
    async with opened(DATA / "protocols" / "redis.pcapng") as (pilot, screen):
        assert screen.front == "conversations"
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.list is not None and pane.list.complete, "all conversations")
        await until(pilot, lambda: pane.lines.has_focus, "the keys in the list")
        assert pane.list is not None and pane.list.count > 5
        await pilot.press("greater_than_sign", "i", "down", "down", "enter")
        await until(pilot, lambda: screen.front == "ladder", "the ladder in front")
        assert screen.selection.row is not None
        stream = int(trace(pilot).index.stream[screen.selection.row])
        assert screen.conversation is not None and screen.conversation.stream == stream


@thorough
async def test_what_is_spoken_can_be_said_and_guessed_again() -> None:
    async with opened(DATA / "protocols" / "mqtt.pcapng") as (pilot, screen):
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.lines.has_focus and pane.lines.cursor == 0, "the first line")
        await pilot.press("down", "d", *"http2", "enter")
        await until(pilot, lambda: trace(pilot).application(1).protocol == "http2", "what was said")
        await until(pilot, lambda: "HTTP/2" in grid(app_screen(pilot)), "the list says so")
        assert pane.lines.cursor == 1
        await pilot.press("d", *"nonsense", "enter")
        await until(pilot, lambda: "'nonsense' is not one of" in grid(app_screen(pilot)), "a sentence")
        await pilot.press("escape", "d", "enter")
        await until(pilot, lambda: trace(pilot).application(1).protocol == "mqtt", "a guess again")


@pytest.mark.quick
async def test_a_file_of_one_conversation_opens_on_its_ladder() -> None:
    async with opened("websocket.pcapng") as (_, screen):
        assert screen.front == "ladder"


async def test_enter_opens_the_first_one_before_any_was_chosen() -> None:
    async with opened(DATA / "protocols" / "redis.pcapng") as (pilot, screen):
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.lines.has_focus and pane.lines.cursor == 0, "the first line")
        await pilot.press("enter")
        await until(pilot, lambda: screen.front == "ladder", "the ladder in front")
        assert screen.conversation is not None and screen.conversation.stream == 0
        assert screen.selection.row == 0


@pytest.mark.skipif(not may_capture(), reason="needs root or CAP_NET_RAW")
async def test_a_watch_says_what_it_waits_for_until_it_comes() -> None:
    app = QuietApp(watch=Watch(ports=(45871,)))
    async with app.run_test(size=(120, 40)) as pilot:
        await workbench(pilot)
        await until(pilot, lambda: grid(app.screen).count("Waiting for the first packet (port 45871)") == 2,
                    "the words in ladder and packets")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", ("127.0.0.1", 45871))
        await running(pilot)
        await until(pilot, lambda: "Waiting for the first" not in grid(app.screen), "packets instead")


async def test_conversations_that_are_marked_stand_side_by_side() -> None:
    async with opened(DATA / "protocols" / "redis.pcapng") as (pilot, screen):
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.lines.has_focus and pane.lines.cursor == 0, "the first line")
        await pilot.press("equals_sign", "down", "equals_sign")
        await until(pilot, lambda: "round trips" in grid(app_screen(pilot)), "the comparison")
        shown = grid(app_screen(pilot))
        assert "1  Redis" in shown and "2  Redis" in shown and "round trips" in shown
        await pilot.press("question_mark")                        # it has a help of its own
        await until(pilot, lambda: "round trips: how often" in grid(app_screen(pilot)), "what it means")
        await pilot.press("escape")
        await pilot.press(*["down"] * 13, "enter")                # what is cut is read whole
        await until(pilot, lambda: type(app_screen(pilot)).__name__ == "WholeScreen", "all of a line")
        assert "COMMAND DOCS" in grid(app_screen(pilot))
        await pilot.press("escape")
        await pilot.press("escape", "down", "equals_sign")
        await until(pilot, lambda: "3  Redis" in grid(app_screen(pilot)), "the third")
        await pilot.press("escape", "up", "equals_sign")          # the second one's mark goes
        assert pane.list is not None and pane.list.marked == [0, 2]
        await pilot.press("equals_sign")                          # and comes, with it the comparison
        await until(pilot, lambda: type(app_screen(pilot)).__name__ == "CompareScreen", "the comparison")
        await pilot.press("equals_sign", "down", "down", "equals_sign")
        await until(pilot, lambda: pane.list is not None and len(pane.list.marked) == 4, "four")
        await until(pilot, lambda: type(app_screen(pilot)).__name__ == "CompareScreen", "all four")
        await pilot.press("escape", "down", "equals_sign")
        await until_shown(pilot, "4 are compared at most")
        assert len(pane.list.marked) == 4


def shows(pilot: Pilot[object], text: str) -> bool:
    return text in grid(app_screen(pilot))


async def asked(pilot: Pilot[object]) -> None:
    await until(pilot, partial(shows, pilot, "Compare with which capture?"), "the prompt")
    await until(pilot, lambda: isinstance(app_screen(pilot).focused, Input), "the keys in it")


@thorough
async def test_a_conversation_stands_beside_that_of_another_capture() -> None:
    async with opened(DATA / "protocols" / "redis.pcapng") as (pilot, screen):
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.lines.has_focus and pane.lines.cursor == 0, "the first line")
        await pilot.press("o")
        await asked(pilot)
        await pilot.press("escape")                               # nothing to compare with: back at once
        await until(pilot, lambda: app_screen(pilot) is screen, "the conversations")
        other = DATA / "protocols" / "mqtt.pcapng"
        for path, shown in ((other, "2  MQTT"), (DATA / "traces" / "udp.pcapng", "3  UDP")):
            await pilot.press("o")
            await asked(pilot)
            app_screen(pilot).query_one(Input).value = str(path)
            await pilot.press("enter")
            await until(pilot, partial(shows, pilot, shown), f"the column {shown}")
        shown_now = grid(app_screen(pilot))
        assert "redis.pcapng" in shown_now and "mqtt.pcapng" in shown_now
        await pilot.press("escape")
        await until(pilot, lambda: app_screen(pilot) is screen, "the conversations")


async def test_a_conversation_stands_beside_that_of_an_earlier_session() -> None:
    shutil.copy(DATA / "traces" / "udp.pcapng", traces_folder() / "2026-11-28_01-00-00_udp.pcapng")
    async with opened(DATA / "traces" / "tcp.pcapng") as (pilot, screen):
        await pilot.press("0")
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.lines.has_focus and pane.list and pane.list.count, "a line")
        await pilot.press("o")
        await until(pilot, partial(shows, pilot, "1  udp"), "the sessions before")
        await pilot.press("1")
        await until(pilot, partial(shows, pilot, "2  UDP"), "its column")
        assert "1  TCP" in grid(app_screen(pilot))


@thorough
async def test_what_is_not_decoded_yet_is_compared_again_when_it_is(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(requests_in_turn(8000))
    async with opened(path, size=(120, 40)) as (pilot, screen):
        await pilot.press("0")
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.list and pane.list.count and pane.lines.has_focus, "its line")
        await pilot.press("o")
        await asked(pilot)
        app_screen(pilot).query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, partial(shows, pilot, "2  HTTP"), "its column")
        await until(pilot, partial(shows, pilot, "side by side ─"), "the comparison of all that it is")
        await until(pilot, partial(shows, pilot, "1  HTTP"), "its column, decoded")
        assert screen.trace is not None and screen.trace.share(0) == 1.0


@thorough
async def test_a_file_that_is_no_capture_is_told_and_nothing_is_compared(tmp_path: Path) -> None:
    (tmp_path / "no.pcap").write_bytes(b"this is no capture, whatever its name says")
    async with opened(DATA / "protocols" / "redis.pcapng") as (pilot, screen):
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.lines.has_focus and pane.lines.cursor == 0, "the first line")
        await pilot.press("o")
        await asked(pilot)
        for text in ("", "~nobody-such/x", "/" + "a" * 300, str(tmp_path), "x\0y"):
            app_screen(pilot).query_one(Input).value = text
            await pilot.press("enter")
            await until(pilot, lambda: app_screen(pilot).query_one(".hint.-wrong"), f"why not {text!r:.20}")
        app_screen(pilot).query_one(Input).value = str(tmp_path / "no.pcap")
        await pilot.press("enter")
        await until(pilot, lambda: app_screen(pilot) is screen, "the conversations")
        assert [note.severity for note in pilot.app._notifications] == ["error"]


async def test_lines_that_come_into_sight_by_a_larger_window_are_decoded() -> None:
    async with opened(DATA / "protocols" / "redis.pcapng", size=(80, 18)) as (pilot, screen):
        pane = screen.query_one(ConversationsPane)
        await until(pilot, lambda: pane.list is not None and pane.list.complete, "all conversations")
        listed = pane.list
        assert listed is not None
        await until(pilot, lambda: listed.cell(0, "findings")[0] != "…", "the first one")
        await pilot.resize_terminal(80, 50)
        await until(pilot, lambda: all(listed.cell(one, "findings")[0] != "…" for one in range(listed.count)),
                    "all of them")
