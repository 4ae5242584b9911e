"""Opening a capture of a million packets: first page, index, its memory, filters; peers in the same run.

Every run is a process of its own; ours and the peers take turns. scapy reads a part, scaled up, since all of
it would take minutes. `python bench_open.py make FILE [COUNT]` only writes the capture.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

COUNT, FLOWS, SCAPY_PART = 1_000_000, 1000, 20_000
FILTERS = {
    "a port": "tcp.port == 20011",
    "a flag": "tcp.flags.push == 1",
    "an address": "ip.addr == 10.0.0.12",
    "and of the three": "tcp.port == 20011 and tcp.flags.push == 1 and ip.addr == 10.0.0.12",
}


def make(path: Path, count: int = COUNT) -> None:
    """Write `count` packets, some 200 bytes each: 1000 conversations, nine in ten TCP, the others UDP."""
    dice = np.random.default_rng(1)
    flows = dice.integers(0, FLOWS, count).tolist()
    sizes = dice.integers(1, 260, count).tolist()
    sent = [[1, 1] for _ in range(FLOWS)]       # by each side of a conversation, so far
    turns = [0] * FLOWS
    macs = bytes.fromhex("020000000002020000000001")
    payload = bytes(range(97, 97 + 26)) * 10
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for i, (flow, size) in enumerate(zip(flows, sizes, strict=True)):
            if flow % 10:
                back, turns[flow] = turns[flow], 1 - turns[flow]
                hosts, ports = (0x0A000001 + flow % 250, 0x0A010001), (20000 + flow, 5001)
                if back:
                    hosts, ports = hosts[::-1], ports[::-1]
                ip = struct.pack(">BBHHHBBHII", 0x45, 0, 40 + size, i & 0xFFFF, 0x4000, 64, 6, 0, *hosts)
                numbers = sent[flow][back], sent[flow][1 - back]
                flags = 0x5018 if i % 3 else 0x5010
                tcp = struct.pack(">HHIIHHHH", *ports, *numbers, flags, 502, 0, 0)
                frame = macs + b"\x08\x00" + ip + tcp + payload[:size]
                sent[flow][back] += size
            else:
                ends = 0x20010DB8 << 32, flow, 0x20010DB8 << 32, 1
                ip = struct.pack(">IHBBQQQQ", 6 << 28, 8 + size, 17, 64, *ends)
                udp = struct.pack(">HHHH", 20000 + flow, 5002, 8 + size, 0)
                frame = macs + b"\x86\xdd" + ip + udp + payload[:size]
            seconds, rest = divmod(i, 100_000)
            head = struct.pack("<IIII", 1_700_000_000 + seconds, rest * 10, len(frame), len(frame))
            file.write(head + frame)


def make_large(path: Path, small: Path, times: int) -> None:
    """Write the packets of `small` so many times, one after the other in time too."""
    data = np.fromfile(small, "u1")
    places, at = [], 24
    while at < len(data):
        places.append(at)
        at += 16 + int.from_bytes(data[at + 8 : at + 12].tobytes(), "little")
    heads = np.array(places)[:, None] + np.arange(4)
    seconds = data[heads].reshape(-1, 4).copy().view("<u4").ravel()
    span = int(seconds[-1] - seconds[0]) + 1
    with path.open("wb") as file:
        file.write(data[:24].tobytes())
        for number in range(times):
            data[heads] = (seconds + np.uint32(number * span)).astype("<u4").view("u1").reshape(-1, 4)
            file.write(data[24:].tobytes())


def resident() -> int:
    """Bytes of memory that this process keeps resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(path: Path, warm: Path) -> dict[str, float]:
    """Open `path` in this process: seconds, bytes a packet, milliseconds of each filter."""
    from inspector.trace.filter.filter import Filter
    from inspector.trace.trace import Trace
    from inspector.views.packets.list import PacketList

    def page(trace: Trace) -> list[Any]:
        lines = PacketList(trace)
        return [lines.line(i, 120) for i in range(min(50, lines.count))]

    with Trace.open(warm) as small:                 # the empty app: everything imported, nothing opened
        small.finish()
        page(small)
        Filter("tcp").rows(small)
    before, start = resident(), time.perf_counter()
    with Trace.open(path) as trace:
        trace.refresh(1)
        page(trace)
        first = time.perf_counter() - start
        trace.finish()
        found = {"first": first, "all": time.perf_counter() - start}
        found["bytes"] = (resident() - before) / trace.index.count
        for name, text in FILTERS.items():
            start = time.perf_counter()
            rows = Filter(text).rows(trace)
            found[name] = (time.perf_counter() - start) * 1000
            assert len(rows)
        return found


