"""The pane of conversations: it opens first on a file of several, sorts, narrows, and leads to the ladder."""

from __future__ import annotations

from pathlib import Path

from inspector.tui.app import InspectorApp
from inspector.tui.panes.conversations import ConversationsPane
from inspector.tui.workbench.workbench import WorkbenchScreen
from tests.support.live import until

DATA = Path(__file__).parents[1] / "data"


async def test_it_opens_first_and_enter_leads_to_the_ladder() -> None:
    app = InspectorApp(trace_path=DATA / "protocols" / "redis.pcapng")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WorkbenchScreen)
                    and app.screen.front == "conversations")
        bench = app.screen
        assert isinstance(bench, WorkbenchScreen)
        pane = bench.query_one(ConversationsPane)
        await until(pilot, lambda: pane.list is not None and pane.list.complete and pane.lines.has_focus)
        assert pane.list is not None and pane.list.count > 5
        await pilot.press("greater_than_sign", "i", "down", "down", "enter")
        await until(pilot, lambda: bench.front == "ladder")
        assert bench.selection.row is not None
        stream = int(bench.trace.index.stream[bench.selection.row])  # type: ignore[union-attr]
        assert bench.conversation is not None and bench.conversation.stream == stream


async def test_a_file_of_one_conversation_opens_on_its_ladder() -> None:
    app = InspectorApp(trace_path=DATA / "traces" / "websocket.pcapng")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WorkbenchScreen) and app.screen.trace is not None
                    and app.screen.trace.complete)
        assert isinstance(app.screen, WorkbenchScreen) and app.screen.front == "ladder"
