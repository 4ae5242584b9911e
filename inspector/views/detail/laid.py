"""A record laid out once, of which each of its packets shows what lies in it.

Parts of the subtree, in order -> those with bytes in a range, and the first ones of all others, found without
looking at each: a record of 100,000 parts in as many packets costs a packet what a short one does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from inspector.protocols.api import Part

_FIRST = 16              # parts of one level that are shown wherever they lie: what a record begins with
_ACROSS = 16             # parts of one level that lie in more than the packet,
_HERE = 512              # and parts with bytes in it, that are looked at


class Chosen(NamedTuple):
    """The parts of one level that a packet shows; how many more there are, and whether some lie in it."""

    parts: Sequence[Part]
    left: int = 0
    here: bool = False


class _Level(NamedTuple):
    """The parts of one level by where they begin: their places, beginnings, and the furthest stop so far."""

    order: list[int]
    begins: list[int]
    ends: list[int]


class Laid:
    """What the detail says of one record: title, text, and its parts at bytes of the record's stream."""

    def __init__(self, title: str, text: str, parts: Sequence[Part]) -> None:
        self.title, self.text, self.parts = title, text, parts
        self._levels: dict[int, _Level] = {}

    def chosen(self, parts: Sequence[Part], start: int, stop: int) -> Chosen:
        """Those of one level (`parts`, or the children of one of them) for who shows bytes [start, stop)."""
        if len(parts) <= _FIRST:
            return Chosen(parts)
        level = self._level(parts)
        first, last = bisect_right(level.ends, start), bisect_left(level.begins, stop)
        shown, across = set(range(_FIRST)), 0
        for place in level.order[first : min(last, first + _HERE)]:
            part = parts[place]
            if part.start >= start and part.stop <= stop:
                shown.add(place)
            elif across < _ACROSS and part.stop > start:
                shown.add(place)
                across += 1
        here = last > first + _HERE or across == _ACROSS
        return Chosen([parts[place] for place in sorted(shown)], len(parts) - len(shown), here)

    def _level(self, parts: Sequence[Part]) -> _Level:
        key = id(parts)                        # they live as long as this does
        if key not in self._levels:
            order = sorted(range(len(parts)), key=lambda place: parts[place].start)
            ends = accumulate((parts[place].stop for place in order), max)
            self._levels[key] = _Level(order, [parts[place].start for place in order], [*ends])
        return self._levels[key]
