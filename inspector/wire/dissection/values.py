"""What a field's value says to a person: numbers with their meaning, flags spelled out, checksums judged.

Value and surroundings -> text. A checksum that loopback left to hardware is told as that, not as wrong:
the field then holds the sum of the pseudo-header alone (Linux, CHECKSUM_PARTIAL).
"""

from __future__ import annotations

from typing import Any

from inspector.model.language import Sentence, sentence
from inspector.model.numbers import UDP
from inspector.model.units import amount
from inspector.wire.text import escaped

_PROTOCOLS = {
    0: sentence("hop-by-hop options"), 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6",
    43: sentence("routing"), 44: sentence("fragment"), 47: "GRE", 50: "ESP", 58: "ICMPv6",
    59: sentence("none"), 60: sentence("destination options"), 132: "SCTP",
}
_WORDS = {"ip.hdr_len", "tcp.hdr_len"}
_PLAIN_NUMBERS = {"vxlan.vni", "geneve.vni", "gre.key", "gtp.seq_number", "nsh.spi"}
_PLAIN_PORTS = {"tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"}
_YES_NO = {f"dns.flags.{name}" for name in ("response", "authoritative", "truncated", "recdesired",
                                             "recavail", "authenticated", "checkdisable")}
_SHOWN = 96


def value_text(name: str, field: Any, layer: Any, value: Any) -> str:
    """The value of a field as text; `field` and `layer` are scapy's."""
    if name in _WORDS and isinstance(value, int):
        return sentence("{size} bytes  ({words} words)", size=value * 4, words=value)
    if name in _PLAIN_PORTS or name in _PLAIN_NUMBERS:
        return str(value)
    if name in ("ip.proto", "ipv6.nxt") and isinstance(value, int):
        return sentence("{name} ({value})", name=_PROTOCOLS.get(value) or sentence("protocol"), value=value)
    if name == "ip.frag_offset" and isinstance(value, int):
        return sentence("{size} bytes", size=value * 8) if value else "0"
    if name in ("ip.id", "dns.id", "icmp.ident") and isinstance(value, int):
        return f"0x{value:04x}  ({value})"
    if name in ("eth.type", "sll.etype", "arp.proto.type", "vlan.type") and isinstance(value, int):
        return f"{_enum_word(field, layer, value)} (0x{value:04x})"
    if name in _YES_NO and isinstance(value, int):
        return sentence("yes") if value else sentence("no")
    if name == "websocket.masking_key" and isinstance(value, int):
        return value.to_bytes(4, "big").hex(" ")
    if name == "ipv6.flow" and isinstance(value, int):
        return f"0x{value:05x}"
    if isinstance(value, bytes):
        return bytes_text(value)
    shown = _enum_word(field, layer, value)
    if type(value) is int and not _is_number(shown):
        shown = f"{shown.strip(chr(39))} ({value})"
    return escaped(shown, 400)


def _enum_word(field: Any, layer: Any, value: Any) -> str:
    try:
        return escaped(str(field.i2repr(layer, value)), 400)
    except Exception:      # scapy's tables raise what they like for numbers that they do not hold
        return escaped(str(value), 400)


def bytes_text(value: bytes) -> str:
    """Bytes as text in quotes where they are text, else as hex; with their number where cut."""
    head = value[:_SHOWN]
    text = head.decode("utf-8", "ignore")
    if text and len(text.encode()) > len(head) - 4 and all(c.isprintable() or c in "\r\n\t" for c in text):
        shown = f'"{escaped(text)}"'
    else:
        shown = value[:32].hex(" ")
        head = head[:32]
    if len(value) <= len(head):
        return shown
    return sentence("{shown} …  ({size})", shown=shown, size=amount(len(value), "byte"))


def _is_number(text: str) -> bool:
    try:
        int(text, 0)
    except ValueError:
        return False
    return True


def header_checksum_text(header: bytes, value: int) -> str:
    """An IPv4 header's checksum (RFC 791 section 3.1): right, or what it should be."""
    expected = _complement(header[:10] + b"\0\0" + header[12:])
    return _correct(value) if expected == value else _wrong(value, expected)


def transport_checksum_text(addresses: bytes, protocol: int, segment: bytes, at: int) -> str:
    """The checksum of TCP, UDP or ICMPv6 at `segment[at:at + 2]`.

    `addresses`: source and destination as in the IP header (RFC 9293 section 3.1, RFC 8200 section 8.1).
    """
    value = int.from_bytes(segment[at : at + 2], "big")
    if protocol == UDP and value == 0:
        return sentence("0x0000  not used")
    expected = transport_checksum(addresses, protocol, segment, at)
    if value == expected:
        return _correct(value)
    if is_offloaded(addresses, protocol, segment, at):
        return sentence("0x{value:04x}  offloaded, as on loopback (complete: 0x{expected:04x})", value=value,
                        expected=expected)
    return _wrong(value, expected)


def _correct(value: int) -> Sentence:
    return sentence("0x{value:04x}  correct", value=value)


def _wrong(value: int, expected: int) -> Sentence:
    return sentence("0x{value:04x}  wrong, should be 0x{expected:04x}", value=value, expected=expected)


def transport_checksum(addresses: bytes, protocol: int, segment: bytes, at: int) -> int:
    """What should stand at `segment[at:at + 2]`."""
    pseudo = _pseudo_header(addresses, protocol, segment)
    expected = _complement(pseudo + segment[:at] + b"\0\0" + segment[at + 2 :])
    return 0xFFFF if protocol == UDP and expected == 0 else expected


def is_offloaded(addresses: bytes, protocol: int, segment: bytes, at: int) -> bool:
    """Whether only the sum of the pseudo header stands there, which the device was to complete."""
    value = int.from_bytes(segment[at : at + 2], "big")
    return value == 0xFFFF - _complement(_pseudo_header(addresses, protocol, segment))


def _pseudo_header(addresses: bytes, protocol: int, segment: bytes) -> bytes:
    return addresses + len(segment).to_bytes(4, "big") + protocol.to_bytes(4, "big")


def _complement(data: bytes) -> int:
    """The Internet checksum (RFC 1071): the complement of the sum of 16-bit words, in one's complement."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big")
    # 2**16 is 1 modulo 65535, so the number itself modulo 65535 is the sum of its words.
    folded = total % 0xFFFF
    return 0xFFFF - (folded or (0xFFFF if total else 0))
