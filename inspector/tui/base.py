"""Screens and containers whose bindings all carry ids, so that a keymap can change every key."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.screen import ModalScreen, Screen

Result = TypeVar("Result")

COMMON: list[BindingType] = [
    Binding("tab", "app.focus_next", "Next pane", show=False, id="screen.next"),
    Binding("shift+tab", "app.focus_previous", "Previous pane", show=False, id="screen.previous"),
    Binding("ctrl+shift+c,super+c", "screen.copy_text", "Copy what the mouse marked", show=False, id="screen.copy"),
]


class BaseScreen(Screen[None], inherit_bindings=False):
    """A screen of the app."""

    BINDINGS: ClassVar[list[BindingType]] = COMMON
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (110, "-wide"), (160, "-broad")]
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-low"), (32, "-tall")]


class BaseModal(ModalScreen[Result], inherit_bindings=False):
    """A box over a screen."""

    BINDINGS: ClassVar[list[BindingType]] = COMMON


class PlainScroll(ScrollableContainer, can_focus=False, inherit_bindings=False):
    """Scrolls what does not fit; the keys are the screen's."""

    DEFAULT_CSS = "PlainScroll { overflow-x: hidden; overflow-y: auto; layout: vertical; width: 1fr; height: 1fr; }"
