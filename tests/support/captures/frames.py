"""Frames for tests: packed into one buffer for the header reader, or into capture files of either kind."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inspector.trace.trace import Trace
from inspector.wire.headers.read import PADDING, Headers, read_headers
from inspector.wire.pcapng import enhanced_packet, interface_description, section_header

START = 1_700_000_000_000_000_000
ETHERNET = 1
FRAME = bytes.fromhex(
    "020000000002020000000001080045000021000100004011f6c4c0000201c63364079c419c42000d000068656c6c6f"
)
FRAMES = [FRAME[:-1] + bytes([i]) for i in range(10)]


def headers_of(
    frames: Sequence[bytes], link_type: int = ETHERNET, lengths: Sequence[int] | None = None
) -> Headers:
    """Columns of `frames`, read as one batch."""
    captured = np.array([len(frame) for frame in frames], "i8")
    starts = np.cumsum(captured) - captured
    data = np.frombuffer(b"".join(frames) + b"\xa5" * PADDING, "u1")     # what follows must not matter
    wire = captured if lengths is None else np.array(lengths, "i8")
    return read_headers(data, starts, captured, wire, link_type)


def pcapng_bytes(frames: Sequence[bytes], link_type: int = ETHERNET, step_ns: int = 1_000_000) -> bytes:
    """A pcapng file of `frames`."""
    head = section_header() + interface_description(link_type)
    blocks = [enhanced_packet(frame, START + i * step_ns) for i, frame in enumerate(frames)]
    return head + b"".join(blocks)


def pcap_bytes(
    frames: Sequence[bytes], link_type: int = ETHERNET, order: str = "<", nano: bool = False,
    modified: bool = False,
) -> bytes:
    """A pcap file of `frames`, the n-th at START plus n milliseconds."""
    magic = 0xA1B23C4D if nano else 0xA1B2CD34 if modified else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)]
    for i, frame in enumerate(frames):
        seconds, part = divmod(START + i * 1_000_000, 1_000_000_000)
        part = part if nano else part // 1000
        parts.append(struct.pack(order + "IIII", seconds, part, len(frame), len(frame)))
        parts.append(bytes(8) if modified else b"")
        parts.append(frame)
    return b"".join(parts)


def trace_of(path: Path, data: bytes, following: bool = False) -> Trace:
    """A trace on a new file with these bytes, written long ago; its header is read."""
    path.write_bytes(data)
    os.utime(path, (1, 1))
    return Trace.open(path, following)
