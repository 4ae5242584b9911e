"""Capturing at full loopback rate, beside tcpdump and dumpcap, each writing a file, in the same run.

All runs are in one private network, where this process is root. Tools take turns, in another order each
time, and before a large copy memory is used once and given back, since a virtual machine's first touch of
memory is slow and would punish whoever runs first. `run(repeats)` gives rows for the common table.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inspector.lab.launch import start_agent
from inspector.lab.options import Limits
from inspector.trace.trace import Trace
from tests.tools.benchmarks.capture_load import PORT, cpu_seconds, wait_until_still

FLOOD, SIZE, COPY = 1_000_000, 100, 2_000_000_000
PROGRAMS = "tests.tools.benchmarks"
_SETTLE = 1.0                      # seconds for a tool to have everything running


@dataclass(frozen=True)
class Run:
    """One tool under one load."""

    seconds: float
    cpu: float                     # seconds of CPU used for it
    kept: int                      # packets in the file
    size: int                      # bytes of the file
    counted: int                   # packets that the tool says were dropped
    doubled: int = 0
    missing: int = 0               # numbered datagrams that are not in the file


def load(*arguments: object) -> float:
    """Run a sender; the seconds it took."""
    command = [sys.executable, "-m", f"{PROGRAMS}.capture_load", *map(str, arguments)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def capture_ours(path: Path, snaplen: int, arguments: Sequence[object]) -> Run:
    """Our agent under a load."""
    with start_agent(path, "host", limits=Limits(snaplen=snaplen)) as agent:
        time.sleep(_SETTLE)
        before = cpu_seconds(agent.pid)
        seconds = load(*arguments)
        wait_until_still(path)
        used = cpu_seconds(agent.pid) - before
    assert agent.summary is not None
    return finished(path, seconds, used, agent.summary.dropped, arguments)


def peer_command(name: str, path: Path, snaplen: int) -> list[str]:
    """How tcpdump or dumpcap is called to do the same."""
    own = ["-n", "-Z", "root"] if name == "tcpdump" else ["-q"]
    return [name, *own, "-i", "lo", *(["-s", str(snaplen)] if snaplen else []), "-w", str(path)]


def works(name: str) -> bool:
    """True when this peer is installed and can capture here."""
    if shutil.which(name) is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = peer_command(name, Path(folder, "trace"), 0)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(_SETTLE)
            runs = process.poll() is None
            process.terminate()
    return runs


def capture_peer(name: str, path: Path, snaplen: int, arguments: Sequence[object]) -> Run:
    """tcpdump or dumpcap under a load."""
    command = peer_command(name, path, snaplen)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        time.sleep(_SETTLE)
        before = cpu_seconds(process.pid)
        seconds = load(*arguments)
        wait_until_still(path)
        used = cpu_seconds(process.pid) - before
        process.send_signal(signal.SIGINT)
        process.communicate()
    return finished(path, seconds, used, -1, arguments)


def finished(path: Path, seconds: float, used: float, counted: int, arguments: Sequence[object]) -> Run:
    """Look at what stands in the file."""
    with Trace.open(path) as trace:
        while trace.refresh():
            pass
        index = trace.index
        kept, doubled, missing = index.count, 0, 0
        if arguments[0] == "flood":
            data = np.memmap(path, np.uint8, "r")
            ours = index.dport[:kept] == PORT
            places = index.offset[:kept][ours].astype(np.int64)[:, None] + (42 + np.arange(8))
            numbers = data[places].view(np.uint64)[:, 0]
            unique = len(np.unique(numbers))
            doubled, missing = len(numbers) - unique, FLOOD - unique
    return Run(seconds, used, kept, path.stat().st_size, counted, doubled, missing)


def take_turns(
    repeats: int, tools: Sequence[str], snaplen: int, arguments: Sequence[object]
) -> dict[str, list[Run]]:
    """Every tool under the load, `repeats` times."""
    runs: dict[str, list[Run]] = {tool: [] for tool in tools}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace")
        for _ in range(repeats):
            for tool in random.sample(list(tools), len(tools)):
                if arguments[0] == "copy":
                    touch_memory(Path(folder, "touched"))
                if tool == "inspector":
                    runs[tool].append(capture_ours(path, snaplen, arguments))
                else:
                    runs[tool].append(capture_peer(tool, path, snaplen, arguments))
                path.unlink()
    return runs


def touch_memory(path: Path) -> None:
    """Have the page cache take the copy's size once."""
    chunk = bytes(1 << 20)
    with path.open("wb") as stream:
        for _ in range(COPY >> 20):
            stream.write(chunk)
    path.unlink()


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def spread(values: Sequence[float], form: str) -> str:
    """Smallest to largest."""
    return f"{min(values):{form}} – {max(values):{form}}"


