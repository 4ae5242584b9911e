"""The app in each of its places while nobody does anything: what it costs, and how often anything wakes.

All places are started together, each in a terminal of its own, and left alone; then for some seconds the
CPU of every process is counted, and how often its threads woke (voluntary context switches), which no other
load on the machine changes. `INSPECTED` names another checkout whose program is started in the place of ours.
`run(repeats)` gives rows for the common table.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.tools.benchmarks.app_terminal import Terminal
from tests.tools.benchmarks.bench_capture import middle, spread
from tests.tools.benchmarks.bench_open import make
from tests.tools.benchmarks.capture_load import PORT

HERE = Path(__file__).parents[3]
LAUNCHER, PACKETS = "connect()", 100_000
SECONDS = 10.0             # that are counted
SETTLED = 15.0             # after the last key: so long after a packet an agent says that it goes on
_STARTS_WITHIN = 60.0      # all of them at once
_KEY_PAUSE = 1.0


class Place(NamedTuple):
    """Where the app is left alone: its arguments, a text by which it is there, what is typed then."""

    name: str
    arguments: Sequence[str]
    text: str = LAUNCHER
    keys: str = ""


class Cost(NamedTuple):
    """Of one run, a second: CPU in milliseconds and wakes, of the app itself and of all it started."""

    own_ms: float
    own_wakes: float
    others_ms: float
    others_wakes: float


def places(capture: Path) -> tuple[Place, ...]:
    """All of them."""
    return (
        Place("the launcher", ()),
        Place("a session", (), keys="t"),
        Place("a session on a held wire", (), keys="it"),
        Place("watching a port", ("watch", str(PORT)), "live"),
        Place(f"a file of {PACKETS:,} packets", ("open", str(capture)), "packets"),
        Place("the map of lessons", ("lesson",), "esson"),
        Place("a lesson", ("lesson",), "esson", "\r"),
    )


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that these did."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def used(pid: int) -> tuple[int, int]:
    """Nanoseconds of CPU that the threads of a process have had, and how often they woke."""
    spent = woken = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        spent += int((task / "schedstat").read_text().split()[0])
        status = (task / "status").read_text().splitlines()
        woken += next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
    return spent, woken


def watch(terminals: Sequence[Terminal], seconds: float) -> None:
    """Read what all of them draw for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        ready = set(select.select(terminals, [], [], left)[0])
        for terminal in terminals:
            if terminal in ready:
                terminal.watch(0.001)


def costs(chosen: Sequence[Place], folder: Path) -> dict[str, Cost | str]:
    """One run of all places: what each costs, or why it is not known."""
    checkout = os.environ.get("INSPECTED", str(HERE))
    found: dict[str, Cost | str] = {}
    with contextlib.ExitStack() as stack:
        there: dict[Place, Terminal] = {}
        for number, place in enumerate(chosen):
            home = str(folder / str(number))
            settings = {"PYTHONPATH": checkout, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}
            command = (sys.executable, "-m", "inspector", *place.arguments)
            there[place] = stack.enter_context(Terminal(command, settings, checkout))
        for place, terminal in list(there.items()):
            try:
                terminal.wait_for(place.text, _STARTS_WITHIN)
            except TimeoutError as error:
                found[place.name] = f"not measured: {error}"
                del there[place]
        terminals = list(there.values())
        watch(terminals, _KEY_PAUSE)
        for at in range(max(len(place.keys) for place in chosen)):
            for place, terminal in there.items():
                terminal.type(place.keys[at : at + 1])
            watch(terminals, _KEY_PAUSE)
        watch(terminals, SETTLED)
        for place, terminal in list(there.items()):
            if terminal.has_ended:         # another checkout may have no such place
                found[place.name] = "not measured: it has ended"
                del there[place]
        families = {place: [one.pid, *descendants(one.pid)] for place, one in there.items()}
        before, began = {place: list(map(used, pids)) for place, pids in families.items()}, time.monotonic()
        watch(terminals, SECONDS)
        seconds = time.monotonic() - began
        for place, pids in families.items():
            spent = [(now[0] - then[0], now[1] - then[1])
                     for now, then in zip(map(used, pids), before[place], strict=True)]
            own, others = spent[0], spent[1:]
            found[place.name] = Cost(
                own[0] / 1e6 / seconds, own[1] / seconds,
                sum(ns for ns, _ in others) / 1e6 / seconds, sum(wakes for _, wakes in others) / seconds)
    return found


def run(repeats: int = 5) -> Iterator[dict[str, Any]]:
    """Rows with what, target, reached, spread, peer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture = folder / "idle.pcapng"
        make(capture, PACKETS)
        chosen = places(capture)
        runs = [costs(chosen, folder / f"run-{number}") for number in range(repeats)]
    for place in chosen:
        what = f"CPU a second of {place.name} that nobody touches"
        good = [one for one in (run[place.name] for run in runs) if isinstance(one, Cost)]
        if not good:
            yield {"what": what, "reached": str(runs[0][place.name])}
            continue
        own, own_wakes, others, others_wakes = zip(*good, strict=True)
        yield {
            "what": what, "target": "near 0",
            "reached": f"{middle(own):.1f} ms, {middle(own_wakes):.1f} wakes; the agent and all it started "
            f"{middle(others):.1f} ms, {middle(others_wakes):.1f} wakes",
            "spread": f"{spread(own, '.1f')}; {spread(others, '.1f')} ms", "peer": ""}
