"""Write what tshark reads in parts of a trace that we saved: tests/data/parts/X.tsv.

`python -m tests.tools.part_oracle`; needs tshark 4.0. `test_part.py` holds what we saved then, by its sum,
and what we read of it, to that: process names in the journal, HTTP inside of TLS by the
secrets of the file, comments.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.support.oracles.parts import ANSWERS, PARTS, TABLES, part_bytes, sum_of


def table(path: Path, name: str) -> str:
    """tshark's lines of what a table asks, its values parted by U+001F."""
    what, fields = TABLES[name]
    command = ["tshark", "-n", "-r", str(path), "-Y", what, "-T", "fields", "-E", "aggregator=\x1f"]
    command += [argument for field in fields for argument in ("-e", field)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return done.stdout


def main() -> None:
    """Write all tables, each behind the sum of the file that it is of."""
    with tempfile.TemporaryDirectory() as folder:
        for name in PARTS:
            path = Path(folder) / f"{name}.pcapng"
            path.write_bytes(part_bytes(name))
            for kind in TABLES:
                text = f"{sum_of(part_bytes(name))}\n{table(path, kind)}"
                (ANSWERS / f"{name}.{kind}.tsv").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
