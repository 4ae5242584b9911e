"""The fast way through plain WebSocket frames: text and binary messages of one frame, nothing wrong in them.

`scan_plain` reads them off a buffer without making a value of each; where it stops, `FrameDecoder` and
`WebSocketSession` go on, which take anything. Both ways give the same.
"""

from __future__ import annotations

from inspector.wire.websocket import BINARY, TEXT, unmask

Plain = tuple[int, int, int, int, bytes]
"""First octet, header size, stream offset, payload length, masking key (empty: none)."""

_TEXT, _BINARY = 0x80 | TEXT, 0x80 | BINARY
_ZERO = bytes(4)
# Of a payload of n octets, n up to 125: what repeats a 32-bit key over it, and its octets' high bits.
_REPEAT = [sum(1 << 32 * word for word in range((size + 3) // 4)) for size in range(126)]
_HIGH = [int.from_bytes(b"\x80" * size, "little") for size in range(126)]


def scan_plain(
    data: bytes, position: int, stop: int, base: int, masked: bool, key: bytes, found: list[Plain]
) -> tuple[int, bytes]:
    """Append the plain frames from `position` of `data` on, whole before `stop`; where they end, last key.

    `base` is the stream offset of data[0], `key` the masking key of the frame before. Plain: FIN, opcode 1 or
    2, no reserved bit, MASK as `masked` says with a key that is neither zero nor the one before, the shortest
    form of the length (up to 16 bits), text that is UTF-8.
    """
    append, number = found.append, int.from_bytes
    while stop - position >= 2:
        first, length = data[position], data[position + 1]
        if first not in (_TEXT, _BINARY) or (length >= 128) is not masked:
            break
        length &= 127
        begin = position + 2
        if length >= 126:
            if length == 127 or stop - position < 4:
                break
            length = data[position + 2] << 8 | data[position + 3]
            if length < 126:
                break
            begin = position + 4
        if not masked:
            end = begin + length
            if end > stop:
                break
            if first == _TEXT:
                payload = data[begin:end]
                if not payload.isascii() and not _is_utf8(payload):
                    break
            append((first, begin - position, base + position, length, b""))
            position = end
            continue
        fresh = data[begin : begin + 4]
        begin += 4
        end = begin + length
        if end > stop or fresh in (key, _ZERO):
            break
        if first == _TEXT:
            payload = data[begin:end]
            if length < 126:
                pad = number(fresh, "little") * _REPEAT[length]
                plain = not (number(payload, "little") ^ pad) & _HIGH[length]
            else:
                plain = False
            if not plain and not _is_utf8(unmask(payload, fresh)):
                break
        append((first, begin - position, base + position, length, fresh))
        key = fresh
        position = end
    return position, key


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
