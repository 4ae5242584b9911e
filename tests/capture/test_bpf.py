"""Capture filters, run by a small BPF machine, held against scapy's frames and libpcap's own programs."""

from __future__ import annotations

import ipaddress

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, IPOption, UDPerror
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from inspector.capture import choice
from inspector.capture.bpf import ACCEPT_ALL, KEEP, MOST, accept_all, select, without_outgoing
from inspector.capture.choice import FilterError, choose_program
from tests.support.oracles.bpf import run_program

pytestmark = pytest.mark.quick

needs_libpcap = pytest.mark.skipif(choice.load_libpcap() is None, reason="no libpcap here")
V4, V6 = IP(src="127.0.0.1", dst="127.0.0.2"), IPv6(src="::1", dst="fe80::2")
YES = {
    "to the port": V4 / TCP(sport=40000, dport=8000),
    "from the port": V4 / UDP(sport=8000, dport=40000),
    "IPv4 options": IP(src="127.0.0.1", dst="127.0.0.2", options=[IPOption(b"\x01" * 8)]) / TCP(dport=8000),
    "first fragment": IP(src="127.0.0.1", dst="127.0.0.2", flags="MF") / UDP(sport=8000) / b"xxxxxxxx",
    "IPv6": V6 / TCP(dport=8000),
    "IPv6 UDP": V6 / UDP(sport=8000),
    "hop-by-hop": V6 / IPv6ExtHdrHopByHop() / UDP(dport=8000),
    "three extensions": V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting(addresses=["::3"]) / IPv6ExtHdrDestOpt()
    / TCP(sport=8000),
    "IPv6 first fragment": V6 / IPv6ExtHdrFragment(m=1, id=7) / UDP(dport=8000) / b"xxxxxxxx",
    "ICMP error": V4 / ICMP(type=3, code=3) / IPerror(bytes(V4 / UDP(sport=40000, dport=8000))),
    "ICMP error, options": V4 / ICMP(type=3, code=3)
    / bytes(IP(options=[IPOption(b"\x01" * 8)], dst="127.0.0.2") / UDP(sport=8000, dport=40000)),
    "ICMPv6 error": V6 / ICMPv6DestUnreach(code=4) / bytes(V6 / UDP(sport=40000, dport=8000)),
}
NO = {
    "another port": V4 / TCP(sport=40000, dport=8001) / (b"\x1f\x40" * 20),
    "later fragment": IP(src="127.0.0.1", dst="127.0.0.2", frag=3, proto=17) / bytes(UDP(sport=8000)),
    "IPv6 later fragment": V6 / IPv6ExtHdrFragment(offset=3, id=7, nh=17) / bytes(UDP(sport=8000)),
    "ping": V4 / ICMP(type=8, id=8000, seq=8000),
    "ICMP error of another": V4 / ICMP(type=3, code=3) / IPerror(bytes(V4 / UDPerror(sport=1, dport=2))),
    "IPv6 another": V6 / UDP(sport=1, dport=2),
    "another protocol": IP(src="127.0.0.1", dst="127.0.0.2", proto=99) / (b"\x1f\x40" * 20),
    "ARP": ARP(),
    "cut short": IP(bytes(V4 / TCP(dport=8000))[:21]),
}


def frame(packet: Packet) -> bytes:
    return bytes(Ether(src="00:00:00:00:00:00", dst="00:00:00:00:00:00") / packet)


@pytest.mark.parametrize("name", YES)
def test_what_has_the_port_is_kept_whole(name: str) -> None:
    assert run_program(select([7, 8000]), frame(YES[name])) == KEEP


@pytest.mark.parametrize("name", NO)
def test_what_has_not_is_dropped(name: str) -> None:
    assert run_program(select([7, 8000]), frame(NO[name])) == 0


