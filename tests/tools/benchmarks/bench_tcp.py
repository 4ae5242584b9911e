"""TCP analysis of a whole capture against tshark's two passes over the same file.

The capture is made here: conversations side by side, data one way and acknowledgments the other, some of the
segments lost, doubled or late, with SACK, so that both have something to say. `run(repeats)` gives rows for
the common table; how many packets both flag stands beside them.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace

PACKETS = 400_000
_TIMESTAMPS = b"\1\1\x08\x0a" + bytes(8)


class Shape(NamedTuple):
    """Of a capture: how many conversations, bytes of a segment, bytes captured of a frame, share lost.

    `port`: of 80 tshark puts together all that no head begins, ever more of it where frames are whole.
    """

    conversations: int = 40
    segment: int = 1448
    snap: int = 96
    loss: float = 0.02
    port: int = 80


LOSSY = Shape()


def frame(number: int, back: bool, flags: int, seq: int, ack: int, size: int, options: bytes,
          shape: Shape) -> bytes:
    """An Ethernet frame with a TCP segment of `size` bytes, cut to `snap`; its length stands in front."""
    ends = [bytes([10, 1, number >> 8, number & 255]) + (40_000).to_bytes(2, "big"),
            bytes([10, 2, 0, 1]) + shape.port.to_bytes(2, "big")]
    source, destination = ends[::-1] if back else ends
    bits = (20 + len(options)) // 4 << 12 | flags
    tcp = source[4:] + destination[4:]
    tcp += struct.pack("!IIHHHH", seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, bits, 60_000, 0, 0)
    total = 20 + len(tcp) + len(options) + size
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 0, 0x4000, 64, 6, 0, source[:4], destination[:4])
    data = (bytes(12) + b"\x08\0" + head + tcp + options + b"x" * min(size, shape.snap))[: shape.snap]
    return struct.pack("<II", len(data), 14 + total) + data


def conversation(number: int, packets: int, shape: Shape) -> Iterator[bytes]:
    """Frames of one conversation: some segments are lost on the way and come again after three ACKs."""
    chance, size = random.Random(number), shape.segment

    def one(back: bool, flags: int, seq: int, ack: int, size: int, options: bytes) -> bytes:
        return frame(number, back, flags, seq, ack, size, options, shape)

    scale = b"\2\4\5\xb4\3\3\7\4\2\1\1\1" + _TIMESTAMPS
    yield one(False, 0x02, 0, 0, 0, scale)
    yield one(True, 0x12, 0, 1, 0, scale)
    yield one(False, 0x10, 1, 1, 0, _TIMESTAMPS)
    seq, made = 1, 3
    while made < packets:
        if chance.random() < shape.loss:                 # lost beyond the capture: three duplicates, repeated
            yield one(False, 0x18, seq, 1, size, _TIMESTAMPS)
            for i in range(1, 4):
                yield one(False, 0x18, seq + i * size, 1, size, _TIMESTAMPS)
                sack = struct.pack("!BBBBII", 1, 1, 5, 10, seq + size, seq + (i + 1) * size)
                yield one(True, 0x10, 1, seq, 0, _TIMESTAMPS + sack)
            yield one(False, 0x18, seq, 1, size, _TIMESTAMPS)
            seq, made = seq + 4 * size, made + 9
        else:
            yield one(False, 0x18, seq, 1, size, _TIMESTAMPS)
            yield one(False, 0x18, seq + size, 1, size, _TIMESTAMPS)
            seq, made = seq + 2 * size, made + 3
        yield one(True, 0x10, 1, seq, 0, _TIMESTAMPS)


def make(path: Path, packets: int = PACKETS, shape: Shape = LOSSY) -> int:
    """Write the capture; the number of its packets."""
    makers = [conversation(number, packets // shape.conversations, shape)
              for number in range(shape.conversations)]
    count, micros = 0, 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, shape.snap, 1))
        while makers:
            for maker in makers[:]:
                record = next(maker, None)
                if record is None:
                    makers.remove(maker)
                    continue
                micros += 7
                seconds, rest = divmod(micros, 1_000_000)
                file.write(struct.pack("<II", 1_700_000_000 + seconds, rest) + record)
                count += 1
    return count


def ours(path: Path) -> tuple[float, int]:
    """Open, index, and analyse every conversation: seconds, and how many packets have a flag."""
    began = time.perf_counter()
    with Trace.open(path) as trace:
        trace.finish()
        streams = range(len(trace.conversations("tcp")))
        flagged = sum(len(TcpFlow(trace, stream).flagged()) for stream in streams)
    return time.perf_counter() - began, flagged


def tshark(path: Path) -> tuple[float, int]:
    """tshark's two passes with a filter on its analysis: seconds, and packets."""
    command = ["tshark", "-n", "-2", "-r", str(path), "-Y", "tcp.analysis.flags",
               "-T", "fields", "-e", "frame.number"]
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began, done.stdout.count(b"\n")


def run(repeats: int = 5) -> list[dict[str, Any]]:
    """What was reached: packets a second, and tshark's in the same run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tcp.pcap"
        count = make(path)
        mine, peer = [], []
        for _ in range(repeats):
            mine.append(ours(path))
            if shutil.which("tshark"):
                peer.append(tshark(path))
    rates = [count / seconds for seconds, _ in mine]
    peers = [count / seconds for seconds, _ in peer]
    best = statistics.median(rates)
    middle = statistics.median(peers) if peers else 0.0
    ratio = f"{best / middle:.1f} times" if peers else "no tshark here"
    return [{
        "what": f"TCP analysis, {count:,} packets, {mine[0][1]:,} of them flagged",
        "target": "tshark -2 or better",
        "reached": f"{best:,.0f} packets/s, {ratio}",
        "spread": f"{min(rates):,.0f} to {max(rates):,.0f}",
        "peer": f"tshark -2: {middle:,.0f} packets/s, {peer[0][1]:,} flagged" if peers else "",
    }]


if __name__ == "__main__":
    for line in run(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        print(line)
