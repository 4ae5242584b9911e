"""Link layers: from the first byte of each frame to its network header and EtherType.

`link_layer` takes a whole batch of one link type (tcpdump.org/linktypes); `tags` then goes past VLAN,
802.1ad, E-TAG, MPLS, PPPoE and NSH. The result is a `Layer` whose kind is an EtherType (IEEE 802.3).
"""

from __future__ import annotations

import numpy as np

from inspector.model.numbers import (
    ETHERTYPE_ETAG,
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_MPLS_MULTICAST,
    ETHERTYPE_NSH,
    ETHERTYPE_PPPOE_SESSION,
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_RARP,
    ETHERTYPE_VLAN,
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
    VLAN_TYPES,
)
from inspector.wire.arrays import Bools, Int64s
from inspector.wire.headers.batch import Batch, Layer

TYPE_NONE = -1                       # what no EtherType is
ARPHRD_NETLINK, ARPHRD_GRE = 824, 778
SNAP_ETHERTYPES = (0, 0xF8)           # organisations under which SNAP carries EtherTypes: none, Cisco
LONGEST_8023 = 1500                  # up to here an EtherType is a length
MAX_TAGS = 8
FAMILIES_IPV6 = (24, 28, 30)         # AF_INET6 of NetBSD and OpenBSD, FreeBSD, Darwin
MPLS_TYPES = (ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST)
NSH_TYPES = {1: ETHERTYPE_IPV4, 2: ETHERTYPE_IPV6, 3: ETHERTYPE_ETHERNET, 4: ETHERTYPE_NSH, 5: MPLS_TYPES[0]}
NEXT_PROTOCOLS = np.array([NSH_TYPES.get(number, TYPE_NONE) for number in range(256)])    # as EtherTypes
PPP_TYPES = {0x21: ETHERTYPE_IPV4, 0x57: ETHERTYPE_IPV6, 0x281: MPLS_TYPES[0], 0x283: MPLS_TYPES[1]}


def link_layer(batch: Batch, link_type: int) -> Layer:
    """The first header after the link's own, for every frame that has one; `kind` is its EtherType."""
    rows = np.arange(len(batch), dtype=np.int64)
    start = Layer(rows, np.zeros(len(batch), np.int64), batch.lengths, np.zeros(len(batch), np.int64))
    if link_type == LINK_ETHERNET:
        return tags(batch, ethernet(batch, start))
    if link_type in (LINK_NULL, LINK_LOOP):
        return tags(batch, _null(batch, start, link_type))
    if link_type in RAW_LINKS or link_type == LINK_IPV4:
        return by_version(batch, start)
    if link_type == LINK_IPV6:
        return start.moved(start.at, np.full(len(batch), ETHERTYPE_IPV6))
    if link_type == LINK_SLL:
        return tags(batch, _cooked(batch, start, size=16, kind=14, hardware=2))
    if link_type == LINK_SLL2:
        return tags(batch, _cooked(batch, start, size=20, kind=0, hardware=8))
    if link_type in (LINK_PPP, LINK_PPP_HDLC):
        return tags(batch, _ppp(batch, start))
    if link_type == LINK_PPP_ETHER:
        return tags(batch, _pppoe(batch, start))
    if link_type == LINK_CHDLC:
        whole = start.where(batch.captured >= 4)
        kind = batch.gather(">u2", whole.rows, 2).astype(np.int64)
        kind[kind == ETHERTYPE_RARP] = TYPE_NONE             # there it is SLARP
        return tags(batch, whole.moved(whole.at + 4, kind))
    return start.where(np.zeros(len(batch), np.bool_))


def ethernet(batch: Batch, layer: Layer) -> Layer:
    """Past an Ethernet header (IEEE 802.3), LLC with SNAP or IP included (RFC 1042)."""
    layer = layer.where(batch.captured[layer.rows] >= layer.at + 14)
    kind = batch.gather(">u2", layer.rows, layer.at + 12).astype(np.int64)
    layer = layer.moved(layer.at + 14, kind)
    return _llc(batch, layer, (kind <= LONGEST_8023) & (kind > 0))


