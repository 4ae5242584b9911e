"""Make random.pcap (conversations full of mistakes) and reordered.pcap (loss-3.pcap shuffled, some doubled).

`python -m tests.data.tcp.make_random`: the same files each time, by a fixed seed. Then run make_answers.py.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

from tests.support.captures.tcp import segment

HERE = Path(__file__).parent

Packet = tuple[int, bytes]
STEPS = (1_000, 20_000, 1_000_000, 5_000_000, 30_000_000)


class Conversation:
    """A random walk: data, repetition, holes, probes, windows, duplicates, SACK, and all kinds of endings."""

    def __init__(self, chance: random.Random, port: int) -> None:
        self.chance, self.port = chance, port
        self.packets: list[Packet] = []
        self.time = 10**18 + chance.randrange(10**9)
        first = [chance.choice([0, 1000, 0xFFFFFF00, chance.randrange(2**32)]) for _ in range(2)]
        self.next = first[:]
        self.window = [1000, 1000]
        self.sent: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self.open(first, chance.random())
        self.acked = [self.next[1], self.next[0]]
        for _ in range(chance.randrange(2, 14)):
            self.step(chance.randrange(2))

    def emit(self, end: int, flags: str, seq: int, ack: int, size: int, window: int,
             options: bytes = b"") -> None:
        self.time += self.chance.choice(STEPS)
        frame = segment(end, flags, seq, ack, b"ab"[end : end + 1] * size, window, options, (self.port, 80))
        self.packets.append((self.time, frame))

    def open(self, first: list[int], mode: float) -> None:
        scale = [self.chance.choice([b"", b"\3\3\2", b"\3\3\0"]) for _ in range(2)]
        if mode < 0.8:
            self.emit(0, "S", first[0], 0, 0, 1000, scale[0])
            self.next[0] += 1
            if mode < 0.7:
                self.emit(1, "SA", first[1], self.next[0], 0, 1000, scale[1] if scale[0] else b"")
            self.next[1] += 1
            if mode < 0.6:
                self.emit(0, "A", self.next[0], self.next[1], 0, 1000)

    def step(self, end: int) -> None:
        chance = self.chance
        kind = chance.random()
        if kind < 0.05:
            for _ in range(chance.randrange(1, 4)):
                self.emit(end, "A", self.next[end], self.acked[end], 0, self.window[end])
            return
        flags, seq, size = "A", self.next[end], chance.choice([0, 0, 1, 10, 10, 100])
        if kind < 0.2 and self.sent[end]:
            seq, size = chance.choice(self.sent[end])
            size = chance.choice([size, size, 1, size + 3])
        elif kind < 0.3:
            seq, size = self.next[end] - 1, chance.choice([0, 1, 1, 2, 10])
        elif kind < 0.37:
            seq += chance.choice([1, 10, 100])
        elif kind < 0.43:
            flags = "FA"
        elif kind < 0.45:
            flags = chance.choice(["RA", "R", "SA", "S"])
        elif kind < 0.51:
            seq -= chance.choice([1, 2, 5, 10])
        peer = self.next[1 - end]
        ack = chance.choice([peer, peer, self.acked[end], peer - 5, peer + 1, peer + 10])
        ack = ack if chance.random() < 0.5 else self.acked[end]
        window = chance.choice([1000, 1000, 900, 0, self.window[end], self.window[end]])
        options = b""
        if chance.random() < 0.1:
            left = ack + chance.choice([5, 10])
            options = b"\1\1\5\12" + struct.pack(">II", left & 0xFFFFFFFF, left + 10 & 0xFFFFFFFF)
        self.emit(end, flags, seq, ack if flags != "R" else 0, size, window, options)
        self.note(end, flags, seq, ack, size, window)

    def note(self, end: int, flags: str, seq: int, ack: int, size: int, window: int) -> None:
        self.window[end] = window
        if "A" in flags:
            self.acked[end] = ack
        if size:
            self.sent[end].append((seq, size))
        after = seq + size + ("F" in flags) + ("S" in flags)
        self.next[end] = max(after, self.next[end])


def write(path: Path, packets: list[Packet], link: int, snap: int = 262144) -> None:
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snap, link)]
    for time, frame in packets:
        length = int.from_bytes(frame[2:4], "big") if link == 101 else len(frame)
        parts.append(struct.pack("<IIII", time // 10**9, time % 10**9, len(frame), length) + frame)
    path.write_bytes(b"".join(parts))


def reordered(path: Path) -> list[bytes]:
    """Records of a capture out of order, some twice, each with its header as it stands."""
    data, records, at = path.read_bytes(), [], 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        records.append(data[at : at + 16 + size])
        at += 16 + size
    chance = random.Random(7)
    records += chance.sample(records, len(records) // 15)
    records.sort(key=lambda record: record[:8][::-1])
    order = sorted(range(len(records)), key=lambda i: i + chance.choice([0, 0, 0, 2, 3, 6]))
    return [data[:24], *(records[i] for i in order)]


def main() -> None:
    chance = random.Random(2026)
    packets = [packet for i in range(200) for packet in Conversation(chance, 1024 + i).packets]
    write(HERE / "random.pcap", packets, 101)
    (HERE / "reordered.pcap").write_bytes(b"".join(reordered(HERE / "loss-3.pcap")))


if __name__ == "__main__":
    main()
