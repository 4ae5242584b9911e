"""What protocols say in single packets: DNS in a datagram, ARP, ICMP; by the registry, none by its name.

A packet's row -> the protocols that ride on what it is -> their records.
"""

from __future__ import annotations

from typing import Any

from inspector.model.packets import Row
from inspector.protocols import readers
from inspector.protocols.api import CARRIER_OF, CARRIERS, PacketReader, Protocol
from inspector.trace.flows.udp import datagram_payload
from inspector.trace.index.packets import Packets
from inspector.wire.headers.read import NO_LAYER, NO_OFFSET

_BY_CARRIER = {carrier: readers(carrier) for carrier in CARRIERS}
_ARP = 1                   # `Index.network` of ARP


def by_ports(*ports: int) -> Protocol | None:
    """The protocol of datagrams to or from one of the ports; None where none of them is known."""
    return next((protocol for port in ports for protocol, reader in _BY_CARRIER["udp"]
                 if port in reader.ports), None)


def packet_payloads(trace: Packets, row: Row) -> list[tuple[Protocol, bytes]]:
    """The bytes of each protocol that packet `row` has a record of, from its own header on."""
    return [(protocol, data) for protocol, reader, data in _carried(trace, row)
            if reader.read(data, _hops(trace, row)) is not None]


def packet_records(trace: Packets, row: Row) -> list[tuple[Protocol, Any]]:
    """Protocol and record of what stands in packet `row`; empty where nothing is known."""
    found = []
    for protocol, reader, data in _carried(trace, row):
        record = reader.read(data, _hops(trace, row))
        if record is not None:
            found.append((protocol, record))
    return found


def packet_text(trace: Packets, row: Row) -> tuple[Protocol, str] | None:
    """Protocol and one line, safe to show, of what stands in packet `row`."""
    for protocol, record in packet_records(trace, row):
        assert protocol.packets is not None
        return protocol, protocol.packets.info(record)
    return None


def _carried(trace: Packets, row: Row) -> list[tuple[Protocol, PacketReader[Any], bytes]]:
    index = trace.index
    if int(index.network[row]) == _ARP:
        return [(*one, _from(trace, row, "l3", NO_LAYER)) for one in _BY_CARRIER["arp"]]
    carrier = CARRIER_OF.get(int(index.protocol[row]))
    if carrier == "udp":
        protocol = by_ports(int(index.sport[row]), int(index.dport[row]))
        if protocol is None or protocol.packets is None or int(index.stream[row]) < 0:
            return []
        return [(protocol, protocol.packets, datagram_payload(trace, row))]
    if carrier is None:
        return []
    return [(*one, _from(trace, row, "l4", NO_OFFSET)) for one in _BY_CARRIER[carrier]]


def _from(trace: Packets, row: Row, column: str, none: int) -> bytes:
    start = int(getattr(trace.index, column)[row])
    return trace.frame(row)[start:] if start != none else b""


def _hops(trace: Packets, row: Row) -> bytes:
    """The byte of the IP header that counts hops: TTL, or the hop limit."""
    place = {4: 8, 6: 7}.get(int(trace.index.network[row]))
    return b"" if place is None else _from(trace, row, "l3", NO_LAYER)[place : place + 1]
