"""One line of tabs: the key that shows a pane, its name; at the end what the pane in front says of itself.

`TabName`s of panes -> one drawn line, with shorter names where it is narrow; a click -> the pane.
"""

from __future__ import annotations

from typing import NamedTuple

from rich.segment import Segment
from textual import events
from textual.strip import Strip

from inspector.tui.messages import PaneAsked
from inspector.tui.widgets.divider import Divider
from inspector.tui.widgets.painter import Painter
from inspector.views.line.spans import cell_width, fit


class TabName(NamedTuple):
    """A pane's id, the key that shows it, its name, and the name where there is little room."""

    pane: str
    key: str
    name: str
    short: str


class TabBar(Divider, Painter):
    """The tabs; the workbench says which one is in front, and what drawing the bar with the mouse does."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "TabBar { height: 1; background: $surface; }"

    def __init__(self, tabs: tuple[TabName, ...], *, id: str) -> None:
        super().__init__(id=id)
        self._tabs = tabs
        self._shown: tuple[str, str, str, frozenset[str]] = ("", "", "", frozenset())

    def rename(self, tabs: tuple[TabName, ...]) -> None:
        """The same tabs under other names."""
        self._tabs = tabs
        self.refresh()

    def show(self, front: str, focused: str, status: str, hidden: frozenset[str]) -> None:
        """Mark the tab of pane `front`, put its status at the end, leave out the tabs of `hidden`.

        `focused`: the pane that has the keys.
        """
        if self._shown != (front, focused, status, hidden):
            self._shown = (front, focused, status, hidden)
            self.refresh()

    def cells(self) -> list[tuple[TabName, int, int]]:
        """The tabs that are there, each with the cells [start, stop) where it stands."""
        tabs = [tab for tab in self._tabs if tab.pane not in self._shown[3]]
        if _cells(tabs) > self.size.width:
            tabs = [tab._replace(name=tab.short) for tab in tabs]
        if _cells(tabs) > self.size.width:
            tabs = self._named(tabs)
        room = self.size.width - (cell_width(self._shown[2]) + 2 if self._shown[2] else 0)
        loose = sum(cell_width(tab.key + tab.name) + 2 for tab in tabs) <= room
        placed, at = [], 0
        for tab in tabs:
            size = cell_width(tab.key + tab.name) + (2 if loose else 1)
            placed.append((tab, at, at + size))
            at += size
        return placed

    def _named(self, tabs: list[TabName]) -> list[TabName]:
        """The tabs of which the one in front, and whichever have room beside it, have a name: a whole one."""
        found = [tab._replace(name="") for tab in tabs]
        room = self.size.width - _cells(found)
        for place in sorted(range(len(tabs)), key=lambda place: tabs[place].pane != self._shown[0]):
            if (size := cell_width(tabs[place].name)) <= room:
                found[place], room = tabs[place], room - size
        return found

    def render_line(self, y: int) -> Strip:
        front, focused, status, _ = self._shown
        plain = self.colours()
        segments, at = [], 0
        for tab, start, stop in self.cells():
            under = () if tab.pane != front else ("tab--front",) if tab.pane != focused else ("tab--focused",)
            key = self.colours(*under, "tab--key")
            name = self.colours("tab--name", *under)
            lead = " " * (stop - start - cell_width(tab.key + tab.name) - 1)
            segments += [Segment(lead, name), Segment(tab.key, key), Segment(tab.name + " ", name)]
            at = stop
        room = self.size.width - at - 2
        if status and room >= cell_width(status):
            style = self.colours("line--key")
            segments.append(Segment(" " + fit(status, room, align="right") + " ", style))
        return Strip(segments).adjust_cell_length(self.size.width, plain)

    def on_click(self, event: events.Click) -> None:
        for tab, start, stop in self.cells():
            if start <= event.x < stop:
                self.post_message(PaneAsked(tab.pane))


def _cells(tabs: list[TabName]) -> int:
    """Cells that the tabs need at least."""
    return sum(cell_width(tab.key + tab.name) + 1 for tab in tabs)
