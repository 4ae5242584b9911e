"""Large files in the app: from the process's start to rows on the screen, and what each key costs then.

A million packets beside an empty app; 904,000 packets of kept HTTP connections and 100,000 short ones, all
panes, filters, orders and searches (app_keys.py); nginx under wrk while it is watched (app_behind.py).
The loop's stand is told in wall time, and in CPU of its own thread, which a busy machine does not blow up.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.tools.benchmarks import bench_connections, bench_open
from tests.tools.benchmarks.app_behind import CONNECTIONS, OLD, SECONDS
from tests.tools.benchmarks.app_keys import KEYS, Key, press
from tests.tools.benchmarks.app_terminal import Terminal
from tests.tools.benchmarks.bench_app import EMPTY_APP, EMPTY_TEXT, PROGRAMS, paint_time, tail
from tests.tools.benchmarks.bench_capture import middle, spread

EXCHANGES = 56_500                 # on each of 8 connections: 904,024 packets
FIRST_KEY = Key("first key, while it is read", "j")
HTTP_ROWS, SHORT_ROWS, MILLION_ROWS = "127.0.0.1:", "10.1.0.1", "10.1.0.1"
OURS = (sys.executable, "-m", "inspector", "open")
_WATCHED_WITHIN = 90.0             # seconds


def open_row(path: Path, repeats: int) -> dict[str, Any]:
    """Rows of a million packets, beside an app that shows two words."""
    ours, empty = [], []
    for _ in range(repeats):
        empty.append(paint_time((sys.executable, "-c", EMPTY_APP), EMPTY_TEXT))
        ours.append(paint_time((*OURS, str(path)), MILLION_ROWS))
    more = [one - other for one, other in zip(ours, empty, strict=True)]
    return {
        "what": "inspector open of 1,000,000 packets: process start to rows",
        "target": "0.5 s above an empty Textual app",
        "reached": f"{middle(ours):.2f} s, {middle(more):+.2f} s",
        "spread": f"{spread(ours, '.2f')} s, {spread(more, '+.2f')} s",
        "peer": f"empty Textual app: {middle(empty):.2f} s; load {os.getloadavg()[0]:.1f}",
    }


def key_rows(name: str, path: Path, rows: str, target: str) -> Iterator[dict[str, Any]]:
    """One run: the first key, then every other one, and memory."""
    run = press(path, KEYS, rows, FIRST_KEY)
    first, others = run.keys[0], run.keys[1:]
    load = f"load {os.getloadavg()[0]:.1f}"
    worst = max(others, key=lambda one: one.cpu)
    yield {"what": f"{name}: first key, while it is read", "target": "100 ms", "peer": load,
           "reached": f"the loop stood {first.still * 1000:.0f} ms, {first.cpu * 1000:.0f} ms of them CPU"}
    yield {
        "what": f"{name}: {len(others)} keys, each pane, filter, order, search", "target": "p99 100 ms",
        "reached": f"answered p50 {middle([one.answer for one in others]) * 1000:.0f}, "
        f"p99 {tail([one.answer for one in others]) * 1000:.0f} ms; the loop's longest stand "
        f"p99 {tail([one.still for one in others]) * 1000:.0f} ms, "
        f"of CPU p99 {tail([one.cpu for one in others]) * 1000:.0f} ms",
        "spread": f"worst: {worst.name}, {worst.cpu * 1000:.0f} ms of CPU", "peer": load,
    }
    yield {"what": f"{name}: memory after that", "target": target,
           "reached": f"{run.megabytes:.0f} MB, peak {run.peak:.0f} MB"}


def behind_row() -> dict[str, Any]:
    """The picture behind the capture, and memory, while wrk asks nginx."""
    what = f"watching nginx under wrk, {CONNECTIONS} connections, {SECONDS} s: picture behind the capture"
    if not (shutil.which("nginx") and shutil.which("wrk")):
        return {"what": what, "reached": "not measured: nginx and wrk are not both here"}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "behind.json")
        own = {"XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        within = (sys.executable, "-m", f"{PROGRAMS}.private_network")
        command = (*within, sys.executable, "-m", f"{PROGRAMS}.app_behind", str(result))
        with Terminal(command, own) as terminal:
            terminal.watch_to_end(_WATCHED_WITHIN)
        found = json.loads(result.read_text(encoding="utf-8"))
    ages = [age for age, _, _ in found["ages"]]
    unshown = sum(age > OLD and not shown for age, _, shown in found["ages"])
    return {
        "what": what, "target": "1 s, told; 400 MB",
        "reached": f"{found['rate']:,.0f} requests/s: p50 {middle(ages):.2f}, p99 {tail(ages):.2f} s behind, "
        f"late at {unshown} of {len(ages)} looks; {found['megabytes']:.0f} MB; {found['dropped']:,} dropped "
        f"of {found['packets']:,}",
        "spread": f"loop's lag p99 {tail([lag for lag, _ in found['lags']]) * 1000:.0f} ms, "
        f"of CPU {tail([used for _, used in found['lags']]) * 1000:.0f} ms",
        "peer": f"load {os.getloadavg()[0]:.1f}",
    }


def run(repeats: int = 5) -> Iterator[dict[str, Any]]:
    """Rows with what, target, reached, spread, peer."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.pcap")
        bench_open.make(path)
        yield open_row(path, repeats)
        bench_connections.make_kept(path, EXCHANGES)
        yield from key_rows("904,024 packets of 8 HTTP connections", path, HTTP_ROWS, "400 MB")
        bench_connections.make(path)
        yield from key_rows("100,000 HTTP connections of 8 packets", path, SHORT_ROWS, "300 MB")
    yield behind_row()


if __name__ == "__main__":
    for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        print(json.dumps(row), flush=True)
