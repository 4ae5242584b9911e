"""What being watched costs a service: requests a second of nginx and of a Node server under wrk.

Each server bare, in the lab with its port published, the same with its system calls traced; beside them
strace on the bare server with the same calls, and mitmdump before it (`mitmdump` in PATH, or in $MITMDUMP).
All ways take turns, `repeats` times; what is printed is the median, its part of the bare one, and the CPU
that a request took (all processes but wrk; without start and end). On a busy machine that is what counts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inspector.wire.strace import CALLS, OPTIONS

SECONDS, CONNECTIONS = 4, 16
_READY_WITHIN = 30.0
NGINX = """daemon off; pid {folder}/pid; error_log /dev/null; worker_processes 1;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
keepalive_requests 1000000;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 "hello from nginx\\n"; }} }} }}
"""
NODE = "require('http').createServer((q, r) => r.end('hello from node\\n')).listen({port}, '127.0.0.1')"
WAYS = ("bare", "published", "--syscalls", "strace", "mitmdump")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server(name: str, folder: Path, port: int) -> list[str]:
    """The command of a server on a port of 127.0.0.1."""
    if name == "node":
        return ["node", "-e", NODE.format(port=port)]
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port), encoding="utf-8")
    return ["nginx", "-c", str(folder / "nginx.conf")]


class Cost:
    """Seconds of CPU that programs took with all that they started, once they have ended."""

    cpu = 0.0


@contextmanager
def running(words: Sequence[str], port: int, cost: Cost) -> Iterator[None]:
    """A program, from when it listens until it is ended with all that it started."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   start_new_session=True)
        try:
            deadline = time.monotonic() + _READY_WITHIN
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    raise RuntimeError(f"{words[0]} does not listen: {output.read()[-300:]!r}")
                time.sleep(0.05)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cost.cpu += used.ru_utime + used.ru_stime


def asked(port: int) -> float:
    """Requests a second that wrk gets answered."""
    done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"http://127.0.0.1:{port}/"],
                          capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk said no rate: {done.stdout[-200:]!r}")
    return float(found[1])


def measured(name: str, way: str, asks: bool = True) -> tuple[float, float]:
    """Requests a second of a server, watched in one of the ways, and the seconds of CPU of it all."""
    cost = Cost()
    with tempfile.TemporaryDirectory() as folder:
        found = rate(name, way, Path(folder), cost, asks)
    return found, cost.cpu


def rate(name: str, way: str, folder: Path, cost: Cost, asks: bool) -> float:
    inside, outside = free_port(), free_port()
    words, port = server(name, folder, inside), inside
    lab = [sys.executable, "-m", "inspector", "exec", "--save", str(folder / "x.pcapng"), "--publish",
           f"{outside}:{inside}"]
    if way in ("published", "--syscalls"):
        words, port = [*lab, *([way] if way[0] == "-" else []), "--", *words], outside
    elif way == "strace":
        words = ["strace", "--seccomp-bpf", *OPTIONS, "-e", f"trace={','.join(CALLS)}", "-o",
                 str(folder / "strace"), "--", *words]
    with running(words, port, cost):
        if way != "mitmdump":
            return asked(port) if asks else 0.0
        before = [str(mitmdump()), "-q", "--mode", f"reverse:http://127.0.0.1:{inside}", "-p", str(outside)]
        with running(before, outside, cost):
            return asked(outside) if asks else 0.0


def mitmdump() -> str | None:
    """Where it is; None where it is not installed."""
    return os.environ.get("MITMDUMP") or shutil.which("mitmdump")


def run(repeats: int = 3) -> Iterator[dict[str, Any]]:
    """Rows with what, target, reached, spread, peer."""
    for name in ("nginx", "node"):
        what = f"{name} under wrk, {CONNECTIONS} connections, {SECONDS} s: requests/s"
        missing = [one for one in (name, "wrk", "strace") if shutil.which(one) is None]
        if missing:
            yield {"what": what, "reached": f"not measured: {' and '.join(missing)} not here"}
            continue
        ways = [way for way in WAYS if way != "mitmdump" or mitmdump()]
        rates: dict[str, list[float]] = {way: [] for way in ways}
        costs: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(repeats):
            for way in ways:
                _, idle = measured(name, way, asks=False)
                found, cpu = measured(name, way)
                rates[way].append(found)
                costs[way].append((cpu - idle) / (found * SECONDS) * 1e6)
        bare = statistics.median(rates["bare"])
        cells = {way: f"{way} {statistics.median(found):,.0f} ({statistics.median(found) / bare:.2f}; "
                      f"{statistics.median(costs[way]):,.0f} µs)" for way, found in rates.items()}
        yield {
            "what": what, "target": "",
            "reached": ", ".join(cells[way] for way in ("bare", "published", "--syscalls")),
            "spread": ", ".join(f"{way} {min(found):,.0f}–{max(found):,.0f}" for way, found in rates.items()),
            "peer": ", ".join(cells[way] for way in ("strace", "mitmdump") if way in cells)
            + f"; load {os.getloadavg()[0]:.1f}",
        }


if __name__ == "__main__":
    for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        print(json.dumps(row), flush=True)
