"""How the chosen conversation opened and closed, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.tui.messages import Selection, SelectionMade
from inspector.tui.panes.base import PaneSpec
from inspector.tui.panes.conversation import ConversationPane
from inspector.tui.widgets.line_list import LineProvider
from inspector.views.conversation.opening import handshake
from inspector.views.line.document import Page

if TYPE_CHECKING:
    from inspector.views.ladder.ends import Conversation


class HandshakePane(ConversationPane):
    """How the conversation opened and closed, in words and numbers."""

    HINT = "No conversation so far: how it begins, step by step, stands here."
    LEGEND = (
        "How the chosen conversation opened and closed, step by step: what each side announced in TCP's "
        "three-way handshake; for WebSocket the request, the answer, and the proof that the server "
        "understood it: key + GUID, SHA-1, base64, compared with what it sent.",
    )

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._wanted = ""                  # the section to stand at, as soon as it is there

    def stand_at(self, heading: str) -> None:
        """Have the section of this heading at the top, when the next choice is shown."""
        self._wanted = heading

    def mark(self) -> None:
        page = self.lines.provider
        if self._wanted and isinstance(page, Page) and self._wanted in (found := dict(page.headings)):
            self.lines.scroll_to(y=found[self._wanted], animate=False, immediate=True)
            self._wanted = ""

    def begin(self, conversation: Conversation) -> LineProvider | None:
        return self._page(conversation)

    def _page(self, conversation: Conversation) -> Page:
        assert self.trace is not None
        return handshake(self.trace, conversation).page(max(self.lines.line_width, 20))

    def go_on(self) -> bool:
        if self._shown is not None:
            cursor, before, page = self.lines.cursor, self.lines.provider, self._page(self._shown)
            top = round(self.lines.scroll_y)
            if isinstance(before, Page):
                top = page.same_place(before, top)      # sections above it have other heights
            self.lines.show(page, cursor)
            self.lines.scroll_to(y=top, animate=False, immediate=True)
        return False

    def on_resize(self) -> None:
        if self._shown is not None and self.trace is not None:
            self.call_after_refresh(self.go_on)

    def chosen(self, index: int, cell: int | None) -> None:
        provider = self.lines.provider
        row = provider.target(index) if provider is not None else None
        if row is not None:
            self.post_message(SelectionMade(Selection(row=row)))


SPEC = PaneSpec("handshake", "5", "Handshake", "middle", HandshakePane, short="Shake")
