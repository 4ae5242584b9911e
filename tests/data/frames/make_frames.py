"""Make the captures of this folder anew: frames that the collected captures have too few of.

`python make_frames.py [FOLDER]`; needs scapy and nothing else. The same frames come out each time. Then
`python -m tests.tools.oracle FOLDER/*.pcapng` writes beside each what tshark says of it.
"""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ParamProblem,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.packet import Packet, Raw

from inspector.wire.pcapng import enhanced_packet, interface_description, section_header

Frame = bytes | tuple[bytes, int]        # as it was, or cut, with its length on the wire
START = 1_700_000_000_000_000_000
MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
FOUR, SIX = {"src": "192.0.2.1", "dst": "198.51.100.7"}, {"src": "2001:db8::1", "dst": "2001:db8:0:1::2"}
VXLAN = b"\x08\0\0\0\0\0\1\0"
BACK = {"src": "198.51.100.7", "dst": "192.0.2.1"}


def ether(packet: Packet | bytes, kind: int | None = None) -> bytes:
    """`packet` in Ethernet."""
    head = Ether(**MACS) if kind is None else Ether(**MACS, type=kind)
    return bytes(head / packet)


def udp(**ports: int) -> Packet:
    """A small datagram over IPv4 without ports that some application is known by."""
    return IP(**FOUR) / UDP(sport=ports.get("sport", 40001), dport=ports.get("dport", 40002)) / b"data!"


def tags() -> list[Frame]:
    """VLAN, QinQ, E-TAG, MPLS, PPPoE, LLC and SNAP, bridged Ethernet, ARP."""
    inner, inner6 = bytes(udp()), bytes(IPv6(**SIX) / UDP(sport=40001, dport=40002) / b"six")
    macs = bytes.fromhex("020000000002020000000001")
    size = struct.Struct(">H").pack
    return [
        ether(Dot1Q(vlan=5) / udp()), ether(Dot1Q(vlan=5) / Dot1Q(vlan=6) / udp()),
        macs + b"\x88\xa8\0\5\x81\0\0\6\x08\0" + inner, macs + b"\x91\0\0\5\x81\0\0\6\x08\0" + inner,
        macs + b"\x89\x3f\0\1\0\2\0\3\x08\0" + inner,
        macs + size(8 + len(inner)) + b"\xaa\xaa\3\0\0\0\x08\0" + inner,
        macs + size(3 + len(inner)) + b"\6\6\3" + inner, macs + b"\x88\x47\0\1\1\x40" + inner,
        macs + b"\x88\x47\0\1\0\x40\0\2\1\x40" + inner, macs + b"\x88\x47\0\1\1\x40" + inner6,
        macs + b"\x88\x64\x11\0\0\1" + size(2 + len(inner)) + b"\0\x21" + inner,
        macs + b"\x88\x64\x11\0\0\1" + size(2 + len(inner6)) + b"\0\x57" + inner6,
        macs + b"\x65\x58" + macs + b"\x08\0" + inner,
        macs + b"\x81\0\0\5" + size(8 + len(inner)) + b"\xaa\xaa\3\0\0\0\x08\0" + inner,
        macs + b"\x86\xdd" + inner6, macs + b"\x08\0" + inner6, macs + b"\x86\xdd" + inner,
        macs + b"\x88\xb7\0\1\2",
        ether(ARP(psrc="192.0.2.1", pdst="192.0.2.9")), ether(ARP(op=2, psrc="192.0.2.9", pdst="192.0.2.1")),
        (ether(ARP())[:30], 42), macs, macs + b"\x81\0\0", ether(udp()) + b"\0" * 12,
    ]


