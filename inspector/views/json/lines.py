"""Many lines of the same parts, written from columns: numbers and texts between words that are always there.

A part is a text; a column of numbers; texts with a column that says which one; or a text, a column of numbers
and the number for which neither stands there. A compiled loop writes them, or Python does.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from inspector.wire import compiled
from inspector.wire.arrays import Int64s

Part = str | Int64s | tuple[list[str], Int64s] | tuple[str, Int64s, int]


def lines_of(count: int, parts: tuple[Part, ...]) -> list[str]:
    """So many lines."""
    if compiled.loops is not None:
        return compiled.loops.lines(count, parts)
    if not parts:
        return [""] * count
    return list(map("".join, zip(*(_texts(part, count) for part in parts), strict=True)))


def _texts(part: Part, count: int) -> Iterable[str]:
    """What a part is in each line."""
    if isinstance(part, str):
        return list(repeat(part, count))
    if not isinstance(part, tuple):
        return map(str, part.tolist())
    if len(part) == 2:
        return map(part[0].__getitem__, part[1].tolist())
    before, column, absent = part
    return [f"{before}{number}" if number != absent else "" for number in column.tolist()]
