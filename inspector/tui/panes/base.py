"""What all panes of the workbench have in common.

The workbench calls `show_trace` once, `trace_grew` for every batch and `show_selection` when something
was chosen anywhere; a pane that is not to be seen puts the work off until it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.message import Message

from inspector.tui.messages import NOTHING, Selection
from inspector.tui.widgets.line_list import LineList, LineProvider
from inspector.views.line.document import Document

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ladder import Conversation


class Pane(Vertical):
    """One view of the trace. Subclasses fill in `update_trace` and `update_selection`."""

    LEGEND_TITLE: ClassVar[str] = ""
    LEGEND: ClassVar[tuple[str, ...]] = ()

    class StatusChanged(Message):
        """What the pane's tab says beside its name changed."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="pane")
        self.trace: Trace | None = None
        self.selection = NOTHING
        self.conversation: Conversation | None = None      # what the panes speak of; the workbench says so
        self.follow = False        # the trace is being written now
        self.first_reading = False       # a file is being read for the first time: its lines are no news
        self._stale_trace = self._stale_selection = False

    @property
    def status(self) -> str:
        """A few words beside the pane's name, such as "▼ 12 new"."""
        return ""

    def show_trace(self, trace: Trace | None, *, follow: bool = True) -> None:
        """Begin with another trace. `follow`: lists keep its newest lines in sight."""
        self.trace, self.selection, self.follow = trace, NOTHING, follow
        for lines in self.query(LineList):
            lines.following = follow and lines.tails
        self.reset()
        self.trace_grew()

    def trace_grew(self) -> None:
        """The trace has more than before."""
        if self.is_seen:
            self._stale_trace = False
            self.update_trace()
        else:
            self._stale_trace = True

    def show_selection(self, selection: Selection) -> None:
        """Something was chosen, here or elsewhere."""
        self.selection = selection
        if self.is_seen:
            self._stale_selection = False
            self.update_selection()
        else:
            self._stale_selection = True

    def on_show(self) -> None:
        """Catch up with what happened while the pane was not seen."""
        if self._stale_trace:
            self.trace_grew()
        if self._stale_selection:
            self.show_selection(self.selection)

    @property
    def is_seen(self) -> bool:
        """Whether the pane has a place on the screen."""
        return self.display and all(node.display for node in self.ancestors if isinstance(node, Vertical))

    def focus_inside(self) -> None:
        """Give the focus to the pane's list."""
        for widget in self.query(LineList):
            if widget.display:
                widget.focus()
                return

    def reset(self) -> None:
        """Forget what belonged to another trace."""

    def update_trace(self) -> None:
        """Draw what is new in `self.trace`."""

    def update_selection(self) -> None:
        """Show `self.selection`."""


def plain_page(text: str, width: int) -> LineProvider:
    """A paragraph in place of a list that has nothing to show."""
    document = Document()
    document.prose(text, style="dim")
    return document.page(max(width, 20))
