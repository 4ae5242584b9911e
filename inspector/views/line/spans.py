"""What a view is made of: lines of spans with a style's name, no terminal and no markup.

Views return `Line`s; the terminal, plain text and SVG each map the style names to their colours.
`text` of a span is escaped already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from rich.cells import cell_len, get_character_cell_size

Style = Literal[
    "", "dim", "bold", "title", "client", "server", "syn", "data", "exchange", "messages", "udp",
    "fin", "rst", "ack", "icmp", "ok", "warning", "error", "number", "name", "value", "blocked", "marked",
    "key",
]


class Span(NamedTuple):
    """A run of text in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


def plain(line: Iterable[Span]) -> str:
    """The line's text alone."""
    return "".join(span.text for span in line)


def cell_width(text: str) -> int:
    """Terminal cells that `text` takes, by the same tables as Textual's: rich's."""
    return len(text) if text.isascii() and text.isprintable() else cell_len(text)


def tail(text: str, width: int) -> str:
    """`text` in at most `width` cells: of what is too long its end, after `…`."""
    if cell_width(text) <= width:
        return text
    kept = text[max(len(text) - width + 1, 0) :] if width > 0 else ""
    while cell_width(kept) > width - 1 and kept:
        kept = kept[1:]
    return "…" + kept


def centred(text: str, width: int, filling: str) -> str:
    """`text` in the middle of `width` cells, among signs of one cell, as str.center has it."""
    space = max(width - cell_width(text), 0)
    before = space // 2 + (space & width & 1)
    return filling * before + text + filling * (space - before)


def fit(text: str, width: int, *, align: Literal["left", "right", "centre"] = "left") -> str:
    """`text` in exactly `width` cells: padded, or cut with `…`."""
    if width <= 0:
        return ""
    size = cell_width(text)
    if size > width:
        kept, used = [], 0
        for character in text:
            step = get_character_cell_size(character)
            if used + step > width - 1:
                break
            kept.append(character)
            used += step
        return "".join(kept) + "…" + " " * (width - 1 - used)
    space = width - size
    if align == "left":
        return text + " " * space
    if align == "right":
        return " " * space + text
    return " " * (space // 2) + text + " " * (space - space // 2)
