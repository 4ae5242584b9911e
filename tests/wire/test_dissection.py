"""scapy's dissection as a tree of fields: right places for every byte and bit, whatever the bytes."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1Q, Ether
from scapy.packet import Packet, Raw

from inspector.protocols.websocket.layer import WebSocketFrame
from inspector.wire.dissection.field import Field, Tree
from inspector.wire.dissection.tree import dissect, dissect_layer

ETHERNET, NULL, RAW, LOOP, SLL, SLL2 = 1, 0, 101, 108, 113, 276
OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]


def _all(fields: tuple[Field, ...]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from _all(field.children)


def _field(tree: Tree, name: str) -> Field:
    return next(field for field in _all(tree.layers) if field.name == name)


def _places(fields: tuple[Field, ...]) -> dict[str, tuple[int, int, int | None, int | None]]:
    return {field.name: (field.start, field.stop, field.bit_start, field.bit_stop) for field in _all(fields)}


def _tcp(flags: str = "S", data: bytes = b"") -> bytes:
    return bytes(Ether() / IP(src="127.0.0.1", dst="127.0.0.1")
                 / TCP(sport=50412, dport=8000, seq=7, ack=9, flags=flags, options=OPTIONS) / Raw(data))


def _check(tree: Tree, frame: bytes) -> None:
    """All bytes have a layer, in order; every field lies in the frame, and bits lie in their bytes."""
    at = 0
    for layer in tree.layers:
        assert layer.start == at
        at = layer.stop
    assert at == len(frame)
    for field in _all(tree.layers):
        assert 0 <= field.start <= field.stop <= len(frame)
        if field.bit_start is not None and field.bit_stop is not None:
            assert 0 <= field.bit_start < field.bit_stop <= (field.stop - field.start) * 8


def test_fields_of_a_syn_have_their_places() -> None:
    frame = _tcp()
    tree = dissect(frame, ETHERNET)
    _check(tree, frame)
    assert [layer.name for layer in tree.layers] == ["eth", "ip", "tcp"]
    places = _places(tree.layers)
    assert places["eth.type"] == (12, 14, None, None)
    assert places["ip.version"] == (14, 15, 0, 4)
    assert places["ip.hdr_len"] == (14, 15, 4, 8)
    assert places["ip.frag_offset"] == (20, 22, 3, 16)
    assert places["tcp.srcport"] == (34, 36, None, None)
    assert places["tcp.flags"] == (46, 48, 7, 16)
    assert places["tcp.flags.syn"] == (47, 48, 6, 7)
    assert places["tcp.flags.ae"] == (46, 47, 7, 8)
    assert places["tcp.options.mss"] == (54, 58, None, None)
    assert places["tcp.options.wscale"] == (71, 74, None, None)
    assert _field(tree, "tcp.flags").value == "0x002  (SYN)"
    assert _field(tree, "tcp.flags.syn").value == "set"
    assert _field(tree, "tcp.hdr_len").value == "40 bytes  (10 words)"


def test_notes_stand_behind_their_values() -> None:
    tree = dissect(_tcp(), ETHERNET, {"tcp.seq_raw": "relative 0"})
    assert _field(tree, "tcp.seq_raw").value == "7  (relative 0)"


@pytest.mark.parametrize(("value", "word"), [(None, "correct"), (0xFE30, "wrong"), ("pseudo", "offloaded")])
def test_checksums_are_judged(value: int | str | None, word: str) -> None:
    frame = bytearray(_tcp("PA", b"hello"))
    if value == "pseudo":
        # What Linux leaves on loopback: the sum over the pseudo-header, not complemented.
        words = frame[26:34] + b"\0\6" + (len(frame) - 34).to_bytes(2, "big")
        total = sum(int.from_bytes(words[at : at + 2], "big") for at in range(0, len(words), 2))
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        value = total
    if isinstance(value, int):
        frame[50:52] = value.to_bytes(2, "big")
    assert word in _field(dissect(bytes(frame), ETHERNET), "tcp.checksum").value


def test_a_checksum_is_not_judged_where_bytes_are_missing() -> None:
    assert "wrong" not in _field(dissect(_tcp("PA", b"hello" * 50)[:120], ETHERNET), "tcp.checksum").value


@pytest.mark.parametrize(("family", "packet"), [
    (b"\2\0\0\0", IP() / UDP(sport=1, dport=2)), (b"\0\0\0\2", IP() / UDP(sport=1, dport=2)),
    (b"\x1e\0\0\0", IPv6() / UDP(sport=1, dport=2)), (b"\x18\0\0\0", IPv6() / UDP(sport=1, dport=2)),
])
def test_loopback_of_other_systems(family: bytes, packet: Packet) -> None:
    frame = family + bytes(packet)
    for link_type in (NULL, LOOP):
        tree = dissect(frame, link_type)
        _check(tree, frame)
        assert [layer.name for layer in tree.layers] == ["null", "ipv6" if IPv6 in packet else "ip", "udp"]


@pytest.mark.parametrize(("link_type", "packet", "names"), [
    (SLL, CookedLinux() / IP() / TCP(), ["sll", "ip", "tcp"]),
    (SLL2, CookedLinuxV2() / IP() / TCP(), ["sll", "ip", "tcp"]),
    (RAW, IP() / TCP(), ["ip", "tcp"]),
    (RAW, IPv6() / UDP(), ["ipv6", "udp"]),
    (229, IPv6() / ICMPv6ND_NS(), ["ipv6", "icmpv6"]),
    (ETHERNET, Ether() / ARP(), ["eth", "arp"]),
    (ETHERNET, Ether() / Dot1Q(vlan=5) / IP() / UDP(), ["eth", "vlan", "ip", "udp"]),
    (ETHERNET, Ether() / IPv6() / IPv6ExtHdrDestOpt() / ICMPv6EchoRequest(), None),
    (ETHERNET, Ether() / IP(options=[IPOption_RR(routers=["1.2.3.4"])]) / ICMP(), ["eth", "ip", "icmp"]),
    (ETHERNET, Ether() / IP(flags="MF", frag=9) / Raw(b"x" * 40), ["eth", "ip", "data"]),
    (ETHERNET, Ether() / IPv6() / IPv6ExtHdrFragment(offset=9) / Raw(b"x" * 40), None),
    (147, Raw(b"anything"), ["data"]),
])
def test_link_types_and_layers(link_type: int, packet: Packet, names: list[str] | None) -> None:
    frame = bytes(packet)
    tree = dissect(frame, link_type)
    _check(tree, frame)
    if names is not None:
        assert [layer.name for layer in tree.layers] == names


def test_padding_has_its_own_place() -> None:
    frame = bytes(Ether() / IP() / UDP(sport=5, dport=6) / Raw(b"abc")) + b"\0" * 15
    tree = dissect(frame, ETHERNET)
    _check(tree, frame)
    assert [layer.name for layer in tree.layers] == ["eth", "ip", "udp", "data", "eth.padding"]
    assert tree.layers[-1].start == len(frame) - 15


def test_an_icmp_error_shows_the_packet_that_it_quotes() -> None:
    frame = bytes(IP() / ICMP(type=3, code=3) / Raw(bytes(IP() / UDP(sport=1, dport=2) / Raw(b"hello"))))
    tree = dissect(frame, RAW)
    _check(tree, frame)
    assert [layer.label for layer in tree.layers][2:4] == ["Internet Protocol v4, quoted", "UDP, quoted"]


def test_dns_records_have_places_where_names_are_pointers() -> None:
    message = DNS(id=7, qr=1, qd=DNSQR(qname="example.com"), an=[
        DNSRR(rrname="example.com", rdata="1.2.3.4", ttl=60),
        DNSRR(rrname="a.example.com", type="TXT", rdata=b"hi")])
    question = bytes(message)
    name = question.index(b"\x07example", 20)
    compressed = question[:name] + b"\xc0\x0c" + question[name + 13 :]
    frame = bytes(IP() / UDP(sport=53, dport=4000) / Raw(compressed))
    tree = dissect(frame, RAW)
    _check(tree, frame)
    first, second = [field for field in _all(tree.layers) if field.name == "dns.resp"]
    assert frame[first.start : first.start + 2] == b"\xc0\x0c"
    assert first.value == "A example.com.  1.2.3.4" and first.stop == second.start
    assert second.stop == len(frame)
    assert _field(tree, "dns.flags.response").value == "yes"


def test_a_websocket_frame_as_a_layer() -> None:
    data = bytes.fromhex("818537fa213d7f9f4d5158")          # RFC 6455 section 5.7
    field = dissect_layer(WebSocketFrame, data)
    assert (field.start, field.stop) == (0, 11)
    places = _places(field.children)
    assert places["websocket.fin"] == (0, 1, 0, 1)
    assert places["websocket.opcode"] == (0, 1, 4, 8)
    assert places["websocket.mask"] == (1, 2, 0, 1)
    assert places["websocket.masking_key"] == (2, 6, None, None)
    assert places["websocket.payload_raw"] == (6, 11, None, None)


LINKS = st.sampled_from([ETHERNET, NULL, RAW, LOOP, SLL, SLL2, 12, 228, 229, 147])


@given(st.binary(max_size=200), LINKS)
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_a_tree(frame: bytes, link_type: int) -> None:
    _check(dissect(frame, link_type), frame)


DNS_ANSWER = DNS(qd=DNSQR(qname="a.b"), an=DNSRR(rrname="a.b", rdata="1.1.1.1"))
SEEDS = [
    _tcp(), _tcp("PA", b"GET / HTTP/1.1\r\n\r\n"), bytes(Ether() / ARP()),
    bytes(Ether() / IP() / UDP(sport=53, dport=53) / DNS_ANSWER),
    bytes(Ether() / IPv6() / ICMPv6ND_NS()), bytes(Ether() / IP() / ICMP(type=3) / IP() / TCP()),
    bytes(Ether() / IP(options=[IPOption_RR(routers=["1.2.3.4"])]) / TCP(options=OPTIONS)),
]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(12, 120), st.integers(0, 255)), max_size=6),
       st.integers(0, 150))
@settings(max_examples=100, deadline=None)
def test_damaged_packets_give_a_tree(frame: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(frame)
    for at, value in changes:
        if at < len(damaged):
            damaged[at] = value
    _check(dissect(bytes(damaged[:cut]), ETHERNET), bytes(damaged[:cut]))


def test_layers_within_layers_are_bounded() -> None:
    inner = b""
    for _ in range(300):
        inner = bytes(IP(proto=4, chksum=0, len=20 + len(inner))) + inner
    tree = dissect(inner, RAW)
    _check(tree, inner)
    assert len(tree.layers) < 60
