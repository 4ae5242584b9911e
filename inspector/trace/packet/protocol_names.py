"""The layers of a packet: `frame.protocols`, down to the application, and where headers begin.

Most packets are plain enough for columns to tell; the others' bytes are walked by wire/headers/names.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from inspector.model.numbers import LINK_ETHERNET, TCP, UDP
from inspector.model.packets import Row
from inspector.trace.application.packets import packet_records
from inspector.wire.headers.names import layers_of, protocol_names
from inspector.wire.headers.read import MALFORMED
from inspector.wire.headers.transport import TUNNELS

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_COMMON = {
    (4, TCP): ("eth", "ethertype", "ip", "tcp"), (4, UDP): ("eth", "ethertype", "ip", "udp"),
    (6, TCP): ("eth", "ethertype", "ipv6", "tcp"), (6, UDP): ("eth", "ethertype", "ipv6", "udp"),
}
_PLAIN_L4 = {4: 34, 6: 54}        # offset of the transport in Ethernet without tags, options, extensions


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
    starts = {plain[0]: 0, plain[2]: int(trace.index.l3[row]), plain[3]: int(trace.index.l4[row])}
    return [starts[layer]] if layer in starts else []


def tunnel_name(trace: Trace, row: Row, stream: int) -> str:
    """What a UDP conversation around others carries in its packet `row`: "vxlan", "gtp"; "" where unknown."""
    around = trace.index.outer.of(row)
    starts = {one.l4 for one in around if one.protocol == UDP and one.stream == stream}
    layers = layers_of(trace.frame(row), trace.link_type(row))
    return next((name for (_, start), (name, _) in pairwise(layers) if start in starts), "")


def _plain_names(trace: Trace, row: Row) -> tuple[str, ...] | None:
    """The names where the packet is TCP or UDP over IP in Ethernet, and nothing else."""
    index = trace.index
    network, protocol = int(index.network[row]), int(index.protocol[row])
    if index.l3[row] != 14 or index.l4[row] != _PLAIN_L4.get(network) or index.stream[row] < 0:
        return None
    if int(index.status[row]) & MALFORMED or trace.link_type(row) != LINK_ETHERNET:
        return None
    if protocol == UDP and (index.sport[row] in TUNNELS or index.dport[row] in TUNNELS):
        return None
    return _COMMON.get((network, protocol))


def _carried(trace: Trace, row: Row, protocol: int) -> Sequence[str]:
    index = trace.index
    if protocol == TCP:
        return trace.application(int(index.stream[row])).protocols(row)
    if protocol == UDP:
        return tuple(name.name for name, _ in packet_records(trace, row))
    return ()