def extensions() -> list[Frame]:
    """IPv6 with every extension header, fragments, wrong lengths and versions; AH; jumbograms."""
    tcp = TCP(sport=40001, dport=40002, flags="PA", seq=7, ack=9) / b"hello"
    ah = AH(nh=6, payloadlen=4, icv=b"x" * 12)
    chain = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / IPv6ExtHdrFragment()
    heads = [
        IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(), IPv6ExtHdrFragment(),
        IPv6ExtHdrFragment(m=1), IPv6ExtHdrFragment(offset=3), chain / IPv6ExtHdrDestOpt(), ah,
    ]
    frames: list[Frame] = [ether(IPv6(**SIX) / head / tcp) for head in heads]
    frames += [ether(IP(**FOUR) / ah / tcp), ether(IP(**FOUR, options=[IPOption_NOP()] * 7) / tcp)]
    plain = ether(IPv6(**SIX) / tcp)
    for length in (0, 1, 20, 24, 25, 26, 100, 65535):
        frames.append(plain[:18] + struct.pack(">H", length) + plain[20:])
    frames += [plain[:14] + bytes([version << 4]) + plain[15:] for version in (0, 4, 5, 7)]
    frames += [(plain[: 14 + size], len(plain)) for size in (0, 8, 23, 24, 39, 40, 44, 55, 56)]
    long = ether(IPv6(**SIX) / IPv6ExtHdrHopByHop() / tcp)
    frames += [(long[: 54 + size], len(long)) for size in (0, 2, 7, 8, 12, 24)]
    return [*frames, *(ether(IPv6(**SIX, nh=kind) / bytes(tcp)) for kind in (59, 253, 132, 89))]


def lengths() -> list[Frame]:
    """IPv4, TCP and UDP whose length fields are wrong, and headers cut anywhere."""
    tcp = ether(IP(**FOUR) / TCP(sport=40001, dport=40002, seq=5, ack=6, flags="PA") / b"hello")
    datagram = ether(udp())
    frames: list[Frame] = []
    frames += [(tcp[:size], len(tcp)) for size in range(14, len(tcp))]
    frames += [(datagram[:size], len(datagram)) for size in range(34, len(datagram))]
    for offset in range(16):
        frames.append(tcp[:46] + bytes([offset << 4]) + tcp[47:])
    for length in (0, 1, 7, 8, 9, 12, 13, 14, 100, 65535):
        frames.append(datagram[:38] + struct.pack(">H", length) + datagram[40:])
    frames += [(tcp, len(tcp) - less) for less in (3, 5, 8, 30, 59)]      # more captured than was there
    for total in (0, 1, 19, 20, 24, 28, 30, 36, 40, 44, 45, 46, 100, 65535):
        frames.append(tcp[:16] + struct.pack(">H", total) + tcp[18:])
    for first in (0x40, 0x44, 0x46, 0x4F, 0x55, 0x35):
        frames.append(tcp[:14] + bytes([first]) + tcp[15:])
    ports = {"sport": 40001, "dport": 40002}
    for flags, offset in ((1, 0), (1, 5), (0, 5)):
        for protocol, body in ((6, TCP(**ports)), (17, UDP(**ports)), (1, ICMP())):
            frames.append(ether(IP(**FOUR, flags=flags, frag=offset, proto=protocol) / bytes(body / b"part")))
    return frames


def errors() -> list[Frame]:
    """ICMP and ICMPv6: errors that quote what was never seen, what was seen, and too little of it."""
    syn = bytes(IP(**FOUR) / TCP(sport=40003, dport=40004, seq=5))
    back6 = {"src": SIX["dst"], "dst": SIX["src"]}
    sent6 = IPv6(**SIX) / UDP(sport=40001, dport=40002) / b"six"
    frames = [ether(udp())]
    frames += [ether(IP(**BACK) / ICMP(type=3, code=3) / sent) for sent in (udp(), udp(sport=5))]
    frames += [ether(udp(sport=6)), ether(IP(**BACK) / ICMP(type=3, code=3) / Raw(syn[:28]))]
    frames += [ether(IP(**BACK) / ICMP(type=3, code=3) / Raw(syn)), ether(Raw(syn), 0x0800)]
    for kind, port in ((4, 7), (5, 8), (11, 9), (12, 10), (8, 11), (0, 12)):
        frames.append(ether(IP(**BACK) / ICMP(type=kind) / udp(sport=port)))
    frames += [ether(IPv6(**back6) / ICMPv6DestUnreach(code=4) / sent6), ether(sent6), ether(udp(sport=13))]
    frames += [ether(IPv6(**back6) / ICMPv6ParamProblem() / sent6), ether(IPv6(**SIX) / ICMPv6EchoRequest())]
    again = [bytes(IP(**FOUR) / TCP(sport=40003, dport=40004, seq=seq)) for seq in (6, 7, 9)]
    frames += [ether(Raw(again[0]), 0x0800), ether(IP(**BACK) / ICMP(type=3, code=3) / Raw(again[2]))]
    return [*frames, ether(Raw(again[1]), 0x0800), ether(Raw(again[1]), 0x0800)]


