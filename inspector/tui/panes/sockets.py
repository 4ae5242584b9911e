"""The sockets of the session: whose they are, their addresses, and the state of each at the chosen packet."""

from __future__ import annotations

from inspector.tui.messages import PaneAsked, Selection, SelectionMade
from inspector.tui.panes.base import ListPane, PaneSpec
from inspector.tui.widgets.painter import Head
from inspector.views.line.spans import Line
from inspector.views.session.sockets_table import SocketLines


class SocketsPane(ListPane):
    """One line a socket, as the journal tells of it and the wire of its state."""

    LEGEND = (
        "Every socket that the session's programs asked for: owner, descriptor, addresses, the TCP state of "
        "its end at the chosen packet or system call, and the call that made it. Choosing one moves no "
        "time: below stands where the bytes of its conversation are then. **Enter** shows it in the ladder, "
        "at its packet then.",
        "**Unread** and **Unacked** are the kernel's queues then, by calls and packets, else as it was "
        "seen last: bytes that came and were not read, bytes written and not acknowledged, sent or not; of "
        "a listener the connections that wait for accept(), and the most that may.",
        "A UDP socket is **connected** when its program called connect(); a datagram that came or went does "
        "not connect it, and its peers stand in parentheses.",
        "Of a UDP socket both are bytes of memory, which is more than the datagrams have; what its queue may "
        "take stands below, and how many datagrams the kernel dropped there.",
        "Below stands where the bytes of the conversation are at the chosen packet: written by the program, "
        "kept back by its kernel (**Unsent**), on the way, in the receiver's queue, read. Unacked above is "
        "Unsent and On the way together.",
    )

    HINT = "No sockets so far: those of both ends stand here, each with its state."

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._sockets: SocketLines | None = None

    def head(self, width: int) -> list[Line]:
        return [self._sockets.title(width)] if self._sockets is not None and self._sockets.count else []

    def reset(self) -> None:
        self._sockets = None
        self.lines.show(None)

    def update_trace(self) -> None:
        if self.trace is None:
            return
        if self._sockets is None:
            self._sockets = SocketLines(self.trace)
            if self._look():
                self._sockets.update()
        else:
            self._sockets.update()
        if not self._sockets.count and self.follow:
            self.lines.show(None)
        elif not self._sockets.count:
            self.hint(self._sockets.empty)
        elif self.lines.provider is self._sockets:
            self.lines.refill()
        else:
            self.lines.show(self._sockets)
        self.query_one(Head).again()

    def update_selection(self) -> None:
        if self._look():
            self.update_trace()

    def _look(self) -> bool:
        """Look at the moment of what is chosen; whether that is another one than before."""
        chosen = self.selection
        return self._sockets is not None and self._sockets.look_at(chosen.row, chosen.call, chosen.at)

    def chosen(self, index: int, cell: int | None) -> None:
        """Tell below of the conversation of that socket; what is looked at, and when, stays."""
        sockets = self._shown
        if sockets is not None and index < len(sockets.rows):
            sockets.asked = sockets.target(index)
            self.update_trace()

    @property
    def _shown(self) -> SocketLines | None:
        """The sockets, None while a sentence stands in their place."""
        return self._sockets if self.lines.provider is self._sockets else None

    def opened(self, index: int) -> None:
        sockets = self._shown
        row = None if sockets is None else sockets.nearest(index)
        if row is None:
            self.app.notify("No packet of this socket was captured: its line tells all of it.", timeout=3)
            return
        self.post_message(SelectionMade(Selection(row=row)))
        self.post_message(PaneAsked("ladder", opens=True))


SPEC = PaneSpec("sockets", "6", "Sockets", "middle", SocketsPane)
