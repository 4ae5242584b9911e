"""The sockets of the session: whose they are, their addresses, and the state of each at the chosen packet."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from inspector.tui.messages import DetailAsked, Selection, SelectionMade
from inspector.tui.panes.base import Pane, plain_page
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.views.line.spans import Line
from inspector.views.session.sockets_table import SocketLines


class SocketsPane(Pane):
    """One line a socket, as the journal tells of it and the wire of its state."""

    LEGEND_TITLE = "Sockets"
    LEGEND = (
        "Every socket that the session's programs asked for: owner, descriptor, addresses, the TCP state of "
        "its end at the chosen packet, and the call that made it. Choosing one leads to its conversation's "
        "first packet.",
    )

    def __init__(self, *, id: str = "sockets") -> None:
        super().__init__(id=id)
        self._sockets: SocketLines | None = None

    def compose(self) -> ComposeResult:
        yield Head(self._title, id="sockets-head")
        yield LineList(id="sockets-list")

    @property
    def lines(self) -> LineList:
        return self.query_one(LineList)

    def _title(self, width: int) -> list[Line]:
        return [self._sockets.title(width)] if self._sockets is not None and self._sockets.count else []

    def reset(self) -> None:
        self._sockets = None
        self.lines.show(None)

    def update_trace(self) -> None:
        if self.trace is None:
            return
        if self._sockets is None:
            self._sockets = SocketLines(self.trace)
        else:
            self._sockets.update()
        if not self._sockets.count:
            self.lines.show(plain_page(
                "No system calls were journaled with this capture, so nothing is known of its sockets.",
                self.lines.scrollable_content_region.width))
        elif self.lines.provider is self._sockets:
            self.lines.refill()
        else:
            self.lines.show(self._sockets)
        self.query_one(Head).again()

    def update_selection(self) -> None:
        if self._sockets is not None and self._sockets.row != self.selection.row:
            self._sockets.row = self.selection.row
            self.update_trace()

    @on(LineList.LineChosen)
    def _chosen(self, message: LineList.LineChosen) -> None:
        message.stop()
        if self._sockets is None or not self._sockets.count:
            return
        row = self._sockets.target(message.index)
        if row is not None:
            self.post_message(SelectionMade(Selection(row=row)))

    @on(LineList.LineOpened)
    def _opened(self, message: LineList.LineOpened) -> None:
        message.stop()
        self.post_message(DetailAsked())

    @on(LineList.FollowChanged)
    def _follow_changed(self, message: LineList.FollowChanged) -> None:
        message.stop()
