"""Fragments of IP datagrams: what each header says of its place (RFC 791 section 3.2, RFC 8200 section 4.5).

One frame's bytes and the offset of its IP header -> `Fragment`; fragments -> the datagram's bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from inspector.model.numbers import IPV6_FRAGMENT
from inspector.wire.headers.extensions import walk_extensions

MOST_BYTES = 65535 + 40


class Fragment(NamedTuple):
    """`start` .. `stop`: bytes of the datagram's payload; `data`: where they stand in the frame."""

    identification: int
    protocol: int
    start: int
    stop: int
    more: bool
    data: int


def read_fragment(frame: bytes, at: int) -> Fragment | None:
    """What the IP header at `at` says; None when it is no fragment, or is not whole."""
    if at >= len(frame):
        return None
    return _version4(frame, at) if frame[at] >> 4 == 4 else _version6(frame, at)


def _version4(frame: bytes, at: int) -> Fragment | None:
    header = (frame[at] & 15) * 4
    if header < 20 or at + 20 > len(frame):
        return None
    total, identification, word = (int.from_bytes(frame[at + i : at + i + 2], "big") for i in (2, 4, 6))
    start, more = (word & 0x1FFF) * 8, bool(word & 0x2000)
    if not (start or more) or total <= header:
        return None
    return Fragment(identification, frame[at + 9], start, start + total - header, more, at + header)


def _version6(frame: bytes, at: int) -> Fragment | None:
    if frame[at] >> 4 != 6 or at + 40 > len(frame):
        return None
    header = fragment_header(frame, at)
    end = at + 40 + int.from_bytes(frame[at + 4 : at + 6], "big")
    if header is None or end <= header.stop:
        return None
    size = end - header.stop
    return Fragment(header.identification, header.next, header.offset, header.offset + size, header.more,
                    header.stop)


class FragmentHeader(NamedTuple):
    """IPv6's fragment header: `offset` bytes into the payload; `stop`: where in the frame its data begin."""

    identification: int
    next: int
    offset: int
    more: bool
    stop: int


def fragment_header(frame: bytes, at: int) -> FragmentHeader | None:
    """The fragment header among the extension headers of the IPv6 header at `at`; None: there is none."""
    if at + 40 > len(frame):
        return None
    for extension in walk_extensions(frame, at + 40, frame[at + 6]):
        if extension.kind == IPV6_FRAGMENT and extension.next is not None:
            start = extension.start
            word = int.from_bytes(frame[start + 2 : start + 4], "big")
            identification = int.from_bytes(frame[start + 4 : start + 8], "big")
            return FragmentHeader(
                identification, extension.next, word & 0xFFF8, bool(word & 1), extension.stop
            )
    return None


def join(fragments: Iterable[tuple[Fragment, bytes]]) -> tuple[bytes, int | None, bool]:
    """The bytes from 0 to the first hole, the whole length (None: no end was seen), whether parts overlap.

    `fragments` with their frames, in order of arrival; what came first stays (RFC 791 leaves it open, and
    RFC 8200 forbids overlaps).
    """
    data, known = bytearray(), bytearray()
    length: int | None = None
    overlap = False
    for fragment, frame in fragments:
        if not fragment.more and length is None:
            length = fragment.stop
        part = frame[fragment.data : fragment.data + fragment.stop - fragment.start]
        stop = min(fragment.start + len(part), MOST_BYTES)
        if stop <= fragment.start:
            continue
        if len(data) < stop:
            data.extend(bytes(stop - len(data)))
            known.extend(bytes(stop - len(known)))
        place = slice(fragment.start, stop)
        if any(known[place]):
            overlap = True
            for i in range(fragment.start, stop):
                if not known[i]:
                    data[i] = part[i - fragment.start]
        else:
            data[place] = part[: stop - fragment.start]
        known[place] = b"\1" * (stop - fragment.start)
    hole = known.find(0)
    return bytes(data if hole < 0 else data[:hole]), length, overlap
