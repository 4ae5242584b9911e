"""Panes that speak of one conversation: how it opened and closed, what was said, its messages.

The workbench says which conversation; views that work through long streams do it in short turns on the
event loop (`Pane.work`), so that nothing ever waits for them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from inspector.model.language import tr
from inspector.tui.messages import Selection, StatusChanged
from inspector.tui.panes.base import ListPane, PaneSpec
from inspector.tui.widgets.line_list import LineProvider
from inspector.tui.widgets.painter import Head
from inspector.views.conversation.place import StreamPlace
from inspector.wire.dissection.field import Field

if TYPE_CHECKING:
    from inspector.views.ladder.ends import Conversation


def selection_of(place: StreamPlace, label: str) -> Selection:
    """A place in a stream as the selection of all panes."""
    field = None
    if place.start is not None and place.stop is not None:
        field = Field("", label, "", place.start, place.stop, place.bit_start, place.bit_stop)
    return Selection(row=place.row, rows=place.rows, field=field)


class ConversationPane(ListPane):
    """Shows `self.conversation`; subclasses say with what."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._shown: Conversation | None = None
        self._decoding: list[str] = []         # as it was said last

    @property
    def decoding(self) -> list[str]:
        """Which part of the conversation is decoded, in words, while it is not all of it."""
        if self.trace is None or self._shown is None or self._shown.protocol != "tcp":
            return []
        share = self.trace.share(self._shown.stream)
        return [tr("{share:.0%} decoded", share=share)] if 0 < share < 1 else []

    def reset(self) -> None:
        self._shown = None
        self.lines.show(None)

    def update_trace(self) -> None:
        if self.trace is None or self.conversation is None:
            return
        if self.conversation != self._shown:
            self._shown = self.conversation
            self.lines.show(self.begin(self.conversation))
            for head in self.query(Head):          # it may be all there, without a turn of work
                head.again()
        self.work()

    def update_selection(self) -> None:
        if self.conversation != self._shown:
            self.update_trace()
        self.mark()

    def turn(self) -> bool:
        changed, more = self.go_on(), self.unfinished()
        if self.decoding != self._decoding:
            self._decoding = self.decoding
            self.post_message(StatusChanged())
            self.query_one(Head).again()
        if changed:
            self.lines.refill()
            self.query_one(Head).again()
            if not more:
                self.mark()
        return more

    @abstractmethod
    def begin(self, conversation: Conversation) -> LineProvider | None:
        """Lines of another conversation."""

    def go_on(self) -> bool:
        """Do a turn's work; True when the lines changed."""
        return True

    def unfinished(self) -> bool:
        """Whether there is more to do."""
        return False

    def mark(self) -> None:
        """Put the cursor on what is chosen."""
