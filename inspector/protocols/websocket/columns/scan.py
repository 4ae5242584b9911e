"""The fast way through WebSocket frames: many at once, as columns, and which of them are plain.

A plain frame is a whole text or binary message with nothing wrong in it; it needs no state but the masking
key before. A packed one is the same with RSV1, if what it inflates to is right. All others go through
`FrameDecoder` and `WebSocketSession`, which take anything. Both ways give the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inspector.protocols.websocket.frame import BINARY, RSV1, TEXT, Frame, parse_header, unmask
from inspector.wire.arrays import Bools, Int64s, UInt8s, UInt32s

_TEXT, _BINARY = 0x80 | TEXT, 0x80 | BINARY
_PACKED = RSV1 << 4
_LONG = 512              # bytes from which a payload is looked at by itself
# Bytes of a whole frame by its second byte; 0 where the length stands elsewhere.
_SIZES = tuple(0 if byte & 127 > 125 else 2 + (byte & 127) + (byte >> 7) * 4 for byte in range(256))


class Scan(NamedTuple):
    """Whole frames, one an entry; `end` is where the first incomplete one begins. Stream offsets."""

    start: Int64s
    header: Int64s
    length: Int64s
    first: UInt8s      # the first byte
    key: UInt32s       # masking key, big endian; 0 for none
    plain: Bools
    packed: Bools
    end: int


def scan(data: bytes, base: int, masked: bool, key: bytes) -> Scan:
    """The frames of `data`, which begins with a frame at stream offset `base`.

    Plain: FIN, opcode 1 or 2, no reserved bit, MASK as `masked` says with a key that is neither zero nor the
    one before (`key`: before the first), the shortest form of a length up to 16 bits, text that is UTF-8.
    Packed: the same with RSV1; what it says is not looked at.
    """
    places, end = _follow(data)
    start = np.array(places, np.int64)
    values = np.frombuffer(data + bytes(-len(data) % 4 + 16), np.uint8)
    first, second = values[start], values[start + 1]
    has_key = second >= 128
    low = second & 127
    length = low.astype(np.int64)
    wide = np.flatnonzero(low == 126)
    length[wide] = values[start[wide] + 2].astype(np.int64) << 8 | values[start[wide] + 3]
    header = np.where(low < 126, 2, np.where(low == 126, 4, 10)) + np.where(has_key, 4, 0)
    for index in np.flatnonzero(low == 127).tolist():
        length[index] = int.from_bytes(data[places[index] + 2 : places[index] + 10], "big")
    right = (has_key == masked) & (low < 127)
    right[wide] &= length[wide] > 125
    keys = np.zeros(len(start), np.uint32)
    if has_key.any():
        at = start + header - 4
        for place in range(4):
            keys = keys << 8 | values[at + place]
        keys[~has_key] = 0
        if masked:
            before = np.concatenate(([int.from_bytes(key or b"\0", "big")], keys[:-1]))
            right &= (keys != 0) & (keys != before)
    plain = right & ((first == _TEXT) | (first == _BINARY))
    packed = right & ((first == _TEXT | _PACKED) | (first == _BINARY | _PACKED))
    text = np.flatnonzero(plain & (first == _TEXT) & (length > 0))
    begin = start[text] + header[text]
    suspect = _not_ascii(values, begin, begin + length[text], keys[text] if masked else None)
    for index in text[suspect].tolist():
        stop = places[index] + int(header[index])
        mask = data[stop - 4 : stop] if masked else b""
        plain[index] = is_utf8(unmask(data[stop : stop + int(length[index])], mask))
    return Scan(start + base, header, length, first, keys, plain, packed, base + end)


def with_frame(frame: Frame, found: Scan) -> Scan:
    """The scan with a frame before it that the decoder has made."""
    first = frame.fin << 7 | frame.rsv << 4 | frame.opcode
    return Scan(
        np.concatenate(([frame.start], found.start)), np.concatenate(([frame.header_size], found.header)),
        np.concatenate(([min(frame.payload_length, (1 << 63) - 1)], found.length)),
        np.concatenate((np.array([first], np.uint8), found.first)),
        np.concatenate((np.array([int.from_bytes(frame.masking_key or b"\0", "big")], np.uint32), found.key)),
        np.concatenate(([False], found.plain)), np.concatenate(([False], found.packed)), found.end,
    )


def _follow(data: bytes) -> tuple[list[int], int]:
    """Where whole frames begin, and where the first that is not whole does."""
    places: list[int] = []
    append, sizes, position, stop = places.append, _SIZES, 0, len(data)
    last = stop - 1
    while position < last:
        size = sizes[data[position + 1]]
        if not size:
            parsed = parse_header(data, position)
            if isinstance(parsed, int):
                break
            size = parsed[4] + parsed[2]
        if position + size > stop:
            break
        append(position)
        position += size
    return places, position


def _not_ascii(
    values: UInt8s, begin: Int64s, end: Int64s, keys: UInt32s | None
) -> Bools:
    """Which of the payloads bytes[begin:end] may hold bytes above 127 once unmasked (long ones: always)."""
    suspect: Bools = end - begin >= _LONG
    short = np.flatnonzero(~suspect)
    if len(short) and keys is not None:
        suspect[short] = _masked_not_ascii(values, begin[short], end[short], keys[short])
    elif len(short):
        high = np.concatenate((np.zeros(1, np.int32), np.cumsum(values >> 7, dtype=np.int32)))
        suspect[short] = high[end[short]] != high[begin[short]]
    return suspect


def _masked_not_ascii(
    values: UInt8s, begin: Int64s, end: Int64s, keys: UInt32s
) -> Bools:
    """The same for masked payloads, none empty: by words, the key turned to where the payload begins."""
    words = values[: len(values) & ~3].view("<u4")
    turn = (begin & 3).astype(np.uint64) * 8
    key = keys.byteswap().astype(np.uint64)
    turned = (key << turn | key >> (32 - turn)).astype(np.uint32)
    first, count = begin >> 2, (end + 3 >> 2) - (begin >> 2)
    stops = np.cumsum(count)
    starts = stops - count
    place = np.repeat(first - starts, count) + np.arange(int(stops[-1]))
    high = (words[place] ^ np.repeat(turned, count)) & np.uint32(0x80808080)
    high[starts] &= (np.uint64(0xFFFFFFFF) << turn).astype(np.uint32)
    high[stops - 1] &= np.uint32(0xFFFFFFFF) >> ((-end & 3) * 8).astype(np.uint32)
    found: Bools = np.bitwise_or.reduceat(high, starts) != 0
    return found


def is_utf8(payload: bytes) -> bool:
    """True when a whole text message is what it should be."""
    if payload.isascii():
        return True
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
