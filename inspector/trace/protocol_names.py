"""`frame.protocols` of a packet: its layers by name, down to the application that its conversation carries.

Most packets are plain enough for columns to tell; the others' bytes are walked by wire/headers/names.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inspector.model.numbers import LINK_ETHERNET, TCP, UDP
from inspector.model.packets import Row
from inspector.trace.application.packets import packet_records
from inspector.wire.headers.names import protocol_names
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
    network, protocol, stream = int(index.network[row]), int(index.protocol[row]), int(index.stream[row])
    common = _COMMON.get((network, protocol)) if stream >= 0 else None
    plain = index.l3[row] == 14 and index.l4[row] == _PLAIN_L4.get(network)
    plain = plain and not int(index.status[row]) & MALFORMED
    plain = plain and not (protocol == UDP and (index.sport[row] in TUNNELS or index.dport[row] in TUNNELS))
    if common and plain and trace.link_type(row) == LINK_ETHERNET:
        names = list(common)
    else:
        names = protocol_names(trace.frame(row), trace.link_type(row))
    if row in index.reassembly.segments and names[-1] == "data":
        names[-1] = "tcp"                    # the last fragment stands for the whole segment
    if carried is None:
        carried = _carried(trace, row, protocol) if stream >= 0 else ()
    return [*names, *carried]


def _carried(trace: Trace, row: Row, protocol: int) -> Sequence[str]:
    index = trace.index
    if protocol == TCP:
        return trace.application(int(index.stream[row])).protocols(row)
    if protocol == UDP:
        return tuple(name.name for name, _ in packet_records(trace, row))
    return ()
