"""ARP (RFC 826) for IPv4 over Ethernet: who has an address, and who answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from inspector.model.language import sentence
from inspector.protocols.api import Field, PacketReader, Protocol

_SIZE = 28


class ArpPacket(NamedTuple):
    """One packet. `problem` says why there are no addresses, "" where there are; those are text then."""

    operation: int
    sender_hardware: str = ""
    sender: str = ""
    target_hardware: str = ""
    target: str = ""
    problem: str = ""


def parse_arp(data: bytes, hops: bytes = b"") -> ArpPacket:
    """The packet that begins `data`; any bytes give one."""
    operation = int.from_bytes(data[6:8], "big")
    if len(data) < _SIZE:
        return ArpPacket(operation, problem=sentence("ARP, cut short"))
    if data[4:6] != b"\x06\x04":
        return ArpPacket(operation, problem=sentence("ARP for another kind of network"))
    sender, target = (".".join(map(str, data[start : start + 4])) for start in (14, 24))
    return ArpPacket(operation, data[8:14].hex(":"), sender, data[18:24].hex(":"), target)


def arp_text(packet: ArpPacket) -> str:
    """`Who has 10.0.0.1? Tell 10.0.0.2`, `10.0.0.1 is at 02:00:00:00:00:01`."""
    if packet.problem:
        return packet.problem
    if packet.operation == 1:
        if packet.sender == packet.target:
            return sentence("Gratuitous ARP for {sender}", sender=packet.sender)
        return sentence("Who has {target}? Tell {sender}", target=packet.target, sender=packet.sender)
    if packet.operation == 2:
        return sentence("{sender} is at {hardware}", sender=packet.sender, hardware=packet.sender_hardware)
    return sentence("ARP operation {number}", number=packet.operation)


def _of(name: str) -> Callable[[Any, ArpPacket], Sequence[Any]]:
    def read(decoder: None, packet: ArpPacket) -> Sequence[Any]:
        value = getattr(packet, name)
        return [value] if value != "" else []

    return read


ARP = Protocol(
    name="arp", title="ARP", colour="",
    packets=PacketReader("arp", parse_arp, arp_text),
    fields=(
        Field("arp.opcode", "number", _of("operation"), bits=16),
        Field("arp.src.hw_mac", "text", _of("sender_hardware")),
        Field("arp.src.proto_ipv4", "text", _of("sender")),
        Field("arp.dst.hw_mac", "text", _of("target_hardware")),
        Field("arp.dst.proto_ipv4", "text", _of("target")),
    ),
)
