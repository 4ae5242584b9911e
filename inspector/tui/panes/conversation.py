"""Panes that speak of one conversation: how it opened and closed, what was said, its messages.

The workbench says which conversation; views that work through long streams do it in short turns on the
event loop (`work`), so that nothing ever waits for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.timer import Timer

from inspector.tui.messages import DetailAsked, Selection
from inspector.tui.panes.base import Pane
from inspector.tui.widgets.line_list import LineList, LineProvider
from inspector.tui.widgets.painter import Head
from inspector.views.conversation.place import StreamPlace
from inspector.views.line.spans import Line
from inspector.wire.dissection.field import Field

if TYPE_CHECKING:
    from inspector.views.ladder.ladder import Conversation

TURN = 0.008           # seconds of work before the loop has its turn
BREATH = 0.002


def selection_of(place: StreamPlace, label: str) -> Selection:
    """A place in a stream as the selection of all panes."""
    field = None
    if place.start is not None and place.stop is not None:
        field = Field("", label, "", place.start, place.stop, place.bit_start, place.bit_stop)
    return Selection(row=place.row, rows=place.rows, field=field)


class ConversationPane(Pane):
    """Shows `self.conversation`; subclasses say with what."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._shown: Conversation | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Head(self.head, id=f"{self.id}-head")
        yield LineList(id=f"{self.id}-list")

    @property
    def lines(self) -> LineList:
        return self.query_one(LineList)

    def reset(self) -> None:
        self._shown = None
        self.lines.show(None)

    def update_trace(self) -> None:
        if self.trace is None or self.conversation is None:
            return
        if self.conversation != self._shown:
            self._shown = self.conversation
            self.lines.show(self.begin(self.conversation))
        self._work()

    def update_selection(self) -> None:
        if self.conversation != self._shown:
            self.update_trace()
        self.mark()

    def _work(self) -> None:
        """One turn of what is left to do; then the next one soon."""
        self._timer = None
        changed, more = self.go_on(), self.unfinished()
        if changed:
            self.lines.refill()
            self.query_one(Head).again()
        if more and self.is_attached:
            self._timer = self.set_timer(BREATH, self._work)
        elif changed:
            self.mark()

    def head(self, width: int) -> list[Line]:
        """The lines above the list."""
        return []

    def begin(self, conversation: Conversation) -> LineProvider | None:
        """Lines of another conversation."""
        raise NotImplementedError

    def go_on(self) -> bool:
        """Do a turn's work; True when the lines changed."""
        return True

    def unfinished(self) -> bool:
        """Whether there is more to do."""
        return False

    def mark(self) -> None:
        """Put the cursor on what is chosen."""

    @on(LineList.LineOpened)
    def _opened(self, message: LineList.LineOpened) -> None:
        message.stop()
        self.opened(message.index)

    def opened(self, index: int) -> None:
        """Enter, or a double click."""
        self.post_message(DetailAsked())

    @on(LineList.LineChosen)
    def _chosen(self, message: LineList.LineChosen) -> None:
        message.stop()
        if not isinstance(message, LineList.LineOpened):
            self.chosen(message.index, message.cell)

    def chosen(self, index: int, cell: int | None) -> None:
        """The cursor was moved to a line."""

    @on(LineList.FollowChanged)
    def _follow_changed(self, message: LineList.FollowChanged) -> None:
        message.stop()
