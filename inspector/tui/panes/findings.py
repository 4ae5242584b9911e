"""What is wrong on the wire: each finding with its clause, what should stand instead, and the packet."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.timer import Timer

from inspector.tui.messages import DetailAsked, SelectionMade
from inspector.tui.panes.base import Pane, plain_page
from inspector.tui.panes.conversation import BREATH, selection_of
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.views.line.spans import Line
from inspector.views.session.findings import MARKS, FindingList


class FindingsPane(Pane):
    """Findings of all conversations, in order of packets."""

    LEGEND_TITLE = "Findings"
    LEGEND = (
        "What is wrong, or worth a note: by RFC 6455 for WebSocket, and the mistakes that TCP and HTTP "
        "programs make. Each says which rule, and what should stand instead; choosing one shows its packet "
        "and bits.",
    )

    def __init__(self, *, id: str = "findings") -> None:
        super().__init__(id=id)
        self._findings: FindingList | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Head(self._title, id="findings-head")
        yield LineList(id="findings-list")
        yield Head(self._detail, id="findings-detail")

    @property
    def lines(self) -> LineList:
        return self.query_one(LineList)

    @property
    def status(self) -> str:
        findings = self._findings
        if findings is None:
            return ""
        counts = findings.counts
        return "  ".join(f"{mark} {counts[name]}" for name, mark in MARKS.items() if counts[name])

    def _title(self, width: int) -> list[Line]:
        return [self._findings.title(width)] if self._findings is not None and self._findings.count else []

    def _detail(self, width: int) -> list[Line]:
        cursor = self.lines.cursor
        if self._findings is None or cursor is None or cursor >= self._findings.count:
            return []
        return list(self._findings.detail(cursor, width))

    def reset(self) -> None:
        self._findings = None if self.trace is None else FindingList(self.trace)
        self.lines.show(self._findings)

    def update_trace(self) -> None:
        if self._timer is None:
            self._work()

    def _work(self) -> None:
        self._timer = None
        findings = self._findings
        if findings is None:
            return
        findings.update(8)
        if findings.count:
            already = self.lines.provider is findings
            if not already:
                self.lines.show(findings)
            self.lines.refill()
        elif findings.complete:
            text = "Nothing to complain about so far."
            self.lines.show(plain_page(text, self.lines.scrollable_content_region.width))
        self._refresh_heads()
        if self.is_attached and self.is_seen and not findings.complete:
            self._timer = self.set_timer(BREATH, self._work)

    def _refresh_heads(self) -> None:
        for head in self.query(Head):
            head.again()
        self.post_message(self.StatusChanged())

    def update_selection(self) -> None:
        if self._findings is not None and self.selection.row is not None and not self.lines.has_focus:
            index = self._findings.index_of(self.selection.row)
            if index is not None:
                self.lines.choose(index)
        self._refresh_heads()

    @on(LineList.LineChosen)
    def _chosen(self, message: LineList.LineChosen) -> None:
        message.stop()
        if self._findings is not None and message.index < self._findings.count:
            label = self._findings.finding(message.index).id
            self.post_message(SelectionMade(selection_of(self._findings.target(message.index), label)))

    @on(LineList.LineOpened)
    def _opened(self, message: LineList.LineOpened) -> None:
        message.stop()
        self.post_message(DetailAsked())

    @on(LineList.FollowChanged)
    def _follow_changed(self, message: LineList.FollowChanged) -> None:
        message.stop()
