"""The wire held by hand in the app: packets wait in the ladder, keys say what becomes of them."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from inspector.model.packets import first_rows
from tests.support.running.lab import needs_lab
from tests.support.screen.live import (
    QuietApp,
    bench,
    grid,
    ladder_text,
    running,
    session,
    trace,
    until,
    until_shown,
)

pytestmark = needs_lab
WIRE_KEYS = ("p Pass", "d Drop", "b Double", "t Delay", "u Swap", "P Hold/pass all")


def fates(pilot: Pilot[Any]) -> list[str]:
    """What became of each packet that had to wait, in the order of the capture."""
    told, count = trace(pilot).fates, trace(pilot).index.count
    return [fate.fate for row in first_rows(count) if (fate := told.of(row)) is not None]


async def until_waiting(pilot: Pilot[Any], count: int) -> None:
    await until(pilot, lambda: len(trace(pilot).fates.waiting) >= count, f"{count} packets that wait")


async def until_seen(pilot: Pilot[Any], *words: str) -> None:
    screen = bench(pilot)
    await until(pilot, lambda: all(word in grid(screen) for word in words), f"{words} on the screen")


async def test_the_learner_is_the_network() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("i", "t")
        await running(pilot)
        await until_waiting(pilot, 1)
        await until_seen(pilot, "┃ waits for you", *WIRE_KEYS)
        await pilot.press("d")
        await until(pilot, lambda: fates(pilot)[:1] == ["dropped"], "the loss of the SYN")
        await until_waiting(pilot, 1)                          # sent again by its kernel
        await until_seen(pilot, "✗ dropped by you")
        await pilot.press("p")
        await until(pilot, lambda: "passed" in fates(pilot), "a SYN that passes")
        await until_waiting(pilot, 1)
        await pilot.press("P")                                 # and now all of them
        await until(pilot, lambda: "hello" in ladder_text(pilot), "data on both ways")
        assert not trace(pilot).fates.holds
        await pilot.press("P")
        await until(pilot, lambda: trace(pilot).fates.holds, "a wire that is held again")


async def test_a_step_while_a_packet_waits_says_that_it_can_pass() -> None:
    async with session("tcp", wire="held") as pilot:
        await until_waiting(pilot, 1)
        await pilot.press("s")
        await until_shown(pilot, "p lets a packet pass")


async def test_the_keys_of_the_wire_are_there_with_a_wire_alone() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await running(pilot)
        await until(pilot, lambda: trace(pilot).index.count, "packets")
        assert "d Drop" not in grid(bench(pilot))
        active = app.screen.active_bindings.values()
        assert "wire.drop" not in {one.binding.id for one in active if one.enabled}
