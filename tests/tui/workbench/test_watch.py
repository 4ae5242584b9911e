"""Watching this machine's own loopback in the app, with limits and into a file of the user's choosing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.cli.trace_files import trace_file
from inspector.lab.capture.access import may_capture
from inspector.lab.options import Limits, Outside, Watch
from inspector.trace.trace import Trace
from inspector.tui.files.settings import keep
from tests.support.running.lab import needs_lab
from tests.support.screen.live import QuietApp, grid, trace, until, until_shown, workbench
from tests.support.tiers import sweep


@pytest.mark.skipif(not may_capture(), reason="needs root or CAP_NET_RAW")
@sweep(("limits", "sentence"), [
    (Limits(packets=3), "The capture ended: 3 packets were captured."),
    (Limits(seconds=1.5), "The capture ended after 1.5 seconds."),
    (Limits(max_size=4000), "The capture ended: the file has reached its limit of 4,000 bytes."),
], lambda case: case[0].packets)
async def test_what_ended_a_watch_is_told_and_stays_in_the_title(
    tmp_path: Path, limits: Limits, sentence: str
) -> None:
    saved = tmp_path / "saved.pcapng"
    limits = replace(limits, filter="udp", snaplen=45)
    with trace_file(str(saved)) as file:
        app = QuietApp(watch=Watch((45872,), limits=limits, save=(file.path, file.name)))
        async with app.run_test(size=(160, 40)) as pilot, sending(45872):
            await workbench(pilot)
            await until_shown(pilot, sentence)
            await until(pilot, lambda: "■ ended" in grid(app.screen), "the title")
            assert sentence in grid(app.screen).splitlines()[0]
            index = trace(pilot).index
            kept_lengths = set(index.cap_len.tolist())
            assert kept_lengths == {45} or (limits.seconds and not kept_lengths)    # the sender came too late
            if limits.packets:
                assert index.count == limits.packets
        assert str(saved) in app.farewell
    with Trace.open(saved) as kept:
        kept.finish()
        assert kept.index.count == index.count and kept.truncated is None


@pytest.mark.skipif(not may_capture(), reason="needs root or CAP_NET_RAW")
async def test_a_watch_that_ended_without_a_packet_waits_for_none() -> None:
    app = QuietApp(watch=Watch((45876,), limits=Limits(seconds=0.2)))
    async with app.run_test(size=(80, 24)) as pilot:
        await workbench(pilot)
        for key in "132":
            await pilot.press(key)
            await until(pilot, lambda: "The capture has ended, and no packet came (port 45876)."
                        in grid(app.screen), "what became of it")
        assert "Waiting for" not in grid(app.screen)


@needs_lab
@pytest.mark.parametrize("taken", [False, True])
async def test_an_empty_relay_opens_on_its_ladder_and_says_where_to_talk(taken: bool) -> None:
    keep(front="findings", lower="findings")       # a file was left so
    port = 45875 if taken else 45873
    app = QuietApp(watch=Watch(outside=Outside(via=((port, 45874),))))
    with socket.create_server(("127.0.0.1", port)) if taken else nullcontext():
        async with app.run_test(size=(80, 24)) as pilot:
            screen = await workbench(pilot)
            await until(pilot, lambda: screen.state.doors, "the relay")
            door = screen.state.doors[0][1]
            assert (door == f"127.0.0.1:{port}") is not taken
            await until(pilot, lambda: f"Talk to {door}:" in grid(app.screen), "where to talk")
            assert f"{door.partition(':')[2]} → 45874" in grid(app.screen).splitlines()[0]
            assert screen.front == "ladder"


@asynccontextmanager
async def sending(port: int) -> AsyncIterator[None]:
    """Datagrams to a port, time and again."""
    async def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while True:
                with suppress(OSError):
                    sender.sendto(bytes(100), ("127.0.0.1", port))
                await asyncio.sleep(0.02)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
