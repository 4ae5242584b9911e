"""What is chosen, handed on: by its key to the clipboard, to a file, to another program."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from inspector.model.packets import Row
from inspector.trace.trace import Trace
from inspector.tui.messages import Selection
from inspector.tui.panes.packets import FilterInput
from inspector.tui.widgets.prompt import MenuScreen, PromptScreen
from tests.protocols.test_redis import frames_of
from tests.support.frames import pcapng_bytes
from tests.support.live import SMALL, opened, settled, until


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
        await until(pilot, lambda: len(pilot.app._notifications) > 1, "the sentences")
        first, second = (note.message for note in pilot.app._notifications)
        assert first.startswith("Choose a request") and "part of no request" in second
        assert not pilot.app.clipboard


async def test_a_long_body_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    body = b"\0" * 100_000
    said = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    path = tmp_path / "long.pcapng"
    frames = frames_of([(0, said), (1, b"HTTP/1.1 204 No Content\r\n\r\n")], port=80)
    path.write_bytes(pcapng_bytes(frames, 101))
    async with opened(path, SMALL) as (pilot, screen):
        screen.choose(Selection(row=Row(3)))
        await pilot.press("Y")
        await until(pilot, lambda: pilot.app.clipboard, "the command")
    (kept,) = tmp_path.glob("inspector-body-*.bin")
    assert kept.read_bytes() == body and f"@{kept}" in pilot.app.clipboard
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("key", "count", "calls"), [("a", 20, None), ("c", 10, 19), ("f", 2, None)])
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
