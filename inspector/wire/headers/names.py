"""The layers of a frame, outermost first: names, as in Wireshark's `frame.protocols`, and places.

One frame at a time, for what is shown, exported or asked of single headers; the columns of many frames come
from read.py, which goes the same way. Layers end with the transport (and what an ICMP error quotes); any
bytes will do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inspector.model.numbers import (
    ETHER_IP,
    ETHERTYPE_ARP,
    ETHERTYPE_ETAG,
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_NSH,
    ETHERTYPE_PPPOE_SESSION,
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_RARP,
    ETHERTYPE_VLAN,
    IPV6_FRAGMENT,
    LINK_CHDLC,
    LINK_ETHERNET,
    LINK_IPV4,
    LINK_IPV6,
    LINK_LOOP,
    LINK_NULL,
    LINK_PPP,
    LINK_PPP_ETHER,
    LINK_PPP_HDLC,
    LINK_SLL,
    LINK_SLL2,
    MPLS_IN_IP,
    RAW_LINKS,
    UDP,
    VLAN_TYPES,
)
from inspector.wire.headers import link
from inspector.wire.headers.extensions import walk_extensions
from inspector.wire.headers.transport import GENEVE, GTP, MOST_EXTENSIONS, MPLS_UDP, VXLAN, VXLAN_GPE

_MAX_LAYERS = 32
GPE = "vxlan-gpe"            # for which frame.protocols has no name
_EXTENSIONS = {
    0: "ipv6.hopopts", 43: "ipv6.routing", 44: "ipv6.fraghdr", 60: "ipv6.dstopts", 51: "ah", 140: "shim6",
}
_TRANSPORTS = {
    1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 50: "esp", 58: "icmpv6", 62: "mipv6", 88: "eigrp",
    89: "ospf", 103: "pim", 112: "vrrp", 132: "sctp", 135: "mipv6", 136: "udplite", 139: "hip",
}
_QUOTING = {1: (3, 4, 5, 11, 12), 58: (1, 2, 3, 4)}
_FIRST = {
    LINK_NULL: "null", LINK_LOOP: "null", LINK_SLL: "sll", LINK_SLL2: "sll", LINK_PPP: "ppp",
    LINK_PPP_HDLC: "ppp", LINK_CHDLC: "chdlc", LINK_ETHERNET: "eth",
}


class Place(NamedTuple):
    """One layer: its name, and the byte of the frame with which its header begins."""

    name: str
    start: int


class Layers(list[Place]):
    """Layers that were met, in order, of a frame of `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def add(self, name: str, start: int) -> None:
        """Append one; what a cut frame says would begin behind its end begins there."""
        self.append(Place(name, min(start, self._size)))


def protocol_names(frame: bytes, link_type: int) -> list[str]:
    """The names from the link layer to the transport; ["data"] for a link type that is not known."""
    return [name for name, _ in layers_of(frame, link_type) if name != GPE]


def layers_of(frame: bytes, link_type: int) -> Layers:
    """The layers from the link to the transport, and what an ICMP error quotes."""
    names = Layers(len(frame))
    if link_type in RAW_LINKS:
        names.add("raw", 0)
        if len(frame) < 8:                     # tshark looks for PPP in the first eight bytes
            return names
        kind = {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}.get(frame[0] >> 4, link.TYPE_NONE)
        _network(names, frame, 0, kind)
    elif link_type == LINK_IPV4:
        _ipv4(names, frame, 0)
    elif link_type == LINK_IPV6:
        _ipv6(names, frame, 0)
    elif link_type == LINK_PPP_ETHER:
        _ethertype(names, frame, 0, ETHERTYPE_PPPOE_SESSION)
    elif link_type == LINK_ETHERNET:
        _ethernet(names, frame, 0)
    elif link_type in _FIRST:
        names.add(_FIRST[link_type], 0)
        _other_link(names, frame, link_type)
    else:
        names.add("data", 0)
    return names


def _u16(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big")


def _other_link(names: Layers, frame: bytes, link_type: int) -> None:
    if link_type in (LINK_NULL, LINK_LOOP):
        if len(frame) < 4:
            return
        family = int.from_bytes(frame[:4], "big")
        if link_type == LINK_NULL:
            little = int.from_bytes(frame[:4], "little")
            family = int(link.null_family(np.array([family]), np.array([little]))[0])
        kind = ETHERTYPE_IPV6 if family in link.FAMILIES_IPV6 else link.TYPE_NONE
        kind = ETHERTYPE_IPV4 if family == 2 else kind
        _network(names, frame, 4, family & 0xFFFF if family > 1500 and link_type == LINK_NULL else kind)
    elif link_type in (LINK_SLL, LINK_SLL2):
        kind, device, size = (14, 2, 16) if link_type == LINK_SLL else (0, 8, 20)
        found, hardware = _u16(frame, kind), _u16(frame, device)
        if found < 0x600 or hardware == link.ARPHRD_NETLINK or len(frame) < size:
            return
        if hardware == link.ARPHRD_GRE:         # the protocol without the word "ethertype"
            if found in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
                _network(names, frame, size, found)
        else:
            names.add("ethertype", size)
            _ethertype(names, frame, size, found)
    elif link_type == LINK_CHDLC:
        if _u16(frame, 2) == ETHERTYPE_RARP:
            names.add("slarp", 4)
        else:
            _network(names, frame, 4, _u16(frame, 2))
    else:
        _ppp(names, frame, 0)


def _ethernet(names: Layers, frame: bytes, at: int) -> None:
    names.add("eth", at)
    if len(frame) >= at + 14:
        value = _u16(frame, at + 12)
        if value == 0 or link.LONGEST_8023 < value < 0x600:
            if not value:
                names.add("ethertype", at + 12)
            names.add("data", at + 14)
        else:
            _type_or_length(names, frame, at + 14, value)


def _type_or_length(names: Layers, frame: bytes, at: int, value: int) -> None:
    if value > link.LONGEST_8023:
        names.add("ethertype", at - 2)
        _ethertype(names, frame, at, value)
        return
    names.add("llc", at)
    frame = frame[: at + value]
    if frame[at : at + 3] == b"\xaa\xaa\x03":
        if int.from_bytes(frame[at + 3 : at + 6], "big") not in link.SNAP_ETHERTYPES:
            names.add("data", at + 8)
            return
        _network(names, frame, at + 8, _u16(frame, at + 6))
    elif frame[at : at + 1] == b"\x06" and frame[at + 2 : at + 3] == b"\x03":
        _ipv4(names, frame, at + 3)


def _ethertype(names: Layers, frame: bytes, at: int, kind: int) -> None:
    if len(names) > _MAX_LAYERS:
        return
    if kind in VLAN_TYPES or kind == ETHERTYPE_ETAG:
        names.add({ETHERTYPE_QINQ: "ieee8021ad", ETHERTYPE_ETAG: "etag"}.get(kind, "vlan"), at)
        size = 8 if kind == ETHERTYPE_ETAG else 4
        if len(frame) >= at + size:
            value = _u16(frame, at + size - 2)
            if kind not in (ETHERTYPE_VLAN, ETHERTYPE_QINQ_OLD) and value <= link.LONGEST_8023:
                names.add("ethertype", at + size - 2)
                names.add("data", at + size)
            else:
                _type_or_length(names, frame, at + size, value)
    elif kind in link.MPLS_TYPES:
        names.add("mpls", at)
        while at + 4 <= len(frame) and not frame[at + 2] & 1:
            at += 4
        version = frame[at + 4] >> 4 if at + 4 < len(frame) else 0
        _network(names, frame, at + 4, {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}.get(version, link.TYPE_NONE))
    elif kind == ETHERTYPE_PPPOE_SESSION:
        names.add("pppoes", at)
        names.add("ppp", at + 6)
        _ppp(names, frame[: at + 6 + _u16(frame, at + 4)], at + 6)
    elif kind == ETHERTYPE_ETHERNET:
        _ethernet(names, frame, at)
    elif kind == ETHERTYPE_NSH:
        names.add("nsh", at)
        size = 4 * (frame[at + 1] & 0x3F) if at + 8 <= len(frame) else 0
        if size >= 8:
            _ethertype(names, frame, at + size, link.NSH_TYPES.get(frame[at + 3], link.TYPE_NONE))
    else:
        _network(names, frame, at, kind)


def _ppp(names: Layers, frame: bytes, at: int) -> None:
    at += 2 if frame[at : at + 1] == b"\xff" else 0
    first = frame[at] if at < len(frame) else 0
    protocol, size = (first, 1) if first & 1 else (_u16(frame, at), 2)
    _ethertype(names, frame, at + size, link.PPP_TYPES.get(protocol, link.TYPE_NONE))


def _network(names: Layers, frame: bytes, at: int, kind: int) -> None:
    if kind == ETHERTYPE_IPV4:
        _ipv4(names, frame, at)
    elif kind == ETHERTYPE_IPV6:
        _ipv6(names, frame, at)
    elif kind in (ETHERTYPE_ARP, ETHERTYPE_RARP):
        names.add("arp", at)
    else:
        names.add("data", at)


def _ipv4(names: Layers, frame: bytes, at: int) -> None:
    if len(names) > _MAX_LAYERS:
        return
    if at < len(frame) and frame[at] >> 4 == 6:
        names.add("ip", at)
        _ipv6(names, frame, at)
        return
    names.add("ip", at)
    size = (frame[at] & 15) * 4 if at < len(frame) else 0
    total = _u16(frame, at + 2)
    if len(frame) < at + 20 or frame[at] >> 4 != 4 or size < 20 or (total < size and total) or total == size:
        return
    if len(frame) < at + size:
        return
    frame = frame[: at + total] if total else frame
    if _u16(frame, at + 6) & 0x1FFF:
        names.add("data", at + size)
    else:
        _above(names, frame, at + size, frame[at + 9])


def _ipv6(names: Layers, frame: bytes, at: int) -> None:
    if len(names) > _MAX_LAYERS:
        return
    if at < len(frame) and frame[at] >> 4 != 6:
        names.add("data", at)
        return
    names.add("ipv6", at)
    if len(frame) < at + 40:
        return
    kind, length = frame[at + 6], _u16(frame, at + 4)
    if length or kind == 0:                     # length 0 with a hop-by-hop header: a jumbogram
        _above(names, frame[: at + 40 + length] if length else frame, at + 40, kind)
    else:
        _above(names, frame[: at + 40], at + 40, kind)


def _udp_tunnel(names: Layers, frame: bytes, at: int) -> None:
    ports, length = (_u16(frame, at), _u16(frame, at + 2)), _u16(frame, at + 4)
    if length < 16:
        return
    frame = frame[: at + length]
    if VXLAN in ports:
        names.add("vxlan", at + 8)
        _ethernet(names, frame, at + 16)
    elif GENEVE in ports:
        names.add("geneve", at + 8)
        inner = at + 16 + (frame[at + 8] & 0x3F) * 4
        if inner <= len(frame):
            _ethertype_plain(names, frame, inner, _u16(frame, at + 10))
    elif GTP in ports:
        _gtp(names, frame, at + 8)
    elif VXLAN_GPE in ports:
        names.add(GPE, at + 8)
        if frame[at + 8] & 4:
            _ethertype(names, frame, at + 16, link.NSH_TYPES.get(frame[at + 11], link.TYPE_NONE))
    elif MPLS_UDP in ports:
        _ethertype(names, frame, at + 8, ETHERTYPE_MPLS)


def _gtp(names: Layers, frame: bytes, at: int) -> None:
    """GTPv1-U, past its extension headers; only a G-PDU carries something."""
    names.add("gtp", at)
    if frame[at] >> 4 != 3 or frame[at + 1] != 0xFF:
        return
    more = bool(frame[at] & 4)
    at += 12 if frame[at] & 7 else 8
    for _ in range(MOST_EXTENSIONS):
        if not more or at >= len(frame) or not frame[at - 1] or not frame[at]:
            break
        at += 4 * frame[at]
    version = frame[at] >> 4 if at < len(frame) else 0
    if version in (4, 6):
        (_ipv4 if version == 4 else _ipv6)(names, frame, at)


def _ethertype_plain(names: Layers, frame: bytes, at: int, kind: int) -> None:
    if kind == ETHERTYPE_ETHERNET:
        _ethernet(names, frame, at)
    else:
        _network(names, frame, at, kind)


def _above(names: Layers, frame: bytes, at: int, kind: int) -> None:
    """Extension headers, then the transport or a tunnel."""
    for extension in walk_extensions(frame, at, kind):
        if len(names) > _MAX_LAYERS:
            break
        names.add(_EXTENSIONS[extension.kind], extension.start)
        if extension.next is None:
            return
        if extension.kind == IPV6_FRAGMENT and _u16(frame, extension.start + 2) >> 3:
            names.add("data", extension.stop)
            return
        kind, at = extension.next, extension.stop
        if at > len(frame):
            return
    if kind == 4:
        _ipv4(names, frame, at)
    elif kind == 41:
        _ipv6(names, frame, at)
    elif kind == 143:
        _ethernet(names, frame, at)
    elif kind == MPLS_IN_IP:
        _ethertype(names, frame, at, ETHERTYPE_MPLS)
    elif kind == ETHER_IP:
        names.add("etherip", at)
        _ethernet(names, frame, at + 2)
    elif kind == 47:
        names.add("gre", at)
        flags = _u16(frame, at)
        if flags & 0x4000 == 0 and len(frame) >= at + 4:
            size = 4 + 4 * ((flags >> 15 & 1) + (flags >> 13 & 1) + (flags >> 12 & 1))
            if _u16(frame, at + 2) in (*VLAN_TYPES, ETHERTYPE_ETAG):
                names.add("data", at + size)
            elif len(frame) > at + size:
                _ethertype(names, frame, at + size, _u16(frame, at + 2))
    else:
        names.add(_TRANSPORTS.get(kind, "data"), at)
        if kind == UDP and len(frame) >= at + 16:
            _udp_tunnel(names, frame, at)
        if kind in _QUOTING and at + 8 < len(frame) and frame[at] in _QUOTING[kind]:
            (_ipv4 if kind == 1 else _ipv6)(names, frame, at + 8)
