"""The layers of a packet: `frame.protocols`, down to the application, and where headers begin.

Most packets are plain enough for columns to tell; the others' bytes are walked by wire/headers/names.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.numbers import LINK_ETHERNET, RAW_LINKS, TCP, UDP
from inspector.model.packets import Row
from inspector.trace.application.packets import packet_records
from inspector.trace.index.index import MANY_INTERFACES
from inspector.wire.arrays import Int64s, UInt8s
from inspector.wire.headers.names import layers_of, protocol_names
from inspector.wire.headers.read import MALFORMED
from inspector.wire.headers.transport import TUNNELS

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_LINKS = {LINK_ETHERNET: (14, ("eth", "ethertype")), **dict.fromkeys(RAW_LINKS, (0, ("raw",)))}
_NETWORKS = {4: (20, "ip"), 6: (40, "ipv6")}           # of headers without options, the length
_TRANSPORTS = {TCP: "tcp", UDP: "udp"}
KINDS = [(), *((*link, network, "tcp") for _, link in dict.fromkeys(_LINKS.values())
               for _, network in _NETWORKS.values())]
"""The names of TCP packets whose headers are plain, by their kinds; there are none of NO_KIND."""
NO_KIND = 0


def plain_kinds(trace: Trace, rows: Int64s) -> UInt8s:
    """The kind of each packet; NO_KIND: it is not TCP over IP with nothing between."""
    index, found = trace.index, np.zeros(len(rows), np.uint8)
    interface, l3, l4 = index.interface[rows], index.l3[rows], index.l4[rows]
    whole = (index.protocol[rows] == TCP) & (index.status[rows] & MALFORMED == 0) & (index.stream[rows] >= 0)
    for number in np.unique(interface).tolist():
        link = None if number == MANY_INTERFACES else _LINKS.get(trace.interfaces[number].link_type)
        if link is None:
            continue
        for version, (size, name) in _NETWORKS.items():
            fits = (interface == number) & (l3 == link[0]) & (l4 == link[0] + size)
            kind = KINDS.index((*link[1], name, "tcp"))
            found[whole & fits & (index.network[rows] == version)] = kind
    return found


def frame_protocols(trace: Trace, row: Row, carried: Sequence[str] | None = None) -> list[str]:
    """Names of a packet's protocols, outermost first: ["eth", "ethertype", "ip", "tcp", "http"].

    `carried`: those above TCP or UDP, where they are known already.
    """
    index = trace.index
    protocol, stream = int(index.protocol[row]), int(index.stream[row])
    common = _plain_names(trace, row)
    names = list(common) if common else protocol_names(trace.frame(row), trace.link_type(row))
    if row in index.reassembly.segments and names[-1] == "data":
        names[-1] = "tcp"                    # the last fragment stands for the whole segment
    if carried is None:
        carried = _carried(trace, row, protocol) if stream >= 0 else ()
    return [*names, *carried]


def header_places(trace: Trace, row: Row, layer: str) -> list[int]:
    """Where in the packet's frame the headers of `layer` begin ("eth", "ip", "udp", "vxlan", …)."""
    plain = _plain_names(trace, row)
    if plain is None:
        return [start for name, start in layers_of(trace.frame(row), trace.link_type(row)) if name == layer]
    starts = {plain[0]: 0, plain[-2]: int(trace.index.l3[row]), plain[-1]: int(trace.index.l4[row])}
    return [starts[layer]] if layer in starts else []


def tunnel_name(trace: Trace, row: Row, stream: int) -> str:
    """What a UDP conversation around others carries in its packet `row`: "vxlan", "gtp"; "" where unknown."""
    around = trace.index.outer.of(row)
    starts = {one.l4 for one in around if one.protocol == UDP and one.stream == stream}
    layers = layers_of(trace.frame(row), trace.link_type(row))
    return next((name for (_, start), (name, _) in pairwise(layers) if start in starts), "")


def _plain_names(trace: Trace, row: Row) -> tuple[str, ...] | None:
    """The names where the packet is TCP or UDP over IP in Ethernet or alone, and nothing else."""
    index = trace.index
    network, protocol = _NETWORKS.get(int(index.network[row])), int(index.protocol[row])
    link = _LINKS.get(trace.link_type(row))
    if network is None or link is None or index.l3[row] != link[0] or index.l4[row] != link[0] + network[0]:
        return None
    if index.stream[row] < 0 or int(index.status[row]) & MALFORMED or protocol not in _TRANSPORTS:
        return None
    if protocol == UDP and (index.sport[row] in TUNNELS or index.dport[row] in TUNNELS):
        return None
    return *link[1], network[1], _TRANSPORTS[protocol]


def _carried(trace: Trace, row: Row, protocol: int) -> Sequence[str]:
    index = trace.index
    if protocol == TCP:
        return trace.application(int(index.stream[row])).protocols(row)
    if protocol == UDP:
        return tuple(name.name for name, _ in packet_records(trace, row))
    return ()