def tunnels() -> list[Frame]:
    """GRE, IP in IP, 6in4 and their combinations."""
    outer = {"src": "203.0.113.9", "dst": "203.0.113.8"}
    six = bytes(IPv6(**SIX) / UDP(sport=40001, dport=40002) / b"six")
    inside = (
        (IP(**outer), udp(sport=8)), (IPv6(**SIX), udp(sport=9)), (IP(**outer), ARP()),
        (IP(**outer), IP(**FOUR) / TCP(sport=40005, dport=40002)), (IP(**outer), IP(**FOUR) / ICMP()),
        (IP(**outer), Dot1Q(vlan=7) / udp(sport=8)),
    )
    return [ether(frame) for frame in (
        IP(**outer) / GRE() / udp(), IP(**outer) / GRE(proto=0x86DD) / Raw(six),
        IP(**outer) / GRE(key_present=1, key=7) / udp(sport=2),
        IP(**outer) / GRE(chksum_present=1, seqnum_present=1, key_present=1) / udp(sport=3),
        IP(**outer) / GRE(proto=0x6558) / Ether(**MACS) / udp(sport=4), IP(**outer) / udp(sport=5),
        IP(**outer, proto=41) / Raw(six), IPv6(**SIX) / udp(sport=6), IPv6(**SIX, nh=41) / Raw(six),
        IP(**outer) / GRE() / IP(**BACK) / GRE() / udp(sport=7), IP(**outer) / TCP(sport=40001, dport=40002),
        IP(**outer) / GRE() / IP(**FOUR) / TCP(sport=40001, dport=40002),
        *(around / UDP(sport=50001 + i, dport=4789) / Raw(VXLAN + ether(packet))
          for i, (around, packet) in enumerate(inside)),
        IP(**outer) / UDP(sport=4789, dport=5) / b"short", udp(sport=50001),
        IP(**outer) / UDP(sport=50009, dport=6081) / Raw(b"\0\0\x65\x58\0\0\1\0" + ether(udp(sport=10))),
        IP(**outer) / UDP(sport=50009, dport=6081) / Raw(b"\1\0\x65\x58\0\0\1\0abcd" + ether(udp(sport=11))),
        IP(**outer) / UDP(sport=50009, dport=6081) / Raw(b"\0\0\x08\0\0\0\1\0" + bytes(udp(sport=12))),
        IP(**outer) / UDP(sport=40001, dport=40002) / b"after all",
    )]


def reuse() -> list[Frame]:
    """Random segments between few ports: where does Wireshark see a new conversation?"""
    dice = random.Random(7)
    frames: list[Frame] = []
    for _ in range(3000):
        ends = (FOUR, BACK)[dice.randrange(2)]
        ports = 40001 + dice.randrange(6), 40001 + dice.randrange(3)
        flags = dice.choice(("S", "S", "SA", "A", "PA", "FA", "R", "RA", "", "SF", "SEC"))
        sport, dport = ports if ends is FOUR else ports[::-1]
        numbers = {"seq": dice.choice((99, 100, 101, 200)), "ack": dice.choice((0, 99, 100, 101, 201))}
        data = b"x" * dice.choice((0, 0, 0, 1, 5))
        frames.append(ether(IP(**ends) / TCP(sport=sport, dport=dport, flags=flags, **numbers) / data))
    return frames


