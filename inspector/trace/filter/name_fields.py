"""Protocols asked for by name alone: every layer of `frame.protocols`, every name that the list shows.

What has fields of its own stands elsewhere; here is what a person sees in the column "Protocol" and types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inspector.model.packets import Row
from inspector.trace.filter.column_fields import COLUMNS
from inspector.trace.filter.field import DeepField, Read, Value, anywhere
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import SHOWN_NAMES, protocol_name
from inspector.trace.packet.protocol_names import frame_protocols, header_places
from inspector.wire.headers.names import GPE

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


LAYERS = ("eth", "llc", "vlan", "sll", "null", "ppp", "pppoes", "mpls", "gre", "vxlan", "geneve", "igmp",
          "gtp", "nsh", "etherip", "ieee8021ad",
          "ipv6.hopopts", "ipv6.routing", "ipv6.fraghdr", "ipv6.dstopts",
          "esp", "ah", "eigrp", "ospf", "pim", "vrrp", "sctp", "dccp", "udplite", "data")
"""Names that `frame.protocols` gives and no column answers."""


def _layer(name: str) -> Read:
    return lambda trace, row: [1] if name in frame_protocols(trace, row, ()) else []


def _vxlan(trace: Trace, row: Row) -> Sequence[Value]:
    """With its generic protocol extension, for which frame.protocols has no name."""
    return [1 for name in ("vxlan", GPE) if header_places(trace, row, name)]


def _data(trace: Trace, row: Row) -> Sequence[Value]:
    """Payload of which nothing is known."""
    names = frame_protocols(trace, row)
    payload = names[-1] in ("tcp", "udp") and trace.index.payload_length[row]
    return [1] if "data" in names or payload else []


def _shown(title: str) -> Read:
    def read(trace: Trace, row: Row) -> Sequence[Value]:
        return [1] if protocol_name(trace, facts(trace, row, deep=0)) == title else []

    return read


NAMED: dict[str, DeepField] = {
    **{title.lower().replace("-", ""): DeepField("protocol", _shown(title), anywhere)
       for title in SHOWN_NAMES if title.lower() not in (*COLUMNS, "ipv4")},
    **{name: DeepField("protocol", _layer(name), anywhere) for name in LAYERS},
    "vxlan": DeepField("protocol", _vxlan, anywhere),
    "data": DeepField("protocol", _data, anywhere),
}
