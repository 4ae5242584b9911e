"""The command palette: Textual's own, as quick to leave as any other box, and answering once."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette

from inspector.tui.widgets.leaving import LeavesQuietly


class Palette(CommandPalette, LeavesQuietly):
    """Its search goes on in a worker and in timers, which may outlast it."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Go. What comes while it goes, or is covered, ends no other screen."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    def _action_command_list(self, action: str) -> None:
        """Move in the list, or choose. A list that is not laid out yet knows no lines to move by."""
        if self.query_one(CommandList).scrollable_content_region or not action.startswith("page"):
            super()._action_command_list(action)
