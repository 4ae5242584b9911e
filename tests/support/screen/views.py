"""What tests of the views share: lines as text, and the comparison with the grids in tests/data/views.

A grid is a text file that one reads in review: the view as it is seen (see `grids`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from inspector.views.line.spans import Line, cell_width, plain
from tests.support.screen.grids import assert_kept

VIEWS = Path(__file__).parents[2] / "data" / "views"
UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def text_of(lines: Iterable[Line], width: int) -> str:
    """The lines as text; each must be exactly `width` cells wide and safe to show."""
    texts = []
    for line in lines:
        text = plain(line)
        assert cell_width(text) == width, (cell_width(text), width, text)
        assert_safe(text)
        texts.append(text.rstrip())
    return "\n".join(texts) + "\n"


def assert_safe(text: str) -> None:
    """No character in it that a terminal, a table or a reader could trip over."""
    assert not [character for character in text if unicodedata.category(character) in UNSAFE], repr(text)


def assert_grid(name: str, text: str) -> None:
    """The text is what stands in tests/data/views/NAME.txt."""
    __tracebackhide__ = True
    assert_kept(VIEWS / f"{name}.txt", text)


def all_lines(count: int, line: Callable[[int, int], Line], width: int) -> list[Line]:
    """Every line of a provider."""
    return [line(index, width) for index in range(count)]
