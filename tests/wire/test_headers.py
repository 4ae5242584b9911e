"""Header columns: as scapy sees frames made by hypothesis, and indifferent to how a batch was cut."""

from __future__ import annotations

import socket
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import NoPayload, Packet, Raw

from inspector.wire.headers.read import FRAGMENT, MALFORMED, NO_OFFSET, SHORT, Headers
from tests.support.captures.frames import headers_of

COLUMNS = ("l3", "l4", "payload", "payload_length", "network", "protocol", "src", "dst", "sport", "dport",
           "tcp_flags", "seq", "ack", "window", "status", "in_flow", "addressed")
U16, U32 = st.integers(0, 65535), st.integers(0, (1 << 32) - 1)
FOUR = st.integers(0, (1 << 32) - 1).map(lambda value: socket.inet_ntoa(value.to_bytes(4, "big")))
SIX = st.binary(min_size=16, max_size=16).map(lambda value: socket.inet_ntop(socket.AF_INET6, value))
TRANSPORTS = st.one_of(
    st.builds(TCP, sport=U16, dport=U16, seq=U32, ack=U32, flags=st.integers(0, 511), window=U16,
              options=st.sampled_from([[], [("MSS", 1460)], [("NOP", None)] * 4, [("Timestamp", (1, 2))]])),
    st.builds(UDP, sport=U16, dport=U16),
)
EXTENSION_HEADERS = [IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrRouting, IPv6ExtHdrFragment]
EXTENSIONS = st.lists(st.sampled_from(EXTENSION_HEADERS), max_size=4)
TAGS = st.lists(st.builds(Dot1Q, vlan=st.integers(0, 4095)), max_size=3)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """An Ethernet frame with IPv4 or IPv6, options or extension headers, TCP or UDP, and a payload."""
    packet: Packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for tag in draw(TAGS):
        packet /= tag
    if draw(st.booleans()):
        options = [IPOption_NOP()] * draw(st.sampled_from([0, 4, 40]))
        packet /= IP(src=draw(FOUR), dst=draw(FOUR), options=options)
    else:
        packet /= IPv6(src=draw(SIX), dst=draw(SIX))
        for extension in draw(EXTENSIONS):
            packet /= extension()
    return bytes(packet / draw(TRANSPORTS) / Raw(draw(st.binary(max_size=60))))


def check(headers: Headers, row: int, frame: bytes) -> None:
    """Hold a row against what scapy makes of the frame."""
    packet = Ether(frame)
    four, transport = packet.getlayer(IP), packet.getlayer(TCP) or packet.getlayer(UDP)
    assert transport is not None and headers.status[row] & (MALFORMED | SHORT) == 0
    assert headers.network[row] == (4 if four else 6)
    assert (headers.sport[row], headers.dport[row]) == (transport.sport, transport.dport)
    payload = b"" if isinstance(transport.payload, NoPayload) else bytes(transport.payload)
    start = int(headers.payload[row])
    assert frame[start : start + int(headers.payload_length[row])] == payload
    if four:
        assert socket.inet_ntoa(int(headers.src[row]).to_bytes(4, "big")) == four.src
        assert socket.inet_ntoa(int(headers.dst[row]).to_bytes(4, "big")) == four.dst
    else:
        place = int(np.flatnonzero(np.concatenate(headers.rows6) == row)[0])       # compiled, and others
        words = b"".join(int(word).to_bytes(8, "big") for word in np.concatenate(headers.addresses6)[place])
        assert socket.inet_ntop(socket.AF_INET6, words[:16]) == packet[IPv6].src
        assert socket.inet_ntop(socket.AF_INET6, words[16:]) == packet[IPv6].dst
    if isinstance(transport, TCP):
        assert headers.protocol[row] == 6
        assert (headers.seq[row], headers.ack[row]) == (transport.seq, transport.ack)
        assert (headers.tcp_flags[row], headers.window[row]) == (int(transport.flags), transport.window)
    else:
        assert (headers.protocol[row], headers.window[row]) == (17, transport.len)


@pytest.mark.quick
@settings(max_examples=100, deadline=None)
@given(st.lists(frames(), min_size=1, max_size=6))
def test_columns_say_what_scapy_says(batch: list[bytes]) -> None:
    headers = headers_of(batch)
    for row, frame in enumerate(batch):
        check(headers, row, frame)


def same(whole: Headers, parts: list[Headers]) -> None:
    """The columns of the parts are those of the whole."""
    for name in COLUMNS:
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert getattr(whole, name).tolist() == joined.tolist(), name


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(frames(), st.binary(max_size=90)), min_size=1, max_size=12), st.data())
def test_any_cutting_into_batches_gives_the_same_columns(batch: list[bytes], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(batch)))) | {0, len(batch)})
    parts = [headers_of(batch[a:b]) for a, b in pairwise(cuts)]
    same(headers_of(batch), parts)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=120), max_size=10), st.sampled_from(
    [0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 276, 7, 147, 65535]
), st.integers(0, 70000))
def test_any_bytes_of_any_link_give_columns(batch: list[bytes], link_type: int, more: int) -> None:
    headers = headers_of(batch, link_type, [len(frame) + more for frame in batch])
    for row, frame in enumerate(batch):
        assert headers.l4[row] == NO_OFFSET or headers.l4[row] <= len(frame)
        assert headers.payload[row] == NO_OFFSET or headers.payload[row] <= len(frame) + more
        if headers.in_flow[row]:
            assert headers.l4[row] + 8 <= len(frame)


@settings(max_examples=60, deadline=None)
@given(frames(), st.data())
def test_cut_and_changed_frames_never_read_past_their_end(frame: bytes, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(frame)))
    changed = bytearray(frame[:size])
    if size:
        changed[data.draw(st.integers(0, size - 1))] = data.draw(st.integers(0, 255))
    # What stands behind a frame in the buffer must not matter.
    alone = headers_of([bytes(changed)], lengths=[len(frame)])
    followed = headers_of([bytes(changed), b"\0" * 64], lengths=[len(frame), 64])
    for name in COLUMNS:
        assert getattr(alone, name)[0] == getattr(followed, name)[0]


@pytest.mark.parametrize(("offset", "more"), [(0, True), (3, True), (3, False)])
def test_fragments(offset: int, more: bool) -> None:
    body = bytes(UDP(sport=1, dport=2) / Raw(b"payload"))
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")     # else scapy asks the network
    four = link / IP(src="192.0.2.1", dst="192.0.2.2", flags=int(more), frag=offset, proto=17)
    six = link / IPv6(src="::1", dst="::2") / IPv6ExtHdrFragment(m=int(more), offset=offset, nh=17)
    headers = headers_of([bytes(four / Raw(body)), bytes(six / Raw(body))])
    assert (headers.status & FRAGMENT != 0).all()
    assert headers.protocol.tolist() == [17, 17]
    assert headers.in_flow.tolist() == [offset == 0] * 2
