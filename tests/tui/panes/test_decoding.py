"""No key waits for decoding: whatever pane it shows takes a turn's share of a large conversation at most."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.trace.application.opening import MOST
from inspector.trace.flows.turns import AT_ONCE, FIRST, STEP, Turns
from inspector.tui.panes.messages import MessagesPane
from inspector.tui.panes.registry import PANES
from tests.support.captures.growth import KINDS
from tests.support.screen.live import opened, settled, until


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
