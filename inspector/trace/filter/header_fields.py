"""Fields that stand in headers of single packets: octets of Ethernet, IP, TCP, UDP and ICMP, and TCP options.

Offsets and masks are those of RFC 791, 8200, 9293, 768, 792; names, and the units of values, are Wireshark's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from inspector.model.numbers import LINK_ETHERNET
from inspector.model.packets import Row
from inspector.trace.filter.field import DeepField, Possible, Read, Value, anywhere, of, stream_of, where_tcp
from inspector.wire.headers.read import NO_LAYER, NO_OFFSET
from inspector.wire.tcp.options import TcpOptions

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


class _Bits(NamedTuple):
    """Octets [start, start + size) of a header as a number, shifted right, masked, times `unit`."""

    start: int
    size: int = 1
    shift: int = 0
    mask: int = 0xFFFFFFFF
    unit: int = 1


_IP = {
    "version": _Bits(0, 1, 4), "hdr_len": _Bits(0, 1, 0, 15, 4), "dsfield": _Bits(1),
    "dsfield.dscp": _Bits(1, 1, 2), "dsfield.ecn": _Bits(1, 1, 0, 3), "len": _Bits(2, 2), "id": _Bits(4, 2),
    "flags": _Bits(6, 1, 5), "flags.rb": _Bits(6, 1, 7), "flags.df": _Bits(6, 1, 6, 1),
    "flags.mf": _Bits(6, 1, 5, 1), "frag_offset": _Bits(6, 2, 0, 0x1FFF, 8), "ttl": _Bits(8),
    "checksum": _Bits(10, 2),
}
_IPV6 = {
    "version": _Bits(0, 1, 4), "tclass": _Bits(0, 2, 4, 0xFF), "flow": _Bits(0, 4, 0, 0xFFFFF),
    "plen": _Bits(4, 2), "nxt": _Bits(6), "hlim": _Bits(7),
}
_TCP = {"hdr_len": _Bits(12, 1, 4, 15, 4), "checksum": _Bits(16, 2), "urgent_pointer": _Bits(18, 2)}
_UDP = {"checksum": _Bits(6, 2)}
_ECHO = {"checksum": _Bits(2, 2), "ident": _Bits(4, 2), "seq": _Bits(6, 2)}
_FLAGS = ("ip.flags.rb", "ip.flags.df", "ip.flags.mf")
_ECHOES = {"icmp": (0, 8), "icmpv6": (128, 129)}


def _header(column: str, none: int, bits: _Bits) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        start = int(getattr(trace.index, column)[row])
        octets = trace.frame(row)[start + bits.start :][: bits.size] if start != none else b""
        if len(octets) < bits.size:
            return []
        return [(int.from_bytes(octets, "big") >> bits.shift & bits.mask) * bits.unit]

    return read


def _only(types: tuple[int, ...], read: Read) -> Read:
    """The field in ICMP messages of these types alone."""
    return lambda trace, row: read(trace, row) if int(trace.index.sport[row]) in types else []


def _option(get: Callable[[TcpOptions], Sequence[Any]]) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        return get(trace.flow(stream_of(trace, row)).options(row))

    return read


def _given(value: int | None) -> Sequence[int]:
    return [] if value is None else [value]


def _hardware(*places: int) -> Read:
    """Ethernet addresses that begin at these octets of the frame."""
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        frame = trace.frame(row)
        if trace.link_type(row) != LINK_ETHERNET or len(frame) < 14:
            return []
        return [frame[place : place + 6].hex(":") for place in places]

    return read


def _ether_type(trace: Trace, row: Row) -> Sequence[Value]:
    frame = trace.frame(row)
    if trace.link_type(row) != LINK_ETHERNET or len(frame) < 14:
        return []
    value = int.from_bytes(frame[12:14], "big")
    return [value] if value >= 0x600 else []          # below it is a length (IEEE 802.3)


def _table(layer: str, column: str, none: int, fields: dict[str, _Bits]) -> dict[str, DeepField]:
    possible: Possible = of(layer)
    found = {}
    for short, bits in fields.items():
        name, read = f"{layer}.{short}", _header(column, none, bits)
        if short in ("ident", "seq"):
            read = _only(_ECHOES[layer], read)
        flag = name in _FLAGS
        found[name] = DeepField("flag" if flag else "number", read, possible, 1 if flag else bits.size * 8)
    return found


HEADERS: dict[str, DeepField] = {
    **_table("ip", "l3", NO_LAYER, _IP), **_table("ipv6", "l3", NO_LAYER, _IPV6),
    **_table("tcp", "l4", NO_OFFSET, _TCP), **_table("udp", "l4", NO_OFFSET, _UDP),
    **_table("icmp", "l4", NO_OFFSET, _ECHO),
    "icmpv6.checksum": DeepField("number", _header("l4", NO_OFFSET, _ECHO["checksum"]), of("icmpv6"), 16),
    "icmpv6.echo.identifier": DeepField(
        "number", _only(_ECHOES["icmpv6"], _header("l4", NO_OFFSET, _ECHO["ident"])), of("icmpv6"), 16),
    "icmpv6.echo.sequence_number": DeepField(
        "number", _only(_ECHOES["icmpv6"], _header("l4", NO_OFFSET, _ECHO["seq"])), of("icmpv6"), 16),
    "eth.dst": DeepField("hardware", _hardware(0), anywhere),
    "eth.src": DeepField("hardware", _hardware(6), anywhere),
    "eth.addr": DeepField("hardware", _hardware(0, 6), anywhere),
    "eth.type": DeepField("number", _ether_type, anywhere, 16),
    "tcp.options": DeepField("protocol", _option(lambda one: [True] if one.options else []), where_tcp),
    "tcp.options.mss_val": DeepField("number", _option(lambda one: _given(one.mss)), where_tcp, 16),
    "tcp.options.wscale.shift": DeepField("number", _option(lambda one: _given(one.scale)), where_tcp, 8),
    "tcp.options.sack_perm": DeepField(
        "protocol", _option(lambda one: [True] if one.sack_permitted else []), where_tcp),
    "tcp.options.sack": DeepField("protocol", _option(lambda one: one.sack[:1]), where_tcp),
    "tcp.options.timestamp.tsval": DeepField(
        "number", _option(lambda one: _given(one.timestamp)), where_tcp, 32),
    "tcp.options.timestamp.tsecr": DeepField(
        "number", _option(lambda one: _given(one.timestamp_echo)), where_tcp, 32),
}
