"""Conversations side by side, a column each: who they are, what they cost, and their steps aligned.

                       1 TCP :50412 → :8000        2 WebSocket :50416 → :9000      ends
    packets            11                          15                              what it cost
    …
      ──▶ SYN  seq 0                               ──▶ SYN  seq 0                  the same in all: dim
    ≈ ──▶ hello                                    ──▶ GET /chat HTTP/1.1          other in size or kind
    ≠                                              ◀── HTTP/1.1 101 Switching …    not in all

Ladders -> `happenings` and `sums_of` each -> `aligned` rows -> lines of any width.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from inspector.model.language import marked, tr
from inspector.model.numbers import TCP, UDP
from inspector.trace.trace import Trace, TraceError
from inspector.views.conversations.compare.align import AlignedRow, aligned_further, same
from inspector.views.conversations.compare.happenings import (
    MOST,
    Happening,
    happened,
    happenings,
    step_name,
)
from inspector.views.conversations.compare.sums import sums_of, table
from inspector.views.ladder.ends import Conversation
from inspector.views.ladder.header import ladder_ends
from inspector.views.ladder.ladder import Ladder, default_conversation
from inspector.views.line.spans import Line, Span, Style, cell_width, fit, plain
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.wire.arrays import Int64s

FEWEST, MOST_COLUMNS = 2, 4
_TITLES = 18                 # cells of the titles of the table
_SIGN = 2                    # cells of the sign before a row
_BETWEEN = "  "
LEGEND = marked("≠ not in all here, or another result   ≈ in all, another size, protocol or call")


class Side(NamedTuple):
    """One of those compared; `name`: of its file, where they are of several."""

    trace: Trace
    conversation: Conversation | None
    name: str = ""


    def wants(self) -> bool:
        """Whether there is more to decode of it than was; it is asked for then."""
        conversation = self.conversation
        if self.trace.turns is None or conversation is None or conversation.protocol != "tcp":
            return False
        self.trace.application(conversation.stream)
        return self.trace.share(conversation.stream) < 1.0


class Head(NamedTuple):
    """A line of the table: its title, and a text for each conversation."""

    title: str
    texts: list[str]
    style: Style


def conversations_of(trace: Trace, rows: Int64s | None, most: int) -> list[Conversation]:
    """The first `most` TCP and UDP conversations among packets `rows`, in the order of their first packets.

    `rows` None: of all packets, where only one is wanted the one that the ladder opens with.
    """
    chosen = default_conversation(trace) if rows is None and most == 1 else None
    if chosen is not None:
        return [chosen]
    index = trace.index
    rows = np.arange(index.count) if rows is None else rows
    rows = rows[np.isin(index.protocol[rows], (TCP, UDP)) & (index.stream[rows] >= 0)]
    protocols, streams = index.protocol[rows].astype("i8"), index.stream[rows].astype("i8")
    _, first = np.unique(protocols << 40 | streams, return_index=True)
    return [Conversation("tcp" if int(protocols[place]) == TCP else "udp", int(streams[place]))
            for place in sorted(first.tolist())[:most]]


def side_of(path: Path) -> Side:
    """The conversation that the ladder of another capture opens with; the file is left open.

    TraceError (one sentence) where it cannot be read, or holds no conversation.
    """
    trace = Trace.open(path)
    try:
        trace.finish()
        name = escaped(path.name, 60)
        found = conversations_of(trace, None, 1)
        if not found:
            raise TraceError(tr("{name} has no TCP or UDP conversation.", name=name))
        return Side(trace, found[0], name)
    except BaseException:
        trace.close()
        raise


class Comparison:
    """The lines, made when they are seen: `count`, `line(i, width)`. What comes later is not taken in.

    There are none before `advance` said that all is compared: it works for as long as one likes.
    """

    def __init__(self, sides: Sequence[Side]) -> None:
        self.sides = tuple(sides)
        self._steps: list[list[Happening]] = []
        self._names: list[list[str]] = []
        self._rows: list[AlignedRow] = []
        self._heads: list[Head] = []
        self._notes: list[Span] = []
        self._work = self._compared()

    def advance(self, seconds: float) -> bool:
        """Compare further for about so long; whether all is done."""
        until = time.monotonic() + seconds
        return all(time.monotonic() < until for _ in self._work)

    def finish(self) -> Self:
        """Compare all, and return this."""
        for _ in self._work:
            pass
        return self

    def _compared(self) -> Iterator[None]:
        """Compare, a little at each step; the lines are there after the last."""
        ladders = [Ladder(side.trace, side.conversation) for side in self.sides]
        for ladder in ladders:
            own: list[Happening] = []
            for step in happenings(ladder):
                own.append(step)
                yield
            self._steps.append(own)
            self._names.append([step.name for step in own])
        rows: list[AlignedRow] = []
        for number in range(len(ladders)):
            rows = aligned_further(rows, self._names, number, step_name)
            yield
        self._rows, self._heads = rows, _heads(self.sides, ladders, self._steps)
        self._notes = [Span(tr(LEGEND), "dim")]
        for number, ladder in enumerate(ladders, start=1):
            if (count := happened(ladder)) > MOST:
                text = tr("Of {number}, the first {most} of {count:,} steps are compared; the sums are of "
                          "all.",
                          number=number, most=MOST, count=count)
                self._notes.append(Span(text, "warning"))

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._heads) + 1 + len(self._rows) + 1 + len(self._notes) if self._heads else 0

    def target(self, index: int) -> None:
        """A line leads nowhere: it stands for packets of several conversations."""

    def whole(self, index: int) -> str:
        """All that line `index` says, a paragraph for each conversation; "" of what is no step."""
        place = index - len(self._heads) - 1
        if not 0 <= place < len(self._rows):
            return ""
        steps = [(number, self._steps[number][step]) for number, step in enumerate(self._rows[place])
                 if step is not None]
        return "\n\n".join(f"{number + 1}  {step.text}" for number, step in steps)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells, where that is enough for its signs and titles."""
        line = self._line(index, width)
        return (*line, Span(" " * (width - cell_width(plain(line)))))

    def _line(self, index: int, width: int) -> Line:
        if index < len(self._heads):
            return self._head(self._heads[index], width)
        index -= len(self._heads) + 1
        if 0 <= index < len(self._rows):
            return self._step(self._rows[index], width)
        index -= len(self._rows) + 1
        return (self._notes[index]._replace(text=fit(self._notes[index].text, width)),) if index >= 0 else ()

    def _head(self, head: Head, width: int) -> Line:
        room = max((width - _TITLES - len(_BETWEEN) * (len(head.texts) - 1)) // len(head.texts), 1)
        spans = [Span(fit(tr(head.title), _TITLES), "name")]
        for place, text in enumerate(head.texts):
            spans.append(Span((_BETWEEN if place else "") + fit(text, room), head.style))
        return tuple(spans)

    def _step(self, row: AlignedRow, width: int) -> Line:
        room = max((width - _SIGN - len(_BETWEEN) * (len(row) - 1)) // len(row), 1)
        everywhere = same(row, self._names)
        cells = [None if place is None else self._steps[side][place] for side, place in enumerate(row)]
        alike = everywhere and len({cell.detail for cell in cells if cell is not None}) == 1
        spans = [Span(fit("" if alike else "≈" if everywhere else "≠", _SIGN), "warning")]
        for place, cell in enumerate(cells):
            text = (_BETWEEN if place else "") + fit("" if cell is None else cell.text, room)
            spans.append(Span(text, "dim" if alike or cell is None else cell.style))
        return tuple(spans)


def comparison(sides: Sequence[Side], width: int) -> list[Line]:
    """All lines in `width` cells."""
    made = Comparison(sides).finish()
    return [made.line(index, width) for index in range(made.count)]


def _heads(sides: Sequence[Side], ladders: Sequence[Ladder],
           steps: Sequence[Sequence[Happening]]) -> list[Head]:
    ends = [ladder_ends(ladder, None) for ladder in ladders]
    spoken = [f"{number}  {_spoken(each)}" for number, each in enumerate(steps, start=1)]
    who = ((marked("file"), [side.name for side in sides]), (marked("client"), [left.address for left, _,
                                                                                _ in ends]),
           (marked("server"), [right.address for _, right, _ in ends]))
    heads = [Head("", spoken, "bold")]
    heads += [Head(title, texts, "") for title, texts in who if any(texts)]
    for title, texts in table([sums_of(ladder) for ladder in ladders]):
        heads.append(Head(title, texts, "value" if len(set(texts)) > 1 else "dim"))
    return heads


def _spoken(steps: Sequence[Happening]) -> str:
    """What a conversation speaks: the last protocol among its steps, "TCP" where nothing is carried."""
    spoken = [step.protocol for step in steps if step.protocol and not step.protocol.startswith("ICMP")]
    inner = [name for name in spoken if name not in ("TCP", "UDP")]
    return (inner or spoken or [""])[-1]
