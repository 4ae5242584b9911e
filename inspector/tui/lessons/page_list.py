"""The side of a lesson that is read and answered: the page of a step as a list, and the line for numbers.

`StepPage` (lessons/pages/) -> lines and options -> keys and clicks -> the lesson's screen.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from inspector.lessons.pages.step_page import StepPage
from inspector.tui.widgets.base import TextInput
from inspector.tui.widgets.line_list import LineList

_DIGITS = frozenset("0123456789abcdefxABCDEFX_,")


def _scrolling(of: str) -> tuple[Binding, Binding]:
    """The keys that scroll the words, from wherever the focus is on their side."""
    return (
        Binding("pagedown,ctrl+f", "screen.scroll_words(1)", "Scroll", key_display="PgDn",
                id=f"{of}.scroll-down", tooltip="The words have more lines than are seen"),
        Binding("pageup,ctrl+b", "screen.scroll_words(-1)", "Scroll up", show=False, id=f"{of}.scroll-up"),
    )


class PageList(LineList):
    """The lines of a step. Where there are options the cursor goes from one to the next, else it scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "activate", "Go on", id="lesson.go", tooltip="Answer, let it happen, next step"),
        *_scrolling("words"),
    ]

    @property
    def overflows(self) -> bool:
        """Whether there is more than is seen."""
        return self.count > self.size.height

    def scroll_page(self, direction: int) -> None:
        """A screenful of it down (1) or up (-1); no option is chosen."""
        self._place(self.scroll_y + max(self.size.height - 1, 1) * direction)

    def show_page(self, page: StepPage, option: str | None) -> None:
        """Show a page, the cursor on `option` where it still can be chosen."""
        line = next((line for line, name in page.options.items() if name == option), None)
        self.show(page, line)
        self._mark_whole(page)

    @property
    def page(self) -> StepPage | None:
        return self.provider if isinstance(self.provider, StepPage) else None

    @property
    def option(self) -> str | None:
        """The option at the cursor."""
        return None if self.page is None or self.cursor is None else self.page.target(self.cursor)

    def action_move(self, step: int) -> None:
        page = self.page
        starts = [] if page is None else _starts(page)
        if not starts:
            self._place(self.scroll_y + step)
            return
        after = [line for line in starts if self.cursor is None or (line - self.cursor) * step > 0]
        if self.cursor is None:
            after = after[::step]
        if after:
            self._choose_by_hand(after[0] if step > 0 else after[-1])
            self._mark_whole(page)
        else:
            self._place(self.scroll_y + step)

    def _mark_whole(self, page: StepPage | None) -> None:
        """An option of several lines is marked on all of them."""
        option = self.option
        options = page.options if page is not None else {}
        lines = frozenset(line for line, name in options.items() if name == option)
        self.also = lines - {self.cursor}
        self.again()

    def action_activate(self) -> None:
        self.post_message(self.Answered(self, self.option))

    def choose_option(self, number: int) -> bool:
        """Put the cursor on option `number`, from 1; whether there is one."""
        starts = [] if self.page is None else _starts(self.page)
        if not 1 <= number <= len(starts):
            return False
        self._choose_by_hand(starts[number - 1])
        self._mark_whole(self.page)
        return True

    async def _on_click(self, event: events.Click) -> None:
        index = round(self.scroll_y) + event.y
        if self.page is not None and self.page.target(index) is not None:
            await super()._on_click(event)
            self._mark_whole(self.page)

    class Answered(Message):
        """Enter, or a second click: what the cursor is on, None where that is no option."""

        def __init__(self, page_list: PageList, option: str | None) -> None:
            super().__init__()
            self.page_list, self.option = page_list, option


def _starts(page: StepPage) -> list[int]:
    """The first lines of the options."""
    found: list[int] = []
    seen: set[str] = set()
    for line, name in page.options.items():
        if name not in seen:
            seen.add(name)
            found.append(line)
    return found


class NumberInput(TextInput):
    """A line for a number. Other letters are no text here: they do what they do elsewhere on the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Answer", id="number.answer", tooltip="Give the number as the answer"),
        *_scrolling("number"),
    ]

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return character is not None and character in _DIGITS

    async def _on_key(self, event: events.Key) -> None:
        if event.is_printable and (event.character or "") not in _DIGITS:
            event.prevent_default()          # Input's own handler, which would take the letter


class StepNumber(NumberInput):
    """The line of a lesson's step; a digit leads back to it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.to_words", "To the words", id="number.leave"),
    ]
