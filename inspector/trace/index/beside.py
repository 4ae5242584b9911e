"""Headers beside the packets' own: small tables with one row a header, in order of packets and of headers.

The index has one datagram a packet, the innermost of a tunnel. Those around it, and those that ICMP errors
quote, stand in such tables, in columns of the index's names; packets without them cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row
from inspector.trace.index.addresses import Addresses
from inspector.trace.index.columns import Growing
from inspector.wire.arrays import Int32s, Int64s, Integers, UInt8s, UInt16s, UInt32s
from inspector.wire.headers.read import Beside

Ends = tuple[UInt32s, UInt32s]             # ids of the addresses, source and destination


class HeaderColumns:
    """What columns say of headers, of packets' own and of others; see `Index` for their meaning."""

    src: UInt32s
    dst: UInt32s
    seq: UInt32s
    ack: UInt32s
    stream: Int32s
    sport: UInt16s
    dport: UInt16s
    tcp_flags: UInt16s
    window: UInt16s
    l4: UInt16s
    payload: UInt16s
    payload_length: UInt32s
    network: UInt8s
    protocol: UInt8s
    status: UInt8s

    def __init__(self) -> None:
        self.addresses = Addresses()


class OtherHeader(NamedTuple):
    """One header of such a table, values as in the index."""

    row: Row
    network: int
    protocol: int
    src: int
    dst: int
    sport: int
    dport: int
    tcp_flags: int
    seq: int
    ack: int
    window: int
    l4: int
    payload: int
    payload_length: int
    status: int
    stream: int


_DTYPES = ("i8", "u1", "u1", "u4", "u4", "u2", "u2", "u2", "u4", "u4", "u2", "u2", "u2", "u4", "u1", "i4")
_ELSEWHERE = ("row", "src", "dst", "stream")


class HeaderTable(HeaderColumns):
    """The outer headers of a trace's packets, or the quoted ones; `row` is the packet of each."""

    row: Int64s

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._columns = {
            name: Growing(np.dtype(kind)) for name, kind in zip(OtherHeader._fields, _DTYPES, strict=True)
        }
        self._show()

    def __len__(self) -> int:
        return self._columns["row"].count

    def _show(self) -> None:
        for name, column in self._columns.items():
            setattr(self, name, column.values)

    def extend(self, parts: Sequence[Beside], ends: Sequence[Ends], streams: Sequence[Int32s],
               base: int) -> None:
        """Append a batch's headers, their addresses and conversations; `base` is the batch's first row."""
        if not parts:
            return
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows, kind="stable")
        found: dict[str, Integers] = {
            "row": rows + base,
            "src": np.concatenate([source for source, _ in ends]),
            "dst": np.concatenate([destination for _, destination in ends]),
            "stream": np.concatenate(streams),
        }
        for name in self._columns:
            if name not in _ELSEWHERE:
                found[name] = np.concatenate([getattr(part.headers, name) for part in parts])
        for name, values in found.items():
            self._columns[name].extend(values[order])
        self._show()

    def places(self, row: Row) -> slice:
        """Where in the table the headers of packet `row` stand."""
        low, high = np.searchsorted(self.row, (row, row + 1)).tolist()
        return slice(low, high)

    def of(self, row: Row) -> list[OtherHeader]:
        """The headers of packet `row`, outermost first."""
        if not len(self.row):
            return []                        # as in most captures, for each packet
        places = self.places(row)
        if places.start == places.stop:
            return []
        columns = (getattr(self, name)[places].tolist() for name in OtherHeader._fields)
        return [OtherHeader(*values) for values in zip(*columns, strict=True)]

    def innermost(self, row: Row) -> OtherHeader | None:
        """The innermost header of TCP or UDP in packet `row`."""
        return next((one for one in reversed(self.of(row)) if one.protocol in (TCP, UDP)), None)

    def within(self, rows: slice | Int64s, count: int) -> tuple[Int64s, Int64s]:
        """Headers of the packets `rows` (of `count` in all): their places here, and in `rows`."""
        mine = self.row
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(count)
            low, high = np.searchsorted(mine, (start, stop))
            places = np.arange(low, high)
            return places, mine[places] - start
        at = np.searchsorted(rows, mine)
        found = np.flatnonzero(at < len(rows))
        found = found[rows[at[found]] == mine[found]]
        return found, at[found]
