"""A list of any length: it asks its provider for the visible lines alone, and can follow the tail.

Views compute `Line`s of styled spans; this widget turns the visible ones into strips and moves a cursor.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input

from inspector.model.language import language, tr
from inspector.tui.widgets.painter import Painter
from inspector.views.line.document import Document
from inspector.views.line.spans import Line, cell_width


class LineProvider(Protocol):
    """What a list shows: `count` lines, each made when it is to be seen."""

    @property
    def count(self) -> int: ...

    def line(self, index: int, width: int) -> Line: ...

    def target(self, index: int) -> Any: ...


class Paragraph:
    """A text in place of a list that has nothing to show; its list wraps it anew when its width changes."""

    def __init__(self, text: str, width: int) -> None:
        self._document = Document()
        self._document.prose(text, style="dim")
        self._width = 0
        self.wrap(width)

    def wrap(self, width: int) -> bool:
        """Wrap it to `width` cells; whether that changed it."""
        before, self._width = self._width, max(width, 20)
        if before != self._width:
            self._page = self._document.page(self._width)
        return before != self._width

    @property
    def count(self) -> int:
        """How many lines it takes."""
        return self._page.count

    def line(self, index: int, width: int) -> Line:
        """One of them, in `width` cells."""
        return self._page.line(index, width)

    def target(self, index: int) -> None:
        """Nothing: no line leads anywhere."""


class LineList(Painter, ScrollView, can_focus=True, inherit_bindings=False):
    """The visible window of a provider's lines, with a cursor; `following` keeps the last line in sight."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="list.page-up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="list.page-down"),
        Binding("home,g", "top", "First", show=False, id="list.top"),
        Binding("end,G", "end", "Last, and follow", show=False, id="list.end"),
        Binding("enter", "activate", "Open", id="list.open"),
    ]
    IN_PLACE: ClassVar[tuple[str, ...]] = ("move", "page", "top", "end")       # see terminal/turnstile.py
    SIGN: ClassVar[str] = "▶"           # in a cell of its own before the chosen line; "": there is none
    DEFAULT_CSS = "LineList { overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }"

    cursor: reactive[int | None] = reactive(None, repaint=False)
    following: reactive[bool] = reactive(False, repaint=False)
    drawn: reactive[int] = reactive(0, repaint=False)         # counts how often what is seen changed

    class LineChosen(Message):
        """The cursor was moved to a line by the user."""

        def __init__(self, line_list: LineList, index: int, cell: int | None = None) -> None:
            super().__init__()
            self.line_list = line_list
            self.index = index
            self.cell = cell       # where the mouse was, None from the keyboard

        @property
        def control(self) -> LineList:
            return self.line_list

    class LineOpened(LineChosen):
        """Enter or a double click: the user wants to see all of this line."""

    def __init__(self, provider: LineProvider | None = None, *, id: str | None = None,
                 classes: str | None = None, follow: bool = False, hint: str = "",
                 awaits: bool = True) -> None:
        super().__init__(id=id, classes=classes)
        self._provider = provider
        self._hint = hint      # what stands here while there is no line,
        self.waits_for = ""    # and instead of it while what is to come is waited for, where
        self._awaits = awaits  # that brings lines here;
        self.so_far = " so far"      # "" where there will never be more
        self._strips: LRUCache[tuple[int, int, str], Strip] = LRUCache(512)
        self._stood: dict[int, Strip] = {}       # in each line of the window, as it was drawn last,
        self._stood_at = -1, Size(0, 0)          # and where the window was then, and how large
        self._moving = False
        self._count = provider.count if provider is not None else 0
        self.tails = follow    # it is one of those that follow, when its end is in sight
        self.set_reactive(LineList.following, follow)
        self.seen = 0          # lines there were when the tail was last in sight
        self.also: frozenset[int] = frozenset()     # lines that belong to what is chosen, beside the cursor's

    @property
    def provider(self) -> LineProvider | None:
        return self._provider

    @property
    def count(self) -> int:
        """How many lines are shown: as many as there were at the last `refill`."""
        return self._count

    @property
    def line_width(self) -> int:
        """Cells that a line has, without the sign before it."""
        return max(self.scrollable_content_region.width - len(self.SIGN), 0)

    @property
    def unseen(self) -> int:
        """Lines that arrived below while the list did not follow."""
        return 0 if self.following or not self.tails else max(self.count - self.seen, 0)

    @property
    def _unseen_text(self) -> str:
        key = "" if isinstance(self.screen.focused, Input) else "  G"       # there it types a letter
        return f" ▼ {tr('{count:,} new', count=self.unseen)}{key} "

    def typing_changed(self) -> None:
        """The focus went into a line to be typed in, or out of one."""
        if self.unseen:
            self.refresh_line(round(self.scroll_y) + self.scrollable_content_region.height - 1)

    def show(self, provider: LineProvider | None, cursor: int | None = None) -> None:
        """Show another provider's lines, the cursor on line `cursor`."""
        self._provider = provider
        self.set_reactive(LineList.cursor, cursor)
        self.refill()
        self.seen = self.count
        if cursor is not None:
            self.scroll_to_line(cursor)

    def refill(self, *, news: bool = True, below: bool = False) -> None:
        """The provider's lines changed or grew: draw again, and follow the tail where asked.

        `news` False: lines that were added are not counted as new. `below`: lines were added after the last
        one and nothing else changed, so what is in sight need not be drawn again.
        """
        before = self._count
        count = self._count = self._provider.count if self._provider is not None else 0
        bottom = round(self.scroll_y) + self.scrollable_content_region.height
        unseen_here = below and not self.following and bottom <= before <= count and (
            len(str(before)) == len(str(count)))       # lines below; columns have the same widths
        if count != self.virtual_size.height:
            # The bar is always there, so more lines never move anything: no layout is needed.
            self.set_reactive(LineList.virtual_size, Size(0, count))
            self.vertical_scrollbar.window_virtual_size = count
        if self.cursor is not None and self.cursor >= count:
            self.cursor = count - 1 if count else None
        if not news:
            self.seen = count
        if self.following or self.scroll_y > self.max_scroll_y:
            self._place(self.max_scroll_y)
        self._look()
        if not unseen_here:
            self.again()

    def _look(self) -> None:
        """Whoever has the last line in sight has seen all; what comes below from now on is new."""
        if self.following or round(self.scroll_y) + self.scrollable_content_region.height >= self.count:
            self.seen = self.count

    def again(self) -> None:
        """Draw again what is seen, from the same lines: those of them that are others now."""
        self._strips.clear()
        size, stood = self.size, self._stood
        if (round(self.scroll_y), size) != self._stood_at:
            self.refresh()
            self.drawn += 1
            return
        changed = [y for y in range(size.height) if y not in stood or self.draw_line(y) != stood[y]]
        if changed:
            self.refresh(*(Region(0, y, size.width, 1) for y in changed))
            self.drawn += 1

    def choose(self, index: int | None, also: frozenset[int] = frozenset(), *, go: bool = True) -> None:
        """Put the cursor on a line that was chosen elsewhere, mark others with it; no message is posted.

        It is brought into sight, and a list that followed its end stays there; not so with `go` False: the
        same thing stands on another line now.
        """
        if also != self.also:
            self.also = also
            self.refresh()
        if index == self.cursor:
            return
        self.cursor = index
        if index is not None and go:
            top = round(self.scroll_y)
            if not top <= index < top + self.scrollable_content_region.height:
                self.following = False
            self.scroll_to_line(index)

    def scroll_to_line(self, index: int, *, centre: bool = False) -> None:
        """Bring a line into sight with the least movement, or to the middle where it was far off."""
        top, height = round(self.scroll_y), max(self.scrollable_content_region.height, 1)
        if top <= index < top + height and not centre:
            return
        near = top - height <= index < top + 2 * height
        if near and not centre:
            self._place(index if index < top else index - height + 1)
        else:
            self._place(index - height // 2)

    def _place(self, y: float) -> None:
        self._moving = True
        try:
            self.scroll_to(y=max(0, min(y, self.max_scroll_y)), animate=False, immediate=True)
        finally:
            self._moving = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._look()
        if self._moving or old_value == new_value:
            return
        down, at_end = new_value > old_value, new_value >= self.max_scroll_y
        if down and at_end:
            self.following = self.tails
        elif not down and not at_end:       # up to the end: Textual, which has more room
            self.following = False

    def watch_following(self, following: bool) -> None:
        self.seen = self.count
        if following:
            self._place(self.max_scroll_y)

    def watch_cursor(self, old: int | None, new: int | None) -> None:
        for index in (old, new):
            if index is not None:
                self.refresh_line(index)

    def on_mount(self) -> None:
        super().on_mount()  # type: ignore[no-untyped-call]
        self.refill()

    def on_resize(self, _event: events.Resize) -> None:
        self._look()
        if isinstance(self._provider, Paragraph):
            self.call_after_refresh(self._wrap_anew)
        elif self.following:
            self.call_after_refresh(self.refill)
        elif self.cursor is not None:
            self.call_after_refresh(self.scroll_to_line, self.cursor)

    def _wrap_anew(self) -> None:
        if isinstance(self._provider, Paragraph) and self._provider.wrap(self.line_width):
            self.refill(news=False)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        if self.cursor is not None:
            self.refresh_line(self.cursor)

    # --- the user's moves ---

    def action_move(self, step: int) -> None:
        if not self.count:
            return
        if self.cursor is None:
            bottom = round(self.scroll_y) + self.scrollable_content_region.height
            start = min(bottom, self.count) - 1 if step < 0 or self.following else round(self.scroll_y)
            self._choose_by_hand(start)
            return
        self._choose_by_hand(self.cursor + step)

    def action_page(self, direction: int) -> None:
        step = max(self.scrollable_content_region.height - 1, 1) * direction
        start = self.cursor if self.cursor is not None else round(self.scroll_y)
        self._choose_by_hand(start + step)

    def action_top(self) -> None:
        self._choose_by_hand(0)

    def action_end(self) -> None:
        if self.count:
            self._choose_by_hand(self.count - 1)
        self.following = self.tails

    def action_activate(self) -> None:
        if self.cursor is None:
            self.action_move(1)              # what is there to open is the line where one would begin
        if self.cursor is not None:
            self.post_message(self.LineOpened(self, self.cursor))

    def go_to(self, index: int) -> None:
        """Jump to a line and choose it, as the user asked for by its number or time."""
        self._choose_by_hand(index, centre=True)

    def _choose_by_hand(self, index: int, *, centre: bool = False, cell: int | None = None) -> None:
        if not self.count:
            return
        self.following = False
        self.cursor = max(0, min(index, self.count - 1))
        self.scroll_to_line(self.cursor, centre=centre)
        self.post_message(self.LineChosen(self, self.cursor, cell))

    async def _on_click(self, event: events.Click) -> None:
        index = round(self.scroll_y) + event.y
        if self.unseen and event.y == self.scrollable_content_region.height - 1 and (
                event.x >= self.scrollable_content_region.width - cell_width(self._unseen_text)):
            self.action_end()
            return
        if event.button != 1 or not 0 <= index < self.count:
            return
        self._choose_by_hand(index, cell=max(event.x - len(self.SIGN), 0))
        if event.chain == 2:
            self.post_message(self.LineOpened(self, index, max(event.x - len(self.SIGN), 0)))

    # --- drawing ---

    def render_line(self, y: int) -> Strip:
        place = round(self.scroll_y), self.size
        if place != self._stood_at:
            self._stood_at = place
            self._stood.clear()
        strip = self._stood[y] = self.draw_line(y)
        return strip

    def draw_line(self, y: int) -> Strip:
        """What stands in line `y` of the window."""
        width = self.scrollable_content_region.width
        index = round(self.scroll_y) + y
        if self._provider is None or not 0 <= index < self.count:
            return self._blank(index, width)
        state = ("line--also" if index in self.also else "") if index != self.cursor else (
            "line--cursor" if self.has_focus else "line--cursor-blurred")
        key = (index, width, state)
        strip = self._strips.get(key)
        if strip is None:
            strip = self.paint(self._provider.line(index, self.line_width), self.line_width, state)
            if self.SIGN:
                sign = self.SIGN if index == self.cursor else " "
                strip = Strip.join([Strip([Segment(sign, self.colours(*([state] if state else [])))]), strip])
            self._strips[key] = strip
        if self.unseen and y == self.scrollable_content_region.height - 1:
            return self._with_unseen(strip, width)
        return strip

    def _blank(self, index: int, width: int) -> Strip:
        """A line below the last one; of a list without lines the hint's."""
        if not self.count and self._hint:
            document = Document()
            hint = tr(self._hint)
            if not self.so_far:
                hint = hint.replace(" so far" if language() == "en" else tr("so far"), "")
            document.prose((self._awaits and self.waits_for) or hint, style="dim")
            page = document.page(max(width, 20))
            if 0 <= index < page.count:
                return self.paint(page.line(index, width), width, "")
        return Strip.blank(width, self.colours())

    def _with_unseen(self, strip: Strip, width: int) -> Strip:
        """The last visible line with the number of lines that arrived below."""
        note = Strip([Segment(self._unseen_text, self.colours("line--unseen"))])
        return Strip.join([strip.crop(0, max(width - note.cell_length, 0)), note])

    def refresh_line(self, y: int) -> None:
        top = round(self.scroll_y)
        if top <= y < top + self.size.height:
            self.refresh(Region(0, y - top, self.size.width, 1))
