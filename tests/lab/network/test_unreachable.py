"""The ICMP error that a gateway would send: scapy reads it as one, checksums and quoted datagram included."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IPerror, UDPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, IPerror6

from inspector.lab.network.unreachable import internet_checksum, port_unreachable


@pytest.mark.parametrize("data", [b"", b"x", b"hello", bytes(2000)])
def test_of_ipv4(data: bytes) -> None:
    message = port_unreachable(("10.0.0.1", 4000), ("127.0.0.1", 53), data)
    assert internet_checksum(message) == 0 and len(message) <= 576 - 20
    icmp = ICMP(message)
    assert (icmp.type, icmp.code) == (3, 3)
    quoted = icmp[IPerror]
    assert (quoted.src, quoted.dst, quoted.len) == ("10.0.0.1", "127.0.0.1", 28 + len(data))
    assert internet_checksum(bytes(message[8:28])) == 0
    udp = icmp[UDPerror]
    assert (udp.sport, udp.dport, udp.len) == (4000, 53, 8 + len(data))


def test_of_ipv6() -> None:
    message = port_unreachable(("fd00::1", 4000), ("::1", 53), b"hello")
    icmp = ICMPv6DestUnreach(message)
    assert (icmp.type, icmp.code) == (1, 4)
    quoted = icmp[IPerror6]
    assert (quoted.src, quoted.dst, quoted.plen, quoted.nh) == ("fd00::1", "::1", 13, 17)
