"""`python -m tests.tools.trust [--run] [--seconds N] [--moments N]`: what was tried and survived, counted.

Prints the table; `--run` tries all of it once more before: the fuzzer, signals, 1 MB of each kind of hostile
bytes, a soak of five minutes, and the tests of faults and walls. Counts stand in tests/data/trust.jsonl, the
table in SECURITY.md.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.running.tried import RECORD, Tried, note, recorded, write

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "SECURITY.md"
BEGIN, END = "<!-- tried -->\n", "<!-- /tried -->"
TESTS = {           # what tests cause, and where they stand
    "hostile text through every view, pane, prompt and command, down to a terminal's bytes":
        ("tests/views/every_view/test_hostile.py", "tests/tui/terminal/test_hostile_names.py",
         "tests/tui/terminal/test_hostile_panes.py", "tests/cli/surroundings/test_paths.py"),
    "hostile bytes in real conversations: changed, lost, doubled, cut elsewhere, said by the other end":
        ("tests/protocols/every_protocol",),
    "agent, endpoint, relay, helper killed or stopped; disk full, file cut or replaced, few descriptors":
        ("tests/lab/test_faults.py", "tests/cli/surroundings", "tests/trace/file/test_formats.py"),
    "work that grows with what grows in a capture; bombs":
        ("tests/trace/test_growth.py", "tests/trace/test_bounds.py"),
    "the lab's walls: privileges, owners, what is forbidden":
        ("tests/lab/test_forbidden.py", "tests/lab/test_ownership.py", "tests/lab/capture"),
}


def tests_of(paths: Sequence[str]) -> tuple[int, int]:
    """How many tests passed, and how many failed."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-vv", "-n", "2", "--no-header", *paths], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return len(re.findall(r" PASSED ", done.stdout)), len(re.findall(r" (?:FAILED|ERROR) ", done.stdout))


def run(seconds: int, moments: int) -> None:
    """Try everything; what came of it is added to the record."""
    for tool in (["fuzz", "--seconds", str(seconds)], ["fuzz", "--unguided", "--seconds", str(seconds)],
                 ["signals", "--moments", str(moments)],
                 ["hostile", "--no-app"], ["soak"]):
        subprocess.run([sys.executable, "-m", f"tests.tools.{tool[0]}", *tool[1:], "--counts", str(RECORD)],
                       cwd=ROOT, check=False)
    for name, paths in TESTS.items():
        passed, failed = tests_of(paths)
        note(RECORD, Tried("tests", name, passed + failed, failed))
    write(recorded())


def table(found: Sequence[Tried]) -> Iterator[str]:
    """The table, a line at a time, as Markdown."""
    yield "| tried | how often | did not hold |"
    yield "| --- | ---: | --- |"
    fuzz = [one for one in found if one.what == "fuzz"]
    if fuzz:
        hours = sum(one.seconds for one in fuzz) / 3600
        yield (f"| any bytes, guided by coverage: {len(fuzz)} targets (`python -m tests.tools.fuzz`) "
               f"| {sum(one.tried for one in fuzz):,} inputs, {hours:.2f} h of CPU | {failures(fuzz)} |")
    spoilt = [one for one in found if one.what == "spoilt"]
    if spoilt:
        yield (f"| real inputs of {len(spoilt)} targets, spoilt by chance (`--unguided`) "
               f"| {sum(one.tried for one in spoilt):,} inputs | {failures(spoilt)} |")
    signals = [one for one in found if one.what == "signals"]
    if signals:
        commands = len({one.name.rsplit(" ", 1)[0] for one in signals})
        yield (f"| SIGINT and SIGTERM at random moments of {commands} commands "
               f"(`python -m tests.tools.signals`) | {sum(one.tried for one in signals):,} moments "
               f"| {failures(signals)} |")
    hostile = [one for one in found if one.what == "hostile"]
    if hostile:
        yield ("| 1 MB of each kind of hostile bytes: 2 s of CPU, 200 MB (`python -m tests.tools.hostile`) "
               f"| {len(hostile)} kinds | {slow(hostile)} |")
    soaks = [one for one in found if one.what == "soak"]
    if soaks:
        longest = max(soaks, key=lambda one: one.tried)
        yield (f"| the app watching real traffic: {longest.name} (`python -m tests.tools.soak`, "
               f"[curves](screenshots/soak.svg)) | {longest.tried:,} packets | {failures(soaks)} |")
    for one in found:
        if one.what == "tests":
            yield f"| {one.name} | {one.tried:,} tests | {one.failed or 'none'} |"


def failures(found: Sequence[Tried]) -> str:
    """The names of those that did not hold."""
    return ", ".join(f"`{one.name}`" for one in found if one.failed) or "none"


def slow(found: Sequence[Tried]) -> str:
    """How many kinds cost more than they may, and the dearest of them."""
    over = sorted((one for one in found if one.failed), key=lambda one: -one.seconds)
    dearest = ", ".join(f"`{one.name}` {one.seconds:.1f} s" for one in over[:3])
    return f"{len(over)} kinds cost more; most: {dearest}" if over else "none"


def written(page: str, found: Sequence[Tried]) -> str:
    """The page with the table in its place."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + "\n".join(table(found)) + "\n" + END + rest.split(END, 1)[1]


def main() -> None:
    """Print the table, then the fuzzer's targets one by one; write the first into SECURITY.md."""
    parser = argparse.ArgumentParser("python -m tests.tools.trust", description=__doc__)
    parser.add_argument("--run", action="store_true", help="try it all once more: half an hour and more")
    parser.add_argument("--seconds", type=int, default=60, help="for each target of the fuzzer (60)")
    parser.add_argument("--moments", type=int, default=14, help="for each command and signal (14)")
    given = parser.parse_args()
    if given.run:
        run(given.seconds, given.moments)
    found = recorded()
    print("\n".join(table(found)))
    print()
    for one in found:
        if one.what in ("fuzz", "spoilt"):
            print(f"{one.what:<7} {one.name:<16} {one.tried:>12,} inputs  {one.seconds:>9,.1f} s of CPU  "
                  f"{'FAILED' if one.failed else 'held'}")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