def flood_rows(repeats: int, tools: Sequence[str]) -> list[dict[str, str]]:
    """Losses, doubles and CPU under the flood."""
    runs = take_turns(repeats, tools, 0, ("flood", FLOOD, SIZE))
    own = runs["inspector"]
    rates = [FLOOD / run.seconds / 1000 for run in own]
    cost = {tool: [run.cpu / FLOOD * 1e6 for run in runs[tool]] for tool in tools}
    lost = {tool: [run.missing / FLOOD * 100 for run in runs[tool]] for tool in tools}
    most, doubled = max(run.missing for run in own), max(run.doubled for run in own)
    return [
        {
            "what": f"UDP flood, {FLOOD:,} datagrams of {SIZE} bytes, to a file",
            "target": "0 lost, 0 doubled",
            "reached": f"{most} lost, {doubled} doubled at {middle(rates):.0f} k/s",
            "spread": f"{spread(rates, '.0f')} k/s",
            "peer": beside({tool: f"lost {spread(lost[tool], '.2f')} %" for tool in tools}),
        },
        {
            "what": "its CPU per packet",
            "target": "no more than dumpcap's, aiming at tcpdump's",
            "reached": f"{middle(cost['inspector']):.2f} us",
            "spread": f"{spread(cost['inspector'], '.2f')} us",
            "peer": beside({
                tool: f"{middle(cost[tool]):.2f} us ({spread(cost[tool], '.2f')})" for tool in tools
            }),
        },
    ]


def beside(words: dict[str, str]) -> str:
    """What there is to say of the other tools."""
    return "; ".join(f"{tool} {text}" for tool, text in words.items() if tool != "inspector")


def cut_copy_row(repeats: int, tools: Sequence[str], snaplen: int) -> dict[str, str]:
    """What is lost of a TCP copy of which each frame's head is kept."""
    runs = take_turns(repeats, tools, snaplen, ("copy", COPY))
    own = runs["inspector"]
    return {
        "what": f"{COPY // 10**9} GB TCP copy, snaplen {snaplen}",
        "target": "0 lost",
        "reached": f"{max(run.counted for run in own)} lost in {middle([run.seconds for run in own]):.1f} s",
        "spread": f"{spread([run.kept for run in own], ',')} packets kept",
        "peer": beside({tool: f"{spread([run.kept for run in runs[tool]], ',')} packets" for tool in tools}),
    }


def whole_copy_row(repeats: int, tools: Sequence[str]) -> dict[str, str]:
    """How much of a TCP copy is kept, frames whole."""
    runs = take_turns(repeats, tools, 0, ("copy", COPY))
    own = runs["inspector"]
    lost = [run.counted / (run.kept + run.counted) * 100 for run in own]
    kept = {tool: [run.size / COPY * 100 for run in runs[tool]] for tool in tools}
    return {
        "what": f"{COPY // 10**9} GB TCP copy, whole frames",
        "target": "no more lost than tcpdump -w, every loss counted",
        "reached": f"{middle(kept['inspector']):.0f} % of the bytes kept; {middle(lost):.0f} % of packets "
        f"counted as lost, in {middle([run.seconds for run in own]):.1f} s",
        "spread": f"{spread(kept['inspector'], '.0f')} %",
        "peer": beside({tool: f"{middle(kept[tool]):.0f} % ({spread(kept[tool], '.0f')})" for tool in tools}),
    }


def latency_row(repeats: int, count: int = 200) -> dict[str, str]:
    """From `send()` to the bytes in the file, at a few dozen packets a second."""
    medians, tails = [], []
    for _ in range(repeats):
        waits = sorted(_latencies(count))
        medians.append(waits[len(waits) // 2] * 1000)
        tails.append(waits[int(len(waits) * 0.99)] * 1000)
    return {
        "what": "from send() to the bytes in the file",
        "target": "p50 10 ms",
        "reached": f"p50 {middle(medians):.1f} ms, p99 {middle(tails):.1f} ms",
        "spread": f"p50 {spread(medians, '.1f')}, p99 {spread(tails, '.1f')}",
        "peer": "",
    }


def _latencies(count: int) -> list[float]:
    waits = []
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with tempfile.TemporaryDirectory() as folder, receiver:
        path = Path(folder, "trace")
        receiver.bind(("127.0.0.1", PORT))
        with start_agent(path, "host") as agent, path.open("rb") as stream:
            time.sleep(_SETTLE)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for number in range(count):
                    time.sleep(random.uniform(0.02, 0.05))
                    agent.drain_wake()
                    stream.read()
                    sign = b"number %08d" % number
                    began = time.perf_counter()
                    sender.sendto(sign, ("127.0.0.1", PORT))
                    while sign not in stream.read():
                        agent.wait_for_news(1.0)
                    waits.append(time.perf_counter() - began)
    return waits


def measure(repeats: int) -> list[dict[str, str]]:
    """All rows; in the private network."""
    tools = ["inspector", *filter(works, ("tcpdump", "dumpcap"))]
    return [
        *flood_rows(repeats, tools),
        cut_copy_row(repeats, tools, 256),
        whole_copy_row(repeats, tools),
        latency_row(repeats),
    ]


def run(repeats: int = 5) -> list[dict[str, Any]]:
    """Rows with what, target, reached, spread, peer; measured in a process of its own."""
    within = [sys.executable, "-m", f"{PROGRAMS}.private_network"]
    command = [*within, sys.executable, "-m", f"{PROGRAMS}.bench_capture", str(repeats)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    for row in measure(int(sys.argv[1])):
        print(json.dumps(row), flush=True)
