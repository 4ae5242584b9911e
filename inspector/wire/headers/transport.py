"""Transport layers of a batch: TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792) and ICMPv6 (RFC 4443).

A header that is not whole gives the fields that are there, as Wireshark does: ports from 4 bytes on,
a TCP conversation from 16, a UDP conversation from 8.
"""

from __future__ import annotations

import numpy as np

from inspector.model.numbers import (
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
)
from inspector.wire.arrays import Bools, Int64s, Integers, Structs
from inspector.wire.headers.batch import (
    BOGUS,
    FRAGMENT,
    MALFORMED,
    NO_OFFSET,
    PORTS,
    SHORT,
    TCP_HEADER,
    UDP_HEADER,
    UNSIZED,
    Batch,
    Headers,
    Layer,
)
from inspector.wire.headers.link import NEXT_PROTOCOLS, merge, tags

VXLAN, VXLAN_GPE, GENEVE, GTP, MPLS_UDP = 4789, 4790, 6081, 2152, 6635           # ports
MOST_EXTENSIONS = 8                  # of GTP
_QUOTING = {4: (ICMP, (3, 4, 5, 11, 12)), 6: (ICMPV6, (1, 2, 3, 4))}


def put(column: Integers | Bools, rows: Int64s, values: Integers | Bools | int) -> None:
    """`column[rows] = values`, faster where `rows` are all of them (they are sorted and unique)."""
    if len(rows) == len(column):
        column[:] = values
    else:
        column[rows] = values


def transport_layer(batch: Batch, headers: Headers, layer: Layer) -> None:
    """Fill the transport's columns of `layer`, whose kind is the IP protocol."""
    put(headers.l4, layer.rows, np.minimum(layer.at, NO_OFFSET))
    for protocol, read in ((TCP, _tcp), (UDP, _udp), (ICMP, _icmp), (ICMPV6, _icmp)):
        part = layer.where(layer.kind == protocol)
        if len(part.rows):
            read(batch, headers, part)
            if len(part.rows) == len(layer.rows):
                return


def _available(batch: Batch, layer: Layer) -> Int64s:
    available: Int64s = np.minimum(batch.captured[layer.rows], layer.end) - layer.at
    return available


def _ports(headers: Headers, layer: Layer, head: Structs, available: Int64s, need: int) -> Int64s | None:
    """Store the ports; the positions in `layer` of headers that are whole, or None when all are."""
    if available.min(initial=need) >= need:
        put(headers.sport, layer.rows, head["sport"])
        put(headers.dport, layer.rows, head["dport"])
        return None
    some = available >= 4
    headers.sport[layer.rows[some]] = head["sport"][some]
    headers.dport[layer.rows[some]] = head["dport"][some]
    headers.status[layer.rows[available < need]] |= SHORT
    headers.status[layer.rows[some & (available < need)]] |= PORTS
    return np.flatnonzero(available >= need)


def _tcp(batch: Batch, headers: Headers, layer: Layer) -> None:
    head = batch.gather(TCP_HEADER, layer.rows, layer.at)
    whole = _ports(headers, layer, head, _available(batch, layer), 16)
    if whole is not None:
        layer = Layer(layer.rows[whole], layer.at[whole], layer.end[whole], layer.kind[whole])
        head = head[whole]
    rows = layer.rows
    put(headers.in_flow, rows, 1)
    put(headers.seq, rows, head["seq"])
    words = head["flags"].astype(np.int64)
    payload = layer.at + (words >> 12) * 4
    bogus = words < 0x5000
    odd = bogus | (payload > layer.end)
    if odd.any():
        headers.status[rows[odd]] |= MALFORMED | UNSIZED
        counted = bogus & (payload <= layer.end) & (headers.status[rows] & FRAGMENT == 0)
        headers.status[rows[counted]] |= BOGUS
        size = np.where(odd & ~counted, 0, layer.end - payload)
        payload = np.where(odd, NO_OFFSET, payload)
    else:
        size = layer.end - payload
    put(headers.ack, rows, head["ack"])
    put(headers.tcp_flags, rows, words & 0x0FFF)
    put(headers.window, rows, head["window"])
    put(headers.payload, rows, np.minimum(payload, NO_OFFSET))
    put(headers.payload_length, rows, np.minimum(size, 0xFFFFFFFF))


def _udp(batch: Batch, headers: Headers, layer: Layer) -> None:
    head = batch.gather(UDP_HEADER, layer.rows, layer.at)
    available = _available(batch, layer)
    whole = _ports(headers, layer, head, available, 8)
    if whole is not None:
        partly = available >= 6
        headers.window[layer.rows[partly]] = head["length"][partly]
        layer = Layer(layer.rows[whole], layer.at[whole], layer.end[whole], layer.kind[whole])
        head = head[whole]
    rows = layer.rows
    length = head["length"].astype(np.int64)
    # A jumbogram's length does not fit and is 0 (RFC 2675); IPv4 has none.
    length_there = np.where((length == 0) & (headers.network[rows] == 6), layer.end - layer.at, length)
    good = length_there >= 8
    put(headers.window, rows, head["length"])
    put(headers.in_flow, rows, good)
    put(headers.payload, rows, np.where(good, np.minimum(layer.at + 8, NO_OFFSET), NO_OFFSET))
    put(headers.payload_length, rows, np.clip(length_there - 8, 0, 65535))
    if not good.all():
        headers.status[rows[~good]] |= MALFORMED


