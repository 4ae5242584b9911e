"""The names of a frame's protocols, outermost first, as Wireshark's `frame.protocols` gives them.

One frame at a time, for what is shown or exported; the columns of many frames come from headers.py,
which goes the same way. Names end with the transport (and what an ICMP error quotes); any bytes will do.
"""

from __future__ import annotations

import numpy as np

from inspector.model.numbers import (
    ETHERTYPE_ARP,
    ETHERTYPE_ETAG,
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
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
    RAW_LINKS,
    UDP,
    VLAN_TYPES,
)
from inspector.wire.headers import link
from inspector.wire.headers.extensions import walk_extensions
from inspector.wire.headers.transport import GENEVE, GTP, MOST_EXTENSIONS, VXLAN

_MAX_LAYERS = 32
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


def protocol_names(frame: bytes, link_type: int) -> list[str]:
    """The names from the link layer to the transport; ["data"] for a link type that is not known."""
    names: list[str] = []
    if link_type in RAW_LINKS:
        names.append("raw")
        if len(frame) < 8:                     # tshark looks for PPP in the first eight octets
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
        names.append(_FIRST[link_type])
        _other_link(names, frame, link_type)
    else:
        names.append("data")
    return names


def _u16(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big")


def _other_link(names: list[str], frame: bytes, link_type: int) -> None:
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
            names.append("ethertype")
            _ethertype(names, frame, size, found)
    elif link_type == LINK_CHDLC:
        if _u16(frame, 2) == ETHERTYPE_RARP:
            names.append("slarp")
        else:
            _network(names, frame, 4, _u16(frame, 2))
    else:
        _ppp(names, frame, 0)


def _ethernet(names: list[str], frame: bytes, at: int) -> None:
    names.append("eth")
    if len(frame) >= at + 14:
        value = _u16(frame, at + 12)
        if value == 0 or link.LONGEST_8023 < value < 0x600:
            names += ["data"] if value else ["ethertype", "data"]
        else:
            _type_or_length(names, frame, at + 14, value)


def _type_or_length(names: list[str], frame: bytes, at: int, value: int) -> None:
    if value > link.LONGEST_8023:
        names.append("ethertype")
        _ethertype(names, frame, at, value)
        return
    names.append("llc")
    frame = frame[: at + value]
    if frame[at : at + 3] == b"\xaa\xaa\x03":
        if int.from_bytes(frame[at + 3 : at + 6], "big") not in link.SNAP_ETHERTYPES:
            names.append("data")
            return
        _network(names, frame, at + 8, _u16(frame, at + 6))
    elif frame[at : at + 1] == b"\x06" and frame[at + 2 : at + 3] == b"\x03":
        _ipv4(names, frame, at + 3)


def _ethertype(names: list[str], frame: bytes, at: int, kind: int) -> None:
    if len(names) > _MAX_LAYERS:
        return
    if kind in VLAN_TYPES or kind == ETHERTYPE_ETAG:
        names.append({ETHERTYPE_QINQ: "ieee8021ad", ETHERTYPE_ETAG: "etag"}.get(kind, "vlan"))
        size = 8 if kind == ETHERTYPE_ETAG else 4
        if len(frame) >= at + size:
            value = _u16(frame, at + size - 2)
            if kind not in (ETHERTYPE_VLAN, ETHERTYPE_QINQ_OLD) and value <= link.LONGEST_8023:
                names += ["ethertype", "data"]
            else:
                _type_or_length(names, frame, at + size, value)
    elif kind in link.MPLS_TYPES:
        names.append("mpls")
        while at + 4 <= len(frame) and not frame[at + 2] & 1:
            at += 4
        version = frame[at + 4] >> 4 if at + 4 < len(frame) else 0
        _network(names, frame, at + 4, {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}.get(version, link.TYPE_NONE))
    elif kind == ETHERTYPE_PPPOE_SESSION:
        names += ["pppoes", "ppp"]
        _ppp(names, frame[: at + 6 + _u16(frame, at + 4)], at + 6)
    elif kind == ETHERTYPE_ETHERNET:
        _ethernet(names, frame, at)
    else:
        _network(names, frame, at, kind)


def _ppp(names: list[str], frame: bytes, at: int) -> None:
    at += 2 if frame[at : at + 1] == b"\xff" else 0
    first = frame[at] if at < len(frame) else 0
    protocol, size = (first, 1) if first & 1 else (_u16(frame, at), 2)
    _ethertype(names, frame, at + size, link.PPP_TYPES.get(protocol, link.TYPE_NONE))


def _network(names: list[str], frame: bytes, at: int, kind: int) -> None:
    if kind == ETHERTYPE_IPV4:
        _ipv4(names, frame, at)
    elif kind == ETHERTYPE_IPV6:
        _ipv6(names, frame, at)
    elif kind in (ETHERTYPE_ARP, ETHERTYPE_RARP):
        names.append("arp")
    else:
        names.append("data")


def _ipv4(names: list[str], frame: bytes, at: int) -> None:
    if len(names) > _MAX_LAYERS:
        return
    if at < len(frame) and frame[at] >> 4 == 6:
        names.append("ip")
        _ipv6(names, frame, at)
        return
    names.append("ip")
    size = (frame[at] & 15) * 4 if at < len(frame) else 0
    total = _u16(frame, at + 2)
    if len(frame) < at + 20 or frame[at] >> 4 != 4 or size < 20 or (total < size and total) or total == size:
        return
    if len(frame) < at + size:
        return
    frame = frame[: at + total] if total else frame
    if _u16(frame, at + 6) & 0x1FFF:
        names.append("data")
    else:
        _above(names, frame, at + size, frame[at + 9])


def _ipv6(names: list[str], frame: bytes, at: int) -> None:
    if len(names) > _MAX_LAYERS:
        return
    if at < len(frame) and frame[at] >> 4 != 6:
        names.append("data")
        return
    names.append("ipv6")
    if len(frame) < at + 40:
        return
    kind, length = frame[at + 6], _u16(frame, at + 4)
    if length or kind == 0:                     # length 0 with a hop-by-hop header: a jumbogram
        _above(names, frame[: at + 40 + length] if length else frame, at + 40, kind)
    else:
        _above(names, frame[: at + 40], at + 40, kind)


def _udp_tunnel(names: list[str], frame: bytes, at: int) -> None:
    ports, length = (_u16(frame, at), _u16(frame, at + 2)), _u16(frame, at + 4)
    if length < 16:
        return
    frame = frame[: at + length]
    if VXLAN in ports:
        names.append("vxlan")
        _ethernet(names, frame, at + 16)
    elif GENEVE in ports:
        names.append("geneve")
        inner = at + 16 + (frame[at + 8] & 0x3F) * 4
        if inner <= len(frame):
            _ethertype_plain(names, frame, inner, _u16(frame, at + 10))
    elif GTP in ports:
        _gtp(names, frame, at + 8)


def _gtp(names: list[str], frame: bytes, at: int) -> None:
    """GTPv1-U, past its extension headers; only a G-PDU carries something."""
    names.append("gtp")
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


def _ethertype_plain(names: list[str], frame: bytes, at: int, kind: int) -> None:
    if kind == ETHERTYPE_ETHERNET:
        _ethernet(names, frame, at)
    else:
        _network(names, frame, at, kind)


def _above(names: list[str], frame: bytes, at: int, kind: int) -> None:
    """Extension headers, then the transport or a tunnel."""
    for extension in walk_extensions(frame, at, kind):
        if len(names) > _MAX_LAYERS:
            break
        names.append(_EXTENSIONS[extension.kind])
        if extension.next is None:
            return
        if extension.kind == IPV6_FRAGMENT and _u16(frame, extension.start + 2) >> 3:
            names.append("data")
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
    elif kind == 47:
        names.append("gre")
        flags = _u16(frame, at)
        if flags & 0x4000 == 0 and len(frame) >= at + 4:
            size = 4 + 4 * ((flags >> 15 & 1) + (flags >> 13 & 1) + (flags >> 12 & 1))
            if _u16(frame, at + 2) in (*VLAN_TYPES, ETHERTYPE_ETAG):
                names.append("data")
            elif len(frame) > at + size:
                _ethertype(names, frame, at + size, _u16(frame, at + 2))
    else:
        names.append(_TRANSPORTS.get(kind, "data"))
        if kind == UDP and len(frame) >= at + 16:
            _udp_tunnel(names, frame, at)
        if kind in _QUOTING and at + 8 < len(frame) and frame[at] in _QUOTING[kind]:
            (_ipv4 if kind == 1 else _ipv6)(names, frame, at + 8)
