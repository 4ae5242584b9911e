"""What a person does in every pane: read all of what is chosen, copy it, take back what narrows, go back."""

from __future__ import annotations

import os
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from textual.color import Color
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES
from textual.widget import Widget
from textual.widgets import OptionList

from inspector.protocols.websocket.frame import TEXT, encode
from inspector.tui.app import InspectorApp
from inspector.tui.launcher.screen import Row
from inspector.tui.messages import Selection
from inspector.tui.panes.base import ListPane
from inspector.tui.panes.conversations import ConversationsPane
from inspector.tui.panes.detail import DetailPane
from inspector.tui.panes.messages import MessagesPane
from inspector.tui.panes.packets import PacketsPane
from inspector.tui.panes.registry import PANES
from inspector.tui.widgets.base import Prose
from inspector.tui.widgets.painter import CHOSEN, Head, contrast
from inspector.tui.widgets.whole import WholeScreen
from inspector.tui.workbench.workbench import WorkbenchScreen
from inspector.views.conversations.list import ConversationList
from inspector.views.detail.call import MEANINGS
from tests.support.captures.frames import FRAME, pcapng_bytes
from tests.support.captures.tcp import segment
from tests.support.captures.websocket import CLIENT, exchange
from tests.support.captures.websocket import UPGRADE as WS_UPGRADE
from tests.support.screen.live import SMALL, USUAL, grid, idle, opened, settled, until
from tests.support.tiers import sweep, thorough
from tests.tui.workbench.test_workbench import lines

CHUNKED_IN_1_0 = Path(__file__).parents[2] / "data" / "cases" / "05c-te-chunked-http10.pcap"
DNS_AND_NO_TCP = Path(__file__).parents[2] / "data" / "frames" / "dns.pcapng"


def list_pane(screen: WorkbenchScreen, name: str) -> ListPane:
    pane = screen.pane(name)
    assert isinstance(pane, ListPane)
    return pane


async def shown(pilot: Pilot[Any], pane: ListPane, text: str) -> None:
    """Wait until the pane's list says it."""
    await until(pilot, lambda: text in " ".join(" ".join(lines(pane.lines)).split()), "the sentence")


@sweep("size", [SMALL, USUAL], lambda size: size == SMALL)
async def test_a_chosen_finding_stands_once_below_its_list(size: tuple[int, int]) -> None:
    async with opened(CHUNKED_IN_1_0, size) as (pilot, screen):
        await pilot.press("7")
        pane = list_pane(screen, "findings")
        await until(pilot, lambda: pane.lines.count == 1, "the finding")
        await pilot.press("down")
        await settled(pilot)
        below = [head for head in pane.query(Head) if head.id != "findings-head"]
        shown_lines = [head.render_line(y).text for head in below for y in range(head.size.height)]
        words = " ".join(shown_lines)
        assert " ".join(words.split()).count("the framing is to be taken as faulty") == 1


@thorough
async def test_a_finding_leads_to_each_of_its_packets(tmp_path: Path) -> None:
    """Those of further findings, which one that is folded stands for, among them."""
    turns = [(CLIENT, encode(b"x" * size, TEXT)) for size in (*[1] * 1000, 2, 3, 4)]
    exchange(*WS_UPGRADE, *turns).trace.save(tmp_path / "unmasked.pcapng")
    async with opened(tmp_path / "unmasked.pcapng") as (pilot, screen):
        await pilot.press("7")
        pane = list_pane(screen, "findings")
        await until(pilot, lambda: pane.lines.count == 1000, "the findings")
        await pilot.press("end")
        await settled(pilot)
        last = pane.selection.row
        assert last is not None

        def at(row: int) -> bool:
            return pane.selection.row == row

        for key, step in (("right", 1), ("right", 2), ("right", 3), ("right", 3), ("left", 2)):
            await pilot.press(key)
            await until(pilot, partial(at, last + step), "the next packet")
        assert pane.lines.cursor == 999


