"""The command palette: Textual's own, as quick to leave as any other box, and answering once."""

from __future__ import annotations

from functools import partial
from typing import Any

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.command import CommandInput, CommandList, CommandPalette
from textual.strip import Strip
from textual.widgets.option_list import Option

from inspector.model.language import marked, tr
from inspector.tui.widgets.base import TextInput
from inspector.tui.widgets.leaving import LeavesQuietly
from inspector.tui.widgets.painter import legible_strip

# What Textual's own commands say, which it says in English.
TEXTUALS = (
    marked("Theme"), marked("Change the current theme"),
    marked("Quit"), marked("Quit the application as soon as possible"),
    marked("Minimize"), marked("Minimize the widget and restore to normal size"),
    marked("Maximize"), marked("Maximize the focused widget"),
    marked("Screenshot"), marked("Save an SVG 'screenshot' of the current screen"),
)


class PaletteInput(CommandInput, TextInput):
    """Its line, which shows and takes what all our lines do."""


class PaletteList(CommandList):
    """Its commands, whose words can be read in every theme."""

    def render_line(self, y: int) -> Strip:
        return legible_strip(super().render_line(y))


class Palette(CommandPalette, LeavesQuietly):
    """Its search goes on in a worker and in timers, which may outlast it."""

    def __init__(self, *providers: Any, placeholder: str = "", **options: Any) -> None:
        super().__init__(*providers, placeholder=placeholder or tr("Search for commands…"), **options)

    def compose(self) -> ComposeResult:
        for widget in super().compose():
            if isinstance(widget, CommandInput):
                yield PaletteInput(placeholder=self._placeholder, select_on_focus=False)
            else:
                yield PaletteList() if isinstance(widget, CommandList) else widget

    def _start_no_matches_countdown(self, search_value: str) -> None:
        """Say in a moment that nothing was found, in the language of the screens."""
        self._stop_no_matches_countdown()
        self._no_matches_timer = self.set_timer(self._NO_MATCHES_COUNTDOWN,
                                                partial(self._found_nothing, search_value))

    def _found_nothing(self, sought: str) -> None:
        if sought:
            nothing = Option(tr("No matches found"), disabled=True, id=self._NO_MATCHES)
            self.query_one(CommandList).add_option(nothing)
        self._list_visible = bool(sought)

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Go. What comes while it goes, or is covered, ends no other screen."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    def _action_command_list(self, action: str) -> None:
        """Move in the list, or choose. A list that is not laid out yet knows no lines to move by."""
        if self.query_one(CommandList).scrollable_content_region or not action.startswith("page"):
            super()._action_command_list(action)
