"""What is wrong on the wire: each finding with its clause, what should stand instead, and the packet.

views/findings/list.py looks for them, some conversations a turn -> lines; what is chosen is shown in all
panes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from inspector.model.language import tr
from inspector.tui.messages import SelectionMade, StatusChanged
from inspector.tui.pace import WORK_SECONDS
from inspector.tui.panes.base import ListPane, PaneSpec
from inspector.tui.panes.conversation import selection_of
from inspector.tui.widgets.painter import Head
from inspector.views.conversation.place import StreamPlace
from inspector.views.findings.list import MARKS, FindingList
from inspector.views.findings.unjudged import outside_words, unjudged_words
from inspector.views.line.spans import Line, Span, fit

if TYPE_CHECKING:
    from inspector.wire.findings import Finding

CONVERSATIONS_A_TURN = 50      # that are looked into before keys are heard, if time allows
DRAWN = 0.2                    # seconds between pictures of what was found so far


class FindingsPane(ListPane):
    """Findings of all conversations, in order of packets."""

    LEGEND = (
        "What is wrong, or worth a note: by RFC 6455 for WebSocket, and the mistakes that TCP and HTTP "
        "programs make. Each says which rule, and what should stand instead; choosing one shows its packet "
        "and bits. What you did to packets on a held wire stands here too, with what followed.",
        "They stand in the order of their packets; **>** puts the gravest first.",
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "packet(-1)", "Packet before", show=False, id="findings.left",
                tooltip="The packet before, of those of the chosen finding"),
        Binding("right,l", "packet(1)", "Next packet", show=False, id="findings.right",
                tooltip="The next packet of those of the chosen finding"),
        Binding("greater_than_sign", "order", "Gravest", key_display=">", id="findings.order",
                tooltip="The gravest first, or in the order of their packets"),
    ]

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._at: tuple[Finding | None, int] = None, 0     # of the chosen finding's packets: which one
        self._findings: FindingList | None = None
        self._drawn = 0.0              # when, last

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield Head(self._detail, id="findings-detail")

    @property
    def status(self) -> str:
        findings = self._findings
        if findings is None:
            return ""
        counts = findings.counts
        done = [] if findings.complete else [tr("{share:.0%} judged", share=findings.progress)]
        return "  ".join([*(f"{mark} {counts[name]}" for name, mark in MARKS.items() if counts[name]), *done])

    def head(self, width: int) -> list[Line]:
        if self._findings is None or self.trace is None or not self._findings.count:
            return []
        words = unjudged_words(self.trace)
        return [*([(Span(fit(words, width), "warning"),)] if words else []), self._findings.title(width)]

    def foot(self, width: int) -> list[Line]:
        """Nothing: the detail below the list has all of what is chosen."""
        return []

    def _detail(self, width: int) -> list[Line]:
        cursor = self.lines.cursor
        if self._findings is None or cursor is None or cursor >= self._findings.count:
            return []
        return list(self._findings.detail(cursor, width, self._place_in(cursor)))

    def _place_in(self, index: int) -> int:
        """Which of the packets of the finding on a line is looked at."""
        assert self._findings is not None
        finding, at = self._at
        return at if finding is self._findings.finding(index) else 0

    def action_packet(self, step: int) -> None:
        """Go to the next packet of the chosen finding, or the one before."""
        findings, cursor = self._findings, self.lines.cursor
        if findings is None or cursor is None or cursor >= findings.count:
            return
        rows = findings.packets(cursor)
        at = min(max(self._place_in(cursor) + step, 0), len(rows) - 1)
        if at < 0:
            return
        finding = findings.finding(cursor)
        self._at = finding, at
        place = findings.target(cursor) if not at else StreamPlace(rows[at], (rows[at],))
        self.post_message(SelectionMade(selection_of(place, finding.id)))
        self._refresh_heads()

    def action_order(self) -> None:
        """Put the gravest first, or all in the order of packets; what is chosen stays so."""
        findings, cursor = self._findings, self.lines.cursor
        if findings is None:
            return
        chosen = findings.finding(cursor) if cursor is not None and cursor < findings.count else None
        findings.order(gravest=not findings.gravest)
        self.lines.refill()
        place = findings.place_of(chosen) if chosen is not None else None
        if place is not None:
            self.lines.choose(place)
        self._refresh_heads()

    def reset(self) -> None:
        self._findings = None if self.trace is None else FindingList(self.trace)
        self.lines.show(self._findings)

    def update_trace(self) -> None:
        self.work()

    def turn(self) -> bool:
        findings = self._findings
        if findings is None:
            return False
        findings.update(CONVERSATIONS_A_TURN, WORK_SECONDS)
        now = time.monotonic()
        if not findings.complete and now - self._drawn < DRAWN:
            return True
        self._drawn = now
        if findings.count:
            shown = self.lines.provider is findings
            if not shown:
                self.lines.show(findings)
            self.lines.refill()
        elif not findings.complete:
            self.hint(tr("{share:.1%} is judged so far, without a finding. Conversations of very "
                         "many packets take longest.", share=findings.progress))
        else:
            lacking, outside = "", ""
            if self.trace is not None:
                lacking, outside = unjudged_words(self.trace), outside_words(self.trace)
            nothing = tr("In what there is: nothing to complain about." if lacking else
                         "Nothing to complain about so far." if self.so_far else
                         "Nothing to complain about.")
            if lacking and self.trace is not None and not self.trace.index.count:
                nothing = ""               # there is nothing to judge
            self.hint(" ".join(filter(None, (lacking, nothing, outside))))
        self._refresh_heads()
        return not findings.complete

    def _refresh_heads(self) -> None:
        for head in self.query(Head):
            head.again()
        self.post_message(StatusChanged())

    def update_selection(self) -> None:
        if self._findings is not None and self.selection.row is not None and not self.lines.has_focus:
            index = self._findings.index_of(self.selection.row)
            if index is not None:
                self.lines.choose(index)
        self._refresh_heads()

    def chosen(self, index: int, cell: int | None) -> None:
        if self._findings is not None and index < self._findings.count:
            label = self._findings.finding(index).id
            self.post_message(SelectionMade(selection_of(self._findings.target(index), label)))


SPEC = PaneSpec("findings", "7", "Findings", "middle", FindingsPane, short="Finds")
