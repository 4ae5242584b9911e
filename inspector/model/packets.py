"""Rows and numbers of packets: the one place where what counts from 0 becomes what counts from 1.

Code counts rows from 0; people, JSON's `frames` and Wireshark count numbers from 1. Columns of rows stay
arrays of int64; what leaves one becomes a `Row` by `row_at` or `rows_in`, what was counted by `row_after`.
Nowhere else is one made of an int: `tests/test_rooms.py` holds that, of numbers of messages and frames too.
"""

from __future__ import annotations

from array import array
from collections.abc import MutableSequence, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NewType, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = NewType("Row", int)                      # from 0, in the order of the file
PacketNumber = NewType("PacketNumber", int)    # from 1

BEFORE = Row(-1)                               # of a moment before the first packet: no packet
AFTER_ALL = Row(1 << 62)                       # of what stands behind every packet


class Instant(NamedTuple):
    """A moment: the last packet that had come (BEFORE: none), and the time in ns."""

    row: Row
    time_ns: int


def row_at(column: NDArray[np.integer[Any]], place: int) -> Row:
    """The row that stands at `place` of an array. IndexError: there is no such place."""
    return Row(column.item(place))


def rows_in(column: NDArray[np.integer[Any]]) -> list[Row]:
    """The rows that an array holds."""
    return cast("list[Row]", column.tolist())


def row_column() -> MutableSequence[Row]:
    """A column in which rows are kept, four bytes each."""
    return cast("MutableSequence[Row]", array("I"))


def row_after(count: int) -> Row:
    """The row of the packet before which a trace has `count` others."""
    return Row(count)


def first_rows(count: int) -> Sequence[Row]:
    """The rows of a trace's first `count` packets."""
    return cast("Sequence[Row]", range(count))


def packet_number(row: Row) -> PacketNumber:
    """The number of the packet in `row`."""
    return PacketNumber(row + 1)


def row_of(number: int) -> Row:
    """The row of the packet with this number, which a person may have typed."""
    return Row(number - 1)
