"""The one walker of extension headers, and the one of domain names: what they give for any bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.numbers import IPV6_FRAGMENT, LINK_IPV6
from inspector.wire.domain_name import MOST_NAME, read_name
from inspector.wire.headers.extensions import UNITS, Extension, walk_extensions
from inspector.wire.headers.read import NO_OFFSET, PADDING, read_headers

KINDS = st.sampled_from([*UNITS, 6, 17, 59])


@st.composite
def ipv6_packets(draw: st.DrawFn) -> bytes:
    """An IPv6 packet with a chain of extension headers, of which some lie about their length."""
    kinds = draw(st.lists(KINDS, min_size=1, max_size=6))
    body = bytearray()
    for kind, following in zip(kinds, [*kinds[1:], 59], strict=True):
        if kind not in UNITS:
            break
        units = draw(st.integers(0, 3))
        offset = b"\0\0" if draw(st.booleans()) else b"\0\1"
        body += bytes([following, units]) + offset + bytes(4 + UNITS[kind] * units)
    body += bytes(draw(st.integers(0, 24)))
    return b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes([kinds[0], 64]) + bytes(32) + bytes(body)


@settings(max_examples=200, deadline=None)
@given(ipv6_packets())
def test_one_frame_and_a_batch_of_them_go_the_same_way(packet: bytes) -> None:
    data = np.frombuffer(packet + bytes(PADDING), np.uint8)
    size = np.array([len(packet)], np.int64)
    headers = read_headers(data, np.zeros(1, np.int64), size, size, LINK_IPV6)
    walked = list(walk_extensions(packet, 40, packet[6]))
    first = next((one for one in walked if one.kind == IPV6_FRAGMENT and one.next is not None), None)
    if first is not None and int.from_bytes(packet[first.start + 2 : first.start + 4], "big") >> 3:
        walked = walked[: walked.index(first) + 1]            # what follows is the middle of a datagram
        assert int(headers.l4[0]) == NO_OFFSET
    elif not walked or (walked[-1].next is not None and walked[-1].stop <= len(packet)):
        assert int(headers.l4[0]) == (walked[-1].stop if walked else 40)
    reached = [one.next for one in walked if one.next is not None and one.stop <= len(packet)]
    if len(reached) == len(walked):
        assert int(headers.protocol[0]) == (reached[-1] if reached else packet[6])


def test_extension_headers_and_their_lengths() -> None:
    chain = bytes.fromhex("2b00 000000000000  3302 0000000000000000000000000000 00000000 00000000"
                          "2c02 00000000 00000000 00000000 00000000")
    walked = list(walk_extensions(chain, 0, 0))
    assert walked[0] == Extension(0, 0, 8, 43)
    assert walked[1] == Extension(43, 8, 32, 51)
    assert walked[2].kind == 51 and walked[2].stop == 32 + 16      # AH counts in words of four bytes
    assert list(walk_extensions(b"\0" * 7, 0, 60)) == [Extension(60, 0, 0, None)]
    assert list(walk_extensions(chain, 0, 6)) == []


def test_domain_names() -> None:
    message = bytes(12) + b"\3www\7example\0" + b"\4mail\xc0\x10" + b"\xc0\x1e"
    assert read_name(message, 12) == ((b"www", b"example"), 25, "", False)
    assert read_name(message, 25) == ((b"mail", b"example"), 32, "", False)
    assert read_name(message, 24) == ((), 25, "", False)
    assert "forwards" in read_name(message[:32] + b"\xc0\x20", 32).fault
    assert "cut short" in read_name(b"\3ww", 0).fault and read_name(b"", 0).stop == 0
    assert "unknown kind" in read_name(b"\x80aa", 0).fault
    assert read_name(b"\3ww", 0).short and not read_name(b"\x80aa", 0).short


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 600))
def test_any_bytes_give_a_name(message: bytes, start: int) -> None:
    found = read_name(message, start)
    assert start <= found.stop <= max(len(message), start)
    assert sum(len(label) + 1 for label in found.labels) < MOST_NAME
