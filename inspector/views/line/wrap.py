"""Text broken into lines of a number of cells, at spaces where there are any."""

from __future__ import annotations

from inspector.views.line.spans import cell_width, fit


def wrap(text: str, width: int) -> list[str]:
    """`text` on lines of at most `width` cells; words that are too long are cut with `…`."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if cell_width(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word if cell_width(word) <= width else fit(word, width)
    return [*lines, line] if line else lines
