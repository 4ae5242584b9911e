"""Screens and containers whose bindings all carry ids, so that a keymap can change every key.

`BINDINGS` of a class -> `_with_ids` -> ids that the user's keymap changes. Screens inherit `BaseScreen` and
`BaseModal`, so that none has Textual's own keys by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, TypeVar

from rich.text import Text
from textual import events
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widgets import Input, OptionList, Static

from inspector.model.language import recognised
from inspector.tui.widgets.leaving import LeavesQuietly
from inspector.tui.widgets.painter import PAINTS, Painter, legible_strip
from inspector.views.line.spans import cell_width
from inspector.views.line.wrap import folded
from inspector.wire.text import escaped

Result = TypeVar("Result")
SCREEN_PAINTS = {*PAINTS, *Screen.COMPONENT_CLASSES}       # Textual looks into the first base alone
_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
WIDE, TALL = 110, 30       # columns and lines from which panes stand side by side

COMMON: list[BindingType] = [
    Binding("tab", "app.focus_next", "Next pane", show=False, id="screen.next"),
    Binding("shift+tab", "app.focus_previous", "Previous pane", show=False, id="screen.previous"),
    Binding("ctrl+shift+c,super+c", "screen.copy_text", "Copy marked text", show=False, id="screen.copy"),
]


NOT_FOR_VISITORS = frozenset({"open", "services", "save", "suspend_process", "wireshark", "programs"})


def may(app: App[Any], action: str) -> bool:
    """Whether this action is for who sits before the app: not all are for visitors of `inspector serve`."""
    return action not in NOT_FOR_VISITORS or not getattr(app, "visitor", False)


def toast_text(app: App[Any], sentence: str) -> str:
    """What a toast says: escaped, in the language of the screens, broken where Textual would not."""
    text = escaped(recognised(sentence))
    return text if cell_width(text) == len(text) else "\n".join(folded(text, app.size.width - 4))


class BaseScreen(LeavesQuietly, Screen[None], inherit_bindings=False):
    """A screen of the app."""

    COMPONENT_CLASSES: ClassVar[set[str]] = SCREEN_PAINTS

    BINDINGS: ClassVar[list[BindingType]] = COMMON

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether it can be done now; None: it is shown, and cannot."""
        return may(self.app, action)

    @classmethod
    @cache
    def _get_component_classes(cls) -> frozenset[str]:
        """Those that the class names; Textual would add those of its bases, and each costs at the start."""
        return frozenset(cls.COMPONENT_CLASSES)

    def fit(self, size: Size) -> None:
        """Wear the classes of this size from the start: else all styles are made again once it is told."""
        for breakpoints, length in ((self.HORIZONTAL_BREAKPOINTS, size.width),
                                    (self.VERTICAL_BREAKPOINTS, size.height)):
            self.add_class(*self._get_breakpoint_classes(length, breakpoints or []), update=False)

    def key_name(self, binding: Binding) -> str:
        """What stands beside a key: what it does now."""
        return binding.description

    def language_changed(self) -> None:
        """What stands there is to be said in another language now."""
        for head in self.query(Painter):
            head.refresh()
        self.refresh_bindings()

    def take_back(self, sentence: str) -> None:
        """Take a toast away that is true no more."""
        for note in list(self.app._notifications):
            if note.message == toast_text(self.app, sentence):
                self.app._unnotify(note)

    def leave(self, go: Callable[[], None]) -> None:
        """Call `go`, which leaves this screen; a screen on which something would be lost asks first."""
        go()


class Ground(BaseScreen):
    """What lies below the first screen, and is empty. It has no paints: each costs at the start."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(Screen.COMPONENT_CLASSES)


class BaseModal(LeavesQuietly, ModalScreen[Result], inherit_bindings=False):
    """A box over a screen. The app's own keys do not reach through it, so the way out stands here again."""

    COMPONENT_CLASSES: ClassVar[set[str]] = SCREEN_PAINTS
    BINDINGS: ClassVar[list[BindingType]] = [
        *COMMON, Binding("ctrl+c", "app.quit", "Quit", show=False, id="modal.interrupt"),
    ]
    HIDES_ALL: ClassVar[bool] = False      # nothing is seen but this: the terminal is too small
    VERTICAL_BREAKPOINTS = [(0, "-tight"), (22, "-roomy")]  # noqa: RUF012  (Textual's way)

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Go, with an answer. A box answers once: what comes while it goes, or is covered, ends no other."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()


