"""The index: columns of every packet of a trace, appended a batch at a time.

Batches come from `reader.py` as arrays; `wire/headers` reads their headers into columns; here addresses
get ids, conversations their numbers, and all of it goes to the end of `Columns`. A row takes 65 bytes.
"""

from __future__ import annotations

import numpy as np

from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row
from inspector.trace.index.addresses import Addresses
from inspector.trace.index.columns import Columns, Int32s, Int64s, UInt8s, UInt16s, UInt32s, UInt64s
from inspector.trace.index.quoted import QuotedTable
from inspector.trace.index.reassembly import Reassembly
from inspector.trace.index.streams import Streams, Traffic
from inspector.wire.headers.read import BOGUS, UNSIZED, Headers, Quoted

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


class Index:
    """Columns of the packets, as attributes: numpy arrays of `count` rows, row 0 the first packet.

    `time_ns` since the epoch; `length` on the wire, `cap_len` captured, `offset` of the frame in the file;
    `l3`, `l4`, `payload` offsets in the frame (255, 65535, 65535 where there is none); `network` 0, 1 (ARP),
    4 or 6; `protocol` the last header's IP protocol; `src`, `dst` ids for `address`; `sport`, `dport` (type
    and code for ICMP, operation for ARP); `tcp_flags` 12 bits; `seq`, `ack` raw; `window` (UDP: its length
    field); `payload_length` on the wire; `stream` the conversation (-1: none; of an ICMP error that of the
    datagram it quotes, more of which is in `quoted`; of a TCP segment in fragments the first and the last
    packet have it, see `reassembly`); `status` bits of wire/headers. All of it for
    the innermost datagram where there are tunnels.
    """

    time_ns: Int64s
    offset: UInt64s
    length: UInt32s
    cap_len: UInt32s
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
    interface: UInt8s
    l3: UInt8s
    network: UInt8s
    protocol: UInt8s
    status: UInt8s

    def __init__(self) -> None:
        self.count = 0
        self.addresses = Addresses()
        self.streams = {TCP: Streams(reuse=True), UDP: Streams(reuse=False)}
        self._columns = Columns(DTYPES)
        self._interfaces: dict[int, int] = {}
        self.quoted = QuotedTable()
        self.reassembly = Reassembly()
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
            self.reassembly.take(headers, source, destination, Row(start))
        written = {
            "time_ns": time_ns, "length": length, "cap_len": cap_len, "offset": offset, "src": source,
            "dst": destination, "stream": self._streams(headers, source, destination),
            "interface": np.minimum(interface, MANY_INTERFACES),
        }
        for name, values in written.items():
            columns[name][start:stop] = values
        for name in _HEADER_COLUMNS:
            columns[name][start:stop] = getattr(headers, name)
        for i in np.flatnonzero(interface >= MANY_INTERFACES).tolist():
            self._interfaces[start + i] = int(interface[i])
        self.count = stop
        self._show()

    def _streams(self, headers: Headers, source: UInt32s, destination: UInt32s) -> Int32s:
        """The conversations of a batch's frames, numbered in order of the file."""
        stream = np.full(len(source), -1, "i4")
        quoted = [self._ends(part) for part in headers.quoted]
        for protocol, streams in self.streams.items():
            rows = np.flatnonzero(headers.talks & (headers.protocol == protocol))
            outer = [part for part in headers.outer if part.protocol == protocol]
            parts = [self._quoted(part, *self._ends(part)) for part in outer]
            around = sum(len(part.row) for part in parts)
            parts += [self._own(headers, source, destination, rows)] if len(rows) else []
            parts += [
                self._quoted(part.named(), source[part.talks], destination[part.talks])
                for part, (source, destination) in zip(headers.quoted, quoted, strict=True)
                if part.protocol == protocol and part.talks.any()
            ]
            if not parts:
                continue
            traffic, order = (parts[0], None) if len(parts) == 1 and not around else _in_order(parts)
            numbers = streams.number(traffic)
            if order is None:
                stream[traffic.row - self.count] = numbers
            else:                              # of a tunnel the innermost conversation is the packet's
                inner = order >= around
                stream[traffic.row[inner] - self.count] = numbers[inner]
        self.quoted.extend(headers.quoted, quoted, stream, self.count)
        return stream

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

    def _ends(self, part: Quoted) -> tuple[UInt32s, UInt32s]:
        """Ids of the addresses that quoted headers name."""
        words = part.addresses
        if part.network == 4:
            return self.addresses.number4(words[:, 1]), self.addresses.number4(words[:, 3])
        number6 = self.addresses.number6
        return number6(words[:, 0], words[:, 1]), number6(words[:, 2], words[:, 3])

    def _quoted(self, part: Quoted, source: UInt32s, destination: UInt32s) -> Traffic:
        nothing = np.zeros(len(source), "u4")
        return Traffic(
            part.rows + self.count, source, destination, part.sport, part.dport, part.tcp_flags.astype("u2"),
            part.seq, nothing, np.zeros(len(source), np.bool_),
        )


def _in_order(parts: list[Traffic]) -> tuple[Traffic, Int64s]:
    """Several parts as one, in order of the file, and where each of its frames stood in the parts."""
    names = ("row", "source", "destination", "sport", "dport", "tcp_flags", "seq", "ack", "sized")
    order = np.argsort(np.concatenate([part.row for part in parts]), kind="stable")
    columns = (np.concatenate([getattr(part, name) for part in parts])[order] for name in names)
    return Traffic(*columns), order
