"""ICMP messages in words: bytes of the message -> `Destination unreachable (Port unreachable)`.

ICMP by RFC 792, ICMPv6 by RFC 4443 and neighbour discovery by RFC 4861. Any bytes give a text. Type and code
are columns of the index, so that the filter has them without reading packets.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from inspector.model.language import Sentence, sentence
from inspector.protocols.api import Field, PacketReader, Protocol
from inspector.wire.text import worded

_UNREACHABLE = (
    "Network unreachable", "Host unreachable", "Protocol unreachable", "Port unreachable",
    "Fragmentation needed", "Source route failed", "Network unknown", "Host unknown", "Source host isolated",
    "Network administratively prohibited", "Host administratively prohibited",
    "Network unreachable for TOS", "Host unreachable for TOS", "Communication administratively filtered",
    "Host precedence violation", "Precedence cutoff in effect",
)
_TYPES = {0: "Echo (ping) reply", 4: "Source quench", 5: "Redirect", 8: "Echo (ping) request",
          9: "Router advertisement", 10: "Router solicitation", 12: "Parameter problem",
          13: "Timestamp request", 14: "Timestamp reply"}
_TIME = ("Time to live exceeded in transit", "Fragment reassembly time exceeded")
_UNREACHABLE6 = ("no route to destination", "Administratively prohibited", "Beyond scope of source address",
                 "Address unreachable", "Port unreachable", "Source address failed ingress/egress policy",
                 "Reject route to destination")
_TIME6 = ("hop limit exceeded in transit", "fragment reassembly time exceeded")
_PARAMETER6 = ("erroneous header field encountered", "unrecognized Next Header type encountered",
               "unrecognized IPv6 option encountered")
_TYPES6 = {128: "Echo (ping) request", 129: "Echo (ping) reply", 130: "Multicast Listener Query",
           131: "Multicast Listener Report", 132: "Multicast Listener Done", 133: "Router Solicitation",
           134: "Router Advertisement", 135: "Neighbor Solicitation", 136: "Neighbor Advertisement",
           137: "Redirect", 143: "Multicast Listener Report Message v2"}

WORDS = (*_UNREACHABLE, *_TYPES.values(), *_TIME, *_UNREACHABLE6, *_TIME6, *_PARAMETER6, *_TYPES6.values())
"""The words of these tables, for catalogues of other languages."""


def icmp_text(message: bytes, ttl: bytes = b"") -> str:
    """An ICMP message (from its type byte on) in words; `ttl`: the byte of the IP header, or b""."""
    if len(message) < 2:
        return sentence("ICMP, cut short")
    kind, code = message[0], message[1]
    if kind == 3:
        return sentence("Destination unreachable ({why})", why=_named(_UNREACHABLE, code))
    if kind == 11:
        return sentence("Time-to-live exceeded ({why})", why=_named(_TIME, code))
    if kind not in _TYPES:
        return sentence("ICMP type {kind} code {code}", kind=kind, code=code)
    text = sentence(_TYPES[kind])
    if kind in (0, 8):
        return worded((text, _echo(message) + (f", ttl={ttl[0]}" if ttl else "")))
    return text


def icmpv6_text(message: bytes, hop_limit: bytes = b"") -> str:
    """An ICMPv6 message (from its type byte on) in words; `hop_limit`: the byte of the header, or b""."""
    if len(message) < 2:
        return sentence("ICMPv6, cut short")
    kind, code = message[0], message[1]
    if kind == 1:
        return sentence("Destination Unreachable ({why})", why=_named(_UNREACHABLE6, code))
    if kind == 2:
        return sentence("Packet Too Big, MTU {size}", size=int.from_bytes(message[4:8], "big"))
    if kind == 3:
        return sentence("Time Exceeded ({why})", why=_named(_TIME6, code))
    if kind == 4:
        return sentence("Parameter Problem ({why})", why=_named(_PARAMETER6, code))
    if kind not in _TYPES6:
        return sentence("ICMPv6 type {kind} code {code}", kind=kind, code=code)
    text = sentence(_TYPES6[kind])
    if kind in (128, 129):
        hops = f", hop limit={hop_limit[0]}" if hop_limit else ""
        return worded((text, _echo(message, both_orders=False) + hops))
    if kind in (135, 136) and len(message) >= 24:
        address = str(ipaddress.IPv6Address(message[8:24]))
        if kind == 135:
            return sentence("{message} for {address}", message=text, address=address)
        return worded((text, address), between=" ")
    return text


def _named(names: tuple[str, ...], code: int) -> Sentence:
    return sentence(names[code]) if code < len(names) else sentence("code {code}", code=code)


def _echo(message: bytes, *, both_orders: bool = True) -> str:
    """Identifier and number, "" where they are cut off.

    Programs differ in the byte order of ICMPv4's, so that both are said.
    """
    if len(message) < 8:
        return ""
    identifier, sequence = int.from_bytes(message[4:6], "big"), int.from_bytes(message[6:8], "big")
    other = f"/{int.from_bytes(message[6:8], 'little')}" if both_orders else ""
    return f"id=0x{identifier:04x}, seq={sequence}{other}"


class IcmpMessage(NamedTuple):
    """One message from its type byte on, and the byte of the IP header that counts hops (or b"")."""

    data: bytes
    hops: bytes


_PLACES = (("type", 0), ("code", 1))


def _byte(name: str, place: int) -> Field[IcmpMessage]:
    return Field(name, "number", lambda decoder, message: list(message.data[place : place + 1]), bits=8)


ICMP = Protocol(
    name="icmp", title="ICMP", colour="icmp",
    packets=PacketReader("icmp", IcmpMessage, lambda message: icmp_text(message.data, message.hops)),
    fields=tuple(_byte(f"icmp.{name}", place) for name, place in _PLACES),
)
ICMPV6 = Protocol(
    name="icmpv6", title="ICMPv6", colour="icmp",
    packets=PacketReader("icmpv6", IcmpMessage, lambda message: icmpv6_text(message.data, message.hops)),
    fields=tuple(_byte(f"icmpv6.{name}", place) for name, place in _PLACES),
)
