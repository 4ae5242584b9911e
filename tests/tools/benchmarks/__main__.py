"""All benchmarks: `python -m tests.tools.benchmarks [--json] [--repeats N] [NAME ...]` prints one table.

`--against DIR` measures another checkout too, each benchmark directly after ours (every second one before
it), and prints both with their ratio: ours over theirs, of the first number that a row says it reached.

Each bench_NAME.py beside this file has `run(repeats)`, which gives rows with what, target, reached, spread
and peer. What cannot run here (a privilege, a program that is missing) is reported in its row.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
COLUMNS = {"what": 34, "target": 22, "reached": 40, "spread": 24, "peer": 44}


def machine() -> str:
    """What all was measured on, in one line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "CPU")
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}, Python {platform.python_version()}"


def measure(names: list[str], repeats: int) -> Iterator[dict[str, Any]]:
    """The rows of the named benchmarks, as they are done."""
    for path in sorted(HERE.glob("bench_*.py")):
        name = path.stem.removeprefix("bench_")
        if names and name not in names:
            continue
        try:
            for row in importlib.import_module(f"tests.tools.benchmarks.{path.stem}").run(repeats):
                yield {"benchmark": name, **row}
        except Exception as error:      # one that cannot run must not hide the others
            yield {"benchmark": name, "what": name, "reached": f"not measured: {error}"}


def compared(names: list[str], repeats: int, other: Path) -> Iterator[dict[str, Any]]:
    """Rows of ours beside those of another checkout; the cell "peer" is theirs."""
    for number, path in enumerate(sorted(HERE.glob("bench_*.py"))):
        name = path.stem.removeprefix("bench_")
        if names and name not in names:
            continue
        rows = {checkout: {row["what"]: row for row in reported(name, repeats, checkout)}
                for checkout in (ROOT, other)[:: 1 if number % 2 == 0 else -1]}
        for what, row in rows[ROOT].items():
            theirs = rows[other].get(what, {})
            yield {**row, "peer": f"there: {theirs.get('reached', 'nothing')}",
                   "spread": ratio(row, theirs) or row.get("spread", "")}


def reported(name: str, repeats: int, checkout: Path) -> Iterator[dict[str, Any]]:
    """The rows of one benchmark in a checkout; each is reported on standard error when it is done.

    Where that checkout has no such benchmark, ours measures its program (those do that know `INSPECTED`).
    """
    has_it = any((checkout / "tests").rglob(f"bench_{name}.py"))
    where = checkout if has_it else ROOT
    command = [sys.executable, "-m", "tests.tools.benchmarks", name, "--json", "--repeats", str(repeats)]
    environment = os.environ | {"PYTHONPATH": str(where), "INSPECTED": str(checkout)}
    began = time.monotonic()
    progress = f"{name} {'here' if checkout == ROOT else 'there'}"
    print(f"{progress}: …", file=sys.stderr, flush=True)
    with subprocess.Popen(command, cwd=where, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for row in map(json.loads, process.stdout):
            print(f"{progress}, {time.monotonic() - began:.0f} s: {row['what']}: {row.get('reached', '')}",
                  file=sys.stderr, flush=True)
            yield row


def ratio(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """The first numbers that both reached (of "p50 12 ms" that is 12); "" where one has none."""
    number = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
    found = [number.search(str(row.get("reached", ""))) for row in (ours, theirs)]
    values = [float(one[0].replace(",", "")) for one in found if one is not None]
    return f"× {values[0] / values[1]:.2f} of there" if len(values) == 2 and values[1] else ""


def lines_of(row: dict[str, Any]) -> list[str]:
    """The row as lines of the table, its cells folded."""
    cells = [textwrap.wrap(str(row.get(name, "")), width) or [""] for name, width in COLUMNS.items()]
    height = max(map(len, cells))
    widths = COLUMNS.values()
    return [
        " │ ".join(
            (cell[i] if i < len(cell) else "").ljust(width) for cell, width in zip(cells, widths, strict=True)
        )
        for i in range(height)
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.tools.benchmarks", description="Measure, beside peers.")
    parser.add_argument("names", nargs="*", help="which ones; all without a name")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each (5)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, measured beside ours")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)        # who installs it has it compiled
    ruler = "─┼─".join("─" * width for width in COLUMNS.values())
    if not arguments.json:
        print(f"{machine()}; {arguments.repeats} runs each: median, and spread of all\n")
        print("\n".join(lines_of({name: name for name in COLUMNS})), f"\n{ruler}", sep="")
    rows = (compared(arguments.names, arguments.repeats, arguments.against.resolve())
            if arguments.against else measure(arguments.names, arguments.repeats))
    for row in rows:
        if arguments.json:
            print(json.dumps({"machine": machine(), "repeats": arguments.repeats, **row}), flush=True)
        else:
            print("\n".join(lines_of(row)), f"\n{ruler}", sep="", flush=True)


if __name__ == "__main__":
    main()
