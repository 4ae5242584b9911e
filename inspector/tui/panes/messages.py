"""The messages of the conversation, whatever it speaks: a list with search, opening to frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from inspector.tui.messages import SelectionMade, StatusChanged
from inspector.tui.panes.base import PaneSpec, plain_page
from inspector.tui.panes.conversation import ConversationPane, selection_of
from inspector.tui.widgets.line_list import LineProvider
from inspector.tui.widgets.prompt import PromptScreen
from inspector.views.conversation.messages import MessageList, message_layer
from inspector.views.line.spans import Line

if TYPE_CHECKING:
    from inspector.views.ladder.ends import Conversation


class MessagesPane(ConversationPane):
    """The messages of the conversation."""

    HINT = "No messages so far: what the two ends say in HTTP, WebSocket and the like stands here."
    LEGEND = (
        "The messages of the chosen conversation: time, direction, size, kind, payload; WebSocket's unmasked "
        "and inflated. **Enter** opens a message to its frames. **f** searches the payloads (**hex:** for "
        "bytes), **d** keeps one direction, **m** hides ping, pong and close.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "search", "Find", id="messages.search"),
        Binding("d", "direction", "Both/one side", id="messages.direction"),
        Binding("m", "control", "Hide control", id="messages.control"),
    ]

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._messages: MessageList | None = None
        self._choice: dict[str, Any] = {"control": True, "search": "", "direction": None}

    @property
    def status(self) -> str:
        parts = [f"find {self._choice['search']!r}"] if self._choice["search"] else []
        parts += ["no control frames"] if not self._choice["control"] else []
        parts += ["one side"] if self._choice["direction"] is not None else []
        if self._messages is not None and not self._messages.complete:
            parts.append(f"{self._messages.progress:.0%}")
        return "  ".join(parts)

    def head(self, width: int) -> list[Line]:
        return [self._messages.title(width)] if self._messages is not None else []

    def begin(self, conversation: Conversation) -> LineProvider | None:
        assert self.trace is not None
        self._messages = None
        if conversation.protocol == "tcp" and message_layer(self.trace, conversation.stream) is not None:
            self._messages = MessageList(self.trace, conversation.stream)
            self._messages.choose(**self._choice)
            return self._messages
        self._shown = None          # there may be some yet
        return plain_page("No messages of a known protocol so far in this conversation.",
                          self.lines.scrollable_content_region.width)

    def go_on(self) -> bool:
        changed = self._messages is not None and self._messages.update()
        if changed:
            self.post_message(StatusChanged())
        return changed

    def unfinished(self) -> bool:
        return self._messages is not None and not self._messages.complete

    def chosen(self, index: int, cell: int | None) -> None:
        if self._messages is not None:
            place = self._messages.target(index)
            label = f"Message {place.message}" if place.message else "Frame"
            self.post_message(SelectionMade(selection_of(place, label)))

    def opened(self, index: int) -> None:
        if self._messages is not None:
            self._messages.toggle(index)
            self.lines.refill()

    def mark(self) -> None:
        if self._messages is not None and self.selection.row is not None and not self.lines.has_focus:
            self.lines.choose(self._messages.index_of_row(self.selection.row))

    def _choose(self, **choice: Any) -> None:
        self._choice |= choice
        if self._messages is not None:
            self._messages.choose(**self._choice)
            self.lines.refill()
            self.work()
        self.post_message(StatusChanged())

    def action_control(self) -> None:
        self._choose(control=not self._choice["control"])

    def action_direction(self) -> None:
        self._choose(direction={None: 0, 0: 1, 1: None}[self._choice["direction"]])

    def action_search(self) -> None:
        def chosen(text: str | None) -> None:
            if text is not None:
                self._choose(search=text)

        self.app.push_screen(PromptScreen("Find in the payloads", self._choice["search"],
                                          hint="a text, or hex:68656c; empty for all messages"), chosen)


SPEC = PaneSpec("messages", "3", "Messages", "middle", MessagesPane, short="Msgs")
