"""What the wire has to know of a frame before it hands it on: is it one of the session, and of which kind.

Ethernet -> IPv4 or IPv6 -> TCP's flags and length (RFC 9293 section 3.1), UDP's length. What is nobody's
message (neighbour discovery, groups) is no packet of a session.
"""

from __future__ import annotations

from inspector.model.numbers import (
    ACK,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    FIN,
    ICMPV6,
    RST,
    SYN,
    TCP,
    UDP,
)
from inspector.model.wiring import What

_LINK, _IPV6_HEAD, _UDP_HEAD = 14, 40, 8
_FIRST_INFORMATION = 128           # ICMPv6 types from here on are no errors (RFC 4443 section 2.1)
_FLAGS: tuple[tuple[int, What], ...] = ((SYN, "syn"), (FIN, "fin"), (RST, "rst"))
_NONE: frozenset[What] = frozenset()


def kinds_of(frame: bytes) -> frozenset[What] | None:
    """The kinds that the frame is of, as rules name them; None for one that is no packet of a session."""
    if len(frame) < _LINK + 20 or frame[0] & 1:
        return None
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == ETHERTYPE_IPV4:
        start, protocol = _LINK + 4 * (frame[_LINK] & 15), frame[_LINK + 9]
        end = _LINK + int.from_bytes(frame[_LINK + 2 : _LINK + 4], "big")
        if int.from_bytes(frame[_LINK + 6 : _LINK + 8], "big") & 0x1FFF:
            return frozenset({"data"})         # a fragment that is not the first
    elif ethertype == ETHERTYPE_IPV6 and len(frame) >= _LINK + _IPV6_HEAD:
        start, protocol = _LINK + _IPV6_HEAD, frame[_LINK + 6]
        end = start + int.from_bytes(frame[_LINK + 4 : _LINK + 6], "big")
        if protocol == ICMPV6 and frame[start : start + 1] >= bytes([_FIRST_INFORMATION]):
            return None
    else:
        return None
    if protocol == TCP and len(frame) >= start + 20:
        return _tcp_kinds(frame[start + 13], end - start - 4 * (frame[start + 12] >> 4))
    return frozenset({"data"}) if protocol == UDP and end - start > _UDP_HEAD else _NONE


def _tcp_kinds(flags: int, length: int) -> frozenset[What]:
    kinds: set[What] = {name for bit, name in _FLAGS if flags & bit}
    if length > 0:
        kinds.add("data")
    if flags & ACK and not kinds:
        kinds.add("ack")
    return frozenset(kinds)
