"""The index: columns of every packet of a trace, appended a batch at a time.

Batches come from `reader.py` as arrays; `wire/headers` reads their headers into columns; here addresses
get ids, conversations their numbers, and all of it goes to the end of `Columns`. A row takes 65 bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row, row_after
from inspector.trace.index.beside import Ends, HeaderColumns, HeaderTable
from inspector.trace.index.columns import Columns, Growing
from inspector.trace.index.reassembly import Reassembly
from inspector.trace.index.streams import Streams, Traffic
from inspector.wire.arrays import Int32s, Int64s, Integers, UInt8s, UInt32s, UInt64s
from inspector.wire.headers.read import BOGUS, UNSIZED, Beside, Headers

DTYPES = {
    "time_ns": "i8", "offset": "u8", "length": "u4", "cap_len": "u4", "src": "u4", "dst": "u4", "seq": "u4",
    "ack": "u4", "stream": "i4", "sport": "u2", "dport": "u2", "tcp_flags": "u2", "window": "u2", "l4": "u2",
    "payload": "u2", "payload_length": "u4", "interface": "u1", "l3": "u1", "network": "u1", "protocol": "u1",
    "status": "u1",
}
_HEADER_COLUMNS = (
    "l3", "l4", "payload", "payload_length", "network", "protocol", "sport", "dport", "tcp_flags", "seq",
    "ack", "window", "status",
)
MANY_INTERFACES = 255


class Index(HeaderColumns):
    """Columns of the packets, as attributes: numpy arrays of `count` rows, row 0 the first packet.

    `time_ns` since the epoch; `length` on the wire, `cap_len` captured, `offset` of the frame in the file;
    `l3`, `l4`, `payload` offsets in the frame (255, 65535, 65535 where there is none); `network` 0, 1 (ARP),
    4 or 6; `protocol` the last header's IP protocol; `src`, `dst` ids for `address`; `sport`, `dport` (type
    and code for ICMP, operation for ARP); `tcp_flags` 12 bits; `seq`, `ack` raw; `window` (UDP: its length
    field); `payload_length` on the wire; `stream` the conversation (-1: none; of an ICMP error that of the
    datagram it quotes; of a TCP segment in fragments the first and the last packet have it, see
    `reassembly`); `status` bits of wire/headers. All of it for the innermost datagram where there are
    tunnels: `outer` has the headers around it, `quoted` those that ICMP errors quote.
    """

    time_ns: Int64s
    offset: UInt64s
    length: UInt32s
    cap_len: UInt32s
    interface: UInt8s
    l3: UInt8s

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.streams = {TCP: Streams(reuse=True), UDP: Streams(reuse=False)}
        self._columns = Columns(DTYPES)
        self._interfaces: dict[Row, int] = {}
        self.outer, self.quoted = HeaderTable(self.addresses), HeaderTable(self.addresses)
        self.reassembly = Reassembly()
        self.several_interfaces = False        # packets come from more than the first one
        self.sections = Growing(np.int64)          # rows at which a further section of the file begins
        self.other_frames = Growing(np.int64)      # of each, how many packets stand before it in the file
        self._show()

    def _show(self) -> None:
        for name, array in self._columns.arrays.items():
            setattr(self, name, array[: self.count])

    @property
    def row_size(self) -> int:
        """Bytes that one packet takes."""
        return self._columns.row_size

    def address(self, number: int) -> str:
        """The address of an id in `src` or `dst` ("" where a packet has none)."""
        return self.addresses.text(number)

    def wireshark_numbers(self, rows: slice | Int64s) -> Int64s:
        """The packets' numbers in Wireshark, which counts journal entries and custom blocks as frames too."""
        mine = np.arange(*rows.indices(self.count)) if isinstance(rows, slice) else rows
        numbers: Int64s = np.searchsorted(self.other_frames.values, mine, "right") + mine + 1
        return numbers

    def wireshark_number(self, row: Row) -> int:
        """The number of one packet in Wireshark."""
        return int(np.searchsorted(self.other_frames.values, row, "right")) + row + 1

    def interface_of(self, row: Row) -> int:
        """The interface of a packet, also where there are more than the column holds."""
        number = int(self.interface[row])
        return self._interfaces[row] if number == MANY_INTERFACES else number

    def append(
        self, headers: Headers, time_ns: Int64s, length: Int64s, cap_len: Int64s, offset: Int64s,
        interface: Int64s,
    ) -> None:
        """Append a batch: its headers and, an array each, what the file says of every frame."""
        start, stop = self.count, self.count + len(time_ns)
        self._columns.ensure(stop)
        columns = self._columns.arrays
        source, destination = self.addresses.of_batch(headers)
        if headers.fragments:
            self.reassembly.take(headers, source, destination, row_after(start))
        written: dict[str, Integers] = {
            "time_ns": time_ns, "length": length, "cap_len": cap_len, "offset": offset, "src": source,
            "dst": destination, "stream": self._streams(headers, source, self._final(headers, destination)),
            "interface": np.minimum(interface, MANY_INTERFACES),
        }
        for name, values in written.items():
            columns[name][start:stop] = values
        for name in _HEADER_COLUMNS:
            columns[name][start:stop] = getattr(headers, name)
        self.several_interfaces = self.several_interfaces or bool((interface > 0).any())
        for i in np.flatnonzero(interface >= MANY_INTERFACES).tolist():
            self._interfaces[row_after(start + i)] = int(interface[i])
        self.count = stop
        self._show()

    def _final(self, headers: Headers, destination: UInt32s) -> UInt32s:
        """Destinations as conversations are told by them: where routing headers lead in the end."""
        if not headers.routed:
            return destination
        final, rows = destination.copy(), list(headers.routed)
        words = np.frombuffer(b"".join(headers.routed.values()), ">u8").reshape(-1, 2).astype("u8")
        final[rows] = self.addresses.number6(words[:, 0], words[:, 1])
        return final

    def _streams(self, headers: Headers, source: UInt32s, destination: UInt32s) -> Int32s:
        """The conversations of a batch's frames, numbered in order of the file, outer ones first."""
        own = np.full(len(source), -1, "i4")
        outer, quoted = self._beside(headers.outer), self._beside(headers.quoted)
        for protocol, streams in self.streams.items():
            mine = np.flatnonzero(headers.in_flow & (headers.protocol == protocol))
            parts = [one.traffic(protocol, self.count) for one in outer]
            parts += [(self._own(headers, source, destination, mine), own, mine)] if len(mine) else []
            parts += [one.traffic(protocol, self.count) for one in quoted]
            parts = [part for part in parts if len(part[2])]
            if len(parts) == 1:
                traffic, stream, rows = parts[0]
                stream[rows] = streams.number(traffic)
            elif parts:
                traffic, order = _in_order([traffic for traffic, _, _ in parts])
                numbers = np.empty(len(order), "i4")
                numbers[order] = streams.number(traffic)
                for _, stream, rows in parts:
                    stream[rows], numbers = numbers[: len(rows)], numbers[len(rows) :]
        for one in quoted:                     # what has none itself has that of what it quotes
            known = one.stream >= 0
            own[one.part.rows[known]] = one.stream[known]
        for table, found in ((self.outer, outer), (self.quoted, quoted)):
            table.extend([one.part for one in found], [one.ends for one in found],
                         [one.stream for one in found], self.count)
        return own

    def _beside(self, parts: list[Beside]) -> list[_Other]:
        return [_Other(part, self.addresses.of_batch(part.headers), np.full(len(part.rows), -1, "i4"))
                for part in parts]

    def _own(self, headers: Headers, source: UInt32s, destination: UInt32s, rows: Int64s) -> Traffic:
        if len(rows) == len(source):
            rows = np.arange(len(source))
            take: slice | Int64s = slice(None)
        else:
            take = rows
        return Traffic(
            rows + self.count, source[take], destination[take], headers.sport[take], headers.dport[take],
            headers.tcp_flags[take], headers.seq[take], headers.ack[take],
            headers.status[take] & (UNSIZED | BOGUS) != UNSIZED,
        )


class _Other(NamedTuple):
    """Headers beside the packets' own on their way into the index: their addresses, their conversations."""

    part: Beside
    ends: Ends
    stream: Int32s

    def traffic(self, protocol: int, base: int) -> tuple[Traffic, Int32s, Int64s]:
        """Those of one protocol that name a conversation, where its number goes, and in which rows."""
        headers, (source, destination) = self.part.headers, self.ends
        take = np.flatnonzero(headers.in_flow & (headers.protocol == protocol))
        nothing = np.zeros(len(take), "u4")
        return Traffic(
            self.part.rows[take] + base, source[take], destination[take], headers.sport[take],
            headers.dport[take], headers.tcp_flags[take], headers.seq[take], nothing,
            np.zeros(len(take), np.bool_),
        ), self.stream, take


def _in_order(parts: list[Traffic]) -> tuple[Traffic, Int64s]:
    """Several parts as one, in order of the file, and where each of its frames stood in the parts."""
    names = ("row", "source", "destination", "sport", "dport", "tcp_flags", "seq", "ack", "sized")
    order = np.argsort(np.concatenate([part.row for part in parts]), kind="stable")
    columns = (np.concatenate([getattr(part, name) for part in parts])[order] for name in names)
    return Traffic(*columns), order
