"""Sequences of names put beside each other, so that the same stands in the same row.

Names of two to four runs -> rows, each with a place in every run or none. The first run's order is kept;
each further one is laid against all that stands there already. Where it has something else in the same place,
one step with two outcomes shares a row (`step`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher

AlignedRow = list[int | None]        # for each sequence: the place in it that stands in this row, or none
Step = Callable[[str], str]          # a name -> that of the step, however it came out


def aligned(sequences: Sequence[Sequence[str]], step: Step) -> list[AlignedRow]:
    """Rows over all sequences. What only some have gets a row in which the others have nothing."""
    rows: list[AlignedRow] = []
    for number in range(len(sequences)):
        rows = aligned_further(rows, sequences, number, step)
    return rows


def aligned_further(rows: list[AlignedRow], sequences: Sequence[Sequence[str]], number: int,
                    step: Step) -> list[AlignedRow]:
    """Rows over the sequences up to `number`, of those over the ones before it."""
    if not number:
        return [[place] for place in range(len(sequences[0]))]
    known = [_name(row, sequences) for row in rows]
    return list(_added(rows, known, sequences[number], number, (_whole, step)))


def same(row: AlignedRow, sequences: Sequence[Sequence[str]]) -> bool:
    """Whether all sequences have this row, under one name."""
    names = {None if place is None else names[place] for place, names in zip(row, sequences, strict=True)}
    return len(names) == 1


def settled(rows: Sequence[AlignedRow], sequences: Sequence[Sequence[str]],
            may_pass: Callable[[str, Sequence[str]], bool]) -> list[AlignedRow]:
    """The rows, those put together that stand apart by chance alone.

    `may_pass(name, others)`: whether a step may as well stand on the other side of those others, since
    different threads or processes do them.
    """
    found: list[AlignedRow] = []
    for row in rows:
        name = _name(row, sequences)
        for place in _apart(row, found, sequences):
            if may_pass(name, [_name(other, sequences) for other in found[place + 1 :]]):
                found[place] = [own if own is not None else other
                                for own, other in zip(found[place], row, strict=True)]
                break
        else:
            found.append(row)
    return found


def _apart(row: AlignedRow, found: Sequence[AlignedRow], sequences: Sequence[Sequence[str]]) -> Iterator[int]:
    """Places of the rows before that have its name, and lack just what it has; the first one first."""
    if None not in row:
        return
    name = _name(row, sequences)
    for place, other in enumerate(found):
        free = all(own is None or there is None for own, there in zip(row, other, strict=True))
        if free and _name(other, sequences) == name:
            yield place


def _added(rows: Sequence[AlignedRow], known: Sequence[str], names: Sequence[str], number: int,
           keys: Sequence[Step], start: int = 0) -> Iterator[AlignedRow]:
    """The rows with the places of `names`, `start` the first: alike by the first key, else by the next."""
    key, *further = keys
    matcher = SequenceMatcher(None, list(map(key, known)), list(map(key, names)), autojunk=False)
    for kind, old, old_end, new, new_end in matcher.get_opcodes():
        places = range(start + new, start + new_end)
        if kind == "equal":
            yield from ([*row, place] for row, place in zip(rows[old:old_end], places, strict=True))
        elif kind == "replace" and further:
            yield from _added(rows[old:old_end], known[old:old_end], names[new:new_end], number, further,
                              start + new)
        else:
            yield from ([*row, None] for row in rows[old:old_end])
            yield from ([*(None,) * number, place] for place in places)


def _whole(name: str) -> str:
    return name


def _name(row: AlignedRow, sequences: Sequence[Sequence[str]]) -> str:
    """The row's name: that of any sequence that has it."""
    return next(names[place] for place, names in zip(row, sequences, strict=False) if place is not None)
