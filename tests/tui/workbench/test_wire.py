"""The wire held by hand in the app: packets wait in the ladder, keys say what becomes of them."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from inspector.model.commands import Send
from inspector.model.messages import Message
from inspector.model.packets import first_rows
from inspector.tui.messages import Selection
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.key_line import KeyLine
from tests.support.running.lab import needs_lab
from tests.support.screen.keys import burst
from tests.support.screen.live import (
    QuietApp,
    bench,
    grid,
    ladder_text,
    running,
    session,
    trace,
    until,
    until_drawn,
    until_shown,
)
from tests.support.tiers import sweep

pytestmark = needs_lab
WIRE_KEYS = ("p Pass", "d Drop", "b Double", "t Delay", "u Swap", "P Hold/pass all",
             "space Pause", "s Step", "c Client says", "v Server says", "x Close…", "? Help", "q Quit")


def fates(pilot: Pilot[Any]) -> list[str]:
    """What became of each packet that had to wait, in the order of the capture."""
    known, count = trace(pilot).fates, trace(pilot).index.count
    return [fate.fate for row in first_rows(count) if (fate := known.of(row)) is not None]


async def until_waiting(pilot: Pilot[Any], count: int) -> None:
    await until(pilot, lambda: len(trace(pilot).fates.waiting) >= count, f"{count} packets that wait")


async def until_seen(pilot: Pilot[Any], *words: str) -> None:
    """Wait for words on the screen, wherever a line of theirs is wrapped: it grows with each repetition."""
    def seen() -> bool:
        shown = grid(bench(pilot))
        return all(word in shown or word in " ".join(shown.split()) for word in words)

    await until(pilot, seen, f"{words} on the screen")


async def test_keys_of_the_wire_wait_for_a_session_that_starts() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("i")
        burst(app, "tP")
        await running(pilot)
        await until(pilot, lambda: "hello" in ladder_text(pilot), "data: all packets pass")
        assert not any("has ended" in note.message for note in app.toasts)


async def test_the_learner_is_the_network() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("i", "t")
        await running(pilot)
        await until_waiting(pilot, 1)
        await until_seen(pilot, "┃ ▸ waits for you", *WIRE_KEYS)
        assert bench(pilot).query_one(KeyLine).region.height == 2
        await pilot.click(KeyLine, offset=(12, 1))                # Client says, in the second of two lines
        await until(pilot, lambda: isinstance(bench(pilot).focused, Input), "a line to type in")
        await pilot.press("escape")
        await pilot.press("d")
        await until(pilot, lambda: fates(pilot)[:1] == ["dropped"], "the loss of the SYN")
        await until_waiting(pilot, 1)                          # sent again by its kernel
        await until_seen(pilot, "✗ dropped by you")
        await pilot.press("7")
        await until_seen(pilot, "You dropped packet 1 of the client (SYN)")
        await pilot.press("home")
        await until_seen(pilot, "was sent again", "no end is to blame.")
        assert "othing to complain" not in grid(bench(pilot))
        await pilot.press("1")
        await pilot.press("p")
        await until(pilot, lambda: "passed" in fates(pilot), "a SYN that passes")
        await until_waiting(pilot, 1)
        await pilot.press("P")                                 # and now all of them
        await until(pilot, lambda: "hello" in ladder_text(pilot), "data on both ways")
        assert not trace(pilot).fates.holds
        await pilot.press("P")
        await until(pilot, lambda: trace(pilot).fates.holds, "a wire that is held again")


async def test_the_packet_that_keys_mean_is_marked_and_seen() -> None:
    async with session("tcp", (80, 24), wire="held") as pilot:
        screen = bench(pilot)
        await until_waiting(pilot, 2)                          # a SYN, and the same again
        await until_seen(pilot, "[again]", "▸ waits for you", " wait ")
        assert grid(screen).count("▸ waits for you") == 1
        syns = [line for line in grid(screen).splitlines() if "SYN  seq" in line and "┃" in line]
        assert [("[again]" in line, "▸" in line) for line in syns][:2] == [(False, True), (True, False)]
        waiting = trace(pilot).fates.waiting
        screen.choose(Selection(row=waiting[1].row))
        await until(pilot, lambda: any("[again]" in line and "┃ ▸" in line
                                       for line in grid(screen).splitlines()), "the mark at the chosen one")


async def test_on_a_wide_screen_too_a_packet_that_comes_again_says_so() -> None:
    async with session("tcp", (120, 40), wire="held") as pilot:
        await until_waiting(pilot, 2)
        bench(pilot).choose(Selection(row=trace(pilot).fates.waiting[1].row))
        await until(pilot, lambda: any("[again] SYN" in line and "▸ waits" in line
                                       for line in grid(bench(pilot)).splitlines()), "both marks")


@sweep("size", [(80, 24), (120, 40)], lambda size: size == (80, 24))
async def test_what_was_said_of_a_packet_that_waits_is_said_afterwards(size: tuple[int, int]) -> None:
    async with session("tcp", size, wire="held") as pilot:
        await until_waiting(pilot, 3)                          # a SYN, and the same twice
        second, third = (one.row for one in trace(pilot).fates.waiting[1:3])
        for key, row, fate in (("u", second, "swapped"), ("p", third, "passed")):
            bench(pilot).choose(Selection(row=row))
            await pilot.press(key)
            await until(pilot, lambda: (it := trace(pilot).fates.of(row)) and it.fate == fate, fate)  # noqa: B023
            await until(pilot, lambda: any(f" {row + 1} " in line and "[again]" in line and "┃ ▸" not in line  # noqa: B023
                                           for line in grid(bench(pilot)).splitlines()), "its mark")


async def test_what_becomes_of_a_packet_is_seen_where_it_is() -> None:
    async with session("udp", (80, 24), wire="held", messages=()) as pilot:
        screen = bench(pilot)
        await until_drawn(pilot, "recv")
        for _ in range(20):                                    # more than there are lines
            screen.query_one("#composer-client", Composer).post_message(
                Composer.Composed(Send(Message(b"x"), "client")))
        await until_waiting(pilot, 20)
        await until_seen(pilot, "20 wait ")
        await until(pilot, lambda: "▸ waits for you" not in grid(screen), "a ladder at its end")
        await pilot.press("d")
        await until_seen(pilot, "✗ dropped by you")


async def test_a_packet_that_is_put_off_arrives_later() -> None:
    async with session("tcp", (80, 24), wire="held") as pilot:
        await until_waiting(pilot, 1)
        await pilot.press("t")
        await until(pilot, lambda: "put off" in sentences(pilot), "a packet that waits a second")
        await until(pilot, lambda: "delayed" in sentences(pilot), "its arrival")
        fates = trace(pilot).fates
        assert sentences(pilot).index("put off") < sentences(pilot).index("delayed")
        assert fates.of(first_rows(1)[0]) is not None


def sentences(pilot: Pilot[Any]) -> list[str]:
    """What was told of packets on the wire, in order."""
    return [dict(event.fields).get("fate", "") for event in trace(pilot).events if event.kind == "wire"]


async def test_that_no_packet_waits_is_said_no_longer_than_it_is_true() -> None:
    async with session("tcp", (80, 24), wire="held") as pilot:
        await until_waiting(pilot, 1)
        await pilot.press("P")
        await until(pilot, lambda: "hello" in ladder_text(pilot), "data")
        await pilot.press("P")
        await until(pilot, lambda: trace(pilot).fates.holds, "a wire that is held again")
        await pilot.press("p")
        await until_shown(pilot, "holds no packet now")
        await pilot.press("c", *"more", "enter")
        await until_waiting(pilot, 1)
        await until(pilot, lambda: not any("holds no packet" in note.message
                                           for note in pilot.app._notifications), "the end of the toast")


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
