"""Network layers of a batch: IPv4 (RFC 791), IPv6 with its extension headers (RFC 8200), ARP (RFC 826).

`network_layers` fills the columns of the frames of a `Layer` and passes them on to their transport. What
tunnels carry (IP in IP, GRE, Ethernet, UDP's) goes the same way again: the innermost datagram has the
columns, those around it go to `Headers.outer`. What ICMP errors quote goes that way too, into other columns.
"""

from __future__ import annotations

import numpy as np

from inspector.model.numbers import (
    AUTHENTICATION,
    ETHER_IP,
    ETHERNET_IN_IP,
    ETHERTYPE_ARP,
    ETHERTYPE_ETAG,
    ETHERTYPE_ETHERNET,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_RARP,
    GRE,
    HOP_BY_HOP,
    IP_IN_IP,
    IPV6_FRAGMENT,
    IPV6_IN_IP,
    MPLS_IN_IP,
    ROUTING,
    TCP,
    VLAN_TYPES,
)
from inspector.wire.arrays import Bools, Int64s, Integers, Structs, UInt64s
from inspector.wire.headers.batch import (
    FRAGMENT,
    IPV4_HEADER,
    IPV6_HEADER,
    MALFORMED,
    NO_LAYER,
    NO_OFFSET,
    PORTS,
    SHORT,
    UNSIZED,
    Batch,
    Beside,
    Fragments,
    Headers,
    Layer,
)
from inspector.wire.headers.extensions import FIRST, UNITS
from inspector.wire.headers.link import TYPE_NONE, ethernet, merge, tags
from inspector.wire.headers.options import SOURCE_ROUTES, walk_options
from inspector.wire.headers.transport import put, quoting, transport_layer, udp_tunnels

_IS_EXTENSION = np.isin(np.arange(256), list(UNITS))       # by IP protocol
_UNITS = np.array([UNITS.get(kind, 0) for kind in range(256)])
_IS_TUNNEL = np.isin(np.arange(256), (IP_IN_IP, IPV6_IN_IP, GRE, ETHERNET_IN_IP, ETHER_IP, MPLS_IN_IP))
_LONGEST_OPTIONS = np.dtype([("options", "u1", 40)])
_LONGEST = 65535             # what IPv6's length can say
MAX_EXTENSIONS = 16
SEGMENT_ROUTING = 4          # RFC 8754; of the other types of routing headers 0 is RFC 2460, 2 RFC 6275
_ROUTES = (0, 2, SEGMENT_ROUTING)
MAX_TUNNELS = 6
MAX_QUOTES = 4               # errors about errors
_NETWORKS = (ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP, ETHERTYPE_RARP)


def network_layers(batch: Batch, headers: Headers, layer: Layer, quotes: int = MAX_QUOTES) -> None:
    """Fill the columns of `layer`'s frames, and of what stands in them, down to `quotes` quoted datagrams."""
    for _ in range(MAX_TUNNELS):
        if not len(layer.rows):
            break
        layer = _network_layer(batch, headers, layer, quotes)
    batch.deep.append(layer.rows[np.isin(layer.kind, _NETWORKS)])


def _network_layer(batch: Batch, headers: Headers, layer: Layer, quotes: int) -> Layer:
    """One datagram of each frame; the result is what stands inside those that are tunnels."""
    inner = []
    v4 = layer.where(layer.kind == ETHERTYPE_IPV4)
    if len(v4.rows):
        transport, v6_inside = _ipv4(batch, headers, v4)
        inner += [_above(batch, headers, transport, 4, quotes), v6_inside]
    if len(v4.rows) == len(layer.rows):
        return merge(inner) if inner else layer
    v6 = layer.where(layer.kind == ETHERTYPE_IPV6)
    if len(v6.rows):
        inner.append(_above(batch, headers, _ipv6(batch, headers, v6), 6, quotes))
    arp = layer.where((layer.kind == ETHERTYPE_ARP) | (layer.kind == ETHERTYPE_RARP))
    if len(arp.rows):
        _arp(batch, headers, arp)
    inner.append(tags(batch, _bridged(batch, layer)))
    return merge(inner)