def ours(path: Path, warm: Path) -> dict[str, float]:
    """The same in a process of its own; "process" is its whole time, interpreter and imports included."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tests.tools.benchmarks.bench_open", "measure", str(path), str(warm)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found | {"process": time.perf_counter() - start}


def seconds_of(command: Sequence[str]) -> float:
    """How long a peer took, all its output thrown away."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def peers(path: Path, part: Path) -> dict[str, float]:
    """Seconds of the peers that are installed, for the whole capture."""
    commands = {
        "tshark -r": ["tshark", "-n", "-r", str(path)], "tcpdump -n": ["tcpdump", "-n", "-r", str(path)],
        "capinfos": ["capinfos", str(path)],
    }
    found = {name: seconds_of(command) for name, command in commands.items() if shutil.which(command[0])}
    code = "import sys, time; from scapy.all import rdpcap; t = time.perf_counter(); rdpcap(sys.argv[1])"
    code += "; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code, str(part)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found["scapy rdpcap (scaled)"] = float(done.stdout) * COUNT / SCAPY_PART
    return found


def line(
    what: str, target: str, values: Sequence[float], form: str, peer: str = "", more: str = ""
) -> dict[str, str]:
    """A row of the table: the median, and the spread of all runs."""
    low, high = min(values), max(values)
    return {
        "what": what, "target": target, "reached": form.format(statistics.median(values)) + more,
        "spread": f"{form.format(low)} to {form.format(high)}", "peer": peer,
    }


def run(repeats: int = 5) -> list[dict[str, Any]]:
    """Rows with what, target, reached, spread, peer."""
    with tempfile.TemporaryDirectory() as folder:
        path, part = Path(folder, "million.pcap"), Path(folder, "part.pcap")
        make(path)
        make(part, SCAPY_PART)
        mine: list[dict[str, float]] = []
        others: list[dict[str, float]] = []
        for _ in range(repeats):
            mine.append(ours(path, part))
            others.append(peers(path, part))
        size = path.stat().st_size / 1e6
    middle = {name: statistics.median([run[name] for run in others]) for name in others[0]}
    own = statistics.median([run["all"] for run in mine])
    beside = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in middle.items())
    times = ", ".join(f"{seconds / own:.1f} times {name.split()[0]}" for name, seconds in middle.items())
    whole = statistics.median([run["process"] for run in mine])
    times += f" (whole process, imports and filters too: {whole:.2f} s)"

    def column(name: str) -> list[float]:
        return [run[name] for run in mine]

    what = f"opening {COUNT:,} packets ({size:.0f} MB)"
    rows = [
        line(f"{what}: first page of 50 lines", "0.3 s", column("first"), "{:.3f} s"),
        line(f"{what}: all indexed", "10 times the rate of tshark -r, 100 times rdpcap", column("all"),
             "{:.2f} s", beside, f"; {times}"),
        line("memory for that index", "65 bytes a packet", column("bytes"), "{:.1f}"),
    ]
    for name in FILTERS:
        target = "100 ms" if name == "and of the three" else "50 ms"
        rows.append(line(f"filter over it: {name}", target, column(name), "{:.1f} ms"))
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measured(Path(sys.argv[2]), Path(sys.argv[3]))))
    elif sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else COUNT)
    else:
        for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
            print(row)
