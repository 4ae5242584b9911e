"""Every conversation of the trace on one line: who, how much, since when, how it stands; Enter opens one.

views/conversations makes the lines; packets are taken in and visible conversations decoded in turns.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from inspector.model.language import marked, tr
from inspector.model.packets import row_at
from inspector.trace.application import decode_as
from inspector.tui.messages import (
    DecodedAnew,
    PaneAsked,
    Selection,
    SelectionMade,
    StatusChanged,
)
from inspector.tui.pace import WORK_SECONDS
from inspector.tui.panes.base import ListPane, PaneSpec
from inspector.tui.panes.comparison import CompareScreen
from inspector.tui.widgets.base import BaseScreen, may
from inspector.tui.widgets.painter import Head
from inspector.tui.widgets.prompt import PromptScreen
from inspector.views.conversations.columns import SORTED_BY
from inspector.views.conversations.compare.compare import FEWEST, MOST_COLUMNS, Side
from inspector.views.conversations.list import ConversationList
from inspector.views.line.spans import Line

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

DRAWN = 0.1              # seconds between pictures of how far a filter is

MARKED = marked("It is marked: = on another compares the two.")


class ConversationsPane(ListPane):
    """TCP and UDP conversations, and what else passed between two addresses."""

    HINT = "No conversations so far."
    LEGEND = (
        "Every conversation of the trace: its two ends (who sent first stands left), state, start, length, "
        "packets and bytes each way, round trip of the handshake, findings. **Enter** makes it the one that "
        "ladder, stream, messages and handshake show. **<** and **>** choose the column to sort by, **i** "
        "turns the order round. What **carries** is a tunnel around others (VXLAN, GENEVE, GTP).",
        "**f** keeps those with a packet that a display filter lets through (**tcp.port == 8000**), "
        "or with all of the words in their ends, state, protocol or process; empty for all.",
        "**=** marks a conversation to be compared (a **=** stands before it); with the second one, "
        "up to four, they stand side by side: what they cost, and their steps, those that differ lit. On a "
        "marked one it takes the mark away. **o** puts the chosen one beside that of another capture, such "
        "as the session before.",
        "**d** says what is spoken on a port where the guess is wrong, or **none**; empty guesses again.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "narrow", "Find", id="conversations.narrow"),
        Binding("greater_than_sign", "sort(1)", "Sort", key_display=">", id="conversations.sort-next"),
        Binding("less_than_sign", "sort(-1)", "Sort back", key_display="<", show=False,
                id="conversations.sort-previous"),
        Binding("i", "invert", "Invert", id="conversations.invert"),
        Binding("equals_sign", "compare", "Compare", key_display="=", id="conversations.compare"),
        Binding("o", "open", "With a file", show=False, id="conversations.compare-file",
                tooltip="Beside this conversation, that of another capture"),
        Binding("d", "decode_as", "Decode as", show=False, id="conversations.decode-as"),
    ]

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.list: ConversationList | None = None
        self._drawn = 0.0                       # when how far a filter is was shown last
        self._chosen: int | None = None         # the conversation under the cursor, whatever the order

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether it can be done now."""
        return may(self.app, action)

    @property
    def status(self) -> str:
        if self.list is None or not self.list.filter_text:
            return ""
        cut = self.list.searched_in_part
        part = "  " + tr("{count:,} large, searched in part", count=cut) if cut else ""
        done = "" if self.list.complete else "  " + tr("{share:.0%} searched", share=self.list.narrowed)
        return tr("{count:,} of {all:,}", count=self.list.count, all=len(self.list.table)) + done + part

    def head(self, width: int) -> list[Line]:
        return [self.list.title(width)] if self.list is not None else [()]

    def reset(self) -> None:
        again = self.list is not None and self.list.trace is self.trace
        self.list = None if self.trace is None else ConversationList(self.trace)
        self._chosen = self._chosen if again else None
        self.lines.show(self.list)
        self.query_one(Head).again()

    def update_trace(self) -> None:
        self.work()

    def turn(self) -> bool:
        """Take in packets; decode what is seen once all were."""
        if self.list is None:
            return False
        changed = self.list.update()
        more = not self.list.complete
        if not more:
            first = self.lines.scroll_offset.y
            seen = range(first, min(first + self.lines.size.height + 1, self.list.count))
            more = self.list.decode(seen, WORK_SECONDS)
            changed = True
        now = time.monotonic()
        if changed or (more and not self.list.count and now - self._drawn >= DRAWN):
            self._drawn = now
            self._again()
        return more

    def on_resize(self) -> None:
        """There is room for more lines, or for the first ones: what is seen now is decoded."""
        if self.list is not None and self.is_seen:
            self.work()

    def _again(self) -> None:
        """Draw the lines anew, the cursor on the conversation where it was."""
        empty = self.list is not None and not self.list.count and self.list.filter_text
        if self.list is not None and self.trace is not None and empty:
            growing = self.follow or self.trace.progress < 1.0
            self.hint(self.list.none_words(growing=growing))
        elif self.lines.provider is not self.list:
            self.lines.show(self.list)
        self.lines.refill()
        if self.list is not None and self._chosen is not None:
            self.lines.choose(self.list.index_of(self._chosen))
        elif self.list is not None and self.list.count and not self.follow:
            self.lines.choose(0)
        for head in self.query(Head):              # the titles, and the foot: it may have been decoded now
            head.again()
        self.post_message(StatusChanged())

    def update_selection(self) -> None:
        if self.list is not None and self.selection.row is not None:
            self._chosen = self.list.table.number_of(self.selection.row)
            unmoved = not self.lines.has_focus or self.lines.cursor is None
            if unmoved and self._chosen is not None:
                self.lines.choose(self.list.index_of(self._chosen))

    def chosen(self, index: int, cell: int | None) -> None:
        listed = self._listed
        if listed is not None and index < listed.count:
            self._chosen = listed.target(index)
            row = row_at(listed.table.column("first_row"), self._chosen)
            self.post_message(SelectionMade(Selection(row=row)))
            self.work()             # lines that came into sight are decoded

    def opened(self, index: int) -> None:
        self.chosen(index, None)
        self.post_message(PaneAsked("ladder", opens=True))

    def whole(self, index: int) -> str:
        listed = self._listed
        return super().whole(index) if listed is None else listed.whole(index)

    @property
    def _listed(self) -> ConversationList | None:
        """The conversations, None while a sentence stands in their place."""
        return self.list if self.lines.provider is self.list else None

    def action_sort(self, step: int) -> None:
        if self.list is not None:
            place = SORTED_BY.index(self.list.sorted_by)
            self.list.sort(SORTED_BY[(place + step) % len(SORTED_BY)], descending=self.list.descending)
            self._again()

    def action_invert(self) -> None:
        if self.list is not None:
            self.list.sort(self.list.sorted_by)
            self._again()

    @on(Head.Clicked)
    def _title_clicked(self, message: Head.Clicked) -> None:
        message.stop()
        name = self.list.column_at(message.cell, self.lines.line_width) if self.list is not None else None
        if name is not None and self.list is not None:
            self.list.sort(name)
            self._again()

    def widen(self) -> bool:
        narrowed = self.list is not None and bool(self.list.filter_text)
        if narrowed:
            self._narrow("")
        return narrowed

    def _narrow(self, text: str) -> None:
        if self.list is not None:
            self.list.narrow(text)
            self._again()
            self.work()

    def action_narrow(self) -> None:
        def chosen(text: str | None) -> None:
            if text is not None:
                self._narrow(text)

        before = self.list.filter_text if self.list is not None else ""
        hint = tr("a display filter, or words such as 8000 reset; empty for all")
        self.app.push_screen(PromptScreen("Which conversations?", before, hint=hint), chosen)

    def action_compare(self) -> None:
        """Mark the chosen conversation, or take its mark away; two and more stand side by side at once."""
        listed, number = self._listed, self._comparable()
        if listed is None or number is None or self.trace is None:
            return
        if number not in listed.marked and len(listed.marked) == MOST_COLUMNS:
            self.app.notify(tr("{most} are compared at most: = on one of them takes it out.",
                               most=MOST_COLUMNS), timeout=4)
            return
        marked = listed.mark(number)
        self._again()
        if not marked:
            return
        found = self._sides(self.trace, listed.marked)
        if len(found) < FEWEST:
            self.app.notify(MARKED, timeout=4)
        else:
            self._show_beside(found)

    def action_open(self) -> None:
        """The chosen conversation beside that of another capture."""
        number = self._comparable()
        if number is not None and self.trace is not None:
            self._show_beside(self._sides(self.trace, [number]))

    def _comparable(self) -> int | None:
        """The conversation under the cursor; None where it is none, which is said."""
        listed, line = self._listed, self.lines.cursor
        number = None
        if line is None and listed is not None and listed.count == 1:
            line = 0                       # nothing is chosen while all that comes is followed
        if listed is not None and line is not None and line < listed.count:
            number = listed.target(line)
        if listed is None or number is None or not listed.table.conversation(number):
            self.app.notify("Choose a TCP or UDP conversation first: it is compared with others.", timeout=3)
            return None
        return number

    def _sides(self, trace: Trace, numbers: Sequence[int]) -> list[Side]:
        table = self._listed.table if self._listed is not None else None
        return [Side(trace, one) for each in numbers
                if table is not None and (one := table.conversation(each)) is not None]

    def _show_beside(self, sides: Sequence[Side]) -> None:
        if isinstance(self.screen, BaseScreen):
            self.screen.take_back(MARKED)
        self.app.push_screen(CompareScreen(sides, getattr(self.screen, "trace_path", None)))

    def action_decode_as(self) -> None:
        port = self._port()
        if port is None:
            self.app.notify("Choose a TCP conversation first: what is spoken on its port can be said.")
            return

        def rule_of(text: str) -> decode_as.DecodeAs:
            return decode_as.parse(text if "==" in text else f"tcp.port=={port},{text}")

        def check(text: str) -> str | None:
            try:
                if text:
                    rule_of(text)
            except ValueError as error:
                return str(error)
            return None

        def chosen(text: str | None) -> None:
            if text is None:
                return
            if text:
                decode_as.choose(rule_of(text))
            else:
                decode_as.forget()
            self.post_message(DecodedAnew())

        hint = tr("{known}; or tcp.stream==3,http; empty guesses again", known=", ".join(decode_as.known()))
        question = tr("What is spoken on port {port}?", port=port)
        self.app.push_screen(PromptScreen(question, hint=hint, check=check), chosen)

    def _port(self) -> int | None:
        """The server's port of the chosen conversation; None where it is none of TCP."""
        listed = self._listed
        if listed is None or self.trace is None or self._chosen is None:
            return None
        conversation = listed.table.conversation(self._chosen)
        if conversation is None or conversation.protocol != "tcp" or conversation.stream < 0:
            return None
        flow = self.trace.flow(conversation.stream)
        return (flow.b, flow.a)[self.trace.client(conversation.stream)][1]


SPEC = PaneSpec("conversations", "0", "Conversations", "middle", ConversationsPane, short="Convs")
