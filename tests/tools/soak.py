"""`python -m tests.tools.soak [--minutes 5] [--picture FILE]`: the app watching real traffic, for long.

In a private network: `soak_load` sends (5,000 packets and 50 connections a second), `inspector watch` looks
on, on a terminal of its own, and gets a key after the other. Each second: memory, descriptors and threads of
the app and of its agent, packets behind, drops, temporary files, and how long a key took. At its end what was
sent is held against what was kept and dropped; then a verdict, a line each, and the curves as a picture.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from inspector.lab.network import namespace
from inspector.trace.trace import Trace
from inspector.tui.panes.registry import PANES
from tests.support.running.tried import Tried, note
from tests.support.screen.curves import Row, Sample, picture
from tests.support.screen.window import Terminal, inspector, terminal, wait_until
from tests.tools.benchmarks.soak_load import sent

PICTURE = Path(__file__).parents[2] / "screenshots" / "soak.svg"
INSIDE = "tests.tools.benchmarks.private_network"
LOAD = "tests.tools.benchmarks.soak_load"
PALETTE, ESCAPE, QUIT = b"\x10", b"\x1b", b"\x11"
PALETTE_HINT = "Search for commands"
ASKED_EVERY = 15                         # samples between keys whose answer is waited for
# What it may hold: so much for the program, per packet (its columns, twice while they grow) and conversation,
# and the budget of what was decoded.
BASE, PER_PACKET, PER_CONVERSATION, DECODED = 250e6, 150, 3000, 256 << 20
AGENT = 120e6                            # bytes of the agent, however long it runs
LAG_S = 3.0                              # of traffic that the picture may be behind, in the middle
KEY_S = 2.0                              # that the answer of a key may take, in the middle
ROWS = (
    Row("memory, MB", (("app", "app"), ("bound", "its bound"), ("agent", "agent"))),
    Row("packets", (("kept", "shown"), ("sent", "sent"))),
    Row("packets behind", (("behind", "behind"), ("dropped", "dropped"))),
    Row("descriptors, threads",
        (("files", "descriptors"), ("threads", "threads"), ("agent files", "of the agent"))),
    Row("seconds a key takes", (("key", "answer"),)),
    Row("temporary files", (("temporary", "files"),)),
)


class Verdict(NamedTuple):
    """One thing that had to be true, what was found, and whether it was."""

    what: str
    found: str
    held: bool


def keys() -> Iterator[bytes]:
    """What somebody presses who looks around, again and again."""
    moves = b"\x1b[B", b"\x1b[B", b"\x1b[6~", b"\x1b[A", b"g", b"G"
    return cycle([key for pane in PANES for key in (pane.key.encode(), *moves)])


def process(pid: int) -> dict[str, float]:
    """Own memory in MB, descriptors and threads of a process; nothing where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return {}
    numbers = re.findall(r"^(RssAnon|Threads):\s+(\d+)", status, re.MULTILINE)
    value = {name: int(number) for name, number in numbers}
    return {"": value.get("RssAnon", 0) / 1000, "files": files, "threads": value.get("Threads", 0)}


def agent_of(app: Terminal) -> int:
    """The agent among what the app has started; 0: there is none."""
    for pid in app.family():
        with suppress(OSError):
            if b"inspector.lab.agent" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return 0


def title(app: Terminal) -> dict[str, float]:
    """What the app's first line tells: packets, those behind, those dropped."""
    line = app.painted.text.partition("\n")[0]

    def number(word: str) -> float | None:
        found = re.search(rf"([\d,]+) {word}", line)
        return None if found is None else float(found[1].replace(",", ""))

    counts = {"kept": number("packets?  "), "dropped": number("dropped"),
              "behind": number("packets behind") or 0.0}
    return {name: value for name, value in counts.items() if value is not None}


def answered(app: Terminal) -> float:
    """Seconds until the palette stands on the screen that a key asks for; it is left again."""
    began = time.monotonic()
    app.write(PALETTE)
    app.until_shown(PALETTE_HINT)
    took = time.monotonic() - began
    app.write(ESCAPE)
    while PALETTE_HINT in app.painted.text:
        app.read_for(0.05)
    return took


def files_in(folder: Path) -> int:
    """All files below a folder."""
    return sum(len(names) for _, _, names in os.walk(folder))


def soak(seconds: float, rate: int, connections: int,
         folder: Path) -> tuple[list[Sample], list[Verdict], int]:
    """Samples, verdicts, and packets sent; in this network, with all files in `folder`."""
    temporary, kept = folder / "tmp", folder / "kept.pcapng"
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    before = sent()
    with terminal(folder, inspector("watch", "-o", str(kept)), size=(120, 40)) as app:
        app.until_shown("live")
        agent = agent_of(app)
        load = subprocess.Popen([sys.executable, "-m", LOAD, str(seconds), str(rate), str(connections)],
                                stdout=subprocess.PIPE, text=True)
        samples = list(_samples(app, agent, load, temporary, before, connections))
        sums = json.loads(load.communicate()[0])
        app.write(PANES[0].key.encode())
        _all_shown(app)
        app.write(QUIT)
        app.read_until(b"\x1b[?1049l")
        app.read_for(0.2)
        status = app.ended()
        wait_until(lambda: not app.family(), "the end of all that was started")
    total = sent() - before
    with Trace.open(kept) as trace:
        trace.finish()
        counted, dropped = trace.index.count, trace.statistics.dropped or 0
    verdicts = [
        Verdict("every packet is kept or counted as dropped",
                f"{counted:,} + {dropped:,} of {total:,} sent", counted + dropped == total),
        Verdict("the load was what it should be", f"{total / seconds:,.0f} packets and "
                f"{sums['connections'] / seconds:.1f} connections a second",
                total >= 0.9 * rate * seconds and sums["connections"] >= 0.9 * connections * seconds),
        *_verdicts(samples, rate),
        Verdict("it ends as asked and leaves nothing",
                f"status {status}, {files_in(temporary)} temporary files",
                status == 0 and not files_in(temporary)),
    ]
    return samples, verdicts, total


