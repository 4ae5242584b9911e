"""Lines of styled spans on the screen: style names of `views/model.py` become component classes.

Their colours stand in one place: the top of `inspector.tcss`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, get_args

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from inspector.views.model import Line, Style

LINE_CLASSES = frozenset(f"line--{name}" for name in get_args(Style) if name)


class Painter(Widget):
    """Turns lines of spans into strips; each style name is a component class."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *LINE_CLASSES, "line--cursor", "line--cursor-blurred", "line--also", "line--unseen",
    }

    def paint(self, line: Line, width: int, beneath: str = "") -> Strip:
        """The line in `width` cells, over the component class `beneath` (a cursor)."""
        under = (beneath,) if beneath else ()
        base = self.get_visual_style(*under).rich_style
        styles: dict[str, RichStyle] = {"": base}
        for _, name in line:
            if name not in styles:
                styles[name] = self.get_visual_style(*under, f"line--{name}").rich_style
        strip = Strip([Segment(text, styles[name]) for text, name in line])
        return strip.adjust_cell_length(width, base)


class Head(Painter):
    """A few fixed lines, made for the present width by `lines(width)`."""

    DEFAULT_CSS = "Head { height: auto; }"

    def __init__(self, lines: Callable[[int], Sequence[Line]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = lines

    def again(self) -> None:
        """The lines changed, perhaps in number."""
        lines = len(self._lines(self.size.width)) if self.size.width else 0
        self.refresh(layout=lines != self.size.height)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        lines = self._lines(width)
        return self.paint(lines[y] if y < len(lines) else (), width)
