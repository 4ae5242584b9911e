"""The last line: the keys that mean something here and now, with help and quitting always in sight."""

from __future__ import annotations

from typing import Any, NamedTuple

from rich.segment import Segment
from textual import events
from textual.screen import Screen
from textual.strip import Strip

from inspector.tui.widgets.painter import Painter

ALWAYS = ("app.help", "app.quit", "help.back", "prompt.cancel", "menu.cancel")
LAST = ("pane.whole", "pane.copy")      # every pane's: they give way to what this screen is for


class Key(NamedTuple):
    """One key of the line and the cells [start, stop) where it stands."""

    key: str
    shown: str
    name: str
    start: int
    stop: int


class KeyLine(Painter):
    """The active bindings that are to be shown; what is always wanted stands at the right."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine {
        dock: bottom; height: 1; background: $footer-background; color: $footer-description-foreground;
    }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _screen: Screen[Any]) -> None:
        self.refresh()

    def keys(self, width: int) -> list[Key]:
        """What is shown in `width` cells, and where."""
        found: dict[str, tuple[str, str, str, bool]] = {}
        active = sorted(self.screen.active_bindings.values(), key=lambda one: one.binding.id in LAST)
        for _, binding, enabled, _ in active:
            if binding.show and enabled and binding.action not in found:
                found[binding.action] = (binding.key, self.app.get_key_display(binding), binding.description,
                                         binding.id in ALWAYS)
        right = [key for key in found.values() if key[3]]
        room = width - sum(_size(key) for key in right) - 1
        placed, at = [], 1
        for key in (key for key in found.values() if not key[3]):
            if at + _size(key) > room:
                break
            placed.append(Key(*key[:3], at, at + _size(key)))
            at += _size(key)
        at = room + 1
        for key in right:
            placed.append(Key(*key[:3], at, at + _size(key)))
            at += _size(key)
        return placed

    def render_line(self, y: int) -> Strip:
        plain, strong = self.colours(), self.colours("key-line--key")
        segments, at = [], 0
        for key in self.keys(self.size.width):
            segments += [Segment(" " * (key.start - at), plain), Segment(key.shown, strong),
                         Segment(f" {key.name}  ", plain)]
            at = key.stop
        return Strip(segments).adjust_cell_length(self.size.width, plain)

    def on_click(self, event: events.Click) -> None:
        for key in self.keys(self.size.width):
            if key.start <= event.x < key.stop - 1:
                self.app.simulate_key(key.key)


def _size(key: tuple[str, str, str, bool]) -> int:
    return len(key[1]) + len(key[2]) + 3
