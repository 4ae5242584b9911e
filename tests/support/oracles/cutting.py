"""A pcapng file as if a snapshot length had cut its packets: as by `editcap -s`, with all other blocks."""

from __future__ import annotations

import struct

_PACKET = 6
_HEAD = 28               # bytes of a block before its packet


def cut_file(file: bytes, snaplen: int) -> bytes:
    """The file, of which the capture kept so many bytes of each packet; little-endian, as ours are."""
    found: list[bytes] = []
    at = 0
    while at < len(file):
        kind, size = struct.unpack_from("<II", file, at)
        block = file[at : at + size]
        found.append(_cut(block, snaplen) if kind == _PACKET else block)
        at += size
    return b"".join(found)


def _cut(block: bytes, snaplen: int) -> bytes:
    interface, high, low, captured, length = struct.unpack_from("<5I", block, 8)
    data = block[_HEAD : _HEAD + min(captured, snaplen)]
    options = block[_HEAD + captured + -captured % 4 : -4]
    body = struct.pack("<5I", interface, high, low, len(data), length)
    body += data + bytes(-len(data) % 4) + options
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", _PACKET) + size + body + size