def _samples(app: Terminal, agent: int, load: subprocess.Popen[str], temporary: Path, before: int,
             connections: int) -> Iterator[Sample]:
    """One a second while the load runs; a key each time, and every so often its answer is waited for."""
    began, pressed, number = time.monotonic(), keys(), 0
    while load.poll() is None:
        key = {}
        if number % ASKED_EVERY == ASKED_EVERY - 1:
            key = {"key": answered(app)}
        app.write(next(pressed))
        number += 1
        app.read_for(max(0.2, began + number - time.monotonic()))
        passed = time.monotonic() - began
        own, its = process(app.pid), process(agent)
        shown = title(app)
        bound = BASE + DECODED + PER_PACKET * (sent() - before) + PER_CONVERSATION * connections * passed
        yield Sample(passed, {
            "app": own.get("", 0.0), "files": own.get("files", 0), "threads": own.get("threads", 0),
            "agent": its.get("", 0.0), "agent files": its.get("files", 0), "bound": bound / 1e6,
            "temporary": files_in(temporary), "sent": sent() - before, **shown, **key})


def _all_shown(app: Terminal) -> None:
    """Until the title has told the same number for some seconds, with nothing behind it."""
    seen, since = -1.0, time.monotonic()
    while time.monotonic() - since < 3.0:
        app.read_for(0.5)
        shown = title(app)
        if shown.get("behind") or shown.get("kept", seen) != seen:
            seen, since = shown.get("kept", seen), time.monotonic()


def _verdicts(samples: list[Sample], rate: int) -> Iterator[Verdict]:
    """What the samples say."""
    settled = samples[len(samples) // 5 :]
    half = len(settled) // 2

    def middle(name: str) -> float:
        found = sorted(one.values[name] for one in samples if name in one.values)
        return found[len(found) // 2] if found else 0.0

    def grown(name: str) -> tuple[float, float]:
        first, second = (max(one.values[name] for one in part) for part in (settled[:half], settled[half:]))
        return first, second

    over = [one for one in samples if one.values["app"] > one.values["bound"]]
    last = samples[-1].values
    yield Verdict("the app's memory is within its bound", f"{last['app']:.0f} of {last['bound']:.0f} MB",
                  not over)
    most = max(one.values["agent"] for one in samples)
    early, late = grown("agent")
    yield Verdict("the agent's memory does not grow",
                  f"{most:.0f} MB at most, first half {early:.0f}, then {late:.0f}",
                  most < AGENT / 1e6 and late <= early * 1.1 + 2)
    for name, called in (("files", "descriptors"), ("threads", "threads"),
                         ("agent files", "descriptors of the agent"), ("temporary", "temporary files")):
        early, late = grown(name)
        yield Verdict(f"{called} do not grow", f"{early:.0f}, then {late:.0f}", late <= early)
    behind = middle("behind")
    yield Verdict("the picture is within its lag", f"{behind / rate:.1f} s behind in the middle, at most "
                  f"{max(one.values['behind'] for one in samples) / rate:.1f}", behind <= LAG_S * rate)
    slowest = max((one.values["key"] for one in samples if "key" in one.values), default=0.0)
    yield Verdict("keys are answered", f"{middle('key'):.2f} s in the middle, at most {slowest:.1f}",
                  middle("key") <= KEY_S)


def main() -> int:
    """Print the verdict and write the picture; exit status 1 where something did not hold."""
    parser = argparse.ArgumentParser("python -m tests.tools.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="for how long (5; 120 for two hours)")
    parser.add_argument("--rate", type=int, default=5000, help="packets a second (5,000)")
    parser.add_argument("--connections", type=int, default=50, help="new connections a second (50)")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="of the curves (screenshots/soak.svg)")
    parser.add_argument("--counts", type=Path, help="a file to which a line of JSON is added")
    parser.add_argument("--network", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.network:                              # now in a network of its own, as root of it
        again = [sys.executable, "-m", "tests.tools.soak", *sys.argv[1:]]
        network = ["--network", str(namespace.identity())]
        os.execv(sys.executable, [sys.executable, "-m", INSIDE, *again, *network])
    assert namespace.identity() != given.network, "not in a network of its own"
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        samples, verdicts, total = soak(given.minutes * 60, given.rate, given.connections, Path(folder))
    failed = sum(not one.held for one in verdicts)
    lines = [f"{'held  ' if one.held else 'MISSED'} {one.what}: {one.found}" for one in verdicts]
    print("\n".join(lines))
    name = f"{given.minutes:g} minutes at {given.rate:,} packets and {given.connections} connections a second"
    given.picture.write_text(picture(f"inspector watch, {name}", ROWS, samples, lines), encoding="utf-8")
    print(f"The curves are in {given.picture}.")
    note(given.counts, Tried("soak", name, total, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
