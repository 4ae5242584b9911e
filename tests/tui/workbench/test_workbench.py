"""The workbench on traces of real sessions: panes at each size, one selection, filter, jumps, help."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widgets import Input, Static

from inspector.model.packets import Row
from inspector.tui.launcher.help import HelpScreen
from inspector.tui.messages import Selection
from inspector.tui.panes.bytes import BytesPane, HexList
from inspector.tui.panes.detail import DetailPane
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.panes.messages import MessagesPane
from inspector.tui.panes.packets import PacketsPane
from inspector.tui.panes.registry import PANES
from inspector.tui.panes.stream import StreamPane
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.tui.widgets.prompt import MenuScreen, PromptScreen
from inspector.tui.widgets.tab_bar import TabBar
from inspector.tui.widgets.title_bar import TitleBar, title_right
from inspector.tui.workbench.workbench import WorkbenchScreen
from inspector.views.ladder.current import conversation_of_call
from inspector.views.ladder.ends import Conversation
from inspector.views.line.spans import plain
from tests.support.captures.frames import pcapng_bytes
from tests.support.captures.traces import TRACES
from tests.support.screen.live import (
    LARGE,
    SMALL,
    USUAL,
    QuietApp,
    launcher,
    opened,
    settled,
    trace,
    until,
    until_shown,
)
from tests.support.tiers import sweep, thorough


def visible(screen: WorkbenchScreen) -> set[str]:
    """The names of the panes that have cells on the screen."""
    return {str(pane.id) for pane in screen.panes if pane.is_seen and pane.region.area}


def lines(widget: LineList) -> list[str]:
    """What a list shows, line by line."""
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def list_of(screen: WorkbenchScreen, pane: str) -> LineList:
    return screen.pane(pane).query_one(LineList)


@thorough
async def test_panes_stand_side_by_side_where_there_is_room() -> None:
    async with opened("websocket.pcapng", SMALL) as (pilot, screen):
        for size, names in (
            (SMALL, {"ladder"}), ((120, 24), {"ladder", "detail", "bytes"}),
            ((80, 50), {"ladder", "packets"}),
            (USUAL, {"ladder", "packets", "detail", "bytes"}),
            (LARGE, {"ladder", "packets", "detail", "bytes"}), (SMALL, {"ladder"}),
        ):
            await pilot.resize_terminal(*size)
            await settled(pilot)
            assert visible(screen) == names, size


async def test_tabs_answer_to_the_mouse() -> None:
    async with opened("websocket.pcapng", SMALL) as (pilot, screen):
        await pilot.click("#tabs-top", offset=Offset(12, 0))
        await settled(pilot)
        assert visible(screen) == {"packets"}


async def test_zoom_gives_a_pane_the_whole_screen_and_takes_it_back() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        await pilot.press("z")
        await settled(pilot)
        assert visible(screen) == {"ladder"}
        assert screen.pane("ladder").size.width == USUAL[0]
        await pilot.press("z")
        await settled(pilot)
        assert visible(screen) == {"ladder", "packets", "detail", "bytes"}


@thorough
async def test_resizing_keeps_what_is_chosen() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        screen.choose(Selection(row=Row(7)))
        for size in (SMALL, LARGE, (60, 16), USUAL):
            await pilot.resize_terminal(*size)
            await settled(pilot)
            assert screen.selection == Selection(row=Row(7))
        assert list_of(screen, "packets").cursor == 7


async def test_a_packet_chosen_anywhere_is_shown_everywhere() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        await pilot.press("2", "home", *["down"] * 7)
        assert screen.selection.row == 7
        ladder = screen.query_one(LadderPane)
        assert ladder.lines.cursor is not None
        assert ladder.ladder is not None
        assert ladder.ladder.target(ladder.lines.cursor).row == 7
        detail = screen.query_one(DetailPane)
        assert "Packet 8" in lines(detail.lines)[0]
        frame = trace(pilot).frame(Row(7))
        assert lines(screen.query_one(HexList))[0].split("  ")[1].startswith(frame[:8].hex(" ")[:11])
        await pilot.press("1", "down", "down")
        assert screen.selection.row != 7 or screen.selection.call is not None


async def test_a_call_is_chosen_in_the_margin_and_told() -> None:
    async with opened("tcp.pcapng") as (pilot, screen):
        await pilot.press("1", "home")
        assert screen.selection.call is not None
        detail = "\n".join(lines(screen.query_one(DetailPane).lines))
        assert "socket()" in detail
        assert "asks the kernel" in detail
        assert list_of(screen, "packets").cursor is None
        await pilot.press("6")
        await settled(pilot)
        sockets = lines(list_of(screen, "sockets"))              # of that moment, as the ladder's head
        assert any("As they were at socket(), before packet 1." in line for line in sockets)
        assert not any("ESTABLISHED" in line or "TIME-WAIT" in line for line in sockets)


async def test_a_call_leads_the_panes_to_the_conversation_it_was_made_on() -> None:
    async with opened("http-connections.pcapng") as (pilot, screen):
        await pilot.press("1")
        pane = screen.query_one(LadderPane)
        if pane.ladder is not None and pane.ladder.conversation is not None:
            await pilot.press("a")
        ladder, trace = pane.ladder, screen.trace
        assert ladder is not None and ladder.conversation is None and trace is not None
        calls = [ladder.target(line).call for line in range(ladder.count)]
        of = [None if call is None else conversation_of_call(trace, ladder.sockets, call) for call in calls]
        for stream in (0, 1, 0):
            list_of(screen, "ladder").go_to(of.index(Conversation("tcp", stream)))
            await settled(pilot)
            assert screen.conversation == ("tcp", stream)


async def test_left_and_right_choose_between_a_call_and_its_packet() -> None:
    async with opened("tcp.pcapng") as (pilot, screen):
        ladder = screen.query_one(LadderPane).ladder
        assert ladder is not None
        line = next(index for index in range(ladder.count) if len(ladder.targets(index)) >= 2)
        list_of(screen, "ladder").go_to(line)
        await pilot.press("1")
        await settled(pilot)
        before = screen.selection
        assert before.row is not None
        await pilot.press("left", "left")
        await pilot.press("right") if screen.selection == before else None
        assert screen.selection.call is not None


async def test_a_field_marks_its_bytes_and_a_byte_finds_its_field() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        screen.choose(Selection(row=Row(0)))
        detail, bytes_pane = screen.query_one(DetailPane), screen.query_one(BytesPane)
        await pilot.press("8")
        place = next(i for i, row in enumerate(detail.detail.rows) if row.field.name == "tcp.dstport")
        detail.lines.go_to(place)
        await settled(pilot)
        dump = bytes_pane.lines.dump
        assert dump is not None
        mark = dump.marks[0]
        assert int.from_bytes(trace(pilot).frame(Row(0))[mark.start : mark.stop], "big") == 8765
        assert "8765" in plain(bytes_pane._bits(60)[0])
        await pilot.press("9", "home", "right", "right")
        assert screen.selection.byte == 2
        assert screen.selection.path.startswith("eth")
        cursor = detail.lines.cursor
        assert cursor is not None
        assert detail.detail.target(cursor) == screen.selection.path
        await pilot.press("left", "end")
        assert screen.selection.byte == len(trace(pilot).frame(Row(0))) - 1


async def test_a_click_on_a_byte_finds_its_field() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        screen.choose(Selection(row=Row(0)))
        await settled(pilot)
        await pilot.click(HexList, offset=Offset(7, 0))
        assert screen.selection.byte == 0
        await pilot.click(HexList, offset=Offset(4, 0))
        assert screen.selection.byte == 0


async def test_detail_opens_and_closes_and_stays_open_for_the_next_packet() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        screen.choose(Selection(row=Row(0)))
        detail = screen.query_one(DetailPane)
        await pilot.press("8", "home", "right")
        assert detail.detail.rows[0].is_open
        screen.choose(Selection(row=Row(1)))
        assert detail.detail.rows[0].is_open
        await pilot.press("left")
        assert not detail.detail.rows[0].is_open
        await pilot.press("enter")
        assert detail.detail.rows[0].is_open
        await pilot.press("down", "left")
        assert detail.lines.cursor == 0


async def test_a_message_marks_its_packet_frame_and_bytes() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        await pilot.press("3", "home")
        await settled(pilot)
        row = screen.selection.row
        assert row is not None
        assert "websocket" in trace(pilot).application(0).protocols(row)
        assert list_of(screen, "ladder").cursor is not None
        assert screen.selection.field is not None
        detail = screen.query_one(DetailPane)
        assert detail.lines.cursor is not None
        assert detail.detail.target(detail.lines.cursor).startswith("websocket")
        count = list_of(screen, "messages").count
        await pilot.press("enter")
        assert list_of(screen, "messages").count > count
        await pilot.press("2")
        await settled(pilot)
        assert list_of(screen, "packets").cursor == row


async def test_messages_are_searched_and_narrowed() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        await pilot.press("3")
        await settled(pilot)
        pane = screen.query_one(MessagesPane)
        everything = pane.lines.count
        await pilot.press("f", *"hello", "enter")
        await settled(pilot)
        assert 0 < pane.lines.count < everything
        assert "hello" in pane.status
        await pilot.press("f", *["backspace"] * 5, "enter", "d")
        await settled(pilot)
        assert 0 < pane.lines.count < everything


async def test_the_stream_says_whether_it_shows_what_tls_carries() -> None:
    async with opened("../protocols/tls.pcapng", (140, 50)) as (pilot, screen):
        await pilot.press("4", "z")
        await settled(pilot)
        pane, texts = screen.query_one(StreamPane), []
        for _ in range(6):
            head = pane.query_one(Head)
            title = "".join(segment.text for segment in head.render_line(head.size.height - 1)).strip()
            texts.append((pane.status, title.rpartition("  ")[2]))
            await pilot.press("m")
            await settled(pilot)
        assert texts[:2] == [("decoded", "TLS, decrypted"), ("text", "TLS, decrypted")]
        assert texts[2:] == [("hex", "TLS, decrypted"), ("text", "TLS, encrypted"), ("hex", "TLS, encrypted"),
                             ("decoded", "TLS, decrypted")]


async def test_the_handshake_proves_the_upgrade() -> None:
    async with opened("websocket.pcapng", (120, 90)) as (pilot, screen):
        await pilot.press("5", "z")
        await settled(pilot)
        provider = list_of(screen, "handshake").provider
        assert provider is not None
        text = "\n".join(plain(provider.line(index, 118)) for index in range(provider.count))
        assert "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" in text
        assert "SHA-1" in text


async def test_the_filter_narrows_tells_errors_and_is_taken_back() -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        pane = screen.query_one(PacketsPane)
        total = pane.lines.count
        await pilot.press("slash", *"tcp.flags.syn == 1", "enter")
        await settled(pilot)
        assert pane.lines.count == 2
        assert pane.status == f"2 of {total}"
        await pilot.press("slash", *" and and", "enter")
        error = str(pane.query_one("#filter-error", Static).render())
        assert error
        assert pane.has_class("-wrong")
        await pilot.press("escape")                    # what was typed goes, and with it the filter
        await settled(pilot)
        assert pane.lines.count == total and pane.query_one(Input).has_focus
        await pilot.press("escape")                    # and then the line
        await settled(pilot)
        assert pane.lines.has_focus and not pane.has_class("-filtering") and pane.status == ""


async def test_one_jumps_to_a_number_and_is_told_of_wrong_ones() -> None:
    async with opened("websocket.pcapng", SMALL) as (pilot, screen):
        await pilot.press("colon", *"9999", "enter")
        assert isinstance(pilot.app.screen, PromptScreen)
        assert "no packet 9999" in str(pilot.app.screen.query_one(".hint", Static).render())
        await pilot.press("escape")
        await pilot.press("colon", *"5", "enter")
        await settled(pilot)
        assert screen.selection.row == 4


async def test_times_and_numbers_change_their_form() -> None:
    async with opened("tcp.pcapng") as (pilot, screen):
        packets, ladder = list_of(screen, "packets"), list_of(screen, "ladder")
        before = lines(packets)
        await pilot.press("2", "T")
        assert lines(packets) != before
        drawn = lines(ladder)
        await pilot.press("r")
        assert lines(ladder) != drawn
        await pilot.press("r")
        assert lines(ladder) == drawn


async def test_a_file_is_told_as_a_file() -> None:
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        bar = screen.query_one(TitleBar)
        assert bar.facts.life == "file"
        assert bar.facts.name == "tcp.pcapng"
        assert f"{trace(pilot).index.count} packets" in plain(title_right(bar.facts))
        assert "0 dropped" in bar.render_line(0).text


async def test_a_file_takes_no_commands() -> None:
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        for key in ("space", "s", "c", "v", "x", "R"):
            await pilot.press(key)
            assert pilot.app.screen is screen, key
            assert not isinstance(screen.focused, Input), key


async def test_help_speaks_of_the_pane_that_has_the_keys() -> None:
    async with opened("tcp.pcapng") as (pilot, _):
        await pilot.press("2", "question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        text = " ".join(str(widget.render()) for widget in pilot.app.screen.query(Static))
        assert "display filter" in text
        assert "Filter" in text


async def save_as(pilot: Pilot[Any], target: Path) -> None:
    await pilot.press("ctrl+s")
    pilot.app.screen.query_one(Input).value = str(target)
    await pilot.press("enter")


async def test_saving_asks_before_it_overwrites(tmp_path: Path) -> None:
    target = tmp_path / "copy.pcapng"
    whole = (TRACES / "tcp.pcapng").read_bytes()
    async with opened("tcp.pcapng") as (pilot, _):
        await save_as(pilot, target)
        await until(pilot, lambda: target.exists() and target.read_bytes() == whole, "the copy")
        target.write_text("something else")
        await save_as(pilot, target)
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen), "the question")
        await pilot.press("enter")                     # twice by mistake: nothing is lost
        await until(pilot, lambda: isinstance(pilot.app.screen, PromptScreen), "another name")
        assert target.read_text() == "something else"
        await pilot.press("escape")
        await save_as(pilot, target)
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen), "the question again")
        await pilot.press("y")
        await until(pilot, lambda: target.read_bytes() == whole, "the copy over it")


def frames_of_zstd(data: bytes) -> bytes:
    return b"".join(zstandard.compress(data[i : i + 500]) for i in range(0, len(data), 500))


@sweep("pack", [bytes, gzip.compress, frames_of_zstd], lambda pack: pack is frames_of_zstd,
       ids=["plain", "gzip", "zstd"])
async def test_a_file_that_grows_is_followed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    whole = pack((TRACES / "tcp.pcapng").read_bytes())
    path = tmp_path / "growing.pcapng"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    async with opened(path) as (pilot, screen):
        index = trace(pilot).index
        before = index.count
        with path.open("r+b") as file:
            file.write(whole)
        await until(pilot, lambda: index.count > before, "more packets in the trace")
        await until(pilot, lambda: list_of(screen, "packets").count == index.count, "as many in the list")


async def test_the_title_says_how_far_the_picture_is_behind(tmp_path: Path) -> None:
    """By what stands in the file: once the picture has caught up, no more."""
    frames = [bytes(100)] * 20_000
    path = tmp_path / "growing.pcapng"
    path.write_bytes(pcapng_bytes(frames[:1000]))
    async with opened(path) as (pilot, screen):
        assert trace(pilot).behind == 0 and screen.feed is not None
        await until(pilot, lambda: screen.feed is not None and not screen.feed.loading, "all of the file")
        screen.feed.stop()
        with path.open("ab") as file:
            file.write(pcapng_bytes(frames))
        assert abs(trace(pilot).behind - 20_000) < 200
        screen._show_title()
        assert " packets behind" in plain(title_right(screen.query_one(TitleBar).facts))
        screen.feed.loading = screen._joined = True        # a program that floods from its first moment on
        screen._show_title()
        assert " packets behind" in plain(title_right(screen.query_one(TitleBar).facts))
        screen.feed.start()
        await until(pilot, lambda: trace(pilot).index.count == 21_000, "all packets")
        await until(pilot, lambda: "behind" not in plain(title_right(screen.query_one(TitleBar).facts)),
                    "a title that has caught up")


async def test_a_cut_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    path.write_bytes((TRACES / "tcp.pcapng").read_bytes()[:-40])
    async with opened(path) as (pilot, _):
        await until_shown(pilot, "ends in the middle")


async def test_the_sentence_goes_when_the_file_grows(tmp_path: Path) -> None:
    path, whole = tmp_path / "grows.pcapng", (TRACES / "tcp.pcapng").read_bytes()
    path.write_bytes(whole[:-40])
    async with opened(path) as (pilot, _):
        await until_shown(pilot, "ends in the middle")
        with path.open("ab") as file:
            file.write(whole[-40:])
        await until(pilot, lambda: not any("ends in the middle" in note.message
                                           for note in pilot.app._notifications), "a screen without it")


async def test_a_file_that_is_no_capture_leads_to_the_launcher(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("this is no capture at all, only words")
    app = QuietApp(trace_path=path)
    async with app.run_test(size=SMALL) as pilot:
        await launcher(pilot)
        assert len(app.toasts) == 1


async def test_new_goes_back_to_the_launcher() -> None:
    async with opened("tcp.pcapng") as (pilot, _):
        await pilot.press("n")
        await launcher(pilot)


async def test_every_binding_has_an_id() -> None:
    async with opened("websocket.pcapng") as (_, screen):
        for node in (screen, *screen.query("*")):
            missing = [binding for _, binding in node._bindings if not binding.id]
            assert missing == [], node


@sweep("theme", [
    "textual-light", "nord", "gruvbox", "dracula", "solarized-light", "ansi-dark",
], lambda theme: theme == "ansi-dark")
async def test_themes_draw_every_pane(theme: str) -> None:
    async with opened("websocket.pcapng") as (pilot, screen):
        pilot.app.theme = theme
        screen.choose(Selection(row=Row(7)))
        await settled(pilot)
        assert any(lines(list_of(screen, "ladder")))


async def test_all_tabs_are_there_on_the_narrowest_screen() -> None:
    async with opened("websocket.pcapng", (60, 16)) as (pilot, screen):
        bar = screen.query_one("#tabs-top", TabBar)
        placed = bar.cells()
        assert [tab.pane for tab, _, _ in placed] == [spec.id for spec in PANES]
        assert placed[-1][2] <= 60
        names = {spec.id: {"", spec.title, spec.short} for spec in PANES}
        assert all(tab.name in names[tab.pane] for tab, _, _ in placed)      # none is cut in a word
        assert next(tab for tab, _, _ in placed if tab.pane == "ladder").name
        await pilot.click("#tabs-top", offset=Offset(placed[-1][1] + 1, 0))
        await settled(pilot)
        assert visible(screen) == {PANES[-1].id}


async def test_the_palette_knows_the_commands_of_the_focused_pane() -> None:
    async with opened("tcp.pcapng") as (pilot, screen):
        await pilot.press("2")
        commands = {command.title: command for command in pilot.app.get_system_commands(screen)}
        assert {"Filter", "Go to", "Save", "Relative/raw", "Handshake"} <= set(commands)
        commands["Filter"].callback()
        await until(pilot, lambda: isinstance(screen.focused, Input), "the filter's line")
