"""Write dns.pcapng: questions and answers, one without an answer, one refused name: `python make_dns.py`."""

from __future__ import annotations

from pathlib import Path

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from inspector.wire import pcapng

ASKED: tuple[tuple[str, str, list[tuple[str, str]] | None, int], ...] = (
    ("www.example.org", "A", [("CNAME", "web.example.org"), ("A", "192.0.2.7"), ("A", "192.0.2.8")], 0),
    ("example.org", "AAAA", [("AAAA", "2001:db8::7")], 0),
    ("nowhere.example.org", "A", [], 3),
    ("7.2.0.192.in-addr.arpa", "PTR", [("PTR", "www.example.org")], 0),
    ("silent.example.org", "A", None, 0),
    ("example.org", "NS", [("NS", "ns1.example.org")], 0),
)


def frames() -> list[bytes]:
    """The frames, in order."""
    found = []
    for number, (name, kind, answers, code) in enumerate(ASKED):
        ports = 40000 + number % 2, 53
        question = DNSQR(qname=name, qtype=kind)
        there = IP(src="10.0.0.1", dst="10.0.0.2", id=number, ttl=64 - number) / UDP(sport=ports[0], dport=53)
        found.append(there / DNS(id=0x100 + number, rd=1, qd=[question]))
        if answers is not None:
            records = [DNSRR(rrname=name, type=one, ttl=60 * (number + 1), rdata=data)
                       for one, data in answers]
            back = IP(src="10.0.0.2", dst="10.0.0.1", flags="DF", ttl=63) / UDP(sport=53, dport=ports[0])
            found.append(back / DNS(id=0x100 + number, qr=1, aa=number % 2, rd=1, ra=1, rcode=code,
                                    qd=[question], an=records))
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return [bytes(ether / packet) for packet in found]


if __name__ == "__main__":
    blocks = [pcapng.section_header(), pcapng.interface_description(1, 262144)]
    blocks += [pcapng.enhanced_packet(frame, 1_700_000_000_000_000_000 + number * 7_000_000)
               for number, frame in enumerate(frames())]
    Path(__file__).with_name("dns.pcapng").write_bytes(b"".join(blocks))