async def test_the_gravest_finding_comes_first_by_a_key_and_what_is_chosen_stays(tmp_path: Path) -> None:
    refused = [segment(0, "S", 99, ports=(29999, 81)), segment(1, "RA", 0, 100, ports=(29999, 81))]
    request, ports = b"GET / HTTP/1.1\r\n\r\n", (30000, 80)
    asked = [segment(0, "S", 99, ports=ports), segment(1, "SA", 499, 100, ports=ports),
             segment(0, "A", 100, 500, ports=ports), segment(0, "PA", 100, 500, request, ports=ports)]
    (tmp_path / "two.pcapng").write_bytes(pcapng_bytes([*refused, *asked], 101))
    async with opened(tmp_path / "two.pcapng", SMALL) as (pilot, screen):
        await pilot.press("7")
        pane = list_pane(screen, "findings")
        await until(pilot, lambda: pane.lines.count == 2, "the findings")
        await pilot.press("home")
        await settled(pilot)
        assert "▲" in lines(pane.lines)[0] and pane.lines.cursor == 0
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "✖" in lines(pane.lines)[0], "the gravest")
        assert pane.lines.cursor == 1
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "▲" in lines(pane.lines)[0], "the order of packets")
        assert pane.lines.cursor == 0


async def test_an_empty_result_says_so_and_escape_takes_the_filter_back() -> None:
    async with opened("websocket.pcapng", SMALL) as (pilot, screen):
        pane, total = screen.query_one(PacketsPane), 16
        await pilot.press("slash", *"udp", "enter")
        await shown(pilot, pane, "No packet of 16 is let through by udp. Escape shows all of them.")
        assert pane.status == f"0 of {total}"
        await pilot.press("escape")
        await until(pilot, lambda: pane.lines.count == total, "the packets again")
        assert pane.status == "" and pane.lines.has_focus
        for name, empty in (("3", 'No message of 6 contains "qqq".'),
                            ("0", "No conversation of 1 is let through by qqq.")):
            await pilot.press(name, "f", *"qqq", "enter")
            front = list_pane(screen, screen.front)
            await shown(pilot, front, f"{empty} Escape shows all of them.")
            await pilot.press("escape")
            await until(pilot, partial(_lacks, front, "qqq"), "the list again")


async def test_bytes_that_the_file_lost_are_not_said_to_be_none_of_the_packet(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    path.write_bytes(pcapng_bytes([FRAME + bytes(60_000)] * 40))        # more than is held of it
    async with opened(path, SMALL) as (pilot, screen):
        os.truncate(path, 100)
        await pilot.press("2", "G", "9")
        await until(pilot, lambda: "The file does not hold this packet's bytes any more." in grid(screen),
                    "where they are")
        await pilot.press("8", "home")
        await until(pilot, lambda: "captured the file holds 0 now" in grid(screen), "what was captured")


async def test_enter_opens_the_detail_and_escape_leads_back() -> None:
    for size in (SMALL, USUAL):
        async with opened("websocket.pcapng", size) as (pilot, screen):
            await pilot.press("2", "g", "enter")
            detail, packets = screen.query_one(DetailPane).lines, screen.query_one(PacketsPane).lines
            await until(pilot, partial(getattr, detail, "has_focus"), "the focus of Detail")
            await pilot.press("escape")
            await until(pilot, partial(getattr, packets, "has_focus"), "the focus back in the list")


@sweep("size", [SMALL, USUAL], lambda size: size == SMALL)
async def test_what_is_chosen_can_be_read_whole_and_copied_in_every_pane(size: tuple[int, int]) -> None:
    async with opened("websocket.pcapng", size) as (pilot, screen):
        await pilot.press("colon", "4", "enter")
        await settled(pilot)
        for spec in PANES:
            if spec.id in ("findings",):           # there are none in this trace
                continue
            await pilot.press(spec.key)
            list_ = list_pane(screen, spec.id).lines
            await until(pilot, partial(getattr, list_, "has_focus"), "the pane's focus")
            await pilot.press("e")               # where nothing is chosen: of where one would begin
            await until(pilot, lambda: isinstance(pilot.app.screen, WholeScreen), "the whole text")
            await pilot.press("escape")
            await pilot.press("y")
            await until(pilot, lambda: pilot.app.clipboard, "a copy")
            assert "…" not in pilot.app.clipboard, spec.id
            pilot.app._clipboard = ""


async def go_to_field(pilot: Pilot[Any], detail: DetailPane, name: str) -> None:
    """Choose a field of the packet, once it is there."""
    def places() -> list[int]:
        return [place for place, row in enumerate(detail.detail.rows) if row.field.name == name]

    await until(pilot, places, name)
    detail.lines.go_to(places()[0])


async def test_copies_are_the_value_and_the_message_itself() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        messages = screen.query_one(MessagesPane)
        await pilot.press("3", "g", "y")
        await until(pilot, lambda: pilot.app.clipboard == "hello", "the message")
        assert messages.lines.cursor == 0
        detail = screen.query_one(DetailPane)
        await pilot.press("2", "g", "8")
        await go_to_field(pilot, detail, "tcp.dstport")
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard == "8765", "the value")
        await pilot.press("9", "y")
        await until(pilot, lambda: pilot.app.clipboard == "22 3d", "the bytes")


