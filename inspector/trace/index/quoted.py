"""What ICMP errors quote: a small table beside the index, one row a quoted TCP or UDP header.

Such a packet belongs to two datagrams. Its columns tell of the ICMP message itself; here stand the addresses,
ports and conversation of the datagram that caused it, in order of the packets' rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inspector.model.packets import Row
from inspector.trace.index.columns import Array, Growing, Int32s, Int64s, UInt32s
from inspector.wire.headers.read import Quoted


class QuotedHeader(NamedTuple):
    """One quoted header: `source`, `destination` are ids of addresses, `length` UDP's field; stream or -1."""

    row: Row
    network: int
    protocol: int
    source: int
    destination: int
    sport: int
    dport: int
    length: int
    stream: int


_DTYPES = ("i8", "u1", "u1", "u4", "u4", "u2", "u2", "u2", "i4")


class QuotedTable:
    """The quoted headers of a trace; columns by the names of `QuotedHeader`."""

    def __init__(self) -> None:
        names = zip(QuotedHeader._fields, _DTYPES, strict=True)
        self._columns = {name: Growing(kind) for name, kind in names}

    def __len__(self) -> int:
        return self._columns["row"].count

    def extend(
        self, parts: Sequence[Quoted], ends: Sequence[tuple[UInt32s, UInt32s]], stream: Int32s, base: int
    ) -> None:
        """Append a batch's quoted headers; `stream` are the batch's conversations, `base` its first row."""
        if not parts:
            return
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows, kind="stable")
        sizes = [len(part.rows) for part in parts]
        talks = np.concatenate([part.talks for part in parts])
        columns = {
            "row": rows + base,
            "network": np.repeat([part.network for part in parts], sizes),
            "protocol": np.repeat([part.protocol for part in parts], sizes),
            "source": np.concatenate([source for source, _ in ends]),
            "destination": np.concatenate([destination for _, destination in ends]),
            "sport": np.concatenate([part.sport for part in parts]),
            "dport": np.concatenate([part.dport for part in parts]),
            "length": np.concatenate([part.length for part in parts]),
            "stream": np.where(talks, stream[rows], -1),
        }
        for name, values in columns.items():
            self._columns[name].extend(values[order])

    def column(self, name: str) -> Array:
        """A column of all quoted headers."""
        return self._columns[name].values

    def of(self, row: Row) -> QuotedHeader | None:
        """What packet `row` quotes."""
        rows = self.column("row")
        place = int(np.searchsorted(rows, row))
        if place >= len(rows) or rows[place] != row:
            return None
        others = (self.column(name).item(place) for name in QuotedHeader._fields[1:])
        return QuotedHeader(row, *others)

    def within(self, rows: slice | Int64s, count: int) -> tuple[Int64s, Int64s]:
        """Quoted headers of the packets `rows` (of `count` in all): their places here, and in `rows`."""
        mine = self.column("row")
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(count)
            low, high = np.searchsorted(mine, (start, stop))
            places = np.arange(low, high)
            return places, mine[places] - start
        at = np.searchsorted(rows, mine)
        found = np.flatnonzero(at < len(rows))
        found = found[rows[at[found]] == mine[found]]
        return found, at[found]
