"""The messages of the conversation, whatever it speaks: a list with search, opening to frames.

views/conversation/messages.py draws it; this pane shows the lines in sight and opens a message where it is
chosen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from inspector.model.language import tr
from inspector.tui.messages import PaneAsked, Selection, SelectionMade, StatusChanged
from inspector.tui.pace import WORK_SECONDS
from inspector.tui.panes.base import PaneSpec
from inspector.tui.panes.conversation import ConversationPane, selection_of
from inspector.tui.widgets.line_list import LineProvider
from inspector.tui.widgets.prompt import PromptScreen
from inspector.views.conversation.elsewhere import Elsewhere
from inspector.views.conversation.messages import MessageList, message_layer
from inspector.views.findings.unjudged import lacking_words
from inspector.views.line.document import Page
from inspector.views.line.spans import Line

if TYPE_CHECKING:
    from inspector.views.ladder.ends import Conversation


PIECE = 50                 # messages that are looked at between looks at the clock
@dataclass(frozen=True, slots=True)
class Choice:
    """Which messages are shown, as `MessageList.choose` has it; all of them at first."""

    control: bool = True
    search: str = ""
    direction: int | None = None
    slowest: bool = False

    def apply(self, messages: MessageList) -> None:
        """Let the list show these."""
        messages.choose(control=self.control, search=self.search, direction=self.direction,
                        slowest=self.slowest)


_ALL = Choice()


class MessagesPane(ConversationPane):
    """The messages of the conversation."""

    HINT = "No messages so far: what the two ends say in HTTP, WebSocket and the like stands here."
    LEGEND = (
        "The messages of the chosen conversation: time, direction, size, kind, payload; WebSocket's unmasked "
        "and inflated. **Enter** opens a message to its frames. **f** searches the payloads (**hex:** for "
        "bytes), **d** keeps one direction, **m** hides ping, pong and close. **Wait** is the time from a "
        "request to its answer's first byte; **w** shows the answers alone, the slowest first.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "search", "Find", id="messages.search"),
        Binding("d", "direction", "Sides", tooltip="Both ends, or one alone", id="messages.direction"),
        Binding("m", "control", "Hide control", id="messages.control"),
        Binding("w", "slowest", "Slowest", show=False, id="messages.slowest"),
    ]

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._messages: MessageList | None = None
        self._elsewhere: Elsewhere | None = None
        self._searched_for: Conversation | None = None
        self._choice = _ALL

    @property
    def status(self) -> str:
        parts = [tr("find {text!r}", text=self._choice.search)] if self._choice.search else []
        if self._messages is not None and (cut := self._messages.searched_in_part):
            parts.append(tr("{count:,} searched up to 1 MiB", count=cut))
        parts += [tr("no control frames")] if not self._choice.control else []
        parts += [tr("slowest first")] if self._choice.slowest else []
        parts += [tr("one side")] if self._choice.direction is not None else []
        if self._messages is not None and not self._messages.complete:
            parts.append(f"{self._messages.progress:.0%}")
        parts += self.decoding
        return "  ".join(parts)

    def head(self, width: int) -> list[Line]:
        return [self._messages.title(width)] if self._messages is not None else []

    def begin(self, conversation: Conversation) -> LineProvider | None:
        assert self.trace is not None
        self._messages = None
        if conversation.protocol == "tcp" and message_layer(self.trace, conversation.stream) is not None:
            self._messages = MessageList(self.trace, conversation.stream, PIECE)
            self._choice.apply(self._messages)
            return self._messages
        self._shown = None          # there may be some yet
        if self._elsewhere is None or self._searched_for != conversation:
            self._elsewhere = Elsewhere(self.trace, conversation.protocol, conversation.stream)
            self._searched_for = conversation
        return self._elsewhere.page(max(self.lines.line_width, 20))

    def go_on(self) -> bool:
        if self._messages is None:
            if self._elsewhere is not None and self._elsewhere.update(WORK_SECONDS):
                self.lines.show(self._elsewhere.page(max(self.lines.line_width, 20)), self.lines.cursor)
            return False
        until, changed = time.monotonic() + WORK_SECONDS, False
        while True:
            changed = self._messages.update() or changed
            if self._messages.complete or time.monotonic() >= until:
                break
        if changed:
            self.post_message(StatusChanged())
        self._show_whether_empty()
        return changed

    def _show_whether_empty(self) -> None:
        """A sentence where a search leaves nothing, the messages where it leaves some."""
        messages = self._messages
        if messages is None:
            return
        if not messages.count and self._choice != _ALL:
            self.hint(messages.none_words(lacking_words(messages.trace) if messages.trace.cut else ""))
        elif self.lines.provider is not messages:
            self.lines.show(messages)

    def unfinished(self) -> bool:
        search = self._elsewhere if self._messages is None else self._messages
        return search is not None and not search.complete

    def chosen(self, index: int, cell: int | None) -> None:
        if self._messages is not None and self._listed is not None:
            place = self._messages.target(index)
            label = tr("Message {number}", number=place.message) if place.message else tr("Frame")
            self.post_message(SelectionMade(selection_of(place, label)))
        elif isinstance(self.lines.provider, Page):
            row = self.lines.provider.target(index)
            if row is not None:
                self.post_message(SelectionMade(Selection(row=row)))

    def whole(self, index: int) -> str:
        messages = self._listed
        return super().whole(index) if messages is None else messages.whole(index)

    def copied(self, index: int) -> str:
        messages = self._listed
        return super().copied(index) if messages is None else messages.content(index)

    @property
    def _listed(self) -> MessageList | None:
        """The messages, None while a sentence stands in their place."""
        return self._messages if self.lines.provider is self._messages else None

    def widen(self) -> bool:
        narrowed = self._choice != _ALL
        if narrowed:
            self._choose(_ALL)
        return narrowed

    def opened(self, index: int) -> None:
        messages = self._listed
        if messages is None:
            return
        lines = messages.count
        messages.toggle(index)
        if messages.count == lines:          # it is one record: there is nothing to open
            self.post_message(PaneAsked("detail", opens=True))
        self.lines.refill()

    def mark(self) -> None:
        if self._messages is not None and self.selection.row is not None and not self.lines.has_focus:
            self.lines.choose(self._messages.index_of_row(self.selection.row))

    def _choose(self, choice: Choice) -> None:
        self._choice = choice
        if self._messages is not None:
            self._choice.apply(self._messages)
            self._show_whether_empty()
            self.lines.refill()
            self.work()
        self.post_message(StatusChanged())

    def action_control(self) -> None:
        self._choose(replace(self._choice, control=not self._choice.control))

    def action_direction(self) -> None:
        self._choose(replace(self._choice, direction={None: 0, 0: 1, 1: None}[self._choice.direction]))

    def action_slowest(self) -> None:
        self._choose(replace(self._choice, slowest=not self._choice.slowest))

    def action_search(self) -> None:
        def chosen(text: str | None) -> None:
            if text is not None:
                self._choose(replace(self._choice, search=text))

        self.app.push_screen(PromptScreen("Find in the payloads", self._choice.search,
                                          hint="a text, or hex:68656c; empty for all messages"), chosen)


SPEC = PaneSpec("messages", "3", "Messages", "middle", MessagesPane, short="Msgs")
