"""A text that has no room where it stands: all of it, over the screen, to be read and copied."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from inspector.tui.widgets.base import BaseModal, PlainScroll, Prose
from inspector.tui.widgets.clipboard import copy
from inspector.tui.widgets.key_line import KeyLine


class WholeScreen(BaseModal[None]):
    """The text wrapped, scrolled by keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,e,enter,q", "dismiss", "Back", key_display="esc", id="whole.back"),
        Binding("y", "copy", "Copy", id="whole.copy"),
        Binding("down,j", "scroll(1)", show=False, id="whole.down"),
        Binding("up,k", "scroll(-1)", show=False, id="whole.up"),
        Binding("pagedown,space", "scroll(10)", show=False, id="whole.page-down"),
        Binding("pageup", "scroll(-10)", show=False, id="whole.page-up"),
    ]

    def __init__(self, text: str, copied: str) -> None:
        """`text` is safe to show, `copied` what the clipboard gets."""
        super().__init__()
        self._text, self._copied = text, copied

    def compose(self) -> ComposeResult:
        with PlainScroll(id="whole"):
            yield Prose(Content(self._text))
        yield KeyLine()

    def action_scroll(self, lines: int) -> None:
        self.query_one("#whole").scroll_relative(y=lines, animate=False)

    def action_copy(self) -> None:
        copy(self.app, self._copied)