def _llc(batch: Batch, layer: Layer, mask: Bools) -> Layer:
    """Where `mask` holds, `kind` is a length and an LLC header follows: read the EtherType out of it."""
    if not mask.any():
        return layer
    at, kind, end = layer.at.copy(), layer.kind.copy(), layer.end.copy()
    which = np.flatnonzero(mask)
    rows, before = layer.rows[which], layer.at[which]
    end[which] = np.minimum(end[which], before + kind[which])
    captured = batch.captured[rows]
    head = batch.gather(">u4", rows, np.minimum(before, captured)) >> np.uint32(8)
    organisation = batch.gather(">u4", rows, np.minimum(before + 3, captured)) >> np.uint32(8)
    snap = (head == 0xAAAA03) & (captured >= before + 8) & np.isin(organisation, SNAP_ETHERTYPES)
    plain = (head & 0xFF00FF == 0x060003) & (captured >= before + 3)
    inner = batch.gather(">u2", rows, np.minimum(before + 6, captured)).astype(np.int64)
    kind[which] = np.where(snap, inner, np.where(plain, ETHERTYPE_IPV4, TYPE_NONE))
    at[which] += np.where(snap, 8, np.where(plain, 3, 0))
    return Layer(layer.rows, at, end, kind)


def by_version(batch: Batch, layer: Layer) -> Layer:
    """IPv4 or IPv6, as the first four bits say."""
    layer = layer.where(batch.captured[layer.rows] > layer.at)
    version = batch.gather("u1", layer.rows, layer.at) >> 4
    kind = np.where(version == 4, ETHERTYPE_IPV4, np.where(version == 6, ETHERTYPE_IPV6, TYPE_NONE))
    return layer.moved(layer.at, kind)


def _null(batch: Batch, start: Layer, link_type: int) -> Layer:
    """BSD loopback: an address family in the capturing machine's byte order (LOOP: big-endian)."""
    layer = start.where(batch.captured >= 4)
    family = batch.gather(">u4", layer.rows, 0).astype(np.int64)
    if link_type == LINK_NULL:
        family = null_family(family, batch.gather("<u4", layer.rows, 0).astype(np.int64))
    other = np.where(np.isin(family, FAMILIES_IPV6), ETHERTYPE_IPV6, TYPE_NONE)
    kind = np.where(family == 2, ETHERTYPE_IPV4, other)
    if link_type == LINK_NULL:
        kind = np.where(family > 1500, family & 0xFFFF, kind)
    return layer.moved(layer.at + 4, kind)


def null_family(big: Int64s, little: Int64s) -> Int64s:
    """The address family of a NULL header read both ways, as Wireshark tells them apart.

    Some systems wrote 16 bits, and some an EtherType (a result above 1500, in its low 16 bits).
    """
    half = (little >> 16 != 0) & (little < 0x00060000)
    family: Int64s = np.where(little >> 16 == 0, little, np.where(half, little >> 16, big))
    return family


def _cooked(batch: Batch, start: Layer, size: int, kind: int, hardware: int) -> Layer:
    """Linux cooked capture, v1 and v2; ARPHRD types that carry no EtherType are left out."""
    layer = start.where(batch.captured >= size)
    found = batch.gather(">u2", layer.rows, kind).astype(np.int64)
    device = batch.gather(">u2", layer.rows, hardware)
    foreign = (device == ARPHRD_NETLINK) | (found < 0x0600)
    foreign |= (device == ARPHRD_GRE) & (np.isin(found, VLAN_TYPES) | _is_other_tag(found))
    return layer.moved(layer.at + size, np.where(foreign, TYPE_NONE, found))


def tags(batch: Batch, layer: Layer) -> Layer:
    """Past VLAN and other tags, MPLS labels, PPPoE and NSH, at most eight of them."""
    if (layer.kind == ETHERTYPE_IPV4).all():         # by far the most common batch
        return layer
    for _ in range(MAX_TAGS):
        vlan = (layer.kind == ETHERTYPE_VLAN) | (layer.kind == ETHERTYPE_QINQ)
        vlan |= layer.kind == ETHERTYPE_QINQ_OLD
        other = _is_other_tag(layer.kind)
        if not (vlan.any() or other.any()):
            return layer
        parts = [layer.where(~(vlan | other))]
        if vlan.any():
            parts.append(_tag(batch, layer.where(vlan), 4))
        if other.any():
            parts.append(_tag(batch, layer.where(layer.kind == ETHERTYPE_ETAG), 8))
            parts.append(_mpls(batch, layer.where(np.isin(layer.kind, MPLS_TYPES))))
            parts.append(_pppoe(batch, layer.where(layer.kind == ETHERTYPE_PPPOE_SESSION)))
            parts.append(_nsh(batch, layer.where(layer.kind == ETHERTYPE_NSH)))
        layer = merge(parts)
    further = np.isin(layer.kind, VLAN_TYPES) | _is_other_tag(layer.kind)
    batch.deep.append(layer.rows[further])
    return layer.where(~further)


