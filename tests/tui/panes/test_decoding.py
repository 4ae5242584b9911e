"""No key waits for decoding: whatever pane it shows takes a turn's share of a large conversation at most."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from inspector.trace.application.opening import MOST
from inspector.trace.filter.filter import Evaluation
from inspector.trace.flows.turns import AT_ONCE, FIRST, STEP, Turns
from inspector.tui.panes.base import ListPane
from inspector.tui.panes.messages import MessagesPane
from inspector.tui.panes.registry import PANES
from inspector.tui.widgets.line_list import LineList
from tests.support.captures.growth import KINDS
from tests.support.screen.live import opened, settled, until
from tests.support.tiers import thorough


async def test_panes_of_a_large_conversation_take_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.pcapng"
    path.write_bytes(KINDS["requests_in_turn"](1000))
    shares: list[tuple[Turns, int]] = []
    grant = Turns.grant

    def counted(turns: Turns, fresh: int, taken: int) -> int:
        shares.append((turns, grant(turns, fresh, taken)))
        return shares[-1][1]

    monkeypatch.setattr(Turns, "grant", counted)
    async with opened(path) as (pilot, screen):
        for pane in PANES:
            await pilot.press(pane.key)
        await pilot.press("3")
        lines = screen.query_one(MessagesPane).lines
        await until(pilot, lambda: lines.count == 2000, "all messages")
        await settled(pilot)
        assert max(share for _, share in shares) <= max(AT_ONCE, FIRST, STEP)
        assert screen.trace is not None
        decoded = sum(share for turns, share in shares if turns is screen.trace.turns)
        assert decoded == 2006                                         # each packet once
        assert sum(share for _, share in shares) - decoded <= MOST # Conversations: the first


@thorough
async def test_a_filter_that_is_still_looking_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither "none so far" nor "none": of a file one of the two is known, and Escape stops the search."""
    path = tmp_path / "large.pcapng"
    path.write_bytes(KINDS["requests_in_turn"](300))
    monkeypatch.setattr(Evaluation, "run", lambda searched, seconds: searched.step())
    monkeypatch.setattr(Evaluation, "step", lambda searched: False)       # nothing is ever found
    async with opened(path) as (pilot, screen):
        for key, find in (("2", "slash"), ("0", "f")):
            await pilot.press(key, find, *'http.host == "x"', "enter")
            pane = screen.pane(screen.front)
            assert isinstance(pane, ListPane)
            words = ('Still looking for http.host == "x": 0.0% of 606 packets looked at.'
                     " None is let through so far. Escape stops it.")
            await until(pilot, partial(shows, pane, words), words)
            await pilot.press("escape")
            await until(pilot, partial(shows_not, pane, "Still looking"), "the list again")


def text_of(lines: LineList) -> str:
    """What a list shows, as one text."""
    seen = min(lines.count, lines.size.height)
    return " ".join(" ".join(lines.render_line(y).text for y in range(seen)).split())


def shows(pane: ListPane, words: str) -> bool:
    """Whether these words stand in the pane's list."""
    return words in text_of(pane.lines)


def shows_not(pane: ListPane, words: str) -> bool:
    """Whether they do not."""
    return not shows(pane, words)