async def test_flags_say_their_values_however_narrow_and_the_foot_says_all() -> None:
    async with opened("websocket.pcapng", USUAL) as (pilot, screen):
        detail = screen.query_one(DetailPane)
        await pilot.press("2", "g", "8")
        await go_to_field(pilot, detail, "tcp.flags")
        await pilot.press("right")
        await settled(pilot)
        width = detail.lines.line_width
        for place, row in enumerate(detail.detail.rows):
            if row.path.startswith("tcp/tcp.flags/"):
                text = "".join(span.text for span in detail.detail.line(place, width))
                assert row.field.value[:8] in text, text
        for place in range(detail.lines.count):
            detail.lines.go_to(place)
            whole = detail.whole(place)
            foot = " ".join("".join(span.text for span in line) for line in detail.foot(width)).split()
            shown_line = lines(detail.lines)[round(place - detail.lines.scroll_y)]
            assert "…" not in shown_line or " ".join(foot).replace(" ", "") in whole.replace(" ", "")
            assert "…" not in shown_line or len(foot) > 1


async def test_messages_say_where_there_are_some() -> None:
    async with opened("http-connections.pcapng") as (pilot, screen):
        pane = screen.query_one(MessagesPane)
        await pilot.press("3")
        await until(pilot, lambda: pane.lines.count, "a line")
        assert "WebSocket" not in " ".join(lines(pane.lines))
    async with opened(DNS_AND_NO_TCP) as (pilot, screen):
        await pilot.press("3")
        await shown(pilot, screen.query_one(MessagesPane), "every datagram stands for itself")


async def test_a_click_on_a_title_sorts_and_a_second_one_turns_it_round() -> None:
    async with opened("http-connections.pcapng") as (pilot, screen):
        pane = screen.query_one(ConversationsPane)
        await pilot.press("0")
        await until(pilot, lambda: pane.list is not None and pane.list.count > 1, "the conversations")
        assert pane.list is not None
        head = pane.query_one("#conversations-head", Head)
        await settled(pilot)
        for expected in (False, True):
            state = head.render_line(0).text.index("State") + 3
            await pilot.click(head, offset=Offset(state, 0))
            await until(pilot, partial(_sorted, pane.list, "state", expected), "the order")


async def test_the_mouse_chooses_opens_and_scrolls() -> None:
    async with opened("websocket.pcapng", SMALL) as (pilot, screen):
        pane = screen.query_one(PacketsPane)
        await pilot.press("2")
        await pilot.click(pane.lines, offset=Offset(20, 3))
        await until(pilot, lambda: screen.selection.row == 3, "the packet chosen")
        await pilot.click(pane.lines, offset=Offset(20, 3), times=2)
        await until(pilot, lambda: screen.front == "detail", "Detail in front")


def _lacks(pane: ListPane, text: str) -> bool:
    return text not in " ".join(lines(pane.lines))


def _sorted(conversations: ConversationList, name: str, descending: bool) -> bool:
    return (conversations.sorted_by, conversations.descending) == (name, descending)


