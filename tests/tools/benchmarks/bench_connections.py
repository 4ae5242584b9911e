"""Many short HTTP connections, few that are kept, a million packets: what commands make of it, beside tshark.

100,000 connections of 8 packets each (10,000 where all fields of all packets are printed); 528,000 packets of
8 kept ones, and of some with a packet that came twice in each; 1,000,000 packets of 400 conversations, and of
1,000 that began before the capture. Every run is a process of its own, which takes turns with its peer; CPU
seconds, and its peak of memory.
`python -m tests.tools.benchmarks.bench_connections make FILE [COUNT]` only writes the first capture,
`make_kept FILE [EXCHANGES]` the other one.
"""

from __future__ import annotations

import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.tools.benchmarks import bench_open, bench_tcp

COUNT = 100_000
GET = b"GET /item HTTP/1.1\r\nHost: service\r\nAccept: */*\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"item\": 123}"
S, A, F, P = 2, 16, 1, 8
STARTS = 1000, 5000             # sequence numbers of the SYNs
ASKED = {
    "conversations": ("tshark -q -z conv,tcp", ["-q", "-z", "conv,tcp"]),
    "http": ("tshark -Y http -T fields", ["-Y", "http", "-T", "fields", "-e", "http.request.uri",
                                          "-e", "http.response.code"]),
    "findings": ("tshark -q -z expert", ["-q", "-z", "expert"]),
    "packets": ("tshark -2 -T ek", ["-2", "-T", "ek"]),
}


def make(path: Path, count: int = COUNT) -> None:
    """Write `count` connections that follow each other: SYN, SYN ACK, ACK, GET, 200, FIN, FIN, ACK."""
    asked, answer = len(GET), len(OK)
    turns = (
        (0, S, 0, 0, b""), (1, S | A, 0, 1, b""), (0, A, 1, 1, b""), (0, P | A, 1, 1, GET),
        (1, P | A, 1, 1 + asked, OK), (0, F | A, 1 + asked, 1 + answer, b""),
        (1, F | A, 1 + answer, 2 + asked, b""), (0, A, 2 + asked, 2 + answer, b""),
    )
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 101)
    time_ns = 1_700_000_000 * 10**9
    with path.open("wb") as file:
        file.write(head)
        for number in range(count):
            hosts = 0x0A000001 + number // 50_000, 0x0A010001
            ports = 10_000 + number % 50_000, 80
            for side, flags, seq, ack, payload in turns:
                ends = (hosts, ports) if not side else (hosts[::-1], ports[::-1])
                size = 40 + len(payload)
                frame = struct.pack(">BBHHHBBHII", 0x45, 0, size, 0, 0x4000, 64, 6, 0, *ends[0])
                numbers = STARTS[side] + number + seq, ack and STARTS[1 - side] + number + ack
                frame += struct.pack(">HHIIHHHH", *ends[1], *numbers, 0x5000 | flags, 502, 0, 0) + payload
                seconds, rest = divmod(time_ns, 10**9)
                file.write(struct.pack("<IIII", seconds, rest, size, size) + frame)
                time_ns += 20_000


NGINX = (b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 27 Nov 2026 09:00:%02d GMT\r\n"
         b"Content-Type: text/html\r\nContent-Length: 615\r\nLast-Modified: Fri, 27 Nov 2026 08:00:00 GMT\r\n"
         b"Connection: keep-alive\r\nETag: \"6566b8a0-267\"\r\nAccept-Ranges: bytes\r\n\r\n"
         + b"<p>x</p>\n" * 68 + b"abc")
WRK = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"