def _above(batch: Batch, headers: Headers, layer: Layer, network: int, quotes: int) -> Layer:
    """Hand `layer` (kind: IP protocol) to the transport; the result is what tunnels among it carry."""
    transport_layer(batch, headers, layer)
    errors = quoting(batch, layer, network)
    if quotes and len(errors.rows):
        _quote(batch, headers, errors, network, quotes)
    else:
        batch.deep.append(errors.rows)
    carried = udp_tunnels(batch, headers, layer)
    if not _IS_TUNNEL[layer.kind].any():
        return carried

    def of(protocol: int, ether_type: int) -> Layer:
        part = layer.where(layer.kind == protocol)
        return part.moved(part.at, np.full(len(part.at), ether_type))

    bridged = layer.where(layer.kind == ETHER_IP)
    return merge([
        carried, of(IP_IN_IP, ETHERTYPE_IPV4), of(IPV6_IN_IP, ETHERTYPE_IPV6),
        tags(batch, _gre(batch, layer.where(layer.kind == GRE))),
        tags(batch, of(MPLS_IN_IP, ETHERTYPE_MPLS)),
        tags(batch, ethernet(batch, layer.where(layer.kind == ETHERNET_IN_IP))),
        tags(batch, ethernet(batch, bridged.moved(bridged.at + 2, bridged.kind))),
    ])


def _quote(batch: Batch, headers: Headers, layer: Layer, network: int, quotes: int) -> None:
    """Read the datagrams that ICMP errors quote, each as if it were a frame of its own."""
    rows, count = layer.rows, len(layer.rows)
    part = Batch(batch.data, batch.starts[rows], batch.captured[rows], batch.lengths[rows])
    own = Headers.empty(count)
    kind = np.full(count, ETHERTYPE_IPV4 if network == 4 else ETHERTYPE_IPV6)
    network_layers(part, own, Layer(np.arange(count), layer.at, layer.end, kind), quotes - 1)
    headers.quoted += [*(one.at(rows) for one in own.outer), Beside(rows, own),
                       *(one.at(rows) for one in own.quoted)]


def _bridged(batch: Batch, layer: Layer) -> Layer:
    return ethernet(batch, layer.where(layer.kind == ETHERTYPE_ETHERNET))


def _start(batch: Batch, headers: Headers, layer: Layer, size: int, network: int) -> Layer:
    """The frames that hold the header whole; of those without an outer one it is noted that it begins."""
    l3 = np.where(layer.at < NO_LAYER, layer.at, NO_LAYER)
    fresh = headers.network[layer.rows] == 0
    if fresh.all():
        put(headers.l3, layer.rows, l3)
    else:
        headers.l3[layer.rows[fresh]] = l3[fresh]
    whole = np.minimum(batch.captured[layer.rows], layer.end) >= layer.at + size
    if not whole.all():
        headers.network[layer.rows[~whole & fresh]] = network
        cut = layer.rows[~whole]
        headers.status[cut] |= SHORT
        headers.status[cut[headers.in_flow[cut]]] |= PORTS       # of the tunnel around it
    return layer.where(whole)


def _begin(headers: Headers, layer: Layer, network: int) -> None:
    """A header that can be read begins: what stood for an outer one is no more."""
    rows = layer.rows
    if (around := headers.network[rows] != 0).any():
        outer = rows[around]
        headers.outer.append(Beside(outer, headers.taken(outer)))
        for row in [row for row in headers.routed if row in outer]:
            del headers.routed[row]
        headers.l3[rows] = np.where(layer.at < NO_LAYER, layer.at, NO_LAYER)
        headers.l4[rows] = headers.payload[rows] = NO_OFFSET
        for column in (headers.sport, headers.dport, headers.window, headers.payload_length, headers.in_flow):
            column[rows] = 0
    put(headers.network, rows, network)
    put(headers.addressed, rows, 1)


def _ipv4(batch: Batch, headers: Headers, layer: Layer) -> tuple[Layer, Layer]:
    """Columns of IPv4; returns the transport's layer, and frames that hold IPv6 in spite of their type."""
    layer = _start(batch, headers, layer, 20, 4)
    head = batch.gather(IPV4_HEADER, layer.rows, layer.at)
    size = (head["version"] & 15).astype(np.int64) * 4
    total = head["total"].astype(np.int64)
    good = (head["version"] >> 4 == 4) & (size >= 20) & ((total >= size) | (total == 0))
    disguised = layer.where(head["version"] >> 4 == 6)
    if not good.all():
        headers.status[layer.rows[~good]] |= MALFORMED
        layer, head, size, total = layer.where(good), head[good], size[good], total[good]
    rows = layer.rows
    _begin(headers, layer, 4)
    put(headers.protocol, rows, head["protocol"])
    put(headers.src, rows, head["source"])
    put(headers.dst, rows, head["destination"])
    if (long := size > 20).any():
        _source_routes(batch, headers, layer.where(long), size[long])
    # A length of 0 is left by segmentation offload: the datagram then ends with the frame.
    end = np.where(total == 0, layer.end, np.minimum(layer.end, layer.at + total))
    next_ = Layer(rows, layer.at + size, end, head["protocol"].astype(np.int64))
    next_ = _fragments(headers, next_, head["fragment"] & 0x1FFF, head["fragment"] & 0x2000 != 0, head["id"])
    next_ = _held(batch, headers, next_)
    if (next_.kind == AUTHENTICATION).any():
        next_ = _extensions(batch, headers, next_, only=AUTHENTICATION)
    return next_, disguised.moved(disguised.at, np.full(len(disguised.at), ETHERTYPE_IPV6))


