"""What the packet list says of packets of every kind, and how its columns take the width."""

from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Dot3, Ether
from scapy.packet import Packet, Raw

from inspector.model.packets import Row, first_rows
from inspector.protocols import by_name
from inspector.trace.filter.filter import Filter
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import packet_info
from inspector.trace.trace import Trace
from inspector.views.line.spans import cell_width, plain
from inspector.views.packets.list import PacketList, packet_columns, packet_row
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.captures.traces import open_trace

DATA = Path(__file__).parents[1] / "data"
QUOTED = Raw(bytes(IP(src="1.1.1.1", dst="2.2.2.2") / UDP(sport=5, dport=6) / Raw(b"hi")))


@pytest.mark.parametrize(("packet", "protocol", "info"), [
    (Ether() / ARP(pdst="10.0.0.1", psrc="10.0.0.2"), "ARP", "Who has 10.0.0.1? Tell 10.0.0.2"),
    (Ether() / ARP(op=2, psrc="10.0.0.1", hwsrc="02:00:00:00:00:01"), "ARP",
     "10.0.0.1 is at 02:00:00:00:00:01"),
    (Ether() / ARP(pdst="10.0.0.1", psrc="10.0.0.1"), "ARP", "Gratuitous ARP for 10.0.0.1"),
    (Ether() / IP() / ICMP(id=1, seq=2), "ICMP", "Echo (ping) request  id=0x0001, seq=2/512, ttl=64"),
    (Ether() / IP() / ICMP(type=3, code=3) / QUOTED, "ICMP", "Destination unreachable (Port unreachable)"),
    (Ether() / IP() / ICMP(type=11, code=0) / QUOTED, "ICMP",
     "Time-to-live exceeded (Time to live exceeded in transit)"),
    (Ether() / IP() / ICMP(type=3, code=99), "ICMP", "Destination unreachable (code 99)"),
    (Ether() / IPv6() / ICMPv6EchoRequest(id=1, seq=2), "ICMPv6",
     "Echo (ping) request  id=0x0001, seq=2, hop limit=64"),
    (Ether() / IPv6() / ICMPv6DestUnreach(code=4), "ICMPv6", "Destination Unreachable (Port unreachable)"),
    (Ether() / IPv6() / ICMPv6ND_NS(tgt="fe80::1"), "ICMPv6", "Neighbor Solicitation for fe80::1"),
    (Ether() / IP() / UDP(sport=1, dport=2) / Raw(b"hello"), "UDP", '1 → 2 Len=5  "hello"'),
    (Ether() / IP() / UDP(sport=1, dport=2) / Raw(b"\x00\x01"), "UDP", "1 → 2 Len=2"),
    (Ether() / IP() / UDP(sport=4000, dport=53) / DNS(id=7, qd=DNSQR(qname="example.com")), "DNS",
     "Standard query 0x0007 A example.com"),
    (Ether() / IP() / UDP(sport=4000, dport=53) / Raw(b"no"), "UDP", '4000 → 53 Len=2  "no"'),
    (Ether() / IP(proto=47) / Raw(b"x" * 8), "GRE", "GRE (47) in IPv4"),
    (Ether() / IP(proto=17, frag=10, id=0x1234) / Raw(b"x" * 30), "IPv4",
     "Fragmented IP protocol (proto=UDP 17, off=80, ID=1234)"),
    (Ether(type=0x88CC) / Raw(b"x" * 30), "LLDP", "LLDP (type 0x88cc), 30 bytes"),
    (Dot3(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Raw(b"x" * 50), "Ethernet", None),
])
def test_info(packet: Packet, protocol: str, info: str | None, tmp_path: Path) -> None:
    network = Network()
    network.frame(packet)
    with network.open(tmp_path / "one.pcapng") as trace:
        row = packet_row(trace, Row(0))
        assert row.protocol == protocol
        assert row.info == info if info is not None else row.info


@pytest.mark.parametrize("name", ["redis", "http", "websocket"])
def test_a_packet_has_the_colour_of_its_protocol(name: str) -> None:
    protocol = by_name(name)
    assert protocol is not None
    folder = "protocols" if name == "redis" else "traces"
    with Trace.open(DATA / folder / f"{name}.pcapng") as trace:
        trace.finish()
        rows = Filter(name).rows(trace).tolist()
        assert any(packet_row(trace, row).style == protocol.colour for row in rows)


def test_tcp_as_wireshark_words_it(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "PA", b"hello")
    network.tcp(SERVER, "A")
    with network.open(tmp_path / "tcp.pcapng") as trace:
        rows = [packet_row(trace, row) for row in first_rows(trace.index.count)]
        assert rows[0].info == "50412 → 9000 [SYN] Seq=0 Win=512 Len=0 MSS=65495 SACK_PERM WS=128"
        assert rows[1].info == "9000 → 50412 [SYN, ACK] Seq=0 Ack=1 Win=512 Len=0 MSS=65495 SACK_PERM WS=128"
        assert rows[3].info == '50412 → 9000 [PSH, ACK] Seq=1 Ack=1 Win=65536 Len=5  "hello"'
        assert rows[3].brief == '[PSH, ACK] Seq=1 Ack=1 Len=5  "hello"'
        assert [row.style for row in rows] == ["syn", "syn", "syn", "data", "ack"]


def test_analysis_stands_in_brackets(tmp_path: Path) -> None:
    network = Network(step_ns=400_000_000)
    network.handshake()
    network.tcp(CLIENT, "PA", b"hello", seq=3_000_000_001)
    network.tcp(CLIENT, "PA", b"hello", seq=3_000_000_001)
    with network.open(tmp_path / "tcp.pcapng") as trace:
        assert packet_row(trace, Row(4)).info.startswith("[Retransmission] 50412 → 9000 [PSH, ACK]")


def test_relative_numbers_need_no_decoding(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    for _ in range(5):
        network.tcp(CLIENT, "PA", b"hello")
        network.tcp(SERVER, "A")
    with network.open(tmp_path / "tcp.pcapng") as trace:
        for row in first_rows(trace.index.count):
            decoded, columns = facts(trace, row), facts(trace, row, deep=0)
            assert (decoded.seq, decoded.ack) == (columns.seq, columns.ack)


def test_relative_numbers_without_the_beginning(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "PA", b"hello")
    network.tcp(SERVER, "A")
    with network.open(tmp_path / "tcp.pcapng") as trace:
        assert [facts(trace, Row(row), deep=0).seq for row in (0, 1)] == [1, 1]
        assert facts(trace, Row(1), deep=0).ack == 6


def test_names_stand_for_addresses() -> None:
    with open_trace("tcp") as trace:
        names = {"127.0.0.1:9000": "server"}
        row = packet_row(trace, Row(0), names=names)
        assert row.destination == "server" and row.source.startswith("127.0.0.1:")


def test_times(tmp_path: Path) -> None:
    network = Network(step_ns=1_500_000)
    for _ in range(3):
        network.udp(CLIENT, b"x")
    with network.open(tmp_path / "udp.pcapng") as trace:
        assert [packet_row(trace, row).time for row in first_rows(3)] == ["0.000000", "0.001500", "0.003000"]
        assert packet_row(trace, Row(2), time_format="delta").time == "0.001500"
        assert packet_row(trace, Row(2), time_format="absolute").time.endswith(".004500")


@pytest.mark.parametrize("width", [*range(78, 201, 7)])
def test_columns_take_exactly_the_width(width: int) -> None:
    with open_trace("websocket") as trace:
        packets = PacketList(trace)
        for line in (packets.title(width), *(packets.line(row, width) for row in range(packets.count))):
            assert cell_width(plain(line)) == width


def test_the_number_has_room_for_millions() -> None:
    assert packet_columns(80, 12_345_678)[0].width == 8


def test_a_part_of_the_rows() -> None:
    import numpy as np

    with open_trace("tcp") as trace:
        packets = PacketList(trace, np.array([2, 5]))
        assert packets.count == 2 and packets.target(1) == 5
        assert packets.index_of(Row(5)) == 1 and packets.index_of(Row(3)) is None
        assert PacketList(trace).index_of(Row(trace.index.count)) is None


def test_no_flags_at_all(tmp_path: Path) -> None:
    network = Network()
    network.frame(Ether() / IP(src="127.0.0.1", dst="127.0.0.1") / TCP(sport=1, dport=2, flags=0))
    with network.open(tmp_path / "null.pcapng") as trace:
        assert packet_info(trace, facts(trace, Row(0), deep=0)) == "1 → 2 [<None>] Seq=1 Win=8192 Len=0"
