"""`python -m tests.tools.hostile [--size N] [CASE ...]`: what 1 MB of hostile bytes costs, a case a line.

CPU seconds and peak of memory of `decode --json findings`, `--json packets`, and of the app's opening with
each pane shown once, in processes of their own. What misses the bound (2 s, 200 MB) is marked.
Seconds are those of a machine that does nothing else: around each case a fixed piece of work of Python's is
timed too, and by as much as that takes longer than QUIET_S, the case is taken to have taken longer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.running.tried import Tried, note

MEGABYTE = 1_000_000
BOUND_S, BOUND_MB = 2.0, 200
PATIENCE = 40.0               # CPU seconds after which a run is ended
DECODED = "findings", "packets"
QUIET_S = 0.20                # of CPU that YARDSTICK takes on two cores of 2026 that do nothing else
YARDSTICK = """
import time
began = time.process_time()
found, kept = {}, []
for number in range(200_000):
    text = f"{number * 2654435761 & 0xFFFFFFFF:08x}"
    found[text[:4]] = found.get(text[:4], 0) + len(text)
    kept.append((number, text, number % 7))
kept.sort(key=lambda one: one[1])
sum(one[0] for one in kept)
print(time.process_time() - began)
"""


class Cost(NamedTuple):
    """CPU seconds and peak memory in MB; `still`: seconds for which the app's event loop stood still."""

    seconds: float
    megabytes: float
    still: float = 0.0
    ended: bool = False           # it had to be ended

    def on_a_quiet_machine(self, slower: float) -> Cost:
        """The same where all took `slower` times as long as it should."""
        return self._replace(seconds=self.seconds / slower, still=self.still / slower)

    def text(self, times: float = 1.0) -> str:
        """`0.41 s  61 MB`; marked where it misses the bound."""
        missed = self.ended or self.seconds > BOUND_S * times or self.megabytes > BOUND_MB
        seconds = f"{'>' if self.ended else ''}{self.seconds:.2f}"
        still = f" {self.still:4.2f}" if self.still else ""
        return f"{seconds:>7} {self.megabytes:5.0f}{still}{' !' if missed else '  '}"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (int(PATIENCE), int(PATIENCE) + 5))
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))


def cost(command: list[str], settings: dict[str, str]) -> Cost:
    """What a command costs, with these variables; it is ended after PATIENCE."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=_limit,
                               env=os.environ | settings)
    assert process.stdout is not None
    output, rest = b"", process.stdout.read(1 << 16)
    while rest:
        output, rest = rest[-1000:], process.stdout.read(1 << 16)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    ended = process.returncode in (-signal.SIGXCPU, -signal.SIGKILL) or process.returncode == 1
    words = output.split()
    still = float(words[-1]) if len(words) > 1 and words[-2] == b"still" else 0.0
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, still, ended)


def slower() -> float:
    """How many times as long as on a quiet machine Python takes at the moment."""
    done = subprocess.run([sys.executable, "-c", YARDSTICK], stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout) / QUIET_S


def listed() -> list[str]:
    """The names of all cases, by a process of its own: this stays small, as its peak is its children's."""
    script = "from tests.support.captures.floods import CASES; print(*CASES)"
    found = subprocess.run([sys.executable, "-c", script],
                           stdout=subprocess.PIPE, check=True, text=True)
    return found.stdout.split()


def make(name: str, size: int, folder: Path) -> Path:
    """Write a case; where it stands."""
    from tests.support.captures.floods import CASES

    file = CASES[name](size)
    path = folder / (name + file.suffix)
    path.write_bytes(file.data)
    return path


async def _open(path: Path) -> None:
    """The app on a file until all is read and no pane has work left; prints how long its loop stood still."""
    from inspector.tui.panes.registry import PANES
    from tests.support.screen.live import QuietApp, settled, workbench

    longest = 0.0

    async def meter() -> None:
        nonlocal longest
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.005)
            longest = max(longest, time.thread_time() - began)

    app = QuietApp(trace_path=path)
    async with app.run_test(size=(120, 40)) as pilot:
        watch = asyncio.create_task(meter())
        await workbench(pilot)
        await settled(pilot)
        for pane in PANES:
            await pilot.press(pane.key)
            await settled(pilot)
        watch.cancel()
    print("still", round(longest, 2))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m tests.tools.hostile", description=__doc__)
    parser.add_argument("cases", nargs="*", help="which ones; all without a name")
    parser.add_argument("--size", type=int, default=MEGABYTE, help="bytes of each file (1,000,000)")
    parser.add_argument("--keep", type=Path, help="a folder in which the files are left")
    parser.add_argument("--counts", type=Path, help="a file to which lines of JSON are added")
    parser.add_argument("--no-app", action="store_true", help="without the app")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        for name in given.cases:
            print(make(name, given.size, given.make))
        return
    if given.open:
        asyncio.run(_open(given.open))
        return
    with tempfile.TemporaryDirectory() as scratch:
        table(given, given.keep or Path(scratch))


def table(given: Any, folder: Path) -> None:
    """A line for each case."""
    names = [*DECODED, *(() if given.no_app else ("app",))]
    print(f"{'case':38} {'bytes':>10}  " + "  ".join(f"{name + ' s, MB':>15}" for name in names))
    missed, before, loads = 0, slower(), list[float]()
    for name in given.cases or listed():
        make = [sys.executable, "-m", "tests.tools.hostile", "--make", str(folder), "--size", str(given.size)]
        made = subprocess.run([*make, name], stdout=subprocess.PIPE, check=True, text=True)
        path = Path(made.stdout.strip())
        size = path.stat().st_size
        times = max(1.0, size / MEGABYTE / 1.3)
        runs = [[sys.executable, "-m", "inspector", "decode", str(path), "--json", what] for what in DECODED]
        if not given.no_app:
            runs.append([sys.executable, "-m", "tests.tools.hostile", "--open", str(path)])
        with tempfile.TemporaryDirectory() as home:             # the app keeps its panes between runs
            costs = [cost(run, {"XDG_CONFIG_HOME": home}) for run in runs]
        after = slower()
        loads.append((before + after) / 2)
        costs, before = [one.on_a_quiet_machine(loads[-1]) for one in costs], after
        cells = [one.text(times) for one in costs]
        too_much = any("!" in cell for cell in cells)
        missed += too_much
        note(given.counts, Tried("hostile", name, 1, int(too_much), round(max(costs).seconds / times, 1)))
        print(f"{name:38} {size:10,}  " + "  ".join(cells), flush=True)
        if given.keep is None:
            path.unlink()
    print(f"{missed} cases miss {BOUND_S:.0f} s of CPU or {BOUND_MB} MB; seconds are divided by what Python "
          f"took longer than on a quiet machine: {min(loads):.2f} to {max(loads):.2f} times")


if __name__ == "__main__":
    main()