def _source_routes(batch: Batch, headers: Headers, layer: Layer, size: Int64s) -> None:
    """Where a source route leads further, its last address is the destination (RFC 791 section 3.1)."""
    held = np.minimum(size, batch.captured[layer.rows] - layer.at)
    options = batch.gather(_LONGEST_OPTIONS, layer.rows, layer.at + 20)["options"]
    there = np.isin(options, SOURCE_ROUTES) & (np.arange(40) < held[:, None] - 20)
    for place in np.flatnonzero(there.any(axis=1)).tolist():
        for option in walk_options(options[place, : int(held[place]) - 20].tobytes())[0]:
            pointer, route = option.data[:1], option.data[1:]
            if option.kind in SOURCE_ROUTES and len(route) >= 4 and pointer[0] <= len(option.data) + 2:
                last = len(route) // 4 * 4
                headers.dst[layer.rows[place]] = int.from_bytes(route[last - 4 : last], "big")


def _fragments(
    headers: Headers, layer: Layer, offset: Integers, more: Bools, identification: Integers
) -> Layer:
    """Mark fragments (offsets in units of 8); only the first one of a datagram holds its transport header."""
    fragment = (offset != 0) | more
    if not fragment.any():
        return layer
    headers.status[layer.rows[fragment]] |= FRAGMENT
    headers.status[layer.rows[more & (offset == 0)]] |= UNSIZED
    tcp = fragment & (layer.kind == TCP)
    if tcp.any():
        start = offset[tcp].astype(np.int64) * 8
        part = layer.where(tcp)
        number = identification[tcp].astype("u4")
        headers.fragments.append(Fragments(
            part.rows, number, start, start + part.end - part.at, part.at, more[tcp]))
    return layer.where(offset == 0)


def _held(batch: Batch, headers: Headers, layer: Layer) -> Layer:
    """The frames whose captured bytes reach to the next header."""
    held = batch.captured[layer.rows] >= layer.at
    if not held.all():
        headers.status[layer.rows[~held]] |= SHORT
    return layer.where(held & (layer.at <= layer.end))


def _ipv6(batch: Batch, headers: Headers, layer: Layer) -> Layer:
    """Columns of IPv6; returns the transport's layer, after all extension headers."""
    layer = _start(batch, headers, layer, 40, 6)
    head = batch.gather(IPV6_HEADER, layer.rows, layer.at)
    good = head["version"] >> 4 == 6
    if not good.all():
        headers.status[layer.rows[~good]] |= MALFORMED
        layer, head = layer.where(good), head[good]
    rows = layer.rows
    _begin(headers, layer, 6)
    headers.rows6.append(rows)
    headers.addresses6.append(_words6(head))
    length = head["length"].astype(np.int64)
    kind = head["next"].astype(np.int64)
    # A jumbogram (RFC 2675) has length 0 and a hop-by-hop header: it ends with the frame. Newer Linux leaves
    # the header out where a segment that is still to be cut is longer than the length can say.
    jumbo = (length == 0) & ((kind == HOP_BY_HOP) | (layer.end - layer.at > _LONGEST + 40))
    end = np.where(jumbo, layer.end, np.minimum(layer.end, layer.at + 40 + length))
    put(headers.protocol, rows, kind)
    return _extensions(batch, headers, Layer(rows, layer.at + 40, end, kind))


def _words6(head: Structs) -> UInt64s:
    names = ("source_high", "source_low", "destination_high", "destination_low")
    return np.stack([head[name].astype(np.uint64) for name in names], axis=1)


