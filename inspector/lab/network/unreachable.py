"""ICMP "port unreachable" (RFC 792, RFC 4443 §3.1), as a gateway answers for a server that is not there.

The host said so of a datagram that was handed on; its own ICMP stays outside. Addresses and the datagram's
data -> the ICMP message for a raw socket of the lab, quoting the datagram as it went there.
"""

from __future__ import annotations

import socket
import struct

_QUOTED = 512              # bytes of a datagram's data: the whole stays below 576 (RFC 1812 §4.3.2.3)
_TTL, _DONT_FRAGMENT = 64, 0x4000


def port_unreachable(client: tuple[str, int], server: tuple[str, int], data: bytes) -> bytes:
    """The message that tells `client` that nobody is at `server`, where it sent `data`.

    Of ICMPv6, whose checksum the kernel fills in, when the addresses are IPv6.
    """
    udp = struct.pack("!HHHH", client[1], server[1], 8 + len(data), 0) + data[:_QUOTED]
    if ":" in server[0]:
        quoted = _ipv6_header(client[0], server[0], 8 + len(data)) + udp
        return struct.pack("!BBHI", 1, 4, 0, 0) + quoted       # destination unreachable, port
    quoted = _ipv4_header(client[0], server[0], 8 + len(data)) + udp
    message = struct.pack("!BBHI", 3, 3, 0, 0) + quoted        # likewise
    return message[:2] + struct.pack("!H", internet_checksum(message)) + message[4:]


def internet_checksum(data: bytes) -> int:
    """The ones' complement of the ones' complement sum of 16-bit words (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ipv4_header(source: str, target: str, length: int) -> bytes:
    def header(checksum: int) -> bytes:
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, _DONT_FRAGMENT, _TTL,
                           socket.IPPROTO_UDP, checksum, socket.inet_aton(source), socket.inet_aton(target))

    return header(internet_checksum(header(0)))


def _ipv6_header(source: str, target: str, length: int) -> bytes:
    addresses = (socket.inet_pton(socket.AF_INET6, one) for one in (source, target))
    return struct.pack("!IHBB16s16s", 6 << 28, length, socket.IPPROTO_UDP, _TTL, *addresses)
