"""HPACK (RFC 7541): blocks of headers to names and values, by a table that both ends keep alike.

Our own, not a library's: after lost bytes the table is not known, and what does not rest on it must be shown
nevertheless; and each header knows its bytes. Whatever a block says, work is linear in its bytes, and what
is kept is bounded.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import NamedTuple

TABLE_SIZE = 4096            # bytes of the table, before the other end says else
_MOST_TABLE = 1 << 20        # bytes of a table that is kept, whatever was said
_MOST_HEADERS = 2000         # headers of a block that are kept
_MOST_BYTES = 1 << 20       # and their bytes
_ENTRY = 32                  # bytes that an entry counts for beside its own
_SHORT = 256                 # bytes of a Huffman code that is remembered
_STATIC: tuple[tuple[bytes, bytes], ...] = tuple(
    (line.encode().partition(b"=")[0], line.encode().partition(b"=")[2]) for line in """
:authority;:method=GET;:method=POST;:path=/;:path=/index.html;:scheme=http;:scheme=https;:status=200;:status=204
:status=206;:status=304;:status=400;:status=404;:status=500;accept-charset;accept-encoding=gzip, deflate
accept-language;accept-ranges;accept;access-control-allow-origin;age;allow;authorization;cache-control
content-disposition;content-encoding;content-language;content-length;content-location;content-range
content-type;cookie;date;etag;expect;expires;from;host;if-match;if-modified-since;if-none-match;if-range
if-unmodified-since;last-modified;link;location;max-forwards;proxy-authenticate;proxy-authorization;range;referer;refresh;retry-after
server;set-cookie;strict-transport-security;transfer-encoding;user-agent;vary;via;www-authenticate
""".strip().replace("\n", ";").split(";"))
_LENGTHS = """
    13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10
    13 6 7*22 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 20 22
    20*2 22*3 23 22 23*5 24 23 24*2 22 23 24 23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 23 22*2
    24 21 22 23*2 21*2 22 21 23 22 23*2 20 22*3 23 22*2 23 26*2 20 19 22 23 22 25 26*3 27*2 26 24 25
    19 21 26 27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 27 26*2
    27*5 28 27*5 26 30
"""
"""Bits of the code of each byte, then of the end of a string (Appendix B); "28*7": seven codes of 28 bits.

