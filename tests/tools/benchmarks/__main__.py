"""All benchmarks: `python -m tests.tools.benchmarks [--json] [--repeats N] [NAME ...]` prints one table.

Each bench_NAME.py beside this file has `run(repeats)`, which gives rows with what, target, reached, spread
and peer. What cannot run here (a privilege, a program that is missing) is told in its row.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
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
            rows = importlib.import_module(f"tests.tools.benchmarks.{path.stem}").run(repeats)
        except Exception as error:      # one that cannot run must not hide the others
            rows = [{"what": name, "reached": f"not measured: {error}"}]
        for row in rows:
            yield {"benchmark": name, **row}


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
    arguments = parser.parse_args()
    ruler = "─┼─".join("─" * width for width in COLUMNS.values())
    if not arguments.json:
        print(f"{machine()}; {arguments.repeats} runs each: median, and spread of all\n")
        print("\n".join(lines_of({name: name for name in COLUMNS})), f"\n{ruler}", sep="")
    for row in measure(arguments.names, arguments.repeats):
        if arguments.json:
            print(json.dumps({"machine": machine(), "repeats": arguments.repeats, **row}), flush=True)
        else:
            print("\n".join(lines_of(row)), f"\n{ruler}", sep="", flush=True)


if __name__ == "__main__":
    main()
