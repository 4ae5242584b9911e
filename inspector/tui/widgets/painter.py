"""Lines of styled spans on the screen: style names of `views/line/spans.py` become colours of the theme.

The colours stand in one place, the top of `inspector.tcss`, as component classes of the screen; a painter
lays them over its own background. (As components of every widget they would cost a second at the start.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Self, get_args

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.cache import LRUCache
from textual.color import Color
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from inspector.tui.widgets.leaving import LeavesQuietly
from inspector.views.line.spans import Line, Style

PAINTS = frozenset({
    *(f"line--{name}" for name in get_args(Style) if name),
    "line--cursor", "line--cursor-blurred", "line--also", "line--unseen",
    "tab--name", "tab--key", "tab--front", "tab--focused", "key-line--key",
})
_INKS = Color(0, 0, 0), Color(255, 255, 255)
LEAST_CONTRAST = 4.5       # WCAG 2.2 AA for text
LEAST_CHOSEN = 3.0         # and for what is no text (1.4.11): what is chosen, against what is not
CHOSEN = frozenset({"line--cursor", "line--cursor-blurred", "line--marked", "tab--front", "tab--focused"})


def contrast(first: Color, second: Color) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2, contrast ratio)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    parts = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
             for part in colour.normalized)
    return sum(part * weight for part, weight in zip(parts, (0.2126, 0.7152, 0.0722), strict=True))


def legible(colour: Color, background: Color) -> Color:
    """The theme's colour, moved towards black or white as far as it takes to read it on `background`."""
    if colour.ansi is not None or background.ansi is not None:
        return colour          # the terminal's own colours: nobody knows what they are
    return _away(colour, background, LEAST_CONTRAST)


def legible_strip(strip: Strip) -> Strip:
    """A line of Textual's own with inks that can be read on what is below them, whatever the theme."""
    segments = [segment if segment.style is None or not segment.text.strip()
                else Segment(segment.text, _legible_style(segment.style)) for segment in strip]
    return Strip(segments, strip.cell_length)


@lru_cache(256)
def _legible_style(style: RichStyle) -> RichStyle:
    if style.color is None or style.bgcolor is None:
        return style
    ground = Color.from_rich_color(style.bgcolor)
    return style + RichStyle(color=legible(Color.from_rich_color(style.color), ground).rich_color)


def standing_out(colour: Color, ground: Color) -> Color:
    """A background for what is chosen, moved away from the `ground` around it until it is seen."""
    return _away(colour, ground, LEAST_CHOSEN, steps=20)


def _away(colour: Color, ground: Color, least: float, steps: int = 10) -> Color:
    """A colour, moved in steps towards black or white until its contrast to `ground` is `least`."""
    ink = max(_INKS, key=lambda one: contrast(one, ground))
    mixes = (colour.blend(ink, step / steps, alpha=1.0) for step in range(steps))
    return next((mixed for mixed in mixes if contrast(mixed, ground) >= least), ink)


class Painter(LeavesQuietly):
    """Turns lines of spans into strips, and keeps them: most lines stay the same from batch to batch."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._inks: dict[tuple[str, ...], RichStyle] = {}
        self._painted: LRUCache[tuple[Line, int, str], Strip] = LRUCache(512)
        self._theme = ""

    def colours(self, *names: str) -> RichStyle:
        """The widget's own style with those of `names` laid over it, one after the other."""
        if self._theme != self.app.theme:
            self._forget()
        found = self._inks.get(names)
        if found is None:
            _, _, background, colour = self.colors
            found = self._inks[names] = self._mixed(background, colour, names)
        return found

    def _forget(self) -> None:
        self._theme = self.app.theme
        self._inks.clear()
        self._painted.clear()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._forget()

    def _mixed(self, background: Color, colour: Color, names: tuple[str, ...]) -> RichStyle:
        text_style = RichStyle()
        for name in names:
            if name not in self.screen._component_styles:      # a screen that is none of ours
                continue
            styles = self.screen.get_component_styles(name)
            if styles.has_rule("background"):
                ground, background = background, background + styles.background
                if name in CHOSEN and (ground.ansi is not None or background.ansi is not None):
                    background, text_style = ground, text_style + RichStyle(reverse=True)
                elif name in CHOSEN:
                    background = standing_out(background, ground)
            if styles.has_rule("auto_color") and styles.auto_color:
                colour = background.get_contrast_text(styles.color.a)
            elif styles.has_rule("color"):
                colour = styles.color
            text_style += styles.text_style
        ink = legible(background + colour, background)
        return RichStyle.from_color(ink.rich_color, background.rich_color) + text_style

    def paint(self, line: Line, width: int, beneath: str = "") -> Strip:
        """The line in `width` cells, over the style `beneath` (a cursor)."""
        under = (beneath,) if beneath else ()
        base = self.colours(*under)
        strip = self._painted.get((line, width, beneath))
        if strip is None:
            segments = [Segment(text, self.colours(*under, f"line--{name}") if name else base)
                        for text, name in line]
            strip = Strip(segments).adjust_cell_length(width, base)
            self._painted[line, width, beneath] = strip
        return strip


class Head(Painter):
    """A few fixed lines, made for the present width by `lines(width)`."""

    DEFAULT_CSS = "Head { height: auto; }"

    def __init__(self, lines: Callable[[int], Sequence[Line]], *, id: str | None = None,
                 classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines = lines

    _made: tuple[int, tuple[Line, ...]] | None = None      # what stands there, or is about to, and its width

    class Clicked(Message):
        """A cell of a line was clicked on."""

        def __init__(self, line: int, cell: int) -> None:
            super().__init__()
            self.line, self.cell = line, cell

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is not None:
            self.post_message(self.Clicked(place.y, place.x))

    def again(self) -> None:
        """The lines may have changed, perhaps in number: draw them where they did."""
        width = self.size.width
        made = width, tuple(self._lines(width)) if width else ()
        if made != self._made:
            self.refresh(layout=len(made[1]) != self.size.height)
            self._made = made

    def refresh(self, *regions: Region, **options: Any) -> Self:
        self._made = None              # whoever asks for it knows of a reason
        return super().refresh(*regions, **options)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._made is None or self._made[0] != width:
            self._made = width, tuple(self._lines(width))
        lines = self._made[1]
        return self.paint(lines[y] if y < len(lines) else (), width)