def _is_other_tag(kind: Int64s) -> Bools:
    found: Bools = (kind == ETHERTYPE_ETAG) | (kind == ETHERTYPE_PPPOE_SESSION)
    found |= (kind == ETHERTYPE_MPLS) | (kind == ETHERTYPE_MPLS_MULTICAST) | (kind == ETHERTYPE_NSH)
    return found


def merge(parts: list[Layer]) -> Layer:
    """Several layers as one, in the order of the frames."""
    parts = [part for part in parts if len(part.rows)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    columns: list[Int64s] = [
        np.concatenate([getattr(part, name) for part in parts])[order] for name in ("at", "end", "kind")
    ]
    return Layer(rows[order], *columns)


def _tag(batch: Batch, layer: Layer, size: int) -> Layer:
    layer = layer.where(batch.captured[layer.rows] >= layer.at + size)
    kind = batch.gather(">u2", layer.rows, layer.at + size - 2).astype(np.int64)
    lengths = (kind <= LONGEST_8023) & ((layer.kind == ETHERTYPE_VLAN) | (layer.kind == ETHERTYPE_QINQ_OLD))
    return _llc(batch, layer.moved(layer.at + size, kind), lengths)


def _mpls(batch: Batch, layer: Layer) -> Layer:
    """Past a label stack of at most eight labels (RFC 3032); IP is told by its version."""
    at: Int64s = layer.at.copy()
    open_ = np.arange(len(at))
    for _ in range(MAX_TAGS):
        open_ = open_[batch.captured[layer.rows[open_]] >= at[open_] + 4]
        if not len(open_):
            break
        bottom = (batch.gather("u1", layer.rows[open_], at[open_] + 2) & 1).astype(np.bool_)
        at[open_] += 4
        open_ = open_[~bottom]
    finished = np.ones(len(at), np.bool_)
    finished[open_] = False
    batch.deep.append(layer.rows[open_][batch.captured[layer.rows[open_]] >= at[open_] + 4])
    return by_version(batch, layer.moved(at, layer.kind).where(finished))


def _nsh(batch: Batch, layer: Layer) -> Layer:
    """Past a network service header (RFC 8300), whose length counts words of four bytes."""
    layer = layer.where(batch.captured[layer.rows] >= layer.at + 8)
    head = batch.gather(">u4", layer.rows, layer.at).astype(np.int64)
    size = 4 * (head >> 16 & 0x3F)
    layer = layer.moved(layer.at + size, NEXT_PROTOCOLS[head & 0xFF]).where(size >= 8)
    return layer.where(batch.captured[layer.rows] >= layer.at)


def _pppoe(batch: Batch, layer: Layer) -> Layer:
    """Past a PPPoE session header (RFC 2516) and the PPP protocol in it."""
    layer = layer.where(batch.captured[layer.rows] >= layer.at + 8)
    length = batch.gather(">u2", layer.rows, layer.at + 4).astype(np.int64)
    end = np.minimum(layer.end, layer.at + 6 + length)
    return _ppp(batch, Layer(layer.rows, layer.at + 6, end, layer.kind))


def _ppp(batch: Batch, layer: Layer) -> Layer:
    """Past PPP in HDLC-like framing (RFC 1662): optional address and control, protocol of 1 or 2 bytes."""
    layer = layer.where(batch.captured[layer.rows] >= layer.at + 4)
    framed = batch.gather("u1", layer.rows, layer.at) == 0xFF      # whatever the control byte says
    at = layer.at + np.where(framed, 2, 0)
    first = batch.gather("u1", layer.rows, at).astype(np.int64)
    short = (first & 1).astype(np.bool_)
    number = np.where(short, first, batch.gather(">u2", layer.rows, at).astype(np.int64))
    kind = np.full(len(at), TYPE_NONE)
    for protocol, ether_type in PPP_TYPES.items():
        kind[number == protocol] = ether_type
    return layer.moved(at + np.where(short, 1, 2), kind)
