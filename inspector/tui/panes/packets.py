"""The packet list: every packet of the trace, or those that a display filter lets through.

views/packets/list.py makes the rows; a filter is worked out in turns, and goes on when the trace grew.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from inspector.model.language import marked, recognised, tr
from inspector.model.packets import packet_number
from inspector.trace.filter.filter import Evaluation, Filter, FilterError
from inspector.tui.messages import Selection, SelectionMade, StatusChanged
from inspector.tui.pace import WORK_SECONDS
from inspector.tui.panes.base import Anywhere, ListPane, PaneSpec
from inspector.tui.widgets.base import TextInput
from inspector.tui.widgets.painter import Head
from inspector.tui.widgets.prompt import PromptScreen
from inspector.views.detail.whole import packet_text
from inspector.views.findings.unjudged import lacking_words
from inspector.views.line.spans import Line
from inspector.views.packets.go_to import GoToError, find_row
from inspector.views.packets.list import PacketList, TimeFormat
from inspector.views.packets.searching import looking_words, none_words
from inspector.wire.arrays import Int64s
from inspector.wire.text import escaped

if TYPE_CHECKING:
    pass


_ASKS_COMMENTS = "frame.comment"
MARKED = 40        # columns up to which the place of an error is pointed at
DRAWN = 0.1        # seconds between pictures of what was found so far
RETURNING = 64     # calls that are looked at again: they may have returned, with an address


class FilterInput(TextInput):
    """The display filter's line; Escape empties it, a second one leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Filter", id="filter.done"),
        Binding("escape", "leave", "Clear, then back", id="filter.leave"),
    ]

    in_force = ""

    class Cleared(Message):
        """What narrowed the list is taken back; the line is still written in."""

    def action_leave(self) -> None:
        if self.value:
            self.value = ""
            self.post_message(self.Cleared())
        else:
            self.post_message(self.Submitted(self, ""))


