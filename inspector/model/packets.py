"""Rows and numbers of packets: the one place where what counts from 0 becomes what counts from 1.

Code counts rows from 0; people, JSON's `frames` and Wireshark count numbers from 1. Columns of rows stay
arrays of int64; what leaves one becomes a `Row` by `row_at` or `rows_in`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, NewType, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = NewType("Row", int)                      # from 0, in the order of the file
PacketNumber = NewType("PacketNumber", int)    # from 1
BEFORE = Row(-1)                               # of a moment before the first packet


class Instant(NamedTuple):
    """A moment: the last packet that had come (BEFORE: none), and the time in ns."""

    row: Row
    time_ns: int


def row_at(column: NDArray[np.int64], place: int) -> Row:
    """The row that stands at `place` of an array. IndexError: there is no such place."""
    return Row(column.item(place))


def rows_in(column: NDArray[np.int64]) -> list[Row]:
    """The rows that an array holds."""
    return cast("list[Row]", column.tolist())


def first_rows(count: int) -> Sequence[Row]:
    """The rows of a trace's first `count` packets."""
    return cast("Sequence[Row]", range(count))


def packet_number(row: Row) -> PacketNumber:
    """The number of the packet in `row`."""
    return PacketNumber(row + 1)


def row_of(number: PacketNumber) -> Row:
    """The row of the packet with this number."""
    return Row(number - 1)
