"""Lines of spans as a file for slides and pages: plain text, SVG, or a page of HTML that needs nothing else.

A cell of the terminal is a cell of the picture, so that frames and arrows join as they do there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """Each span at its own place, and as wide as its cells, whatever font stands in."""
    parts, cell = [], 0
    for text, style in line:
        size = cell_width(text)
        if text.strip():
            place = f'x="{_MARGIN + cell * _CELL:.1f}" y="{bottom:.0f}" textLength="{size * _CELL:.1f}"'
            parts.append(f'<text class="text {style}" {place} lengthAdjust="spacingAndGlyphs" '
                         f'xml:space="preserve">{escape(text)}</text>')  # fmt: skip
        cell += size
    return "".join(parts)


def as_html(lines: Sequence[Line], title: str) -> str:
    """One page that holds all it needs."""
    body = "\n".join(_html_line(line) for line in lines)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{css()}pre{{font:{_SIZE}px/{_ROW}px {FONT}}}body{{margin:{_MARGIN}px}}</style>\n"
        f'<body class="ground"><pre class="text">{body}</pre></body></html>\n'
    )


def _html_line(line: Line) -> str:
    return "".join(
        f'<span class="{style}">{escape(text)}</span>' if style else escape(text) for text, style in line
    ).rstrip()


PICTURES: dict[str, Picture] = {"txt": as_text, "svg": as_svg, "html": as_html}
