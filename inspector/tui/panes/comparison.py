"""Conversations side by side, over the workbench; Escape leads back, Enter shows all of a line.

Conversations that were marked -> views/conversations/compare -> a list of lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from inspector.tui.widgets.base import BaseModal
from inspector.tui.widgets.clipboard import copy
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.whole import WholeScreen
from inspector.views.conversations.compare.compare import Comparison, Side
from inspector.views.line.spans import plain

_COPIED = 160              # cells that the lines have in the clipboard


class CompareScreen(BaseModal[None]):
    """The comparison as it stood when it was opened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,equals_sign,q", "dismiss", "Back", key_display="esc", id="compare.back"),
        Binding("y", "copy", "Copy all", id="compare.copy"),
    ]

    def __init__(self, sides: Sequence[Side]) -> None:
        super().__init__()
        self._comparison = Comparison(sides)

    def compose(self) -> ComposeResult:
        with Vertical(id="compare") as frame:
            frame.border_title = "Conversations side by side"
            yield LineList(self._comparison, id="compared")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(LineList).focus()

    @on(LineList.LineOpened)
    def _opened(self, message: LineList.LineOpened) -> None:
        message.stop()
        text = self._comparison.whole(message.index)
        if text:
            self.app.push_screen(WholeScreen(text, text))

    def action_copy(self) -> None:
        made = self._comparison
        copy(self.app, "\n".join(plain(made.line(index, _COPIED)).rstrip() for index in range(made.count)))
