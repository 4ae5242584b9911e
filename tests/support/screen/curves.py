"""Curves over time as one SVG picture: a row for each quantity, all on the same axis of minutes.

Samples (seconds, values by name) -> `picture(rows, samples)` -> the text of an SVG, drawn by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import floor, log10
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, TOP, BETWEEN = 960, 96, 150, 54, 34
COLOURS = "#5fa8ff", "#e0884a", "#67b26f", "#c678dd"


class Sample(NamedTuple):
    """What was found at a moment, in seconds from the beginning."""

    seconds: float
    values: Mapping[str, float]


class Row(NamedTuple):
    """Curves that share an axis: its title, and (name of the value, what it is called)."""

    title: str
    curves: Sequence[tuple[str, str]]


def picture(title: str, rows: Sequence[Row], samples: Sequence[Sample], notes: Sequence[str]) -> str:
    """The picture, with `notes` below it."""
    bottom = TOP + len(rows) * (HEIGHT + BETWEEN)
    height = bottom + 20 * len(notes) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="DejaVu Sans, sans-serif" font-size="12" fill="#c8ccd4">',
        f'<rect width="{WIDTH}" height="{height}" fill="#1b1f27"/>',
        f'<text x="16" y="26" font-size="16">{escape(title)}</text>',
    ]
    for number, row in enumerate(rows):
        lines += _row(row, TOP + number * (HEIGHT + BETWEEN), samples)
    for number, note in enumerate(notes):
        lines.append(f'<text x="16" y="{bottom + 14 + 20 * number}">{escape(note)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _row(row: Row, top: int, samples: Sequence[Sample]) -> Iterator[str]:
    last = max((one.seconds for one in samples), default=0.0) or 1.0
    found = [one.values.get(name, 0.0) for one in samples for name, _ in row.curves]
    most = round_up(max(found, default=0.0))
    base, room = top + HEIGHT, WIDTH - LEFT - 20
    yield f'<rect x="{LEFT}" y="{top}" width="{room}" height="{HEIGHT}" fill="#232833"/>'
    yield f'<text x="{LEFT - 8}" y="{top + 11}" text-anchor="end" font-size="11">{most:,g}</text>'
    yield f'<text x="{LEFT - 8}" y="{base}" text-anchor="end" font-size="11">0</text>'
    yield f'<text x="16" y="{top + 34}">{escape(row.title)}</text>'
    for number in range(5):
        at = LEFT + room * number / 4
        yield (f'<text x="{at:.0f}" y="{base + 14}" text-anchor="middle" font-size="11">'
               f'{last * number / 240:.1f} min</text>')
    for number, (name, called) in enumerate(row.curves):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{LEFT + room * one.seconds / last:.1f},{base - HEIGHT * one.values[name] / most:.1f}"
            for one in samples if name in one.values)
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        yield f'<text x="16" y="{top + 52 + 16 * number}" fill="{colour}">{escape(called)}</text>'


def round_up(value: float) -> float:
    """The next number that is 1, 2 or 5 times a power of ten; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
