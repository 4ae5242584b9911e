"""WebSocket frames and payload bytes a second, from the file on disk to all frames, against tshark.

The captures are made here: one upgraded connection each, small messages to and fro (one frame a packet, or
twenty), large messages, and compressed ones. `run(repeats)` gives rows for the common table; tshark prints
every frame's opcode, we hold every frame, message and finding. Both have to count the same frames.
"""

from __future__ import annotations

import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from inspector.protocols.http.upgrade import prove
from inspector.protocols.websocket.frame import encode
from inspector.trace.trace import Trace
from tests.support.captures.application import web

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
EXTENSION = "Sec-WebSocket-Extensions: permessage-deflate"
SEGMENT = 60_000
SMALL = b'{"type": "greeting", "to": "you"}'


class Load(NamedTuple):
    """A capture: what it holds, frames in all, payload bytes of each, frames a turn, compressed or not."""

    what: str
    frames: int
    payload: bytes
    turn: int
    deflate: bool = False


LOADS = (
    Load("messages of 33 bytes, one frame a packet", 300_000, SMALL, 1),
    Load("messages of 33 bytes, twenty frames a packet", 600_000, SMALL, 20),
    Load("messages of 50 kB", 4_000, SMALL * 1500, 1),
    Load("compressed messages of 330 bytes", 100_000, SMALL * 10, 1, True),
)


def turns(load: Load) -> Iterator[tuple[int, bytes]]:
    """What client (0) and server (1) say in turns."""
    head = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
    answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    answer += f"Sec-WebSocket-Accept: {prove(KEY).expected}\r\n"
    extension = EXTENSION + "\r\n" if load.deflate else ""
    yield 0, f"{head}{extension}\r\n".encode()
    yield 1, f"{answer}{extension}\r\n".encode()
    chance = random.Random(1)
    packers = [zlib.compressobj(6, zlib.DEFLATED, -15) for _ in (0, 1)]
    for number in range(load.frames // load.turn):
        side = number % 2
        parts = []
        for _ in range(load.turn):
            payload = load.payload
            if load.deflate:
                packer = packers[side]
                payload = (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
            key = None if side else chance.randbytes(4)
            parts.append(encode(payload, 1, rsv=4 * load.deflate, key=key))
        yield side, b"".join(parts)


def packet(direction: int, flags: int, seq: int, ack: int, payload: bytes) -> bytes:
    """An IPv4 packet with a TCP segment."""
    ports = (40_000, 8765)[:: -1 if direction else 1]
    tcp = struct.pack("!HHIIHHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 12 | flags, 60_000, 0, 0)
    ends = (b"\x0a\0\0\1", b"\x0a\0\0\2")[:: -1 if direction else 1]
    total = 40 + len(payload)
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 0, 0x4000, 64, 6, 0, *ends) + tcp + payload


def make(path: Path, load: Load) -> None:
    """Write the capture."""
    count = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 101))

        def write(data: bytes) -> None:
            nonlocal count
            count += 1
            seconds, micros = divmod(count * 7, 1_000_000)
            file.write(struct.pack("<IIII", 1_700_000_000 + seconds, micros, len(data), len(data)) + data)

        write(packet(0, 0x02, 99, 0, b""))
        write(packet(1, 0x12, 299, 100, b""))
        write(packet(0, 0x10, 100, 300, b""))
        seq = [100, 300]
        for direction, data in turns(load):
            for at in range(0, len(data), SEGMENT):
                part = data[at : at + SEGMENT]
                write(packet(direction, 0x18, seq[direction], seq[1 - direction], part))
                seq[direction] += len(part)


def ours(path: Path) -> tuple[float, int]:
    """Open, index, reassemble and decode: seconds, frames."""
    began = time.perf_counter()
    with Trace.open(path) as trace:
        trace.finish()
        application = web(trace, 0)
        frames = len(application.frames)
        clean = not [one for one in application.findings if one.severity == "error"]
    assert clean
    return time.perf_counter() - began, frames


def tshark(path: Path) -> tuple[float, int]:
    """tshark prints the opcode of every frame: seconds, frames."""
    command = ["tshark", "-n", "-r", str(path), "-Y", "websocket", "-T", "fields", "-e", "websocket.opcode"]
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - began
    return seconds, done.stdout.count(b"\n") + done.stdout.count(b",")


def measure(work: Callable[[Path], tuple[float, int]], path: Path, load: Load) -> float:
    """Frames a second of one go."""
    seconds, frames = work(path)
    assert frames == load.frames, f"{frames} of {load.frames} frames in {load.what}"
    return frames / seconds


def run(repeats: int = 5) -> list[dict[str, Any]]:
    """What was reached: frames and payload bytes a second, and tshark's in the same run."""
    rows = []
    for load in LOADS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "websocket.pcap"
            make(path, load)
            mine: list[float] = []
            peer: list[float] = []
            for _ in range(repeats):
                mine.append(measure(ours, path, load))
                if shutil.which("tshark"):
                    peer.append(measure(tshark, path, load))
        best, middle = statistics.median(mine), statistics.median(peer) if peer else 0.0
        ratio = f"{best / middle:.1f} times" if peer else "no tshark here"
        rows.append({
            "what": f"WebSocket, {load.frames:,} frames: {load.what}",
            "target": "3 times tshark",
            "reached": f"{best:,.0f} frames/s, {best * len(load.payload) / 1e6:,.1f} MB/s, {ratio}",
            "spread": f"{min(mine):,.0f} to {max(mine):,.0f} frames/s",
            "peer": f"tshark: {middle:,.0f} frames/s" if peer else "",
        })
    return rows


if __name__ == "__main__":
    for line in run(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        print(line)
