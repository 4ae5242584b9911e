"""What all panes of the workbench have in common, and the spec by which the workbench knows each.

The workbench calls `show_trace` once, `trace_grew` for every batch and `show_selection` when something
was chosen anywhere; a pane that is not to be seen puts the work off until it is. Most panes are a list with
a head above it (`ListPane`): they say what its lines are and what a chosen line stands for.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.dom import DOMNode
from textual.timer import Timer

from inspector.model.language import marked, tr
from inspector.tui.messages import NOTHING, BackAsked, PaneAsked, Selection
from inspector.tui.pace import REST_SECONDS, settle
from inspector.tui.widgets.clipboard import copy
from inspector.tui.widgets.leaving import LeavesQuietly
from inspector.tui.widgets.line_list import LineList, Paragraph
from inspector.tui.widgets.painter import Head
from inspector.tui.widgets.whole import WholeScreen
from inspector.views.line.spans import Line, Span, cell_width, fit, plain
from inspector.views.line.wrap import folded

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ends import Conversation

WIDEST = 4000        # cells in which a line says all that it has to say
FOOT_LINES = 3       # of the chosen line below its list
Place = Literal["ladder", "middle", "aside"]

READING = marked("The file is being read: what it holds stands here in a moment.")


class Anywhere(NamedTuple):
    """A key that works wherever one is in the workbench: it shows the pane and runs its `action`."""

    key: str
    action: str
    name: str


@dataclass(frozen=True, slots=True)
class PaneSpec:
    """One pane. Tabs, keys, help, palette, styles, screenshots and tests follow from it.

    `key` shows it. `short`: the title where tabs have little room, "" where it is short enough. `place`:
    above, among the panes of which one is seen, or beside them where the screen is wide. `anywhere`: actions
    of the pane that have keys in all of the workbench.
    """

    id: str
    key: str
    title: str
    place: Place
    pane: type[Pane]
    short: str = ""
    anywhere: tuple[Anywhere, ...] = ()


class Pane(LeavesQuietly, Vertical):
    """One view of the trace. Subclasses fill in `update_trace` and `update_selection`."""

    LEGEND: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(id=spec.id, classes=f"pane -in-{spec.place}")
        self.name_of_pane = spec.id
        self.LEGEND_TITLE = spec.title
        self.trace: Trace | None = None
        self.selection = NOTHING
        self.conversation: Conversation | None = None      # what the panes speak of; the workbench says so
        self.follow = False        # the trace is being written now
        self.first_reading = False       # a file is being read for the first time: its lines are no news
        self._stale_trace = self._stale_selection = False
        self._next_turn: Timer | None = None
        self._all_lines: tuple[LineList, ...] = ()

    @property
    def all_lines(self) -> tuple[LineList, ...]:
        """Its lists; looked for once they are there, since each batch asks for them."""
        self._all_lines = self._all_lines or tuple(self.query(LineList))
        return self._all_lines

    @property
    def status(self) -> str:
        """A few words beside the pane's name, such as "12 of 400"."""
        return ""

    @property
    def so_far(self) -> str:
        """" so far" behind what is said of a trace that may grow; "" where all of it is there."""
        return "" if self.trace is not None and not self.trace.may_grow else " so far"

    def show_trace(self, trace: Trace | None, *, follow: bool = True, waits_for: str = "") -> None:
        """Begin with another trace. `follow`: lists keep its newest lines in sight. `waits_for`: what empty
        lists say until there is a packet."""
        self.trace, self.selection, self.follow = trace, NOTHING, follow
        for lines in self.all_lines:
            lines.following = follow and lines.tails
        self.wait_for(waits_for)
        self.reset()
        self.trace_grew()

    def wait_for(self, words: str) -> None:
        """What lists say until there is a packet; "": what they say of themselves."""
        for lines in self.all_lines:
            lines.waits_for = words
            lines.refresh()

    def trace_grew(self) -> None:
        """The trace has more than before."""
        if self.is_seen:
            self._stale_trace = False
            for lines in self.all_lines:
                lines.so_far = self.so_far
            if self.trace is not None and self.trace.index.count:
                reading = self.trace.progress < 1.0
                for lines in self.all_lines:
                    lines.waits_for = tr(READING) if reading else ""
            self.update_trace()
        else:
            self._stale_trace = True

    def decoded_further(self) -> None:
        """Conversations were decoded further than when this was drawn."""
        if self.is_seen:
            self.deeper()
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

    def comments_changed(self) -> None:
        """The comments of a packet, or its mark, are others now."""

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

    # --- work that takes long ---

    def work(self) -> None:
        """Do turns of work until there is no more to do; a pane that is not seen goes on when it is."""
        if self._next_turn is None:
            self._turn()

    def _turn(self) -> None:
        self._next_turn = None
        more = self.turn()
        settle()
        if not more:
            return
        if self.is_seen:
            self._next_turn = self.set_timer(REST_SECONDS, self._turn)
        else:
            self._stale_trace = True

    def turn(self) -> bool:
        """One turn of work, `WORK_SECONDS` at most; whether there is more to do."""
        return False

    # --- for subclasses ---

    def deeper(self) -> None:
        """Draw what decoding tells by now."""
        self.update_trace()

    def reset(self) -> None:
        """Forget what belonged to another trace."""

    @abstractmethod
    def update_trace(self) -> None:
        """Draw what is new in `self.trace`."""

    @abstractmethod
    def update_selection(self) -> None:
        """Show `self.selection`."""


