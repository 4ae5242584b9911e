"""Write names.pcapng: the relatives of DNS that use its messages and fields (mDNS, LLMNR), and DNS itself.

`python make_names.py`; needs scapy. `python -m tests.tools.fields` asks tshark.
"""

from __future__ import annotations

from pathlib import Path

from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRROPT, DNSRRSRV
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from inspector.wire import pcapng

FLUSH = 0x8001               # mDNS: class IN, and forget the records before it; in questions: answer me alone


def packets() -> list[Packet]:
    """Questions and answers."""
    four, six = IP(src="192.0.2.5", dst="224.0.0.251", ttl=255), IPv6(src="fe80::5", dst="ff02::fb", hlim=255)
    mdns, back = UDP(sport=5353, dport=5353), UDP(sport=5353, dport=40000)
    local = DNSRR(rrname="printer.local", type="A", rclass=FLUSH, ttl=120, rdata="192.0.2.9")
    service = "_http._tcp.local"
    ask = DNSQR(qname="printer.local", qtype="A")
    llmnr = UDP(sport=40001, dport=5355)
    answer = UDP(sport=5355, dport=40001)
    here, there = IP(src="192.0.2.5", dst="224.0.0.252", ttl=1), IP(src="192.0.2.9", dst="192.0.2.5")
    return [
        four / mdns / DNS(id=0, qd=[ask]), four / mdns / DNS(id=0, qr=1, aa=1, qd=[], an=[local]),
        six / mdns / DNS(id=0, qd=[DNSQR(qname=service, qtype="PTR", qclass=FLUSH)],
                         an=[DNSRR(rrname=service, type="PTR", ttl=4500, rdata="a." + service)]),
        six / mdns / DNS(id=0, qr=1, aa=1, qd=[], an=[
            DNSRR(rrname=service, type="PTR", ttl=4500, rdata="b." + service)], ar=[
            DNSRRSRV(rrname="b." + service, rclass=FLUSH, ttl=120, port=80, target="printer.local"),
            DNSRR(rrname="b." + service, type="TXT", rclass=FLUSH, ttl=4500, rdata=[b"path=/", b"a=b"]),
            DNSRR(rrname="printer.local", type="AAAA", rclass=FLUSH, ttl=120, rdata="fe80::9"), local]),
        IP(src="192.0.2.5", dst="224.0.0.251") / UDP(sport=40000, dport=5353) / DNS(id=77, qd=[ask]),
        IP(src="192.0.2.9", dst="192.0.2.5") / back / DNS(id=77, qr=1, aa=1, qd=[ask], an=[local]),
        here / llmnr / DNS(id=99, rd=0, qd=[DNSQR(qname="host", qtype="A")]),
        there / answer / DNS(id=99, qr=1, rd=0, qd=[DNSQR(qname="host", qtype="A")],
                             an=[DNSRR(rrname="host", type="A", ttl=30, rdata="192.0.2.9")]),
        IPv6(src="fe80::5", dst="ff02::1:3") / llmnr / DNS(
            id=98, rd=0, qd=[DNSQR(qname="host", qtype="AAAA")]),
        IP(src="192.0.2.5", dst="192.0.2.1") / UDP(sport=40002, dport=53) / DNS(
            id=5, rd=1, qd=[ask], ar=[DNSRROPT(rclass=1232)]),
        IP(src="192.0.2.1", dst="192.0.2.5") / UDP(sport=53, dport=40002) / DNS(
            id=5, qr=1, rd=1, ra=1, rcode=3, qd=[ask], ar=[DNSRROPT(rclass=1232)]),
    ]


if __name__ == "__main__":
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    blocks = [pcapng.section_header(application="make_names.py"), pcapng.interface_description(1)]
    blocks += [pcapng.enhanced_packet(bytes(ether / packet), 1_700_000_000_000_000_000 + number * 3_000_000)
               for number, packet in enumerate(packets())]
    Path(__file__).with_name("names.pcapng").write_bytes(b"".join(blocks))
