"""The columns of the list of conversations: which of them there is room for, and the line of their titles.

A width -> the richest set of columns that fits it; what is left over goes to the two ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from inspector.model.language import marked, tr
from inspector.views.line.spans import Line, Span, cell_width, fit


class Column(NamedTuple):
    """A column: name, title, width in cells without the blank after it. `sorts`: one can sort by it."""

    name: str
    title: str
    width: int
    right: bool = False
    sorts: bool = True


COLUMNS = (
    Column("number", marked("No."), 4, True), Column("protocol", marked("Proto"), 9),
    Column("a", marked("From"), 14), Column("b", marked("To"), 14), Column("state", marked("State"), 11),
    Column("start", marked("Start"), 10, True), Column("duration", marked("Lasts"), 8, True),
    Column("packets", marked("Packets"), 8, True), Column("packets_ab", marked("Pkts →"), 8, True),
    Column("packets_ba", marked("Pkts ←"), 8, True), Column("bytes", marked("Bytes"), 6, True),
    Column("bytes_ab", marked("Bytes →"), 8, True), Column("bytes_ba", marked("Bytes ←"), 8, True),
    Column("rtt", marked("RTT"), 7, True), Column("findings", marked("Finds"), 6, True, sorts=False),
    Column("process", marked("Process"), 24, sorts=False),
)
SORTED_BY = tuple(column.name for column in COLUMNS if column.sorts)
_BY_NAME = {column.name: column for column in COLUMNS}
_TOTALS = frozenset({"packets", "bytes"})
_EACH_WAY = frozenset({"packets_ab", "packets_ba", "bytes_ab", "bytes_ba"})
_GIVE_WAY = ("process", "start", "number", "rtt", "duration", "findings", "bytes", "packets", "state")
_END = 47                    # cells of the longest end: an IPv6 address in brackets, and its port


@lru_cache(maxsize=64)
def columns_for(width: int, digits: int, *, processes: bool = True) -> tuple[Column, ...]:
    """The columns at `width` cells; `digits` of the largest number, `processes`: some are known."""
    gone = set(_TOTALS) | (set() if processes else {"process"})
    left = iter(("process", "start", "number", "each way", *_GIVE_WAY[3:]))
    while _needed(gone, digits) > width:
        one = next(left, None)
        if one is None:
            break
        gone = (gone | _EACH_WAY) - _TOTALS if one == "each way" else gone | {one}
    spare = max(width - _needed(gone, digits), 0)
    grown = min(spare // 2, _END - _BY_NAME["a"].width)
    if _needed(gone, digits) > width:
        grown = -((_needed(gone, digits) - width + 1) // 2)
    found = []
    for column in COLUMNS:
        if column.name in gone:
            continue
        if column.name == "number":
            column = column._replace(width=max(digits, column.width))
        if column.name in ("a", "b"):
            column = column._replace(width=max(column.width + grown, 1))
        found.append(column)
    return tuple(found)


def _needed(gone: set[str], digits: int) -> int:
    kept = [column for column in COLUMNS if column.name not in gone]
    more = max(digits - _BY_NAME["number"].width, 0) if "number" not in gone else 0
    return sum(column.width + 1 for column in kept) - 1 + more


def title_line(columns: Sequence[Column], width: int, sorted_by: str, descending: bool) -> Line:
    """The titles in `width` cells, an arrow at the column that is sorted by."""
    spans: list[Span] = []
    used = 0
    for column in columns:
        chosen = column.name == sorted_by
        title = tr(column.title)
        if chosen:
            title += "▼" if descending else "▲"
            while cell_width(title) > column.width:         # its end, with the arrow
                title = title[1:]
        spans += [Span(fit(title, column.width, align="right" if column.right else "left"),
                       "key" if chosen else "title"), Span(" ")]
        used += column.width + 1
    return (*spans[:-1], Span(" " * (width - used + 1)))


def column_at(columns: Sequence[Column], cell: int) -> str | None:
    """The name of the column at a cell, None where there is none that sorts."""
    start = 0
    for column in columns:
        if start <= cell <= start + column.width:
            return column.name if column.sorts else None
        start += column.width + 1
    return None
