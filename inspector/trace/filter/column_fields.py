"""The fields and protocols of the display filter: their names, types, and where their values come from.

`COLUMNS` are answered by the index for all packets at once; `DEEP` need flows, applications or bytes, packet
by packet. A column's values are arrays over the rows asked for, and a mask of the packets that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from inspector.model.numbers import ACK, FIN, ICMP, ICMPV6, RST, SYN, TCP, TCP_FLAGS, UDP
from inspector.model.packets import Row
from inspector.trace.index.beside import HeaderColumns, HeaderTable
from inspector.wire.arrays import Bools, Int64s, Integers
from inspector.wire.headers.read import NO_OFFSET, PORTS, SHORT, UNSIZED

if TYPE_CHECKING:
    from inspector.trace.index.index import Index

Type = Literal["number", "flag", "ipv4", "ipv6", "text", "bytes", "seconds", "time", "hardware", "protocol"]
Rows = slice | Int64s


class Column(NamedTuple):
    """Values of a field, several where a packet has it several times, and which packets have it."""

    values: tuple[Integers, ...]
    present: Bools


@dataclass(frozen=True, slots=True)
class ColumnField:
    """A field that columns answer. `bits`: size of a number on the wire.

    `beside`: reads it from the headers beside the packets' own (of tunnels, quoted ones); None where it is a
    field of the packet as a whole. A packet has the values of all its headers.
    """

    type: Type
    read: Callable[[Index, Rows], Column]
    bits: int = 32
    beside: Callable[[HeaderColumns, Rows], Column] | None = None

    def elsewhere(self, index: Index, rows: Rows) -> Iterator[tuple[Column, Int64s]]:
        """What the headers beside those of the packets `rows` have, and at which of `rows`."""
        for table in (index.outer, index.quoted):
            if self.beside is not None and len(table):
                places, at = table.within(rows, index.count)
                if len(places):
                    yield self.beside(table, places), at

    def present(self, index: Index, rows: Rows) -> Bools:
        """Which packets have the field, in any of their headers."""
        found = self.read(index, rows).present
        for column, at in self.elsewhere(index, rows):
            found = found.copy()
            found[at[column.present]] = True
        return found

    def values(self, index: Index, row: Row, *, quoted: bool = True) -> list[Any]:
        """All values of one packet, from the outermost header to the innermost, then quoted ones."""
        def of(read: Callable[[Any, Rows], Column], table: Any, rows: Rows) -> list[Any]:
            column = read(table, rows)
            places = np.flatnonzero(column.present).tolist()
            return [values[place] for place in places for values in column.values]

        def beside(table: HeaderTable) -> list[Any]:
            return of(self.beside, table, table.places(row)) if self.beside is not None else []

        return [*beside(index.outer), *of(self.read, index, slice(row, row + 1)),
                *(beside(index.quoted) if quoted else [])]


_Present = Callable[[HeaderColumns, Rows], Bools]
_Read = Callable[[HeaderColumns, Rows], Column]


def _plain(column: str, present: _Present) -> _Read:
    return lambda index, rows: Column((getattr(index, column)[rows],), present(index, rows))


def _every(index: HeaderColumns, rows: Rows) -> Bools:
    return np.ones(len(index.status[rows]), np.bool_)


def _is(protocol: int) -> _Present:
    def present(index: HeaderColumns, rows: Rows) -> Bools:
        found: Bools = index.protocol[rows] == protocol
        if (index.status[rows] & SHORT).any() or (index.l4[rows] == NO_OFFSET).any():
            found = found & (index.l4[rows] != NO_OFFSET)
        return found

    return present


def _ports_of(protocol: int) -> _Present:
    def present(index: HeaderColumns, rows: Rows) -> Bools:
        found = _is(protocol)(index, rows)
        short = index.status[rows] & SHORT != 0
        if short.any():
            found &= ~short | (index.status[rows] & PORTS != 0)
        return found

    return present


def _in_flow(protocol: int) -> _Present:
    def present(index: HeaderColumns, rows: Rows) -> Bools:
        found: Bools = (index.protocol[rows] == protocol) & (index.stream[rows] >= 0)
        return found

    return present


def _sized(index: HeaderColumns, rows: Rows) -> Bools:
    found: Bools = _in_flow(TCP)(index, rows) & (index.status[rows] & UNSIZED == 0)
    return found


def _network(number: int) -> _Present:
    def present(index: HeaderColumns, rows: Rows) -> Bools:
        found: Bools = index.network[rows] == number
        return found

    return present


def _icmp_code(protocol: int) -> _Present:
    def present(index: HeaderColumns, rows: Rows) -> Bools:
        found: Bools = _is(protocol)(index, rows) & (index.status[rows] & SHORT == 0)
        return found

    return present


def _addresses(number: int, *names: str) -> _Read:
    """Addresses: IPv4 as numbers, IPv6 as ids (compared through the table of all that were met)."""
    def read(index: HeaderColumns, rows: Rows) -> Column:
        present = index.network[rows] == number
        ids = [getattr(index, name)[rows] for name in names]
        if number == 4:
            ids = [index.addresses.numbers4(column) for column in ids]
        return Column(tuple(ids), present & index.addresses.known(getattr(index, names[0])[rows]))

    return read


def _addressed(index: HeaderColumns, rows: Rows) -> Bools:
    """IPv4 headers that could be read."""
    found: Bools = (index.network[rows] == 4) & index.addresses.known(index.src[rows])
    return found


def _flag(bit: int) -> _Read:
    def read(index: HeaderColumns, rows: Rows) -> Column:
        return Column(((index.tcp_flags[rows] & bit != 0).view("u1"),), _in_flow(TCP)(index, rows))

    return read


def _both(protocol: int) -> _Read:
    present = _ports_of(protocol)
    return lambda index, rows: Column((index.sport[rows], index.dport[rows]), present(index, rows))


def _number(index: Index, rows: Rows) -> Column:
    numbers = np.arange(index.count, dtype="u4")[rows] + np.uint32(1)
    return Column((numbers,), np.ones(len(numbers), np.bool_))


def _wireshark_number(index: Index, rows: Rows) -> Column:
    return Column((index.wireshark_numbers(rows),), _every(index, rows))


def _relative(index: Index, rows: Rows) -> Column:
    first = index.time_ns[0] if index.count else 0
    return Column((index.time_ns[rows] - first,), _every(index, rows))


def _delta(index: Index, rows: Rows) -> Column:
    """Time since the packet before; 0 for the first."""
    times = index.time_ns
    before = np.concatenate((times[:1], times[:-1]))
    return Column((times[rows] - before[rows],), _every(index, rows))


def _segments(bits: int, without: int = 0) -> ColumnField:
    """TCP segments that have one of these flags and none of the others."""
    def present(index: HeaderColumns, rows: Rows) -> Bools:
        flags = index.tcp_flags[rows]
        found: Bools = _in_flow(TCP)(index, rows) & (flags & bits == bits) & (flags & without == 0)
        return found

    return _protocol(present)


def _header(type: Type, read: _Read, bits: int = 32) -> ColumnField:
    """A field of headers, which a packet may have several of."""
    return ColumnField(type, read, bits, read)


def _protocol(present: _Present) -> ColumnField:
    return _header("protocol", lambda index, rows: Column((), present(index, rows)))


COLUMNS: dict[str, ColumnField] = {
    "frame": ColumnField("protocol", lambda index, rows: Column((), _every(index, rows))),
    "arp": _protocol(_network(1)),
    "ip": _protocol(_network(4)),
    "ipv6": _protocol(_network(6)),
    "icmp": _protocol(_is(ICMP)),
    "icmpv6": _protocol(_is(ICMPV6)),
    "tcp": _protocol(_is(TCP)),
    "udp": _protocol(_is(UDP)),
    "syscall": ColumnField("protocol", lambda index, rows: Column((), ~_every(index, rows))),
    "frame.number": ColumnField("number", _number),
    "wireshark.frame.number": ColumnField("number", _wireshark_number),
    "frame.time_epoch_ns": ColumnField("number", _plain("time_ns", _every), 63),
    "frame.time_epoch": ColumnField("seconds", _plain("time_ns", _every)),
    "frame.time_relative": ColumnField("seconds", _relative),
    "frame.time": ColumnField("time", _plain("time_ns", _every)),
    "frame.time_delta": ColumnField("seconds", _delta),
    "frame.len": ColumnField("number", _plain("length", _every)),
    "frame.cap_len": ColumnField("number", _plain("cap_len", _every)),
    "frame.interface_id": ColumnField("number", _plain("interface", _every)),
    "ip.src": _header("ipv4", _addresses(4, "src")),
    "ip.dst": _header("ipv4", _addresses(4, "dst")),
    "ip.addr": _header("ipv4", _addresses(4, "src", "dst")),
    "ipv6.src": _header("ipv6", _addresses(6, "src")),
    "ipv6.dst": _header("ipv6", _addresses(6, "dst")),
    "ipv6.addr": _header("ipv6", _addresses(6, "src", "dst")),
    "ip.proto": _header("number", _plain("protocol", _addressed), 8),
    "tcp.stream": _header("number", _plain("stream", _in_flow(TCP))),
    "tcp.srcport": _header("number", _plain("sport", _ports_of(TCP)), 16),
    "tcp.dstport": _header("number", _plain("dport", _ports_of(TCP)), 16),
    "tcp.port": _header("number", _both(TCP), 16),
    "tcp.seq_raw": _header("number", _plain("seq", _in_flow(TCP))),
    "tcp.ack_raw": _header("number", _plain("ack", _in_flow(TCP))),
    "tcp.flags": _header("number", _plain("tcp_flags", _in_flow(TCP)), 12),
    "tcp.window_size_value": _header("number", _plain("window", _in_flow(TCP)), 16),
    "tcp.len": ColumnField("number", _plain("payload_length", _sized)),     # not of quoted ones
    "tcp.connection.syn": _segments(SYN, ACK),
    "tcp.connection.synack": _segments(SYN | ACK),
    "tcp.connection.fin": _segments(FIN),
    "tcp.connection.rst": _segments(RST),
    "udp.stream": _header("number", _plain("stream", _in_flow(UDP))),
    "udp.srcport": _header("number", _plain("sport", _ports_of(UDP)), 16),
    "udp.dstport": _header("number", _plain("dport", _ports_of(UDP)), 16),
    "udp.port": _header("number", _both(UDP), 16),
    "udp.length": _header("number", _plain("window", _ports_of(UDP)), 16),
    "icmp.type": _header("number", _plain("sport", _is(ICMP)), 8),
    "icmp.code": _header("number", _plain("dport", _icmp_code(ICMP)), 8),
    "icmpv6.type": _header("number", _plain("sport", _is(ICMPV6)), 8),
    "icmpv6.code": _header("number", _plain("dport", _icmp_code(ICMPV6)), 8),
}
for _tcp_flag in TCP_FLAGS:
    COLUMNS[_tcp_flag.field] = _header("flag", _flag(_tcp_flag.bit), 1)
COLUMNS["tcp.flags.ecn"] = COLUMNS["tcp.flags.ece"]          # the names that Wireshark used before 4.0
COLUMNS["tcp.flags.ns"] = COLUMNS["tcp.flags.ae"]
