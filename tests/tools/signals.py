"""`python -m tests.tools.signals [--moments N] [--seed N] [COMMAND ...]`: signals at random moments.

Each command is started again and again, in folders of its own, and gets SIGINT or SIGTERM somewhere between
its first millisecond and its usual end. After each: no traceback, an exit status that says what happened, no
process and no file left but what was kept on purpose, and what was captured can be read to its end.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from inspector.trace.file.source import TraceError
from inspector.trace.trace import Trace
from tests.support.running.commands import COMMAND, ROOT
from tests.support.running.tried import Tried, note

CAPTURE = ROOT / "tests" / "data" / "traces" / "http-connections.pcapng"
MARK = "INSPECTOR_SIGNALS"       # in the environment of all that a command starts
WITHIN = 20.0                    # seconds in which it must have ended, and all it started
SIGNALS = signal.SIGINT, signal.SIGTERM
PROGRAM = "import socket as s; a = s.create_server(('', 8000)); b = s.create_connection(('127.0.0.1', 8000))"
COMMANDS: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "decode": ("decode", str(CAPTURE), "--json", "packets"),
    "findings": ("decode", str(CAPTURE), "--json", "findings"),
    "draw": ("draw", str(CAPTURE), "--to", "svg", "-o", "ladder.svg"),
    "part": ("decode", str(CAPTURE), "--filter", "tcp.stream == 3", "-o", "kept.pcapng"),
    "doctor": ("doctor",),
    "run tcp": ("run", "tcp", "--save", "kept.pcapng"),
    "run websocket": ("run", "websocket", "--json"),
    "record": ("record", "-o", "kept.pcapng", "--lab", "--", sys.executable, "-c", PROGRAM),
    "exec": ("exec", "--json", "packets", "--save", "kept.pcapng", "--", sys.executable, "-c", PROGRAM),
    "lesson list": ("lesson", "list"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one command ended. `faults`: sentences on what should not be; `early`: before Python's start was
    over, so that the interpreter itself spoke."""

    status: int
    after: float
    early: bool = False
    faults: tuple[str, ...] = ()


def once(words: tuple[str, ...], number: signal.Signals | None, after: float) -> Outcome:
    """Start it in a new folder, send the signal `after` so many seconds, and look at what is left."""
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="signals-") as name:
        folder = Path(name)
        for each in ("home", "tmp", "here"):
            (folder / each).mkdir()
        settings = {MARK: mark, "HOME": f"{folder}/home", "TMPDIR": f"{folder}/tmp", "PYTHONPATH": str(ROOT),
                    "XDG_STATE_HOME": f"{folder}/home/state", "PYTHONDONTWRITEBYTECODE": "1"}
        began = time.monotonic()
        process = subprocess.Popen([*COMMAND, *words], cwd=folder / "here", env=os.environ | settings,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        faults: list[str] = []
        try:
            if number is not None:
                try:
                    process.wait(after)
                except subprocess.TimeoutExpired:
                    process.send_signal(number)
            _, stderr = process.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            faults.append(f"runs on {WITHIN:.0f} s after the signal")
            os.killpg(process.pid, signal.SIGKILL)
            _, stderr = process.communicate()
        early = b"Traceback" in stderr and b"/inspector/cli/" not in stderr
        if b"Traceback" in stderr and not early:
            faults.append("traceback: " + stderr.decode(errors="replace").strip().splitlines()[-1])
        if not early and process.returncode not in (0, 1, 130, 143, -signal.SIGINT, -signal.SIGTERM):
            faults.append(f"status {process.returncode}: {stderr.decode(errors='replace').strip()[:300]}")
        faults += _left(mark, folder)
        return Outcome(process.returncode, time.monotonic() - began, early, tuple(faults))


def _left(mark: str, folder: Path) -> list[str]:
    """Processes, files and broken traces that should not be there."""
    until = time.monotonic() + WITHIN
    while (names := _marked(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    faults = [f"process left: {name}" for name in names]
    faults += [f"left in the temporary folder: {one.name}" for one in (folder / "tmp").iterdir()]
    faults += [f"half a file left: {one.name}" for one in (folder / "here").iterdir()
               if one.name not in ("kept.pcapng", "ladder.svg")]
    kept = folder / "here" / "kept.pcapng"
    if kept.exists() and kept.stat().st_size:
        try:
            with Trace.open(kept) as trace:
                trace.finish()
                if trace.truncated:
                    faults.append(f"what was captured: {trace.truncated}")
        except (OSError, TraceError) as error:
            faults.append(f"what was captured cannot be read: {error}")
    return faults


def _marked(mark: str) -> list[str]:
    """The command lines of processes with this mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:                        # ended meanwhile, or another user's
            continue
    return found


def main() -> int:
    """Print a line for each command and signal; exit status 1 where anything should not have been."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.signals", description=__doc__)
    parser.add_argument("--moments", type=int, default=30, help="of each command and signal")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--counts", type=Path, help="a file to which lines of JSON are added")
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=", ".join(COMMANDS))
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)      # a job in the background would ignore it
    chance, failed = random.Random(given.seed), 0
    for name in given.commands or COMMANDS:
        usual = once(COMMANDS[name], None, 0.0)
        for number in SIGNALS:
            outcomes = [once(COMMANDS[name], number, chance.uniform(0.0, usual.after * 1.1))
                        for _ in range(given.moments)]
            faults = Counter(fault for one in outcomes for fault in one.faults)
            failed += sum(faults.values())
            note(given.counts, Tried("signals", f"{name} {number.name}", given.moments, sum(faults.values())))
            statuses = Counter(one.status for one in outcomes)
            ended = "  ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
            early = sum(one.early for one in outcomes)
            print(f"{name:<14} {number.name:<8} {given.moments:>4} moments in {usual.after:4.2f} s   "
                  f"status {ended}   in Python's start {early}   faults {sum(faults.values())}", flush=True)
            for fault, count in faults.most_common():
                print(f"    {count} x {fault}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
