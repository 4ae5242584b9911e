"""A capture whose clock jumps by years, back and forth: two conversations of HTTP, one of them an upgrade."""

from __future__ import annotations

import struct

from inspector.wire.pcapng import ENHANCED_PACKET
from tests.support.captures.growth import CLIENT, GET, OK, SERVER, Wire

_SECONDS = (0, 1, 1_700_000_000, 1_000_000_000, 4_000_000_000, 2_000_000_000, 9_000_000_000, 86_400)


def jumping() -> bytes:
    """Each packet at another of these times."""
    wire = Wire()
    wire.upgrade()
    wire.close()
    wire.begin(40001)
    wire.write(CLIENT, GET)
    wire.write(SERVER, OK)
    wire.close()
    packets, found = 0, []
    for block in wire.blocks:
        if block[:4] == struct.pack("=I", ENHANCED_PACKET):
            time = _SECONDS[packets % len(_SECONDS)] * 10**9 + packets
            packets += 1
            block = block[:12] + struct.pack("=II", time >> 32, time & 0xFFFFFFFF) + block[20:]
        found.append(block)
    return b"".join(found)