def panes_in(node: DOMNode) -> list[Pane]:
    """All panes inside of a screen, or another node."""
    return list(node.query(Pane))      # type: ignore[type-abstract]  # none is made, they are looked for


class ListPane(Pane):
    """A pane that is one list, with fixed lines above it where `head` gives some."""

    FOLLOWS: ClassVar[bool] = False        # the list keeps its newest lines in sight
    HINT: ClassVar[str] = ""               # what stands in the list while it has no line
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "read", "Whole", id="pane.whole", tooltip="All of the chosen line"),
        Binding("y", "copy", "Copy", id="pane.copy", tooltip="What is chosen, whole, to the clipboard"),
        Binding("escape", "back", "Back", id="pane.back",
                tooltip="Take back what narrows the list, or go back where one came from"),
    ]

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._foot_lines = 0

    def compose(self) -> ComposeResult:
        yield Head(self.head, id=f"{self.name_of_pane}-head", classes="over-list")
        yield LineList(id=f"{self.name_of_pane}-list", follow=self.FOLLOWS, hint=self.HINT)
        yield Head(self.foot, id=f"{self.name_of_pane}-foot", classes="foot")

    def on_mount(self) -> None:
        self.watch(self.lines, "cursor", self._cursor_moved, init=False)
        self.watch(self.lines, "drawn", self._cursor_moved, init=False)    # it may say something else now

    def _cursor_moved(self) -> None:
        for foot in self.query(".foot").results(Head):
            foot.again()

    @property
    def lines(self) -> LineList:
        """The list."""
        return self.query_one(LineList)

    def head(self, width: int) -> Sequence[Line]:
        """The lines above the list."""
        return []

    # --- all of what is chosen ---

    def whole(self, index: int) -> str:
        """All that line `index` says, safe to show, however long; "" where there is nothing to say."""
        provider = self.lines.provider
        return "" if provider is None else squeezed(plain(provider.line(index, WIDEST)))

    def copied(self, index: int) -> str:
        """What the clipboard gets of line `index`."""
        return self.whole(index)

    @property
    def explained(self) -> int | None:
        """The line of which the foot tells all."""
        return self.lines.cursor

    def foot(self, width: int) -> list[Line]:
        """The chosen line in full where the list had to cut it; its lines stay, so that nothing jumps."""
        provider, index = self.lines.provider, self.explained
        texts: list[str] = []
        if provider is not None and index is not None and index < self.lines.count:
            whole = self.whole(index)
            if squeezed(plain(provider.line(index, self.lines.line_width))) != whole:
                texts = folded(whole.partition("\n")[0], max(width, 8))
        if len(texts) > FOOT_LINES or (texts and "\n" in self.whole(index or 0)):
            texts, more = [*texts[:FOOT_LINES]], tr("… e shows all")
            texts[-1] = fit(texts[-1], width - cell_width(more) - 1).rstrip("… ") + more
        self._foot_lines = max(self._foot_lines, len(texts))
        return [(Span(text),) for text in texts] + [()] * (self._foot_lines - len(texts))

    def action_read(self) -> None:
        if self.lines.cursor is None and not isinstance(self.lines.provider, Paragraph):
            self.lines.action_move(1)            # as Enter: of the line where one would begin
        index = self.lines.cursor
        if index is not None and index < self.lines.count and self.whole(index):
            self.app.push_screen(WholeScreen(self.whole(index), self.copied(index)))
        else:
            self.app.notify("Choose a line first: all of it is shown then.", timeout=3)

    def action_copy(self) -> None:
        index = self.lines.cursor
        text = self.copied(index) if index is not None and index < self.lines.count else ""
        if text:
            copy(self.app, text)
        else:
            self.app.notify("Choose a line first: it is copied then.", timeout=3)

    def action_back(self) -> None:
        if not self.widen():
            self.post_message(BackAsked())

    def widen(self) -> bool:
        """Take back a filter or search that narrows the list; False where there is none."""
        return False

    def hint(self, text: str) -> None:
        """A paragraph in place of the list, which has nothing to show."""
        self.lines.show(Paragraph(tr(text), self.lines.line_width))

    @on(LineList.LineChosen)
    def _line_chosen(self, message: LineList.LineChosen) -> None:
        message.stop()
        if type(message) is LineList.LineChosen:
            self.chosen(message.index, message.cell)

    @on(LineList.LineOpened)
    def _line_opened(self, message: LineList.LineOpened) -> None:
        message.stop()
        self.opened(message.index)

    def chosen(self, index: int, cell: int | None) -> None:
        """The user moved the cursor to a line; `cell`: where the mouse was."""

    def opened(self, index: int) -> None:
        """Enter, or a double click."""
        self.post_message(PaneAsked("detail", opens=True))


def squeezed(text: str) -> str:
    """The text of a line without the blanks that lay out its columns."""
    return re.sub(r" {2,}", "  ", text).strip()