def make_kept(path: Path, exchanges: int = 33_000, connections: int = 8, twice: int = -1) -> None:
    """Write connections that are kept, as of wrk and nginx: each exchange is two packets, all interleaved.

    `twice`: the exchange whose answer comes twice.
    """
    time_ns = 1_700_000_000 * 10**9
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 101))
        numbers = [[1000, 5000] for _ in range(connections)]

        def send(which: int, side: int, flags: int, payload: bytes = b"") -> None:
            nonlocal time_ns
            own, other = numbers[which][side], numbers[which][1 - side]
            ends = (0x7F000001, 0x7F000001)
            ports = (40_000 + which, 8000) if not side else (8000, 40_000 + which)
            size = 40 + len(payload)
            frame = struct.pack(">BBHHHBBHII", 0x45, 0, size, 0, 0x4000, 64, 6, 0, *ends)
            ack = other if flags & A else 0
            frame += struct.pack(">HHIIHHHH", *ports, own, ack, 0x5000 | flags, 502, 0, 0) + payload
            file.write(struct.pack("<IIII", *divmod(time_ns, 10**9), size, size) + frame)
            numbers[which][side] = own + len(payload) + bool(flags & (S | F))
            time_ns += 5_000

        for which in range(connections):
            for side, flags in ((0, S), (1, S | A), (0, A)):
                send(which, side, flags)
        for number in range(exchanges):
            for which in range(connections):
                send(which, 0, P | A, WRK)
                answer = NGINX % (number // 1000 % 60)
                send(which, 1, P | A, answer)
                if number == twice:
                    numbers[which][1] -= len(answer)
                    send(which, 1, P | A, answer)


CASES: tuple[tuple[str, Callable[[Path], None], tuple[str, ...]], ...] = (
    (f"{COUNT:,} HTTP connections of 8 packets", make, ("conversations", "http", "findings")),
    ("10,000 of them", lambda path: make(path, 10_000), ("packets",)),
    ("528,000 packets of 8 kept connections", make_kept, ("conversations", "http", "findings")),
    ("53,000 of them, an answer twice in each", lambda path: make_kept(path, 3300, twice=500),
     ("http", "findings", "packets")),
    ("1,000,000 packets of 400 conversations", lambda path: _make_many(path, 0),
     ("conversations", "findings")),
    ("the same with losses", lambda path: _make_many(path, 0.02), ("conversations", "findings")),
    ("1,000,000 packets of 1,000 that began before", bench_open.make, ("conversations", "findings")),
)


def _make_many(path: Path, loss: float) -> None:
    shape = bench_tcp.Shape(conversations=400, segment=120, snap=2000, loss=loss, port=5001)
    bench_tcp.make(path, 1_000_000, shape)



def measured(command: Sequence[str]) -> tuple[float, float]:
    """CPU seconds, and the peak of its memory in MB; what is imported was compiled before, as installed."""
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=compiled)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def run(repeats: int = 5) -> list[dict[str, Any]]:
    """Rows with what, target, reached, spread, peer."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, make_it, asked in CASES:
            path = Path(folder, "connections.pcap")
            make_it(path)
            rows += [_compared(path, f"{name}: decode --json {what}", what, repeats) for what in asked]
    return rows


def _compared(path: Path, name: str, what: str, repeats: int) -> dict[str, Any]:
    ours = [sys.executable, "-m", "inspector", "decode", str(path), "--json", what]
    peer, options = ASKED[what]
    mine, others = [], []
    for _ in range(repeats):
        mine.append(measured(ours))
        if shutil.which("tshark"):
            others.append(measured(["tshark", "-n", "-r", str(path), *options])[0])
    seconds = [one for one, _ in mine]
    memory = statistics.median([one for _, one in mine])
    return {
        "what": name, "target": "5 times tshark, 300 MB",
        "reached": f"{statistics.median(seconds):.1f} s, {memory:.0f} MB",
        "spread": f"{min(seconds):.1f} to {max(seconds):.1f} s",
        "peer": f"{peer} {statistics.median(others):.1f} s" if others else "",
    }


if __name__ == "__main__":
    size = [int(sys.argv[3])] if len(sys.argv) > 3 else []
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]), *size)
    elif sys.argv[1:2] == ["make_kept"]:
        make_kept(Path(sys.argv[2]), *size)
    else:
        for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
            print(row)
