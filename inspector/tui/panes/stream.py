"""Follow stream: what both ends of a TCP conversation said, in turns.

views/conversation/stream/ draws it; this pane has it read on by turns, and chooses direction and form.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from inspector.model.language import marked, tr
from inspector.tui.messages import SelectionMade, StatusChanged
from inspector.tui.pace import WORK_SECONDS
from inspector.tui.panes.base import PaneSpec
from inspector.tui.panes.conversation import ConversationPane, selection_of
from inspector.tui.widgets.line_list import LineProvider, Paragraph
from inspector.views.conversation.sparkline import sparklines
from inspector.views.conversation.stream.follow import FollowStream, Mode
from inspector.views.line.spans import Line

if TYPE_CHECKING:
    from inspector.views.ladder.ends import Conversation

MODES: dict[Mode, str] = {"json": marked("decoded"), "text": marked("text"), "hex": marked("hex")}
_OPENED: tuple[tuple[Mode, bool], ...] = (
    ("json", True), ("text", True), ("hex", True), ("text", False), ("hex", False))      # and whether inside
PIECE = 1 << 15            # bytes that are cut into lines between looks at the clock
SPARKLINES_FROM = 12       # lines of the pane from which there is room for them


class StreamPane(ConversationPane):
    """What both ends said, in turns."""

    HINT = "Nothing was said so far: the bytes of one conversation stand here, as its programs sent them."
    LEGEND = (
        "What both ends of a TCP conversation said, in turns, each in its colour, whatever packets it came "
        "in. **m** changes between messages as they are meant (unmasked, inflated, JSON laid out), text and "
        "hex; of TLS whose secrets are known, text and hex of what is inside as well; **d** shows one side "
        "alone. "
        "The byte that you click on names its packet. The bars above: what went each way over time, with the "
        "highest rate of one cell, or how many bytes where they are few; and how long data waited for its "
        "acknowledgment, the longest named. That is more than the way there and back: who has nothing to "
        "say delays its ACK, on Linux by some 40 ms. The round trip of the wire is the handshake's (pane "
        "Handshake).",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mode", "Decoded/text/hex", id="stream.mode"),
        Binding("d", "direction", "Sides", tooltip="Both ends, or one alone", id="stream.direction"),
    ]

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._stream: FollowStream | None = None
        self._mode: Mode = "json"
        self._inside = True                # of TLS that is opened: what is said in it, not what went
        self._head: tuple[object, list[Line]] = None, []       # as it was drawn last
        self._direction: int | None = None

    @property
    def status(self) -> str:
        side = [] if self._stream is None or self._direction is None else [
            tr("only the first sender" if self._direction == 0 else "only the other end")]
        return "  ".join([tr(MODES[self._mode]), *side, *self.decoding])

    def head(self, width: int) -> list[Line]:
        if self._stream is None or self.trace is None:
            return []
        stream, tall = self._stream.stream, self.size.height >= SPARKLINES_FROM
        rows = len(self.trace.flow(stream).rows), len(self.trace.rows_of("tcp", stream))
        drawn = stream, tall, width, rows, self._mode, self._inside, self._stream.secrecy
        if self._head[0] != drawn:                             # asked for each line of it
            bars = sparklines(self.trace, stream, width) if tall else ()
            self._head = drawn, [*bars, self._stream.title(width)]
        return self._head[1]

    def begin(self, conversation: Conversation) -> LineProvider | None:
        assert self.trace is not None
        width = self.lines.line_width
        self._stream = None
        if conversation.protocol != "tcp":
            text = tr("UDP has no stream: every datagram stands for itself, as the packets show.")
            return Paragraph(text, width)
        self._stream = FollowStream(self.trace, conversation.stream, self._mode, wrap=max(width - 12, 8),
                                    direction=self._direction, inside=self._inside, most=PIECE)
        return self._stream

    def go_on(self) -> bool:
        until, changed = time.monotonic() + WORK_SECONDS, False
        while self._stream is not None and not self._stream.complete and time.monotonic() < until:
            changed = self._stream.update() or changed
        return changed

    def unfinished(self) -> bool:
        return self._stream is not None and not self._stream.complete

    def chosen(self, index: int, cell: int | None) -> None:
        if self._stream is not None:
            self.post_message(SelectionMade(selection_of(self._stream.target(index, cell), tr("Stream"))))

    def mark(self) -> None:
        if self._stream is not None and self.selection.row is not None and not self.lines.has_focus:
            self.lines.choose(self._stream.index_of(self.selection.row))

    def _again(self) -> None:
        self._shown = None
        self.update_trace()
        self.mark()
        self.post_message(StatusChanged())

    def action_mode(self) -> None:
        if self._stream is not None and self._stream.secrecy == "opened":
            now = (self._mode, self._inside or self._mode == "json")
            self._mode, self._inside = _OPENED[(_OPENED.index(now) + 1) % len(_OPENED)]
        else:
            modes = list(MODES)
            self._mode, self._inside = modes[(modes.index(self._mode) + 1) % len(modes)], True
        self._again()

    def action_direction(self) -> None:
        self._direction = {None: 0, 0: 1, 1: None}[self._direction]
        self._again()


SPEC = PaneSpec("stream", "4", "Stream", "middle", StreamPane)