def _contrast(first: Any, second: Any) -> float:
    return contrast(Color(*first.triplet), Color(*second.triplet))


@sweep("themes", [["ansi-dark", "nord", "textual-light"], sorted(BUILTIN_THEMES)], lambda some: len(some) < 4,
       ids=["some", "all"])
async def test_what_is_chosen_stands_out_in_every_theme(themes: list[str]) -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        await pilot.press("2", "g")
        packets = screen.query_one(PacketsPane).lines
        for theme in themes:
            pilot.app.theme = theme
            await idle(pilot)
            plain = packets.colours()
            for name in sorted(CHOSEN):
                style = packets.colours(name)
                if style.reverse:                   # the terminal's own colours, turned round
                    assert theme.startswith("ansi")
                    continue
                assert _contrast(style.bgcolor, plain.bgcolor) >= 3.0, (theme, name)
                for kind in ("dim", "client", "server", "http", "error", "number"):
                    ink = packets.colours(name, f"line--{kind}")
                    assert _contrast(ink.color, ink.bgcolor) >= 4.5, (theme, name, kind)
            assert [text.startswith("▶") for text in lines(packets)].count(True) == 1


@sweep("theme", sorted(BUILTIN_THEMES), {"ansi-dark", "textual-light"}.__contains__)
@pytest.mark.parametrize("key", ["ctrl+s", "ctrl+p"])
async def test_what_is_chosen_in_a_menu_and_in_the_palette_stands_out(key: str, theme: str) -> None:
    async with opened("http-connections.pcapng") as (pilot, screen):
        pilot.app.theme = theme
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.screen is not screen and any(
            one.option_count > 1 and one.highlighted is not None and one.size.height > 1
            for one in pilot.app.screen.query(OptionList)), "the list")
        listed = pilot.app.screen.query_one(OptionList)
        await settled(pilot)
        rows = [styles for y in range(listed.size.height) if (styles := _inks(listed, y))]
        grounds = {styles[0].bgcolor for styles in rows}
        assert len(grounds) == 2
        if theme.startswith("ansi"):                # whose colours nobody knows: they are others
            return
        assert _contrast(*grounds) >= 3.0
        questions = pilot.app.screen.query(Prose)
        for style in chain(*rows, *(_inks(one, y) for one in questions for y in range(one.size.height))):
            assert _contrast(style.color, style.bgcolor) >= 4.5


def _inks(listed: Widget, y: int) -> list[Any]:
    """The styles of the words on a line of a list or text; none of a line without words."""
    return [segment.style for segment in listed.render_line(y) if segment.text.strip()]


async def test_the_launchers_choice_has_a_sign() -> None:
    app = InspectorApp()
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.screen.query(Row) and app.screen.focused is not None, "the launcher")
        for _ in range(3):
            focused = app.screen.focused
            assert isinstance(focused, Row) and str(focused.render()).startswith("▶")
            others = [row for row in app.screen.query(Row) if row is not focused]
            assert not any(str(row.render()).startswith("▶") for row in others)
            await pilot.press("down")


async def test_a_sentence_goes_when_one_goes_on() -> None:
    async with opened("websocket.pcapng", SMALL) as (pilot, _):
        app = pilot.app
        assert isinstance(app, InspectorApp)
        app.notify("Something happened.")
        await settled(pilot)
        assert len(app._notifications) == 1
        await pilot.press("j")
        assert len(app._notifications) == 1             # it cannot have been read yet
        app._read_by = 0.0
        await pilot.press("j")
        assert not len(app._notifications)


async def test_what_a_call_does_is_told_whole_without_being_chosen() -> None:
    async with opened("tcp.pcapng", (80, 24)) as (pilot, screen):
        assert screen.trace is not None
        call = next(call for call in screen.trace.calls if call.name == "recv")
        screen.choose(Selection(call=(call.pid, call.id)))
        await pilot.press("8")
        await until(pilot, lambda: "What it does" in grid(screen), "the call")
        await until(pilot, lambda: MEANINGS["recv"] in " ".join(grid(screen).split()), "all of the sentence")