def _with_ids(bindings: Iterable[BindingType], prefix: str) -> list[BindingType]:
    """Textual's own bindings of a widget, each with an id made of what it does."""
    given = [binding if isinstance(binding, Binding) else Binding(*binding) for binding in bindings]
    return [replace(binding, id=f"{prefix}.{binding.action.replace('_', '-')}") for binding in given]


class TextInput(Input, inherit_bindings=False):
    """A line of text. ctrl+c copies what is marked, and quits where nothing is.

    A paste keeps all that it has: control characters stand there as their pictures (U+2400 block), the ends
    of lines as `LINE_END`. What would change how the line is painted is shown as �, one for each.
    """

    IN_PLACE: ClassVar[tuple[str, ...]] = ("cursor_", "delete_", "home", "end", "line_")   # see turnstile.py
    LINE_END: ClassVar[str] = " "          # what stands for the end of a line
    TAB: ClassVar[str] = " "

    BINDINGS: ClassVar[list[BindingType]] = [
        *(binding for binding in _with_ids(Input.BINDINGS, "input") if "copy" not in str(binding)),
        Binding("ctrl+c,super+c", "copy_or_quit", "Copy, or quit", show=False, id="input.copy"),
        Binding("ctrl+j", "line_end", "A line's end", show=False, id="input.line-end"),
    ]

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()                  # Input keeps the first line alone
        event.stop()
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        if not self.LINE_END.strip():
            text = text.rstrip("\n")             # a blank at the end would say nothing
        self.replace(self.pictured(text), *self.selection)

    @classmethod
    def pictured(cls, text: str) -> str:
        """A text as it stands in the line."""
        return text.translate(_PICTURES | {ord("\n"): cls.LINE_END, ord("\t"): cls.TAB})

    def action_line_end(self) -> None:
        """What was typed as a line feed ends a line of what is typed; Enter takes it."""
        self.replace(self.LINE_END, *self.selection)

    @property
    def _painted(self) -> str:
        """The value, each character of which can be painted as one."""
        value = self.value
        if value.isascii() and value.isprintable():
            return value
        return "".join(one if escaped(one) == one else "\ufffd" for one in value)

    @property
    def _value(self) -> Text:
        return Text(self._painted, no_wrap=True, overflow="ignore", end="")

    def _position_to_cell(self, position: int) -> int:
        return cell_width(self._painted[:position])

    async def action_copy_or_quit(self) -> None:
        if self.selected_text:
            self.action_copy()
        else:
            await self.app.action_quit()


class Options(OptionList, inherit_bindings=False):
    """A list of options, whose words can be read in every theme: also on the line that is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = _with_ids(OptionList.BINDINGS, "options")

    def render_line(self, y: int) -> Strip:
        return legible_strip(super().render_line(y))


class Prose(Static):
    """A text of several lines: Chinese is broken between its signs, which Textual does at blanks alone.

    Its words can be read in every theme.
    """

    def render_line(self, y: int) -> Strip:
        return legible_strip(super().render_line(y))

    def _folded(self, width: int) -> Content:
        content = self.content if isinstance(self.content, Content) else Content(str(self.content))
        text = content.plain
        if cell_width(text) == len(text) or width <= 0:
            return content
        lines, at = [], 0
        for paragraph in text.split("\n"):
            for line in folded(paragraph, width) or [""]:
                at = text.index(line, at)
                lines.append(content[at : at + len(line)])
                at += len(line)
        return Content("\n").join(lines)

    def render(self) -> Content:
        return self._folded(self.content_size.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        made = self._folded(width)
        if made is self.content:
            return super().get_content_height(container, viewport, width)
        return made.plain.count("\n") + 1


class PlainScroll(ScrollableContainer, can_focus=False, inherit_bindings=False):
    """Scrolls what does not fit; the keys are the screen's."""

    DEFAULT_CSS = """
    PlainScroll { overflow-x: hidden; overflow-y: auto; layout: vertical; width: 1fr; height: 1fr; }
    """
