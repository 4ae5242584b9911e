"""Help: the keys that work right here, and what the picture means; and the word that a screen is too small.

A screen or pane that has something to explain carries `LEGEND_TITLE` and `LEGEND` (paragraphs, with keys
between `**`, written by us, never text off the wire).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Input, Static

from inspector.model.language import marked, tr
from inspector.tui.widgets.base import BaseModal, PlainScroll, Prose
from inspector.tui.widgets.key_line import KeyLine
from inspector.views.line.spans import cell_width, fit


class HelpScreen(BaseModal[None]):
    """Keys in groups (this pane, this screen, everywhere), then explanations."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q,enter", "dismiss", "Back", key_display="esc", id="help.back"),
        Binding("down,j", "scroll(1)", show=False, id="help.down"),
        Binding("up,k", "scroll(-1)", show=False, id="help.up"),
        Binding("pagedown,space", "scroll(10)", show=False, id="help.page-down"),
        Binding("pageup", "scroll(-10)", show=False, id="help.page-up"),
    ]

    def __init__(self, groups: Sequence[tuple[str, Sequence[tuple[str, str]]]],
                 texts: Sequence[tuple[str, Sequence[str]]]) -> None:
        super().__init__()
        self._groups, self._texts = groups, texts

    @classmethod
    def of(cls, screen: Screen[Any]) -> HelpScreen:
        """Help for what is focused on `screen`, and for the screen itself."""
        groups: dict[str, dict[str, list[str]]] = {}
        names = getattr(screen, "key_name", attrgetter("description"))
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.description and not binding.system and active.enabled:
                group = groups.setdefault(_title_of(active.node), {})
                group.setdefault(tr(names(binding)), []).append(screen.app.get_key_display(binding))
        listed = [(title, [("  ".join(dict.fromkeys(keys)), name) for name, keys in rows.items()])
                  for title, rows in groups.items()]
        nodes = screen.focused.ancestors_with_self if screen.focused else [screen]
        texts = [(getattr(node, "LEGEND_TITLE", ""), legend) for node in nodes
                 if (legend := getattr(node, "LEGEND", ()))]
        return cls(listed, texts)

    def compose(self) -> ComposeResult:
        with PlainScroll(id="help"):
            for title, paragraphs in self._texts:
                yield Static(Content(tr(title)), classes="heading")
                for paragraph in paragraphs:
                    yield Prose(_bold(tr(paragraph)), classes="paragraph")
            for title, rows in self._groups:
                heading = Content.assemble((tr("Keys: "), "$foreground 60%"), tr(title))
                yield Static(heading, classes="heading")
                width = max(cell_width(keys) for keys, _ in rows)
                for keys, name in rows:
                    yield Static(Content.assemble((f"  {fit(keys, width)}  ", "bold $text-accent"), name))
        yield KeyLine()

    def action_scroll(self, lines: int) -> None:
        self.query_one("#help").scroll_relative(y=lines, animate=False)


def _title_of(node: DOMNode) -> str:
    for candidate in node.ancestors_with_self:
        title = getattr(candidate, "LEGEND_TITLE", "")
        if title:
            assert isinstance(title, str)
            return title
    return marked("everywhere")


def _bold(text: str) -> Content:
    """`**word**` as bold in the theme's key colour; brackets are brackets."""
    parts = text.split("**")
    return Content.assemble(*((part, "bold $text-accent" if place % 2 else "")
                              for place, part in enumerate(parts)))


class TooSmallScreen(BaseModal[None]):
    """One sentence until the terminal is large enough.

    What is typed into a line of text below goes on to it; all other keys would act on what nobody sees.
    """

    HIDES_ALL = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit", "Quit", id="too-small.quit")]

    def __init__(self, width: int, height: int, line: Input | None) -> None:
        """`line`: where typing goes."""
        super().__init__()
        self._needed, self._line = (width, height), line

    @property
    def takes_text(self) -> bool:
        """Whether what is typed goes somewhere."""
        return self._line is not None and self._line.is_attached

    def compose(self) -> ComposeResult:
        width, height = self._needed
        small = tr("This terminal is too small: at least {width} columns and {height} lines are needed.",
                   width=width, height=height)
        goes_on = [tr("Text that you type still goes to the line below.")] if self.takes_text else []
        yield Prose("\n".join([small, *goes_on]), id="too-small")

    def on_key(self, event: events.Key) -> None:
        if self._line is None or not self.takes_text:
            return
        if event.is_printable:
            event.stop()
            self._line.post_message(event)
        elif event.key == "backspace":
            event.stop()
            self._line.action_delete_left()

    def on_paste(self, event: events.Paste) -> None:
        if self._line is not None and self.takes_text:
            event.stop()
            self._line.post_message(event)