def mutations() -> list[Frame]:
    """Good frames with some bytes changed, and cut. (ICMP errors not: tshark has its ways with RFC 4884.)"""
    dice = random.Random(11)
    frames: list[Frame] = []
    models = [
        frame for frame in (*tags(), *extensions()[:12], *tunnels(), ether(udp()))
        if isinstance(frame, bytes) and len(frame) > 40
    ]
    for _ in range(1500):
        frame = bytearray(dice.choice(models))
        for _ in range(dice.randrange(1, 4)):
            value = dice.choice((0, 1, 4, 5, 6, 17, 0x45, 0x60, 255, dice.randrange(256)))
            frame[dice.randrange(12, len(frame))] = value
        size = dice.randrange(14, len(frame) + 1) if dice.random() < 0.2 else len(frame)
        frames.append((bytes(frame[:size]), len(frame)))
    return frames


def null(order: str) -> list[Frame]:
    """BSD loopback with every address family, in one byte order."""
    four, six = bytes(udp()), bytes(IPv6(**SIX) / UDP(sport=40001, dport=40002) / b"six")
    families = (2, 10, 24, 26, 28, 30, 0x0800, 0x86DD)
    bodies = (four if family in (2, 0x0800) else six for family in families)
    heads = (struct.pack(order + "I", family) for family in families)
    return [*(head + body for head, body in zip(heads, bodies, strict=True)), b"\0\0"]


def cooked(version: int) -> list[Frame]:
    """Linux cooked capture, with devices that carry EtherTypes and some that do not."""
    four, six = bytes(udp()), bytes(IPv6(**SIX) / UDP(sport=40001, dport=40002) / b"six")
    frames: list[Frame] = []
    for device in (1, 772, 778, 803, 824, 65534):
        tagged = b"\0\5\x08\0" + four
        for kind, body in ((0x0800, four), (0x86DD, six), (0x8100, tagged), (1, four), (4, four)):
            if version == 1:
                frames.append(struct.pack(">HHH8sH", 0, device, 6, b"\1" * 8, kind) + body)
            else:
                frames.append(struct.pack(">HHIHBB8s", kind, 0, 1, device, 0, 6, b"\1" * 8) + body)
    return frames


def points() -> list[Frame]:
    """PPP with and without address and control, with protocols of one and two bytes."""
    four, six = bytes(udp()), bytes(IPv6(**SIX) / UDP(sport=40001, dport=40002) / b"six")
    label = b"\0\1\1\x40"
    return [
        b"\xff\3\0\x21" + four, b"\0\x21" + four, b"\x21" + four, b"\0\x57" + six,
        b"\xff\0\0\x21" + four, b"\2\x81" + label + four, b"\xff\3\2\x83" + label + six,
    ]


def raw() -> list[Frame]:
    """IP without a link layer."""
    four, six = bytes(udp()), bytes(IPv6(**SIX) / UDP(sport=40001, dport=40002) / b"six")
    return [four, six, b"\x50" + four[1:], b""]


CAPTURES: dict[str, list[tuple[int, Iterable[Frame]]]] = {
    "tags": [(1, tags())], "extensions": [(1, extensions())], "lengths": [(1, lengths())],
    "errors": [(1, errors())], "tunnels": [(1, tunnels())], "reuse": [(1, reuse())],
    "mutations": [(1, mutations())],
    "links": [
        (0, null("<")), (0, null(">")), (108, null(">")), (113, cooked(1)), (276, cooked(2)), (9, points()),
        (50, points()), (12, raw()), (14, raw()), (101, raw()), (228, raw()[:2]), (229, raw()[1:2]),
        (104, [b"\x0f\0\x08\0" + bytes(udp()), b"\x0f\0\x80\x35" + bytes(18)]),
    ],
}


def main(folder: Path) -> None:
    """Write all captures into `folder`."""
    for name, interfaces in CAPTURES.items():
        blocks, time_ns = [section_header(application="make_frames.py")], START
        blocks += [interface_description(link_type) for link_type, _ in interfaces]
        for number, (_, frames) in enumerate(interfaces):
            for frame in frames:
                data, length = frame if isinstance(frame, tuple) else (frame, len(frame))
                blocks.append(enhanced_packet(data, time_ns, length, number))
                time_ns += 1_000_003
        (folder / f"{name}.pcapng").write_bytes(b"".join(blocks))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
