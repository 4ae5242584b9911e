"""The ladder of a lesson: what the step is about lit up, the rest dimmed, numbers that are asked for hidden.

Waiting for a person makes no rows here: silences are the learner's, not the network's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inspector.lessons.asking.scene import STATES
from inspector.model.endpoint import Transport
from inspector.model.packets import Row, row_at, rows_in
from inspector.views.ladder.ladder import Conversation, Ladder
from inspector.views.line.spans import Line, Span, Style, fit

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter
    from inspector.trace.trace import Trace

NEVER_NS = 1 << 62
_WORDS = {"tcp.seq": "seq", "tcp.ack": "ack", "tcp.len": "len"}
# What is never dimmed: the frame, and what is dim already.
_KEPT: frozenset[Style] = frozenset({"dim", "number", "blocked"})


class LitLadder(Ladder):
    """A ladder with a light on some of its rows."""

    def __init__(self, trace: Trace, conversation: Conversation | tuple[Transport, int] | None = None, *,
                 relative: bool = True) -> None:
        self.rows_lit: frozenset[Row] = frozenset()
        self.calls_lit: frozenset[tuple[int, int]] = frozenset()
        self.hidden: dict[Row, frozenset[str]] = {}          # row -> fields whose numbers are not shown
        self.states_hidden = False
        self.veiled = False                # what is lit is asked for: its numbers and results are not shown
        super().__init__(trace, conversation, relative=relative, gap_ns=NEVER_NS)

    def light(self, chosen: Filter | None) -> None:
        """Light up what the filter lets through, packets or calls; None: nothing is dimmed."""
        self.rows_lit, self.calls_lit = frozenset(), frozenset()
        if chosen is not None and chosen.asks_calls:
            calls = self.trace.calls
            found = chosen.calls(self.trace)
            self.calls_lit = frozenset((calls[place].pid, calls[place].id) for place in found)
        elif chosen is not None:
            self.rows_lit = frozenset(rows_in(chosen.rows(self.trace)))

    def line(self, index: int, width: int) -> Line:
        line = super().line(index, width)
        if index >= self.layout_count:
            return line
        place = self.place(index)
        row = None if place.packet is None else row_at(self.side.rows, place.packet)
        if row is not None and row in self.hidden:
            line = tuple(self._masked(span, self.hidden[row]) for span in line)
        calls = {target.call for target in self.targets(index) if target.call is not None}
        lit = (row is not None and row in self.rows_lit) or bool(calls & self.calls_lit)
        if self.veiled:
            return _all_veiled(line) if lit else line
        if lit or not (self.rows_lit or self.calls_lit):
            return line
        return tuple(Span(text, style if style in _KEPT else "dim") for text, style in line)

    def header(self, width: int, line: int | None = None) -> tuple[Line, ...]:
        names, states = super().header(width, line)
        if self.states_hidden:
            states = tuple(one for span in states for one in _without_state(span))
        return names, states

    @staticmethod
    def _masked(span: Span, fields: frozenset[str]) -> Span:
        text = span.text
        for field in fields:
            text = re.sub(rf"\b({_WORDS[field]}) \d+", lambda match: match[1] + " " + "?" * (
                len(match[0]) - len(match[1]) - 1), text)
        return Span(text, span.style)


def _without_state(span: Span) -> tuple[Span, ...]:
    """A question mark in place of a state, and the line goes on: its length would tell."""
    state = span.text.strip()
    if state not in STATES:
        return (span,)
    before, _, behind = span.text.partition(state)
    return Span(f"{before}?", span.style), Span(" " + "─" * (len(state) - 2) + behind, "dim")


def _all_veiled(line: Line) -> Line:
    """The line's spans veiled; what is said beside a result ("end", "woken") goes with it."""
    found: list[Span] = []
    beside = False
    for span in line:
        shown = _veiled(span)
        is_word = beside and span.text.strip().isalpha()
        found.append(Span(fit("", len(span.text)), span.style) if is_word else shown)
        beside = shown.text.rstrip().endswith("= ?") or (beside and not span.text.strip())
    return tuple(found)


def _veiled(span: Span) -> Span:
    """Numbers and results as question marks, cell by cell; the packet's own number stays."""
    if span.style == "number":
        return span
    text = re.sub(r"(?<== )\S.*", lambda match: fit("?", len(match[0])), span.text)
    return Span(re.sub(r"(?<=[a-z] )\d+", lambda match: "?" * len(match[0]), text), span.style)
