"""One line of tabs: number, name, and what each pane has to say for itself."""

from __future__ import annotations

from typing import NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static


class TabName(NamedTuple):
    """A pane's id, the key that shows it, its name."""

    pane: str
    key: str
    name: str


class Tab(Static):
    """One name; a click shows its pane."""

    ALLOW_SELECT = False

    def __init__(self, tab: TabName) -> None:
        super().__init__(Content.assemble((tab.key, "$text-accent"), tab.name), classes="tab")
        self.tab = tab

    async def _on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(TabBar.TabChosen(self.tab.pane))


class TabBar(Horizontal):
    """The tabs; the workbench says which one is in front."""

    class TabChosen(Message):
        """The user wants to see this pane."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, tabs: tuple[TabName, ...], *, id: str) -> None:
        super().__init__(id=id, classes="tabs")
        self._tabs = tabs

    def compose(self) -> ComposeResult:
        for tab in self._tabs:
            yield Tab(tab)
        yield Static("", classes="status")

    def show(self, front: str, focused: str, status: str, hidden: frozenset[str]) -> None:
        """Mark the tab of pane `front`, put its status at the end, leave out the tabs of `hidden`.

        `focused`: the pane that has the keys.
        """
        for tab in self.query(Tab):
            tab.set_class(tab.tab.pane == front, "-front")
            tab.set_class(tab.tab.pane == front == focused, "-focused")
            tab.display = tab.tab.pane not in hidden
        self.query_one(".status", Static).update(Content(status))
