"""Every protocol that is told: its name, its fields, how it is recognised, read and judged.

A protocol is one file or one folder here, and one line in `REGISTRY`, of which engine, filter, JSON, lists
and detail are made. See `api` for what it has to say.
"""

from typing import Any

from inspector.protocols.api import Carrier, PacketReader, Protocol
from inspector.protocols.arp import ARP
from inspector.protocols.dns import DNS, LLMNR, MDNS
from inspector.protocols.http import HTTP
from inspector.protocols.http2 import HTTP2
from inspector.protocols.icmp import ICMP, ICMPV6
from inspector.protocols.mqtt import MQTT
from inspector.protocols.mysql import MYSQL
from inspector.protocols.postgresql import POSTGRESQL
from inspector.protocols.proxy import PROXY
from inspector.protocols.redis import REDIS
from inspector.protocols.socks import SOCKS
from inspector.protocols.sse import SSE
from inspector.protocols.tls import TLS
from inspector.protocols.websocket import WEBSOCKET
from inspector.wire.findings import Rule
from inspector.wire.tcp import rules as tcp_rules

REGISTRY: tuple[Protocol, ...] = (
    PROXY,
    SOCKS,
    TLS,
    HTTP2,
    HTTP,
    SSE,
    WEBSOCKET,
    REDIS,
    POSTGRESQL,
    MYSQL,
    MQTT,
    DNS,
    MDNS,
    LLMNR,
    ARP,
    ICMP,
    ICMPV6,
)

RULES: dict[str, Rule] = {
    rule.id: rule
    for book in (tcp_rules.BOOK, *(protocol.book for protocol in REGISTRY))
    for rule in book.rules
}
"""The rules of all books by their id."""


def by_name(name: str) -> Protocol | None:
    """The protocol of this name; None for a name that is not registered."""
    return next((protocol for protocol in REGISTRY if protocol.name == name), None)


def readers(carrier: Carrier) -> list[tuple[Protocol, PacketReader[Any]]]:
    """The protocols that are read in single packets of this carrier, and what reads them."""
    return [(protocol, protocol.packets) for protocol in REGISTRY
            if protocol.packets is not None and protocol.packets.carrier == carrier]