def _icmp(batch: Batch, headers: Headers, layer: Layer) -> None:
    available = _available(batch, layer)
    head = batch.gather(">u2", layer.rows, layer.at)
    headers.sport[layer.rows] = np.where(available >= 1, head >> 8, 0)
    headers.dport[layer.rows] = np.where(available >= 2, head & 0xFF, 0)
    headers.status[layer.rows[available < 2]] |= SHORT


def quoting(batch: Batch, layer: Layer, network: int) -> Layer:
    """Where the IP headers stand that ICMP errors among `layer` quote."""
    protocol, types = _QUOTING[network]
    errors = layer.where(layer.kind == protocol)
    if not len(errors.rows):
        return errors
    errors = errors.where(_available(batch, errors) >= 8)
    errors = errors.where(np.isin(batch.gather("u1", errors.rows, errors.at), types))
    return errors.moved(errors.at + 8, errors.kind)


def udp_tunnels(batch: Batch, headers: Headers, layer: Layer) -> Layer:
    """What VXLAN, Geneve, GTP-U and MPLS carry in UDP."""
    sport, dport = headers.sport[layer.rows], headers.dport[layer.rows]
    ports = np.isin(sport, TUNNELS) | np.isin(dport, TUNNELS)
    if not ports.any():
        return layer.where(ports)
    layer = layer.where(ports & (layer.kind == UDP) & headers.in_flow[layer.rows])
    layer = layer.where(_available(batch, layer) >= 16)
    end = np.minimum(layer.end, layer.at + headers.window[layer.rows].astype(np.int64))
    layer = Layer(layer.rows, layer.at + 8, end, layer.kind)
    found = []
    for port, read in _READERS.items():
        mine = (headers.sport[layer.rows] == port) | (headers.dport[layer.rows] == port)
        found.append(read(batch, layer.where(mine)))
        layer = layer.where(~mine)
    inner = merge(found)
    return inner.where(inner.at <= np.minimum(batch.captured[inner.rows], inner.end))


def _vxlan(batch: Batch, layer: Layer) -> Layer:
    """RFC 7348: eight bytes, then Ethernet."""
    return layer.moved(layer.at + 8, np.full(len(layer.at), ETHERTYPE_ETHERNET))


def _vxlan_gpe(batch: Batch, layer: Layer) -> Layer:
    """RFC 9638's generic protocol extension: the last byte of the first four names what follows."""
    head = batch.gather(">u4", layer.rows, layer.at).astype(np.int64)
    layer = layer.moved(layer.at + 8, NEXT_PROTOCOLS[head & 0xFF]).where(head >> 26 & 1 == 1)
    return tags(batch, layer)


def _mpls(batch: Batch, layer: Layer) -> Layer:
    """RFC 7510: labels at once."""
    return tags(batch, layer.moved(layer.at, np.full(len(layer.at), ETHERTYPE_MPLS)))


def _geneve(batch: Batch, layer: Layer) -> Layer:
    """RFC 8926: eight bytes with the EtherType of what follows the options."""
    head = batch.gather(">u4", layer.rows, layer.at).astype(np.int64)
    return layer.moved(layer.at + 8 + (head >> 24 & 0x3F) * 4, head & 0xFFFF)


def _gtp(batch: Batch, layer: Layer) -> Layer:
    """GTPv1-U (3GPP TS 29.281 section 5): a G-PDU's IP datagram, after the extension headers."""
    head = batch.gather(">u4", layer.rows, layer.at).astype(np.int64)
    # Version 1 of GTP (not GTP'), message type 255; E, S or PN say that four more bytes follow.
    layer = layer.where((head >> 28 == 3) & (head >> 16 & 0xFF == 0xFF))
    flags = batch.gather("u1", layer.rows, layer.at)
    layer = layer.moved(layer.at + 8 + 4 * (flags & 7 != 0), layer.kind)
    more = flags & 4 != 0
    for _ in range(MOST_EXTENSIONS):
        layer, more = _reached(batch, layer, more)
        more = more & (batch.gather("u1", layer.rows, np.maximum(layer.at - 1, 0)) != 0)
        if not more.any():
            break
        size = 4 * batch.gather("u1", layer.rows, layer.at).astype(np.int64)
        more = more & (size > 0)
        layer = layer.moved(layer.at + np.where(more, size, 0), layer.kind)
    layer, _ = _reached(batch, layer, more)
    layer = layer.where(batch.captured[layer.rows] > layer.at)
    version = batch.gather("u1", layer.rows, layer.at) >> 4
    layer = layer.moved(layer.at, np.where(version == 4, ETHERTYPE_IPV4, ETHERTYPE_IPV6))
    return layer.where((version == 4) | (version == 6))


def _reached(batch: Batch, layer: Layer, more: Bools) -> tuple[Layer, Bools]:
    """The frames that were captured up to where the next header begins."""
    held = layer.at <= np.minimum(batch.captured[layer.rows], layer.end)
    return layer.where(held), more[held]


_READERS = {VXLAN: _vxlan, GENEVE: _geneve, GTP: _gtp, VXLAN_GPE: _vxlan_gpe, MPLS_UDP: _mpls}
TUNNELS = tuple(_READERS)
