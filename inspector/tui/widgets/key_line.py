"""The last line: the keys that mean something here and now, with help and quitting always in sight.

Two lines where one has no room for the keys of a session and those of its wire: both are needed at once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Input

from inspector.model.language import tr
from inspector.tui.widgets.painter import Painter
from inspector.views.line.spans import cell_width

# What stands first where not all have room: what the pane alone can do, then these, then all others. In the
# ladder, where sessions are steered, it is the keys of the session.
FIRST = ("filter.done", "filter.leave", "composer.send", "composer.leave",
         "number.answer", "number.leave", "list.open", "pane.back", "pane.copy", "pane.whole")
FIRST_IN_LADDER = ("wire.pass", "wire.drop", "wire.double", "wire.delay", "wire.swap", "wire.hold",
                   "session.pause", "session.step", "session.say-client", "session.say-server", "session.end",
                   "list.open", "pane.copy", "ladder.whole", "ladder.relative")
SHARED = ("list", "pane", "session", "wire", "words", "number", "trace", "hand", "app")  # of several panes
LAST = "workbench"                     # where there is room: what goes on anywhere, whatever the pane
KEY_PAINT = "key-line--key"
ALWAYS = ("app.help", "app.quit", "compare.help", "help.back", "prompt.cancel", "menu.cancel")


class Key(NamedTuple):
    """One key and the cells [start, stop) where it stands in line `line`."""

    key: str
    shown: str
    name: str
    start: int
    stop: int
    line: int = 0


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
        self._take_room()
        self.refresh()

    def on_resize(self) -> None:
        self._take_room()

    def _take_room(self) -> None:
        """As many lines as are needed; the same whichever pane, or line of text, has the focus."""
        names, needed = set(), 1
        for _, one, enabled, _ in self.screen.active_bindings.values():
            group = "always" if one.id in ALWAYS else (one.id or "").partition(".")[0]
            if enabled and one.show and group in ("wire", "session", "always"):
                names.add(group)
                needed += _size((one.key, self.app.get_key_display(one), tr(one.description), False))
        lines = 2 if "wire" in names and needed > self.screen.size.width else 1
        if self.styles.height is None or self.styles.height.value != lines:
            self.styles.height = lines

    def keys(self, width: int, lines: int = 1) -> list[Key]:
        """What is shown in lines of `width` cells, and where."""
        shown: dict[str, Binding] = {}
        ladder, line = False, self.screen.focused if isinstance(self.screen.focused, Input) else None
        for _, binding, enabled, _ in self.screen.active_bindings.values():
            ladder |= (binding.id or "").startswith("ladder.")
            named = binding if line is None else replace(binding, key_display=None)
            if line is not None and _types(line, binding.key, self.app.get_key_display(named)):
                continue
            if binding.show and enabled:
                shown.setdefault(binding.action, named)
        names = getattr(self.screen, "key_name", attrgetter("description"))
        order = partial(_rank, FIRST_IN_LADDER if ladder else FIRST)
        found = [(one.key, self.app.get_key_display(one), tr(names(one)), one.id in ALWAYS)
                 for one in sorted(shown.values(), key=order)]
        right = [key for key in found if key[3]]
        stop = width - sum(_size(key) for key in right)
        ends = [width] * (lines - 1) + [stop]          # what is always wanted stands in the last line
        placed, at = [], [1] * lines
        for key in (key for key in found if not key[3]):
            size = _size(key)
            row = next((n for n in range(lines) if at[n] + size <= ends[n]), None)
            if row is not None:                # else a shorter one may have room
                placed.append(Key(*key[:3], at[row], at[row] + size, row))
                at[row] += size
        for key in right:
            placed.append(Key(*key[:3], stop, stop + _size(key), lines - 1))
            stop += _size(key)
        return placed

    def _placed(self, line: int) -> list[Key]:
        return [key for key in self.keys(self.size.width, max(self.size.height, 1)) if key.line == line]

    def render_line(self, y: int) -> Strip:
        plain, strong = self.colours(), self.colours(KEY_PAINT)
        segments, at = [], 0
        for key in self._placed(y):
            segments += [Segment(" " * (key.start - at), plain), Segment(key.shown, strong),
                         Segment(f" {key.name}  ", plain)]
            at = key.stop
        return Strip(segments).adjust_cell_length(self.size.width, plain)

    def on_click(self, event: events.Click) -> None:
        for key in self._placed(event.y):
            if key.start <= event.x < key.stop - 1:
                self.app.simulate_key(key.key)


def _types(line: Input, key: str, shown: str) -> bool:
    """Whether a key types something into this line, which need not take all signs."""
    character = " " if key == "space" else shown
    return len(character) == 1 and character.isascii() and line.check_consume_key(key, character)


def _rank(first: tuple[str, ...], binding: Binding) -> int:
    """Where a key stands in the line: the lower, the further to the left."""
    name = binding.id or ""
    if name in first:
        return 1 + first.index(name)
    group = name.partition(".")[0]
    return 2 + len(first) if group == LAST else 1 + len(first) if group in SHARED else 0


def _size(key: tuple[str, str, str, bool]) -> int:
    return cell_width(key[1]) + cell_width(key[2]) + 3