Codes ascend by their length, then by their byte, which makes the lengths all that is to be known.
"""


class Header(NamedTuple):
    """One header. [start, stop): its bytes in the block; `known` False: it rests on bytes not captured."""

    name: bytes
    value: bytes
    start: int
    stop: int
    known: bool = True


class HpackError(ValueError):
    """What makes a block unreadable, in words."""


def _codes() -> dict[tuple[int, int], int]:
    """(bits, code) -> byte, 256 for the end of a string."""
    lengths: list[int] = []
    for word in _LENGTHS.split():
        size, _, times = word.partition("*")
        lengths += [int(size)] * int(times or 1)
    found: dict[tuple[int, int], int] = {}
    code = bits = 0
    for symbol in sorted(range(257), key=lambda one: (lengths[one], one)):
        code <<= lengths[symbol] - bits
        bits = lengths[symbol]
        found[bits, code] = symbol
        code += 1
    return found


_CODES = _codes()
_SIZES = sorted({bits for bits, _ in _CODES})
_BYTE: list[tuple[int, int] | None] = [
    next(((bits, _CODES[bits, byte >> 8 - bits]) for bits in range(5, 9)
          if (bits, byte >> 8 - bits) in _CODES), None)
    for byte in range(256)]
"""By the next eight bits: the code that is whole in them."""


def huffman(data: bytes) -> bytes:
    """The bytes of a Huffman code (section 5.2). HpackError where it ends with anything but ones."""
    return _short(data) if len(data) <= _SHORT else _decode(data)


def _decode(data: bytes) -> bytes:
    found, waiting, bits, place = bytearray(), 0, 0, 0
    while True:
        while bits < 30 and place < len(data):
            waiting, bits, place = waiting << 8 | data[place], bits + 8, place + 1
        one = _BYTE[(waiting >> bits - 8 if bits >= 8 else waiting << 8 - bits) & 0xFF]
        if one is None or one[0] > bits:
            one = next(((size, _CODES[size, waiting >> bits - size]) for size in _SIZES
                        if size <= bits and (size, waiting >> bits - size) in _CODES), None)
        if one is None:
            break
        size, symbol = one
        if symbol == 256:
            raise HpackError("a string holds the code of its end")
        found.append(symbol)
        bits -= size
        waiting &= (1 << bits) - 1
    if bits > 7 or waiting != (1 << bits) - 1:
        raise HpackError("a string's Huffman code ends wrong")
    return bytes(found)


_short = lru_cache(4096)(_decode)


class Table:
    """One direction's table, and the reader of its blocks."""

    def __init__(self) -> None:
        self._entries: deque[tuple[bytes, bytes]] = deque()      # the newest first
        self._size, self._limit = 0, TABLE_SIZE
        self._allowed = TABLE_SIZE
        self._known = True             # nothing was lost

    def allow(self, size: int) -> None:
        """The other end's SETTINGS_HEADER_TABLE_SIZE."""
        self._allowed = max(min(size, _MOST_TABLE), TABLE_SIZE)

    def lose(self) -> None:
        """A block was lost: what stands in the table is not known, what comes into it from now on is."""
        self._entries.clear()
        self._size, self._known = 0, False

    def read_cut(self, block: bytes) -> tuple[Header, ...]:
        """The headers of a block of which only the beginning is there; what comes then is lost."""
        found, _ = self._read(block, cut=True)
        self.lose()
        return found

    def read(self, block: bytes) -> tuple[tuple[Header, ...], int]:
        """The headers of a block, and how many were left out for being too many. HpackError."""
        return self._read(block)

    def _read(self, block: bytes, *, cut: bool = False) -> tuple[tuple[Header, ...], int]:
        found: list[Header] = []
        place, kept, left = 0, 0, 0
        while place < len(block):
            start = place
            first = block[place]
            if first & 0xE0 == 0x20:
                size, place = _integer(block, place, 5)
                self._resize(size)
                continue
            try:
                name, value, place, known = self._field(block, place, first)
            except HpackError:
                if cut:
                    break
                raise
            kept += len(name) + len(value)
            if len(found) < _MOST_HEADERS and kept <= _MOST_BYTES:
                found.append(Header(name, value, start, place, known))
            else:
                kept, left = _MOST_BYTES + 1, left + 1
        return tuple(found), left

    def _field(self, block: bytes, place: int, first: int) -> tuple[bytes, bytes, int, bool]:
        """One header (section 6): name, value, the place behind it, whether it is known."""
        if first & 0x80:
            index, place = _integer(block, place, 7)
            name, value, known = self._entry(index)
            return name, value, place, known
        index, place = _integer(block, place, 6 if first & 0x40 else 4)
        if index:
            name, _, known = self._entry(index)
        else:
            (name, place), known = _string(block, place), True
        value, place = _string(block, place)
        if first & 0x40:
            self._add(name, value)
        return name, value, place, known

    def _entry(self, index: int) -> tuple[bytes, bytes, bool]:
        if 0 < index <= len(_STATIC):
            return *_STATIC[index - 1], True
        place = index - len(_STATIC) - 1
        if 0 <= place < len(self._entries):
            return *self._entries[place], True
        if self._known or index == 0:
            raise HpackError(f"there is no entry {index} in the table")
        return b"", b"", False

    def _add(self, name: bytes, value: bytes) -> None:
        self._entries.appendleft((name, value))
        self._size += len(name) + len(value) + _ENTRY
        self._evict()

    def _resize(self, size: int) -> None:
        if size > self._allowed and self._known:
            raise HpackError(f"the table is set to {size} bytes, of which {self._allowed} are allowed")
        self._limit = min(size, _MOST_TABLE)
        self._evict()

    def _evict(self) -> None:
        while self._size > self._limit:
            name, value = self._entries.pop()
            self._size -= len(name) + len(value) + _ENTRY


def _integer(block: bytes, place: int, bits: int) -> tuple[int, int]:
    """A number with a prefix of `bits` bits (section 5.1), and the place behind it."""
    if place >= len(block):
        raise HpackError("it ends in the middle of a number")
    most = (1 << bits) - 1
    value, place = block[place] & most, place + 1
    if value < most:
        return value, place
    for shift in range(0, 35, 7):
        if place >= len(block):
            raise HpackError("it ends in the middle of a number")
        byte, place = block[place], place + 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise HpackError("a number has more than 35 bits")


def _string(block: bytes, place: int) -> tuple[bytes, int]:
    packed = place < len(block) and block[place] & 0x80
    size, place = _integer(block, place, 7)
    if place + size > len(block):
        raise HpackError("it ends in the middle of a string")
    data = block[place : place + size]
    return (huffman(data) if packed else data), place + size
