"""The pane of conversations: it opens first on a file of several, sorts, narrows, and leads to the ladder."""

from __future__ import annotations

import pytest

from inspector.tui.panes.conversations import ConversationsPane
from tests.support.live import opened, trace, until
from tests.support.traces import DATA

pytestmark = pytest.mark.quick


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


async def test_a_file_of_one_conversation_opens_on_its_ladder() -> None:
    async with opened("websocket.pcapng") as (_, screen):
        assert screen.front == "ladder"
