"""The ladder beside a lesson: no composers, a light on what the step is about, asked numbers hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from inspector.lessons.pages.lit_ladder import LitLadder
from inspector.model.packets import Row
from inspector.tui.panes.base import PaneSpec
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.panes.ladder_list import LadderList
from inspector.tui.widgets.painter import Head
from inspector.views.ladder.ladder import Conversation, Ladder

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter
    from inspector.trace.trace import Trace


class LessonLadderPane(LadderPane):
    """A ladder with a light."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._chosen: Filter | None = None
        self._hidden: Mapping[Row, frozenset[str]] = {}
        self._veiled = self._states_hidden = False

    def compose(self) -> ComposeResult:
        yield Head(self.head, id="ladder-head")
        yield LadderList(id="ladder-list", hint=self.HINT)

    def made(self, trace: Trace, conversation: Conversation | None) -> Ladder:
        return self._lit(LitLadder(trace, conversation, relative=self.relative))

    def light(self, chosen: Filter | None, hidden: Mapping[Row, frozenset[str]], *, veiled: bool = False,
              states_hidden: bool = False) -> None:
        """Light up the packets or calls that `chosen` lets through, and hide these numbers.

        `veiled`: what would be lit is asked for, so its numbers are hidden; `states_hidden`: TCP states too.
        """
        self._chosen, self._hidden = chosen, hidden
        self._veiled, self._states_hidden = veiled, states_hidden
        self.query_one(Head).again()
        if isinstance(self.ladder, LitLadder):
            self._lit(self.ladder)
            self.lines.again()

    def _lit(self, ladder: LitLadder) -> LitLadder:
        ladder.light(self._chosen)
        ladder.hidden = dict(self._hidden)
        ladder.veiled, ladder.states_hidden = self._veiled, self._states_hidden
        return ladder

    def update_trace(self) -> None:
        if self.ladder is None and self.trace is not None and self.trace.events:
            self._draw(None)             # who is held before which call is seen before anything happened
        super().update_trace()
        if isinstance(self.ladder, LitLadder) and self._chosen is not None:
            self._lit(self.ladder)
            self.lines.again()


SPEC = PaneSpec("ladder", "", "Ladder", "ladder", LessonLadderPane)
