"""Fields that stand in headers of single packets: bytes of Ethernet, IP, TCP, UDP and ICMP, and TCP options.

A packet has the values of all its headers, of tunnels and of what ICMP errors quote too. Offsets and masks
are those of RFC 791, 8200, 9293, 768, 792; names, and the units of values, are Wireshark's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from inspector.model.packets import Row
from inspector.trace.filter.field import (
    DeepField,
    Possible,
    Read,
    Value,
    anywhere,
    of_any,
    stream_of,
    where_tcp,
)
from inspector.trace.packet.protocol_names import header_places
from inspector.wire.headers.names import GPE
from inspector.wire.tcp.options import TcpOptions

if TYPE_CHECKING:
    from inspector.trace.filter.column_fields import Rows
    from inspector.trace.index.index import Index
    from inspector.trace.trace import Trace
    from inspector.wire.arrays import Bools


class _Bits(NamedTuple):
    """Bytes [start, start + size) of a header as a number, shifted right, masked, times `unit`."""

    start: int
    size: int = 1
    shift: int = 0
    mask: int = 0xFFFFFFFF
    unit: int = 1


_IP = {
    "version": _Bits(0, 1, 4), "hdr_len": _Bits(0, 1, 0, 15, 4), "dsfield": _Bits(1),
    "dsfield.dscp": _Bits(1, 1, 2), "dsfield.ecn": _Bits(1, 1, 0, 3), "len": _Bits(2, 2), "id": _Bits(4, 2),
    "flags": _Bits(6, 1, 5), "flags.rb": _Bits(6, 1, 7), "flags.df": _Bits(6, 1, 6, 1),
    "flags.mf": _Bits(6, 1, 5, 1), "frag_offset": _Bits(6, 2, 0, 0x1FFF), "ttl": _Bits(8),
    "checksum": _Bits(10, 2),
}
_IPV6 = {
    "version": _Bits(0, 1, 4), "tclass": _Bits(0, 2, 4, 0xFF), "flow": _Bits(0, 4, 0, 0xFFFFF),
    "plen": _Bits(4, 2), "nxt": _Bits(6), "hlim": _Bits(7),
}
_TCP = {"hdr_len": _Bits(12, 1, 4, 15, 4), "checksum": _Bits(16, 2), "urgent_pointer": _Bits(18, 2)}
_UDP = {"checksum": _Bits(6, 2)}
_ECHO = {"checksum": _Bits(2, 2), "ident": _Bits(4, 2), "seq": _Bits(6, 2)}
_VNI = _Bits(4, 3)
_TUNNELS = {
    "vlan": {"id": _Bits(0, 2, 0, 0xFFF), "priority": _Bits(0, 1, 5)},
    "ieee8021ad": {"id": _Bits(0, 2, 0, 0xFFF), "priority": _Bits(0, 1, 5)},
    "geneve": {"vni": _VNI}, "gtp": {"message": _Bits(1), "teid": _Bits(4, 4)},
    "nsh": {"spi": _Bits(4, 3), "si": _Bits(7)}, "gre": {"proto": _Bits(2, 2)},
}
_FLAGS = ("ip.flags.rb", "ip.flags.df", "ip.flags.mf")
_ECHOES = {"icmp": (0, 8), "icmpv6": (128, 129)}


def _header(layer: str, bits: _Bits, types: tuple[int, ...] = ()) -> Read:
    """The field in each header of `layer`; `types`: in ICMP messages of these types alone."""
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        found = []
        for start in header_places(trace, row, layer):
            frame = trace.frame(row)
            data = frame[start + bits.start :][: bits.size]
            if len(data) == bits.size and (not types or frame[start] in types):
                found.append((int.from_bytes(data, "big") >> bits.shift & bits.mask) * bits.unit)
        return found

    return read


def _gre_key(trace: Trace, row: Row) -> Sequence[Value]:
    """Where the flags say that a key is there, behind the checksum (RFC 2890)."""
    found = []
    for start in header_places(trace, row, "gre"):
        frame = trace.frame(row)
        flags = frame[start] if start < len(frame) else 0
        key = frame[start + (8 if flags & 0xC0 else 4) :][:4]
        if flags & 0x20 and len(key) == 4:
            found.append(int.from_bytes(key, "big"))
    return found


def _labels(trace: Trace, row: Row) -> Sequence[Value]:
    """The labels of each stack (RFC 3032)."""
    found = []
    for start in header_places(trace, row, "mpls"):
        frame = trace.frame(row)
        while len(frame) >= start + 4:
            word = int.from_bytes(frame[start : start + 4], "big")
            found.append(word >> 12)
            if word & 0x100:
                break
            start += 4
    return found


def _lengths(trace: Trace, row: Row) -> Sequence[Value]:
    """The total length of IPv4; where segmentation offload left 0, that of the rest of the frame."""
    places, length = header_places(trace, row, "ip"), int(trace.index.length[row])
    return [value or length - start for value, start in zip(_total(trace, row), places, strict=False)]


_total = _header("ip", _Bits(2, 2))


def _version(trace: Trace, row: Row) -> Sequence[Value]:
    """Of IPv6 too, as in Wireshark."""
    frame = trace.frame(row)
    starts = sorted(header_places(trace, row, "ip") + header_places(trace, row, "ipv6"))
    return [frame[start] >> 4 for start in starts if start < len(frame)]


def _any_ip(index: Index, rows: Rows) -> Bools:
    found: Bools = of_any("ip")(index, rows) | of_any("ipv6")(index, rows)
    return found


def _option(get: Callable[[TcpOptions], Sequence[Any]]) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        return get(trace.flow(stream_of(trace, row)).options(row))

    return read


def _given(value: int | None) -> Sequence[int]:
    return [] if value is None else [value]


def _hardware(*places: int) -> Read:
    """Ethernet addresses that begin at these bytes of each Ethernet header."""
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        frame = trace.frame(row)
        return [frame[start + place :][:6].hex(":") for start in header_places(trace, row, "eth")
                for place in places if len(frame) >= start + 14]

    return read


def _ether_type(trace: Trace, row: Row) -> Sequence[Value]:
    frame = trace.frame(row)
    values = [int.from_bytes(frame[start + 12 : start + 14], "big")
              for start in header_places(trace, row, "eth") if len(frame) >= start + 14]
    return [value for value in values if value >= 0x600]          # below it is a length (IEEE 802.3)


def _table(layer: str, fields: dict[str, _Bits]) -> dict[str, DeepField]:
    possible: Possible = of_any(layer)
    found = {}
    for short, bits in fields.items():
        types = _ECHOES[layer] if short in ("ident", "seq") else ()
        name, read = f"{layer}.{short}", _header(layer, bits, types)
        flag = name in _FLAGS
        found[name] = DeepField("flag" if flag else "number", read, possible, 1 if flag else bits.size * 8)
    return found


HEADERS: dict[str, DeepField] = {
    **_table("ip", _IP), **_table("ipv6", _IPV6), **_table("tcp", _TCP), **_table("udp", _UDP),
    **_table("icmp", _ECHO),
    "icmpv6.checksum": DeepField("number", _header("icmpv6", _ECHO["checksum"]), of_any("icmpv6"), 16),
    "icmpv6.echo.identifier": DeepField(
        "number", _header("icmpv6", _ECHO["ident"], _ECHOES["icmpv6"]), of_any("icmpv6"), 16),
    "icmpv6.echo.sequence_number": DeepField(
        "number", _header("icmpv6", _ECHO["seq"], _ECHOES["icmpv6"]), of_any("icmpv6"), 16),
    "ip.len": DeepField("number", _lengths, of_any("ip"), 32),
    "ip.version": DeepField("number", _version, _any_ip, 8),
    **{f"{layer}.{name}": DeepField("number", _header(layer, bits), anywhere, bits.size * 8)
       for layer, fields in _TUNNELS.items() for name, bits in fields.items()},
    "vxlan.vni": DeepField(
        "number", lambda trace, row: [*_header("vxlan", _VNI)(trace, row), *_header(GPE, _VNI)(trace, row)],
        anywhere, 24),
    "gre.key": DeepField("number", _gre_key, anywhere, 32),
    "mpls.label": DeepField("number", _labels, anywhere, 20),
    "pppoe.session_id": DeepField("number", _header("pppoes", _Bits(2, 2)), anywhere, 16),
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