class PacketsPane(ListPane):
    """Packets, newest at the bottom; `/` filters, `:` jumps, `T` changes the times."""

    HINT = "No packets so far."
    FOLLOWS = True
    LEGEND = (
        "Every packet that crossed the loopback, in order. It follows the newest until you scroll up; "
        "**G** follows again. Colours tell what a packet does: opening, data, HTTP, WebSocket, closing, "
        "reset.",
        "**/** keeps only packets that a display filter lets through, in Wireshark's language: "
        "**tcp.flags.syn == 1**, **tcp.port == 8765**, **websocket**, **http and tcp.len > 100**, "
        "**tcp.analysis.retransmission**. **M** marks a packet (●), **#** comments it (✎): "
        "**frame.comment** finds these. **:** jumps to a packet's number, or to a time such as **1.5s**.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="packets.filter"),
        Binding("colon", "go_to", "Go to", key_display=":", id="packets.go-to"),
        Binding("T", "time_format", "Times", show=False, id="packets.time-format"),
    ]

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.packets: PacketList | None = None
        self.time_format: TimeFormat = "relative"
        self.names: dict[str, str] = {}
        self._named = 0                 # calls whose addresses were taken into `names`
        self._evaluation: Evaluation | None = None      # of the display filter in force
        self._drawn = 0.0              # when what it found was shown last
        self._known: object = None     # how far the trace was when the lines were drawn

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield FilterInput(placeholder="tcp.port == 8765 and tcp.len > 0", id="filter", compact=True)
        yield Static("", id="filter-error")

    @property
    def status(self) -> str:
        if self._evaluation is None or self.packets is None or self.trace is None:
            return ""
        done = "" if self._evaluation.done else (
            "  " + tr("{share:.0%} searched", share=self._evaluation.progress))
        cut = len(self._evaluation.in_part)
        part = "  " + tr("{count:,} large, searched in part", count=cut) if cut else ""
        return tr("{count:,} of {all:,}", count=self.packets.count, all=self.trace.index.count) + done + part

    def head(self, width: int) -> list[Line]:
        return [self.packets.title(width)] if self.packets is not None else [()]

    def reset(self) -> None:
        wanted = self._parse(self.query_one(FilterInput).in_force)       # before there was a trace
        self._evaluation = None if wanted is None or self.trace is None else wanted.evaluate(self.trace)
        self.names, self._named, self._known = {}, 0, None
        self.packets = None if self.trace is None else PacketList(self.trace, time_format=self.time_format)
        self.lines.show(self.packets)
        self.query_one(Head).again()

    def update_trace(self) -> None:
        if self.packets is None or self.trace is None:
            return
        known = self.trace.shown_by_packets
        if known == self._known and self.lines.provider is self.packets:
            return
        self._known = known
        named = self._name_ends()
        if self._evaluation is None:
            self.lines.refill(news=not self.first_reading, below=self.first_reading and not named)
        else:
            self.work()

    def deeper(self) -> None:
        self.lines.again()
        self._cursor_moved()

    def _name_ends(self) -> bool:
        """Take the ends' names from the calls that came; whether there are new ones."""
        assert self.trace is not None and self.packets is not None
        calls, before = self.trace.calls, len(self.names)
        for call in calls[max(self._named - RETURNING, 0) :]:
            if call.local and call.role in ("client", "server"):
                self.names[call.local] = call.role
        self._named, self.packets.names = len(calls), self.names
        return len(self.names) != before

    def update_selection(self) -> None:
        if self.packets is not None and self.selection.row is not None:
            found = {self.packets.index_of(row) for row in self.selection.rows}
            self.lines.choose(self.packets.index_of(self.selection.row),
                              frozenset(line for line in found if line is not None))

    def chosen(self, index: int, cell: int | None) -> None:
        packets = self._listed
        if packets is not None and index < packets.count:
            self.post_message(SelectionMade(Selection(row=packets.target(index))))

    def whole(self, index: int) -> str:
        packets = self._listed
        if packets is None or self.trace is None:
            return super().whole(index)
        return packet_text(self.trace, packets.target(index))

    @property
    def filtered(self) -> Int64s | None:
        """Rows of the packets that the filter lets through; None without one, or while it searches."""
        if self._evaluation is None or not self._evaluation.done:
            return None
        return self._evaluation.rows

    @property
    def _listed(self) -> PacketList | None:
        """The packets, None while a sentence stands in their place."""
        return self.packets if self.lines.provider is self.packets else None

    def comments_changed(self) -> None:
        line = self.query_one(FilterInput)
        parsed = self._parse(line.in_force) if _ASKS_COMMENTS in line.in_force else None
        if parsed is not None and self.trace is not None:
            self._evaluation = parsed.evaluate(self.trace)
            self.work()
        self.lines.refill(news=False)

    # --- time, jumps ---

    def action_time_format(self) -> None:
        formats: tuple[TimeFormat, ...] = get_args(TimeFormat)
        self.time_format = formats[(formats.index(self.time_format) + 1) % len(formats)]
        if self.packets is not None:
            self.packets.time_format = self.time_format
            self.lines.refill()
            self.query_one(Head).again()
        self.notify(tr("Times: {which}.", which=tr(_TIME_TEXTS[self.time_format])), timeout=2)

    def action_go_to(self) -> None:
        # The prompt comes whatever there is: what is typed after its key must not land elsewhere.
        def check(text: str) -> str | None:
            if self.trace is None or not self.trace.index.count:
                return tr("There are no packets so far." if self.so_far else "There are no packets.")
            try:
                find_row(self.trace, text)
            except GoToError as error:
                return str(error)
            return None

        def chosen(text: str | None) -> None:
            if text is not None and self.packets is not None and self.trace is not None:
                row = find_row(self.trace, text)
                index = self.packets.index_of(row)
                if index is None:
                    self.notify(tr("The filter keeps packet {number} out.", number=packet_number(row)),
                                severity="warning")
                else:
                    self.lines.go_to(index)
                    self.lines.focus()

        count = 0 if self.trace is None else self.trace.index.count
        numbers = tr("a number from 1 to {count:,}", count=count) if count else tr("a number")
        self.app.push_screen(PromptScreen(
            "Go to which packet?", check=check,
            hint=tr("{numbers}, w12 for 12 in Wireshark, seconds such as 1.5s, or a time 14:03:05",
                    numbers=numbers),
        ), chosen)

    # --- the display filter ---

    def action_filter(self) -> None:
        self.add_class("-filtering")
        self.query_one(FilterInput).focus()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        event.stop()
        self._parse(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_done(self, event: Input.Submitted) -> None:
        event.stop()
        parsed = self._parse(event.value)
        if not event.value.strip():
            self._evaluation = None
            self.remove_class("-filtering")
            self._show_rows(None)
        elif parsed is None:
            return
        elif self.trace is not None:
            self._evaluation = parsed.evaluate(self.trace)
            self.work()
        self.query_one(FilterInput).in_force = event.value
        self.lines.focus()

    @on(FilterInput.Cleared)
    def _filter_cleared(self) -> None:
        self.query_one(FilterInput).in_force = ""
        self._evaluation = None
        self._show_rows(None)

    def widen(self) -> bool:
        line = self.query_one(FilterInput)
        narrowed = self._evaluation is not None or bool(line.value)
        if narrowed:
            line.value = ""
            line.post_message(line.Submitted(line, ""))
        return narrowed

    def _parse(self, text: str) -> Filter | None:
        """The filter, or None with the error told under the line."""
        error_line = self.query_one("#filter-error", Static)
        parsed = None
        if text.strip():
            try:
                parsed = Filter(text)
            except FilterError as error:
                mark = " " * (error.position + 1) + "▲ " if error.position < MARKED else ""
                error_line.update(Content(f"{mark}{escaped(recognised(str(error)))}"))
                self.add_class("-wrong")
                return None
        self.remove_class("-wrong")
        error_line.update("")
        return parsed

    def turn(self) -> bool:
        """One turn of filtering."""
        evaluation = self._evaluation
        if evaluation is None:
            return False
        done, now = evaluation.run(WORK_SECONDS), time.monotonic()
        if done or now - self._drawn >= DRAWN or self.packets is None or self.packets.rows is None:
            self._drawn = now
            self._show_rows(evaluation.rows)
        return not done

    def _show_rows(self, rows: Int64s | None) -> None:
        if self.packets is None:
            return
        self.packets.rows = rows
        searched = self._evaluation
        if searched is not None and self.trace is not None and not self.packets.count:
            text, count = searched.text, self.trace.index.count
            growing = self.follow or self.trace.progress < 1.0
            lacking = lacking_words(self.trace) if searched.lacks else ""
            self.hint(
                none_words(text, count, "packet", growing=growing, lacking=lacking) if searched.done else
                looking_words(text, searched.progress, count, "packet", searched.decoded))
        elif self.lines.provider is not self.packets:
            self.lines.show(self.packets)
        self.lines.refill()
        self.update_selection()
        self.post_message(StatusChanged())


_TIME_TEXTS: dict[TimeFormat, str] = {
    "relative": marked("seconds since the first packet"),
    "delta": marked("seconds since the packet before"),
    "absolute": marked("time of day"),
}


SPEC = PaneSpec("packets", "2", "Packets", "middle", PacketsPane,
                anywhere=(Anywhere("slash", "filter", "Filter"), Anywhere("colon", "go_to", "Go to")))
