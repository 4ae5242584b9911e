"""One question in a small box over the screen: a text with a check, or a choice of actions by key.

A question and its check -> the box -> what was typed, once it is right, or None after escape.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from inspector.lab.files.folders import is_folder
from inspector.model.language import recognised, tr
from inspector.tui.files.paths import PathError, typed
from inspector.tui.widgets.base import BaseModal, Options, Prose, TextInput
from inspector.views.line.spans import cell_width, fit
from inspector.views.line.wrap import folded
from inspector.wire.text import escaped


class PathSuggester(Suggester):
    """Completes what is typed to the first directory or file of that beginning that the question can take."""

    def __init__(self, takes: Callable[[Path], bool]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._takes = takes

    async def get_suggestion(self, value: str) -> str | None:
        head, _, beginning = value.rpartition("/")
        if not beginning:
            return None
        with contextlib.suppress(OSError, PathError):
            for path in sorted(typed((head or "/") if "/" in value else ".").iterdir()):
                # A name that cannot be shown as it is, is not offered: it would reach the terminal as it is.
                if not path.name.startswith(beginning) or escaped(path.name) != path.name:
                    continue
                if (folder := is_folder(path)) or self._takes(path):
                    return value[: len(value) - len(beginning)] + path.name + ("/" if folder else "")
        return None


class PromptScreen(BaseModal[str | None]):
    """Asks for one line of text; `check` gives a sentence when it will not do."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", id="prompt.cancel")]

    def __init__(self, question: str, value: str = "", *, hint: str = "",
                 paths: Callable[[Path], bool] | None = None,
                 check: Callable[[str], str | None] = lambda _text: None) -> None:
        """`paths`: paths are typed; says which files are suggested."""
        super().__init__()
        self._question, self._value, self._hint, self._check = tr(question), value, tr(hint), check
        self._suggester = PathSuggester(paths) if paths is not None else None

    def compose(self) -> ComposeResult:
        with Vertical(classes="prompt"):
            yield Prose(Content(self._question), classes="question")
            yield TextInput(self._value, suggester=self._suggester, compact=True)
            yield Prose(Content(self._hint), classes="hint")
            yield Static(Content(tr("⏎ takes it   esc: back")), classes="keys")

    @on(Input.Changed)
    def _typed(self) -> None:
        self._show(self._hint, wrong=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        wrong = self._check(text)
        if wrong is None:
            self.dismiss(text)
        else:
            self._show(recognised(wrong), wrong=True)

    def _show(self, text: str, *, wrong: bool) -> None:
        hint = self.query_one(".hint", Static)
        hint.update(Content(text))
        hint.set_class(wrong, "-wrong")


class MenuItem(NamedTuple):
    """One thing that can be done: its key, its name, what comes of it, the value the menu then gives."""

    key: str
    name: str
    about: str
    value: str


_MENU, _FRAME = 76, 6            # cells of a menu, and of the frame around it (inspector.tcss)
_AROUND, _BAR = 6, 2             # lines of frame, question and keys; cells of a scroll bar


class MenuScreen(BaseModal[str | None]):
    """A few actions, each by its key, by Enter or by the mouse."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,x", "dismiss(None)", "Cancel", id="menu.cancel")]

    def __init__(self, question: str, items: list[MenuItem]) -> None:
        super().__init__()
        self._question = tr(question)
        self._items = [item._replace(name=tr(item.name), about=tr(item.about)) for item in items]
        self._room = 0                     # cells in which what an action does is said

    def compose(self) -> ComposeResult:
        with Vertical(classes="prompt menu"):
            yield Prose(Content(self._question), classes="question")
            yield Options(*self._options(), compact=True)
            yield Static(Content(tr("esc: back")), classes="keys")

    def _options(self) -> list[Option]:
        """The actions as the menu's width has them: what does not fit goes on below itself."""
        width = max(cell_width(item.name) for item in self._items)
        self._room = max(min(_MENU, self.app.size.width * 95 // 100) - _FRAME - width - 6, 16)
        lines = sum(len(folded(item.about, self._room)) or 1 for item in self._items)
        if lines + _AROUND > self.app.size.height:         # they scroll, and the bar takes its own room
            self._room -= _BAR
        gap = "\n" + " " * (width + 6)
        # Black or white, whichever can be read: also on the line that is chosen, which has another ground.
        return [Option(Content.assemble((f" {item.key} ", "bold auto"), f" {fit(item.name, width)}  ",
                                        (gap.join(folded(item.about, self._room)), "not bold auto 75%")),
                       id=item.value)
                for item in self._items]

    def on_resize(self) -> None:
        """Have the actions in sight, or scrolled where they are more than the screen has lines."""
        options, before = self.query_one(Options), self._room
        made = self._options()
        if before != self._room:
            chosen = options.highlighted
            options.clear_options()
            options.add_options(made)
            options.highlighted = chosen
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        for menu in self.query(".menu"):           # none where it goes already
            options = self.query_one(Options)
            frame = menu.outer_size.height - options.outer_size.height
            options.styles.max_height = max(self.app.size.height - frame, 3)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def on_key(self, event: events.Key) -> None:
        for item in self._items:
            if event.character == item.key:
                event.stop()
                self.dismiss(item.value)
                return
