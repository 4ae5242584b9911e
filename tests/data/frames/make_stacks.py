"""Make stacks.pcapng anew: packets in packets, of every kind of tunnel that is read, and sources' routes.

`python make_stacks.py [FOLDER]`; needs scapy. The same frames come out each time. Conversations come back, so
that their numbers are told, and each layer has addresses and ports of its own. Then `python -m
tests.tools.oracle FOLDER/stacks.pcapng` and `python -m tests.tools.fields` ask tshark.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.contrib.nsh import NSH
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_NOP, IPOption_SSRR
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
)
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from inspector.wire.pcapng import enhanced_packet, interface_description, section_header

START = 1_700_000_000_000_000_000
OUTER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
INNER = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04")
FOUR = IP(src="203.0.113.9", dst="203.0.113.8", ttl=60)
SIX = IPv6(src="2001:db8:f::9", dst="2001:db8:f::8", hlim=60)
FOUR_BACK = IP(src="203.0.113.8", dst="203.0.113.9", ttl=60)
IN4 = IP(src="192.0.2.1", dst="198.51.100.7", ttl=64)
IN6 = IPv6(src="2001:db8::1", dst="2001:db8::7", hlim=64)
BACK4 = IP(src="198.51.100.7", dst="192.0.2.1", ttl=63)
DNS_ASK = DNS(id=7, qd=DNSQR(qname="example.org"))


def inner() -> list[Packet]:
    """What is carried: TCP and UDP over both versions, there and back, a DNS question, an echo."""
    return [
        IN4 / TCP(sport=40001, dport=80, flags="S", seq=99),
        BACK4 / TCP(sport=80, dport=40001, flags="SA", seq=199, ack=100),
        IN4 / UDP(sport=40002, dport=40003) / b"data!", IN6 / TCP(sport=40004, dport=80, flags="PA") / b"GET",
        IN6 / UDP(sport=40005, dport=53) / DNS_ASK, IN4 / ICMP(id=5, seq=6),
        IN6 / ICMPv6EchoRequest(id=7, seq=8),
    ]


def vxlan() -> list[Packet]:
    """VXLAN (RFC 7348): all that may be inside, both directions, in IPv6, with a tag, in itself."""
    def tunnel(port: int, vni: int = 42) -> Packet:
        return UDP(sport=port, dport=4789, chksum=0) / VXLAN(vni=vni, flags=8)

    found = [OUTER / FOUR / tunnel(50000 + i % 3) / INNER / packet for i, packet in enumerate(inner())]
    found += [OUTER / FOUR_BACK / tunnel(50000) / INNER / BACK4 / UDP(sport=40003, dport=40002) / b"back"]
    found += [OUTER / SIX / tunnel(50001) / INNER / packet for packet in inner()[:4]]
    found += [
        OUTER / Dot1Q(vlan=7) / FOUR / tunnel(50002) / INNER / Dot1Q(vlan=8) / inner()[2],
        OUTER / FOUR / tunnel(50003, 1) / INNER / SIX / tunnel(50004, 2) / OUTER / inner()[2],
        OUTER / FOUR / tunnel(50005) / INNER / ARP(psrc="192.0.2.1", pdst="192.0.2.9"),
        OUTER / FOUR / tunnel(50006) / Ether(src=INNER.src, dst="01:80:c2:00:00:0e", type=0x88CC) / b"\0\0",
        OUTER / FOUR / tunnel(50007) / INNER / FOUR / GRE() / inner()[2],
        OUTER / FOUR / UDP(sport=50008, dport=4789) / b"\x08\0\0\0\0\0\1\0",
    ]
    return found


def geneve() -> list[Packet]:
    """Geneve (RFC 8926): Ethernet and IP inside, with options."""
    tunnel = UDP(sport=51000, dport=6081)
    found = [OUTER / FOUR / tunnel / GENEVE(vni=5) / INNER / packet for packet in inner()]
    return [
        *found, OUTER / FOUR / UDP(sport=51001, dport=6081) / GENEVE(vni=6, proto=0x0800) / inner()[2],
        OUTER / SIX / UDP(sport=51001, dport=6081) / GENEVE(vni=6, proto=0x86DD) / inner()[3],
        OUTER / FOUR / UDP(sport=51002, dport=6081) / Raw(
            b"\2\0\x65\x58\0\0\7\0\1\2\3\1abcd" + bytes(INNER / inner()[0])),
    ]


def gtp() -> list[Packet]:
    """GTP-U (3GPP TS 29.281): plain, with a sequence number, with extension headers, an echo."""
    def tunnel(**fields: int) -> Packet:
        return UDP(sport=2152, dport=2152) / GTP_U_Header(teid=0x1234, **fields)

    found = [OUTER / FOUR / tunnel() / packet for packet in inner()]
    session = tunnel(E=1, next_ex=0x85) / GTPPDUSessionContainer(type=1, QFI=9)
    numbers = bytes(OUTER / FOUR / tunnel(S=1, seq=5) / inner()[2])
    number_of_pdu = (b"\x34\xff%s\0\0\x12\x34\0\0\0\xc0" % struct.pack(">H", 8 + len(inner()[2]))
                     + b"\1\0\7\0" + bytes(inner()[2]))
    two = b"\x34\xff%s\0\0\x12\x34\0\0\0\xc0" % struct.pack(">H", 12 + len(inner()[2]))
    two += b"\1\0\7\x85" + b"\1\x10\x09\0" + bytes(inner()[2])
    return [
        *found, OUTER / FOUR / session / inner()[0], OUTER / SIX / session / inner()[3], Ether(numbers),
        OUTER / FOUR / UDP(sport=2152, dport=2152) / Raw(number_of_pdu),
        OUTER / FOUR / UDP(sport=2152, dport=2152) / Raw(two),
        OUTER / FOUR / UDP(sport=2152, dport=2152) / Raw(b"\x32\x01\0\4\0\0\0\0\0\1\0\0"),
    ]


def in_ip() -> list[Packet]:
    """IP in IP (RFC 2003), 6in4 (RFC 4213), 4in6 (RFC 2473), GRE (RFC 2784, 2890), several deep."""
    found: list[Packet] = []
    for outer in (FOUR, SIX):
        found += [OUTER / outer / packet for packet in inner()]
        found += [OUTER / outer / GRE() / packet for packet in inner()]
    four, six = inner()[2], inner()[3]
    return [
        *found, OUTER / FOUR / GRE(key_present=1, key=77) / four, OUTER / FOUR / GRE(chksum_present=1) / four,
        OUTER / FOUR / GRE(seqnum_present=1, seqence_number=3) / four,
        OUTER / FOUR / GRE(chksum_present=1, key_present=1, key=78, seqnum_present=1) / six,
        OUTER / FOUR / GRE(proto=0x6558, key_present=1, key=79) / INNER / four,
        OUTER / FOUR / GRE(proto=0x8847) / MPLS(label=3, s=1, ttl=9) / four,
        OUTER / FOUR / GRE() / SIX / GRE() / four, OUTER / FOUR / FOUR_BACK / SIX / four,
        OUTER / SIX / IPv6ExtHdrDestOpt() / four,
        OUTER / FOUR / IP(src="10.9.9.9", dst="10.8.8.8", proto=4) / four,
    ]


def tagged() -> list[Packet]:
    """NSH (RFC 8300), MPLS, PPPoE and stacks of VLAN tags."""
    four, six = inner()[2], inner()[3]
    nsh4, nsh6, nshe = (NSH(spi=11, si=250, mdtype=1, nextproto=kind) for kind in (1, 2, 3))
    empty = NSH(spi=12, si=3, mdtype=2, nextproto=1)
    return [
        OUTER / nsh4 / four, OUTER / nsh6 / six, OUTER / nshe / INNER / four, OUTER / empty / four,
        OUTER / FOUR / GRE(proto=0x894F) / nsh4 / four,
        OUTER / FOUR / UDP(sport=52000, dport=4790) / VXLAN(flags=0x0C, NextProtocol=1, vni=9) / four,
        OUTER / FOUR / UDP(sport=52000, dport=4790) / VXLAN(flags=0x0C, NextProtocol=2, vni=9) / six,
        OUTER / FOUR / UDP(sport=52001, dport=4790) / VXLAN(flags=0x0C, NextProtocol=3, vni=9) / INNER / four,
        OUTER / FOUR / UDP(sport=52001, dport=4790) / VXLAN(flags=0x0C, NextProtocol=4, vni=9) / nsh4 / four,
        OUTER / MPLS(label=100, s=0, ttl=5) / MPLS(label=200, cos=3, s=1, ttl=6) / four,
        OUTER / MPLS(label=100, s=1) / six,
        OUTER / FOUR / UDP(sport=52002, dport=6635) / MPLS(label=4, s=1) / four,
        OUTER / Dot1Q(vlan=5) / Dot1Q(vlan=6) / four, OUTER / Dot1AD(vlan=5, prio=3) / Dot1Q(vlan=6) / six,
        OUTER / PPPoE(sessionid=9) / PPP(proto=0x21) / four,
        OUTER / PPPoE(sessionid=9) / PPP(proto=0x57) / six,
        OUTER / Dot1Q(vlan=5) / PPPoE(sessionid=10) / PPP(proto=0x21) / four,
        OUTER / Dot1Q(vlan=5) / MPLS(label=7, s=1) / four,
        OUTER / FOUR / UDP(sport=52003, dport=8080) / four, OUTER / FOUR / IP(proto=97, src="10.1.1.1") / Raw(
            b"\x30\0" + bytes(INNER / four)),
    ]


def routed() -> list[Packet]:
    """Loose and strict source routes (RFC 791) before, between and after their hops; routing headers."""
    hops = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    data = UDP(sport=40007, dport=40008) / b"data!"
    found: list[Packet] = []
    for option in (IPOption_LSRR, IPOption_SSRR):
        lists = [[IPOption_NOP(), option(routers=hops, pointer=pointer)] for pointer in (4, 8, 12, 16)]
        found += [OUTER / IP(src=IN4.src, dst=IN4.dst, options=options) / data for options in lists]
    tcp = TCP(sport=40009, dport=80, flags="S", seq=9)
    route = ["2001:db8::a", "2001:db8::b"]
    found += [OUTER / IP(dst="198.51.100.7", src="192.0.2.1", options=[IPOption_LSRR(routers=hops)]) / tcp]
    for left in (2, 1, 0):
        heads = (IPv6ExtHdrRouting(addresses=route, segleft=left),
                 IPv6ExtHdrRouting(type=2, addresses=route[:1], segleft=min(left, 1)),
                 IPv6ExtHdrSegmentRouting(addresses=route, segleft=left % 2, lastentry=1))
        found += [OUTER / IN6 / head / data for head in heads]
    return found


def parts() -> list[Packet]:
    """First and later fragments: of datagrams, and of tunnels' outer ones."""
    four, six = inner()[2], inner()[3]
    return [
        OUTER / IN6 / IPv6ExtHdrFragment(m=1, id=1) / TCP(sport=40010, dport=80, flags="PA") / b"part of",
        OUTER / IN6 / IPv6ExtHdrFragment(m=1, id=2) / UDP(sport=40011, dport=40012, len=99) / b"part of",
        OUTER / IN6 / IPv6ExtHdrFragment(m=1, id=3) / ICMPv6EchoRequest(id=9, data=b"x" * 16),
        OUTER / IN6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(m=1, id=4) / IPv6ExtHdrDestOpt()
        / TCP(dport=81),
        OUTER / IN6 / IPv6ExtHdrFragment(m=0, id=5) / UDP(sport=40011, dport=40012) / b"whole",
        OUTER / IN6 / IPv6ExtHdrFragment(offset=9, id=2, nh=17) / b"the rest",
        OUTER / SIX / IPv6ExtHdrFragment(m=1, id=6) / four,
        OUTER / SIX / IPv6ExtHdrFragment(m=1, id=7) / GRE() / six,
        OUTER / IP(src="203.0.113.9", dst="203.0.113.8", flags="MF", id=8) / six,
        OUTER / IP(src="203.0.113.9", dst="203.0.113.8", flags="MF", id=9) / GRE() / four,
        OUTER / IP(src="203.0.113.9", dst="203.0.113.8", flags="MF", id=10)
        / UDP(sport=50000, dport=4789) / VXLAN(flags=8, vni=3) / INNER / four,
        OUTER / IP(src="203.0.113.9", dst="203.0.113.8", frag=5, id=10, proto=17) / b"12345678the rest of it",
    ]


