"""Lines of spans as a file for slides and pages: plain text, SVG, or a page of HTML that needs nothing else.

A cell of the terminal is a cell of the picture, so that frames and arrows join as they do there; a sign that
takes two cells has a place of its own, since the font that lends it has another width than the reader's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from inspector.views.draw.style import FONT, css
from inspector.views.line.ansi import to_text
from inspector.views.line.spans import Line, cell_width, plain

_CELL, _ROW, _SIZE, _MARGIN = 8.4, 16, 14, 12       # pixels: a cell's width and height, the font, the border

Picture = Callable[[Sequence[Line], str], str]      # the lines and a title -> the file's text


def as_text(lines: Sequence[Line], title: str) -> str:
    """Plain text, without colours."""
    return "".join(to_text(line) + "\n" for line in lines)


def as_svg(lines: Sequence[Line], title: str) -> str:
    """An SVG image in the reader's own monospace font; light or dark as the reader's system is."""
    width = max((cell_width(plain(line)) for line in lines), default=0) * _CELL + 2 * _MARGIN
    height = len(lines) * _ROW + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
        f'height="{height}" font-family="{FONT}" font-size="{_SIZE}"><title>{escape(title)}</title>'
        f'<style>{css()}text{{white-space:pre}}</style><rect class="ground" width="100%" height="100%"/>'
    ]
    for number, line in enumerate(lines):
        parts.append(_svg_line(line, _MARGIN + number * _ROW + _SIZE))
    return "\n".join([*parts, "</svg>\n"])


def _svg_line(line: Line, bottom: float) -> str:
    """Each word of a span at its own place, and as wide as its cells, whatever font stands in.

    What reads no textLength goes by the places alone.
    """
    parts, cell = [], 0
    for text, style in line:
        for piece in _pieces(text):
            words = piece.strip(" ")
            size = cell_width(words)
            if size:
                begin = _MARGIN + (cell + len(piece) - len(piece.lstrip(" "))) * _CELL
                place = f'x="{begin:.1f}" y="{bottom:.0f}" textLength="{size * _CELL:.1f}"'
                parts.append(f'<text class="text {style}" {place} lengthAdjust="spacingAndGlyphs" '
                             f'xml:space="preserve">{escape(words)}</text>')  # fmt: skip
            cell += cell_width(piece)
    return "".join(parts)


def _pieces(text: str) -> Iterator[str]:
    """A text in its order: what takes a cell a sign together, each sign of two cells alone.

    What takes no cell (an accent) stays with the sign before it.
    """
    if text.isascii():
        yield text
        return
    begin, wide = 0, False
    for place, sign in enumerate(text):
        size = cell_width(sign)
        if size and (wide or size > 1) and place > begin:
            yield text[begin:place]
            begin = place
        wide = size > 1 if size else wide
    yield text[begin:]


def as_html(lines: Sequence[Line], title: str) -> str:
    """One page that holds all it needs."""
    body = "\n".join(_html_line(line) for line in lines)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{css()}pre{{font:{_SIZE}px/{_ROW}px {FONT}}}body{{margin:{_MARGIN}px}}"
        f"i{{display:inline-block;width:2ch;height:{_ROW}px;vertical-align:top;text-align:center;"
        f"font-style:normal}}</style>\n"
        f'<body class="ground"><pre class="text">{body}</pre></body></html>\n'
    )


def _html_line(line: Line) -> str:
    return "".join(
        f'<span class="{style}">{_html_text(text)}</span>' if style else _html_text(text)
        for text, style in line
    ).rstrip()


def _html_text(text: str) -> str:
    """The text, each sign of two cells in a box of two cells."""
    return "".join(f"<i>{escape(piece)}</i>" if cell_width(piece[:1]) > 1 else escape(piece)
                   for piece in _pieces(text))


PICTURES: dict[str, Picture] = {"txt": as_text, "svg": as_svg, "html": as_html}
