"""What is chosen, handed on: by its key to the clipboard, to a file, to another program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from inspector.model.packets import Row
from inspector.sessions import temporary
from inspector.trace.trace import Trace
from inspector.tui.files import traces
from inspector.tui.messages import Selection
from inspector.tui.panes.detail import DetailPane
from inspector.tui.panes.packets import FilterInput
from inspector.tui.widgets.prompt import MenuScreen, PromptScreen
from inspector.views.packets.list import COMMENTED, MARKED
from tests.protocols.test_redis import frames_of
from tests.support.captures.frames import pcapng_bytes
from tests.support.captures.traces import TRACES
from tests.support.running.lab import needs_lab
from tests.support.screen.live import (
    SMALL,
    bench,
    grid,
    opened,
    running,
    session,
    settled,
    toasts,
    trace,
    until,
    until_shown,
)
from tests.support.tiers import sweep, thorough


async def test_the_chosen_request_is_copied_as_a_command() -> None:
    async with opened("http.pcapng", SMALL) as (pilot, _):
        await pilot.press("3", "home", "down", "down")         # the second request, in Messages
        await settled(pilot)
        await pilot.press("Y")
        await until(pilot, lambda: pilot.app.clipboard, "the command")
        assert pilot.app.clipboard.startswith("curl http://127.0.0.1:8000/echo \\\n")
        assert pilot.app.clipboard.endswith("--data-raw hello")


async def test_a_packet_without_a_request_says_so() -> None:
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        await pilot.press("Y")
        screen.choose(Selection(row=Row(3)))
        await pilot.press("Y")
        await until(pilot, lambda: len(toasts(pilot)) > 1, "the sentences")
        first, second = toasts(pilot)
        assert first.startswith("Choose a request") and "part of no request" in second
        assert not pilot.app.clipboard


async def test_a_long_body_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    body = b"\0" * 100_000
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    path = tmp_path / "long.pcapng"
    frames = frames_of([(0, request), (1, b"HTTP/1.1 204 No Content\r\n\r\n")], port=80)
    path.write_bytes(pcapng_bytes(frames, 101))
    async with opened(path, SMALL) as (pilot, screen):
        screen.choose(Selection(row=Row(3)))
        await pilot.press("Y")
        await until(pilot, lambda: pilot.app.clipboard, "the command")
    (kept,) = tmp_path.glob("inspector-body-*.bin")
    assert kept.read_bytes() == body and f"@{kept}" in pilot.app.clipboard
    assert kept.stat().st_mode & 0o077 == 0
    temporary.sweep()
    assert kept.exists()                                           # the command is pasted later
    (mine := tmp_path / "inspector-body-mine").mkdir()
    for path in (kept, mine):
        os.utime(path, (1, 1))
    temporary.sweep()
    assert not kept.exists() and mine.exists()


@sweep(("key", "count", "calls"), [("a", 20, None), ("c", 10, 19), ("f", 2, None)],
       lambda case: case[0] == "c")
async def test_saving_asks_what(key: str, count: int, calls: int | None, tmp_path: Path) -> None:
    target = tmp_path / "part.pcapng"
    async with opened("http-connections.pcapng", SMALL) as (pilot, screen):
        screen.choose(Selection(row=Row(15)))
        await pilot.press("slash")
        screen.query_one(FilterInput).value = "http.request"
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen), "the menu")
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, PromptScreen), "the prompt")
        pilot.app.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, target.exists, "the file")
    with Trace.open(target) as trace:
        trace.finish()
        assert trace.index.count == count
        assert calls is None or len(trace.calls) == calls


async def type_comment(pilot: Pilot[Any], text: str) -> None:
    await pilot.press("number_sign")
    await until(pilot, lambda: isinstance(pilot.app.screen, PromptScreen), "the prompt")
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await settled(pilot)


@thorough
async def test_marks_and_comments_are_shown_and_saved(tmp_path: Path) -> None:
    file = tmp_path / "mine.pcapng"
    file.write_bytes((TRACES / "tcp.pcapng").read_bytes())
    before = file.read_bytes()
    async with opened(file, SMALL) as (pilot, screen):
        await pilot.press("2")
        screen.choose(Selection(row=Row(3)))
        await pilot.press("M")
        await settled(pilot)
        assert f"  4{MARKED}" in grid(screen)
        screen.choose(Selection(row=Row(4)))
        await type_comment(pilot, "why so late?")
        assert f"  5{COMMENTED}" in grid(screen)
        await pilot.press("8")
        await settled(pilot)
        names = [field.name for field in screen.query_one(DetailPane).detail.fields[0].children]
        assert "frame.comment" in names
        assert file.read_bytes() == before                     # saving writes it, nothing else does
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen), "the question")
        await until(pilot, lambda: "is not in mine.pcapng" in grid(pilot.app.screen), "why it asks")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, PromptScreen), "the prompt")
        pilot.app.screen.query_one(Input).value = str(file)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen), "whether to overwrite")
        await pilot.press("y")
        await until(pilot, lambda: file.read_bytes() != before, "the file")
        await settled(pilot)
        assert not any("replaced" in toast for toast in toasts(pilot))
        assert not screen.would_lose
    assert comments_of(file) == {3: ("marked",), 4: ("why so late?",)}


async def test_a_mark_and_a_comment_are_seen_at_once() -> None:
    """In a list that is longer than its place, too: nothing below is what was changed in sight."""
    async with opened("websocket.pcapng", (80, 16)) as (pilot, screen):
        await pilot.press("2", "home", "down", "M")
        await until(pilot, lambda: f" 2{MARKED}" in grid(screen), "the mark in the list")
        await pilot.press("down", "down")
        await type_comment(pilot, "why so late?")
        await until(pilot, lambda: f" 4{COMMENTED}" in grid(screen), "the sign of the comment")
        await pilot.press("8")
        await until(pilot, lambda: "▸ Packet 4" in grid(screen), "the detail, once it can be read")
        await pilot.press("home", "right")
        await until(pilot, lambda: "why so late?" in grid(screen), "the comment in the detail")
        await pilot.press("M")
        await until(pilot, lambda: "marked" in grid(screen), "the mark in the detail")
        await pilot.press("2", "up", "up", "M")
        await until(pilot, lambda: f" 2{MARKED}" not in grid(screen), "no mark in the list")


def comments_of(path: Path) -> dict[int, tuple[str, ...]]:
    with Trace.open(path) as trace:
        trace.finish()
        return {row: trace.comments.of(Row(row)) for row in sorted(trace.comments.rows)}


@needs_lab
async def test_a_sessions_own_copy_keeps_its_marks() -> None:
    async with session("tcp", SMALL) as pilot:
        await running(pilot, 3)
        screen = bench(pilot)
        screen.choose(Selection(row=Row(0)))
        await pilot.press("M")
        await settled(pilot)
        assert screen.session is not None
        path = screen.session.file.path
        calls = len(trace(pilot).calls)
    assert comments_of(path) == {0: ("marked",)}
    with Trace.open(path) as kept:
        kept.finish()
        assert len(kept.calls) >= calls > 0 and kept.truncated is None


async def test_a_kept_trace_takes_its_comments_without_being_asked() -> None:
    new = traces.begin("tcp")
    os.write(new.descriptor, (TRACES / "tcp.pcapng").read_bytes())
    new.close()
    async with opened(new.path, SMALL) as (pilot, screen):
        screen.choose(Selection(row=Row(2)))
        await type_comment(pilot, "kept")
    assert comments_of(new.path) == {2: ("kept",)}
    os.utime(new.path, (1, 1))                                     # however old, and however many come
    for _ in range(3):
        traces.begin("next").close()
        other = traces.begin("other")
        os.write(other.descriptor, b"x")
        other.close()
    traces.prune(keep=1, size=1, days=0)
    assert new.path.exists() and comments_of(new.path) == {2: ("kept",)}
    assert [trace.commented for trace in traces.kept()] == [True]  # and it is counted for none of them


async def test_a_trace_whose_comments_were_taken_away_is_one_like_others_again() -> None:
    new = traces.begin("tcp")
    os.write(new.descriptor, (TRACES / "tcp.pcapng").read_bytes())
    new.close()
    for commented in (True, False):
        async with opened(new.path, SMALL) as (pilot, screen):
            screen.choose(Selection(row=Row(2)))
            await pilot.press("M")
        (trace,) = traces.kept()
        assert trace.commented is commented and new.path.stat().st_mode & 0o777 == 0o600


def test_what_was_half_written_goes() -> None:
    folder = traces.begin("tcp").path.parent
    (folder / ".abc.part").write_bytes(b"half")
    (folder / ".new.part").write_bytes(b"half")
    os.utime(folder / ".abc.part", (1, 1))
    traces.prune()
    assert [path.name for path in folder.glob(".*")] == [".new.part"]


def test_a_trace_that_is_still_written_is_left_alone() -> None:
    new = traces.begin("tcp")
    os.write(new.descriptor, b"begun")
    with pytest.raises(BlockingIOError):
        traces.rewrite(new.path, [b"other"])
    assert new.path.read_bytes() == b"begun"
    new.close()
    traces.rewrite(new.path, [b"other"])
    assert new.path.read_bytes() == b"other" and new.path.stat().st_mode & 0o077 == 0


async def test_wireshark_is_started_at_the_packet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":99")
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        screen.choose(Selection(row=Row(3)))
        await pilot.press("W")
        await until_shown(pilot, "is not installed")
        arguments, program = tmp_path / "told", tmp_path / "wireshark"
        script = f'printf "%s\\n" "$@" > {arguments}.part\n/bin/mv {arguments}.part {arguments}'
        program.write_text(f"#!/bin/sh\n{script}\nexit 1\n")
        program.chmod(0o755)
        await pilot.press("W")
        await until(pilot, arguments.exists, "wireshark")
        number = str(trace(pilot).index.wireshark_number(Row(3)))
        assert arguments.read_text().split("\n")[:-1] == ["-r", str(TRACES / "tcp.pcapng"), "-g", number]
        await until_shown(pilot, "ended at once, with status 1")
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        await pilot.press("W")
        await until_shown(pilot, "needs a desktop")


async def test_a_burst_of_keys_marks_where_it_led() -> None:
    async with opened("tcp.pcapng", SMALL) as (pilot, screen):
        await pilot.press("2")
        await settled(pilot)
        # as a terminal gives what was typed at once: all of it before anything is handled
        for key in ("home", "down", "down", "M", "down", "down", "down", "M"):
            pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: len(trace(pilot).comments.rows) > 1, "the marks")
        assert trace(pilot).comments.rows == {2, 5} and screen.selection.row == 5


async def test_a_conversation_is_copied_as_json_lines() -> None:
    async with opened("websocket.pcapng", SMALL) as (pilot, _):
        await pilot.press("J")
        await until(pilot, lambda: pilot.app.clipboard, "the lines")
        assert all(line.startswith("{") for line in pilot.app.clipboard.splitlines())
        assert '"websocket.opcode": 8' in pilot.app.clipboard