def refused() -> list[Packet]:
    """ICMP errors about tunnels, and carried in tunnels."""
    four, six = inner()[2], inner()[3]
    return [
        OUTER / FOUR_BACK / ICMP(type=3, code=1) / FOUR / UDP(sport=50000, dport=4789) / VXLAN(
            flags=8, vni=42) / INNER / four,
        OUTER / FOUR_BACK / ICMP(type=11) / FOUR / GRE() / four,
        OUTER / FOUR_BACK / ICMP(type=3, code=3) / FOUR / six,
        OUTER / FOUR / GRE() / BACK4 / ICMP(type=3, code=3) / four,
        OUTER / SIX / IPv6(src="2001:db8::7", dst="2001:db8::1") / ICMPv6TimeExceeded() / six,
        OUTER / FOUR_BACK / ICMP(type=3, code=1) / FOUR / ICMP(id=5, seq=6),
        OUTER / FOUR_BACK / ICMP(type=3, code=1) / FOUR / ICMP(type=11) / four,
    ]


def main(folder: Path) -> None:
    """Write the capture into `folder`."""
    kinds = (vxlan, geneve, gtp, in_ip, tagged, routed, parts, refused)
    blocks, time_ns = [section_header(application="make_stacks.py"), interface_description(1)], START
    for packet in [packet for kind in kinds for packet in kind()]:
        time_ns += 1_000_000
        frame = bytes(packet)
        blocks.append(enhanced_packet(frame, time_ns, len(frame)))
    (folder / "stacks.pcapng").write_bytes(b"".join(blocks))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
