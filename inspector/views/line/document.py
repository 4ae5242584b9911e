"""Text with structure (headings, prose, facts) as lines of a width, each leading to a packet.

A view writes a `Document` once; `page(width)` wraps it. All text given to it must be escaped already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, assert_never

from inspector.model.packets import Row
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.line.wrap import folded

_LABELS = 26             # cells for the labels of facts, where there is room


class Item(NamedTuple):
    """A heading, a paragraph ("" label) or a fact (`label` and `text`); `row`: the packet it speaks of."""

    kind: Literal["heading", "prose", "fact", "blank"]
    text: str = ""
    label: str = ""
    note: str = ""       # dim text behind a fact, or at the right of a heading
    style: Style = ""
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A document at one width: `count` lines, each with the row of the packet it is about.

    `headings`: on which line each section begins.
    """

    lines: tuple[Line, ...]
    rows: tuple[Row | None, ...]
    headings: tuple[tuple[str, int], ...] = ()

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.lines)

    def line(self, index: int, width: int) -> Line:
        """Line `index`; `width` is the page's own."""
        return self.lines[index]

    def target(self, index: int) -> Row | None:
        """The row of the packet that line `index` speaks of."""
        return self.rows[index]

    def same_place(self, before: Page, line: int) -> int:
        """The line at which the section stands that stood at `line` of a page of another width."""
        heading, begins = next(((name, at) for name, at in reversed(before.headings) if at <= line), ("", 0))
        ends = [at for _, at in self.headings[1:]] + [self.count]
        for (name, at), end in zip(self.headings, ends, strict=False):
            if name == heading:
                return min(at + line - begins, max(end - 1, at))
        return line


class Document:
    """Items in their order."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def heading(self, text: str, note: str = "", style: Style = "title", row: Row | None = None) -> None:
        """A line that begins a section."""
        if self.items:
            self.items.append(Item("blank"))
        self.items.append(Item("heading", text, note=note, style=style, row=row))

    def prose(self, text: str, style: Style = "", row: Row | None = None) -> None:
        """A paragraph."""
        self.items.append(Item("prose", text, style=style, row=row))

    def fact(self, label: str, text: str, note: str = "", style: Style = "value",
             row: Row | None = None) -> None:
        """A label and what stands there; `note` explains it."""
        self.items.append(Item("fact", text, label, note, style, row))

    def page(self, width: int) -> Page:
        """The document wrapped to `width` cells."""
        lines: list[Line] = []
        rows: list[Row | None] = []
        labels = min(_LABELS, max(width // 3, 8))
        headings: list[tuple[str, int]] = []
        for item in self.items:
            if item.kind == "heading":
                headings.append((item.text, len(lines)))
            made = _laid_out(item, width, labels)
            lines += made
            rows += [item.row] * len(made)
        return Page(tuple(_padded(line, width) for line in lines), tuple(rows), tuple(headings))


def _laid_out(item: Item, width: int, labels: int) -> list[Line]:
    match item.kind:
        case "blank":
            return [(Span(""),)]
        case "heading":
            return [_heading(item, width)]
        case "prose":
            return [(Span("   " + part, item.style),) for part in folded(item.text, width - 4, hyphens=False)]
        case "fact":
            return _fact(item, width, labels)
        case _:
            assert_never(item.kind)


def _heading(item: Item, width: int) -> Line:
    room = width - 1 - cell_width(item.text)
    fits = item.note and room > cell_width(item.note) + 2
    note = fit(item.note, room - 2, align="right") if fits else ""
    return (Span(" "), Span(fit(item.text, min(width - 1, cell_width(item.text))), item.style),
            Span(" " * max(room - cell_width(note) - 1, 0)), Span(note, "dim"))


def _fact(item: Item, width: int, labels: int) -> list[Line]:
    room = max(width - labels - 4, 8)
    head = "   " + fit(item.label, labels) + " "
    texts = folded(item.text, room, hyphens=False) or [""]
    lines: list[Line] = [(Span(head, "name"), Span(texts[0], item.style))]
    lines += [(Span(" " * cell_width(head)), Span(text, item.style)) for text in texts[1:]]
    if item.note:
        used = cell_width(texts[-1]) + 2
        if used + cell_width(item.note) <= room:
            lines[-1] = (*lines[-1], Span("  " + item.note, "dim"))
        else:
            lines += [(Span(" " * (labels + 4)), Span(text, "dim")) for text in folded(item.note, room,
                                                                                       hyphens=False)]
    return lines


def _padded(line: Line, width: int) -> Line:
    used = 0
    kept: list[Span] = []
    for span in line:
        text = span.text if used + cell_width(span.text) <= width else fit(span.text, width - used)
        if text:
            kept.append(Span(text, span.style))
        used += cell_width(text)
    return (*kept, Span(" " * (width - used))) if used < width else tuple(kept)
