"""The app as people meet it: how soon it answers, how soon a packet is seen, whether it stays awake.

Times are taken at the terminal's end: when a text stands in what the program wrote to it (app_terminal.py).
What captures runs in a private network, so that no other traffic is seen and no privilege is needed.
`run(repeats)` gives rows for the common table.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.tools.benchmarks.app_meter import RATE, SECONDS
from tests.tools.benchmarks.app_terminal import Terminal
from tests.tools.benchmarks.bench_capture import middle, spread
from tests.tools.benchmarks.capture_load import PORT

PROGRAMS = "tests.tools.benchmarks"
OURS = (sys.executable, "-m", "inspector")
DATAGRAMS = 150                    # a run of the way to the screen
EMPTY_TEXT, LAUNCHER_TEXT, WATCHING_TEXT = "first paint", "connect()", "live"
EMPTY_APP = f"""
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static({EMPTY_TEXT!r})
Empty().run()
"""
_STARTS_WITHIN = 30.0              # seconds
_SETTLE = 3.0                      # seconds until what the app imports in the background is there


def tail(values: Sequence[float], share: float = 0.99) -> float:
    """The value below which this share of all lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


# --- starting ---

def wall_time(command: Sequence[str]) -> float:
    """Seconds from a program's start to its end."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def text_rows(repeats: int) -> list[dict[str, str]]:
    """`--help` and `--version`."""
    commands = {"--help": (*OURS, "--help"), "--version": (*OURS, "--version"),
                "peer": (sys.executable, "-c", "pass")}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats * 3):
        for name in random.sample(list(commands), len(commands)):
            times[name].append(wall_time(commands[name]))
    peer = f"python -c pass: {middle(times['peer']):.3f} s ({spread(times['peer'], '.3f')})"
    return [
        {"what": f"inspector {name}", "target": "0.15 s", "reached": f"{middle(times[name]):.3f} s",
         "spread": f"{spread(times[name], '.3f')} s", "peer": peer}
        for name in ("--help", "--version")
    ]


def paint_time(command: Sequence[str], text: str) -> float:
    """Seconds from a program's start until it wrote `text` to its terminal."""
    with Terminal(command) as terminal:
        return terminal.wait_for(text, _STARTS_WITHIN) - terminal.began


def paint_row(repeats: int) -> dict[str, str]:
    """The launcher, beside an app that shows two words."""
    ours, empty = [], []
    for _ in range(repeats):
        empty.append(paint_time((sys.executable, "-c", EMPTY_APP), EMPTY_TEXT))
        ours.append(paint_time(OURS, LAUNCHER_TEXT))
    more = [one - other for one, other in zip(ours, empty, strict=True)]
    return {
        "what": "app to first paint, its launcher",
        "target": "within 0.3 s of an empty Textual app",
        "reached": f"{middle(ours):.2f} s, {middle(more):+.2f} s",
        "spread": f"{spread(ours, '.2f')} s, {spread(more, '+.2f')} s",
        "peer": f"empty Textual app: {middle(empty):.2f} s ({spread(empty, '.2f')})",
    }


# --- while packets come; in the private network ---

def screen_times() -> Iterator[float]:
    """Seconds from each datagram's `sendto()` until its payload was written to the terminal."""
    address = ("127.0.0.1", PORT)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        Terminal((*OURS, "watch", str(PORT))) as terminal,
    ):
        receiver.bind(address)
        terminal.wait_for(WATCHING_TEXT, _STARTS_WITHIN)
        terminal.watch(_SETTLE)
        for _ in range(DATAGRAMS):
            token = secrets.token_hex(5)
            began = time.perf_counter()
            sender.sendto(token.encode(), address)
            yield terminal.wait_for(token, 5) - began
            terminal.watch(random.uniform(0.05, 0.15))


def screen_row(repeats: int) -> dict[str, str]:
    """From a datagram to its row on the screen."""
    runs = [list(screen_times()) for _ in range(repeats)]
    medians, tails = [middle(run) * 1000 for run in runs], [tail(run) * 1000 for run in runs]
    return {
        "what": f"from send() to the row on the screen, {DATAGRAMS} datagrams",
        "target": "p50 15 ms, p99 50 ms",
        "reached": f"p50 {middle(medians):.1f} ms, p99 {middle(tails):.1f} ms",
        "spread": f"p50 {spread(medians, '.1f')}, p99 {spread(tails, '.1f')}",
        "peer": "",
    }


def metered() -> dict[str, Any]:
    """One run of the app that measures its own lag."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "lags.json")
        with Terminal((sys.executable, "-m", f"{PROGRAMS}.app_meter", str(result))) as terminal:
            if not terminal.watch_to_end(_STARTS_WITHIN + 6 * SECONDS):
                raise TimeoutError("the metered app did not end")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def lag_row(repeats: int) -> dict[str, str]:
    """The event loop's lag under a steady flood, and without."""
    runs = [metered() for _ in range(repeats)]
    tails = {name: [tail([lag for lag, _ in run[name]]) * 1000 for run in runs] for name in ("quiet", "busy")}
    own = [tail([used for _, used in run["busy"]]) * 1000 for run in runs]
    worst = max(lag for run in runs for lag, _ in run["busy"]) * 1000
    rates = [run["sent"] / run["seconds"] / 1000 for run in runs]
    shown = [run["shown"] for run in runs]
    return {
        "what": f"event loop's lag while {RATE:,} packets/s are captured, {SECONDS} s",
        "target": "p99 16 ms",
        "reached": f"p99 {middle(tails['busy']):.1f} ms, worst {worst:.0f} ms; p99 of the loop's own CPU "
        f"meanwhile {middle(own):.1f} ms; {middle(rates):.0f} k/s sent; {middle(shown):,.0f} of "
        f"{runs[0]['sent']:,} shown, {sum(run['dropped'] for run in runs):,} dropped",
        "spread": f"p99 {spread(tails['busy'], '.1f')} ms; {spread(shown, ',')} shown",
        "peer": f"without traffic: p99 {middle(tails['quiet']):.1f} ms ({spread(tails['quiet'], '.1f')})",
    }


def run(repeats: int = 5) -> Iterator[dict[str, Any]]:
    """Rows with what, target, reached, spread, peer, as they are done."""
    yield from text_rows(repeats)
    yield paint_row(repeats)
    within = [sys.executable, "-m", f"{PROGRAMS}.private_network"]
    command = [*within, sys.executable, "-m", f"{PROGRAMS}.bench_app", str(repeats)]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as written:
        environment = {**os.environ, "XDG_STATE_HOME": folder}     # traces are not to be kept
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=written, env=environment) as live:
            assert live.stdout is not None
            yield from map(json.loads, live.stdout)
        written.seek(0)
        if live.returncode:
            lines = written.read().decode("utf-8", "replace").strip().splitlines()
            reason = lines[-1] if lines else "no reason given"
            yield {"what": "the app while packets come", "reached": f"not measured: {reason}"}


if __name__ == "__main__":
    for measure in (screen_row, lag_row):
        print(json.dumps(measure(int(sys.argv[1]))), flush=True)