@pytest.mark.parametrize(
    ("hosts", "packet", "kept"),
    [
        (["127.0.0.2"], V4 / TCP(dport=1), True),
        (["127.0.0.1", "10.0.0.1"], V4 / ICMP(), True),
        (["127.0.0.3"], V4 / TCP(dport=1), False),
        (["fe80::2"], V6 / UDP(dport=1), True),
        (["::1"], V6 / UDP(dport=1), True),
        (["fe80::3", "::2"], V6 / UDP(dport=1), False),
        (["::1"], V4 / TCP(dport=1), False),
        (["127.0.0.1"], V6 / TCP(dport=1), False),
    ],
)
def test_hosts(hosts: list[str], packet: Packet, kept: bool) -> None:
    program = select(hosts=[ipaddress.ip_address(host) for host in hosts])
    assert run_program(program, frame(packet)) == (KEEP if kept else 0)
    both = select([1], [ipaddress.ip_address(host) for host in hosts])
    assert run_program(both, frame(packet)) == (KEEP if kept and ICMP not in packet else 0)


def test_snaplen_is_what_is_returned() -> None:
    packet = frame(YES["IPv6"])
    assert run_program(select([8000], snaplen=96), packet) == 96
    assert run_program(accept_all(64), packet) == 64
    assert run_program(ACCEPT_ALL, packet) == KEEP


def test_many_ports_need_no_far_jumps() -> None:
    ports = range(1000, 1300)
    program = select(ports)
    assert len(program) <= MOST
    assert run_program(program, frame(V6 / TCP(dport=1299))) == KEEP
    assert run_program(program, frame(V4 / TCP(dport=1300, sport=999))) == 0
    with pytest.raises(ValueError, match="more ports"):
        select(range(1, 2000))


def test_old_kernels_drop_the_outgoing_copy_by_a_first_test() -> None:
    assert without_outgoing(ACCEPT_ALL)[-1:] == ACCEPT_ALL


@needs_libpcap
@pytest.mark.parametrize("text", ["port 7 or port 8000", "host 127.0.0.2", "host ::1 and port 8000"])
@pytest.mark.parametrize("name", YES | NO)
def test_agrees_with_libpcap(text: str, name: str) -> None:
    """Beside what ours does more: ICMP errors, IPv6 behind extension headers (libpcap keeps neither)."""
    packet = frame((YES | NO)[name])
    ours, theirs = choose_program((), text)[0], choice.compile_text(text)
    if name.startswith(("ICMP", "hop", "three", "IPv6 first")) and "port" in text:
        return
    assert bool(run_program(ours, packet)) == bool(run_program(theirs, packet))


@needs_libpcap
def test_any_text_is_compiled_and_keeps_frames_whole() -> None:
    program, text = choose_program((), "tcp[tcpflags] & tcp-syn != 0")
    assert text == "tcp[tcpflags] & tcp-syn != 0"
    assert run_program(program, frame(V4 / TCP(flags="S"))) == KEEP
    assert run_program(program, frame(V4 / TCP(flags="A"))) == 0
    program, text = choose_program([80], "tcp", snaplen=200)
    assert text == "(tcp) and (port 80)"
    assert run_program(program, frame(V4 / TCP(dport=80))) == 200
    assert run_program(program, frame(V4 / UDP(dport=80))) == 0


@needs_libpcap
def test_wrong_text_is_one_sentence() -> None:
    with pytest.raises(FilterError, match="The filter 'port port' is wrong: "):
        choose_program((), "port port")


def test_without_libpcap_simple_text_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "load_libpcap", lambda: None)
    program, _ = choose_program((), "host 127.0.0.1 and port 8000 or port 9000")
    assert run_program(program, frame(V4 / TCP(dport=9000))) == KEEP
    with pytest.raises(FilterError, match="needs libpcap"):
        choose_program((), "tcp")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_out_of_range_are_said(port: int) -> None:
    with pytest.raises(FilterError, match=f"Port {port} is out of range"):
        choose_program([port])