def _extensions(batch: Batch, headers: Headers, layer: Layer, only: int | None = None) -> Layer:
    """Past IPv6 extension headers (or AH, `only` that for IPv4)."""
    finished = []
    for _ in range(MAX_EXTENSIONS):
        more = _IS_EXTENSION[layer.kind] if only is None else layer.kind == only
        finished.append(layer.where(~more))
        layer = layer.where(more)
        if not len(layer.rows):
            break
        limit = np.minimum(batch.captured[layer.rows], layer.end)
        whole = limit >= layer.at + FIRST
        if not whole.all():
            headers.status[layer.rows[~whole]] |= SHORT
            layer = layer.where(whole)
        words = batch.gather(">u4", layer.rows, layer.at)
        kind, count = (words >> 24).astype(np.int64), (words >> 16 & 0xFF).astype(np.int64)
        size = FIRST + _UNITS[layer.kind] * count
        fragment = layer.kind == IPV6_FRAGMENT
        for place in np.flatnonzero(layer.kind == ROUTING).tolist():
            _routing_header(batch, headers, int(layer.rows[place]), int(layer.at[place]), int(size[place]))
        offset = np.where(fragment, words >> 3 & 0x1FFF, 0)
        follows = fragment & (words & 1 != 0)
        headers.protocol[layer.rows] = kind
        identification = batch.gather(">u4", layer.rows, np.where(fragment, layer.at + 4, 0))
        layer = layer.moved(layer.at + size, kind)
        layer = _held(batch, headers, _fragments(headers, layer, offset, follows, identification))
        layer = layer.where(layer.at <= np.minimum(batch.captured[layer.rows], layer.end))
    batch.deep.append(layer.rows[_IS_EXTENSION[layer.kind] if only is None else layer.kind == only])
    return merge(finished)


def _routing_header(batch: Batch, headers: Headers, row: int, at: int, size: int) -> None:
    """Note where a route that leads further ends: the last address, of segment routing the first."""
    start = int(batch.starts[row]) + at
    data = batch.data[start : start + min(size, int(batch.captured[row]) - at)].tobytes()
    headers.routed.pop(row, None)
    kind, left = data[2:4] if len(data) >= 4 else (0, 0)
    count = (len(data) - 8) // 16
    if left and kind in _ROUTES and count > 0:
        place = 8 + 16 * (0 if kind == SEGMENT_ROUTING else count - 1)
        headers.routed[row] = data[place : place + 16]


def _arp(batch: Batch, headers: Headers, layer: Layer) -> None:
    """ARP's IPv4 addresses as source and destination, its operation as source port."""
    layer = _start(batch, headers, layer, 8, 1)
    _begin(headers, layer, 1)
    headers.protocol[layer.rows] = 0
    headers.addressed[layer.rows] = False
    headers.sport[layer.rows] = batch.gather(">u2", layer.rows, layer.at + 6)
    sizes = batch.gather(">u4", layer.rows, layer.at + 2)
    hardware = (sizes >> 8 & 0xFF).astype(np.int64)
    ipv4 = (sizes >> 16 == ETHERTYPE_IPV4) & (sizes & 0xFF == 4)
    whole = np.minimum(batch.captured[layer.rows], layer.end) >= layer.at + 16 + 2 * hardware
    headers.status[layer.rows[ipv4 & ~whole]] |= SHORT
    layer, hardware = layer.where(ipv4 & whole), hardware[ipv4 & whole]
    headers.addressed[layer.rows] = True
    headers.src[layer.rows] = batch.gather(">u4", layer.rows, layer.at + 8 + hardware)
    headers.dst[layer.rows] = batch.gather(">u4", layer.rows, layer.at + 12 + 2 * hardware)


def _gre(batch: Batch, layer: Layer) -> Layer:
    """Past a GRE header (RFC 2784, RFC 2890) without source routing."""
    layer = layer.where(np.minimum(batch.captured[layer.rows], layer.end) >= layer.at + 4)
    words = batch.gather(">u4", layer.rows, layer.at)
    flags = words >> 16
    optional = ((flags >> 15 & 1) + (flags >> 13 & 1) + (flags >> 12 & 1)).astype(np.int64)
    plain = flags & 0x4000 == 0
    kind = (words & 0xFFFF).astype(np.int64)
    kind[np.isin(kind, (*VLAN_TYPES, ETHERTYPE_ETAG))] = TYPE_NONE
    moved = layer.moved(layer.at + 4 + 4 * optional, kind).where(plain)
    return moved.where(batch.captured[moved.rows] >= moved.at)
