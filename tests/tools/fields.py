"""Write what tshark says of every field of the display filter that it knows: tests/data/fields.jsonl.xz.

`python -m tests.tools.fields` asks for all captures of tests/data; needs tshark 4.0. The first line has the
fields that were asked for. Each other line is a capture: its
packets' count, the numbers of frames that are no packets, and of each field the packets that have it (counted
without those frames), with the values of all occurrences:
{"capture": "frames/dns.pcapng", "packets": 9, "others": [], "fields": {"udp.port": [[1, ["99", "53"]], …]}}.
Of protocols it is told alone that they are there. Reassembly of IP is off, as in `tools.oracle`.
"""

from __future__ import annotations

import json
import lzma
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inspector.trace.filter.column_fields import COLUMNS
from inspector.trace.filter.deep_fields import DEEP
from tests.tools.oracle import DATA, OPTIONS, SUFFIXES

ANSWERS = DATA / "fields.jsonl.xz"
FOLDERS = ("captures/*", "cases", "frames", "sessions", "traces")
LEFT_OUT = "reuse.pcapng"                   # 3,000 segments, of which the streams alone matter
NO_PACKETS = "data", "systemd_journal"      # frame.protocols of custom blocks and journal entries
_APART = "\x1f"          # stands between the occurrences of a field


def captures() -> list[Path]:
    """The captures that tshark is asked about."""
    found = (path for folder in FOLDERS for path in sorted(DATA.glob(f"{folder}/*")))
    return [path for path in found if path.suffix in SUFFIXES and path.name != LEFT_OUT]


def known() -> list[str]:
    """The display filter's fields that tshark has too."""
    lines = subprocess.run(["tshark", "-G", "fields"], capture_output=True, text=True).stdout.splitlines()
    theirs = {line.split("\t")[2] for line in lines if line[:2] in ("F\t", "P\t")}
    return sorted({*COLUMNS, *DEEP} & theirs)


def table(capture: Path, names: list[str]) -> dict[str, Any]:
    """What tshark says of a capture."""
    columns = ("frame.encap_type", *names)
    fields = [argument for name in columns for argument in ("-e", name)]
    # In two passes, as Wireshark does: a request then knows its answer.
    command = ["tshark", "-2", *OPTIONS, "-r", str(capture), "-T", "fields",
               "-E", f"aggregator={_APART}", *fields]
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    lines = output.decode("utf-8", "backslashreplace").split("\n")[:-1]
    found: dict[str, list[Any]] = {}
    number, others = 0, []
    for place, line in enumerate(lines, 1):
        link, *values = line.split("\t")
        if not link and values[names.index("frame.protocols")] in NO_PACKETS:
            others.append(place)
            continue
        number += 1
        for name, value in zip(names, values, strict=True):
            if value:
                is_protocol = (COLUMNS.get(name) or DEEP[name]).type == "protocol"
                found.setdefault(name, []).append([number, [] if is_protocol else value.split(_APART)])
    return {"capture": str(capture.relative_to(DATA)), "packets": number, "others": others, "fields": found}


def asked() -> list[str]:
    """The fields that tshark knew."""
    with lzma.open(ANSWERS, "rt", encoding="utf-8") as lines:
        names: list[str] = json.loads(next(lines))
        return names


def answers() -> Iterator[dict[str, Any]]:
    """What is kept of tshark's answers, a capture at a time."""
    with lzma.open(ANSWERS, "rt", encoding="utf-8") as lines:
        for line in list(lines)[1:]:
            yield json.loads(line)


def main() -> None:
    """Ask, and write."""
    names = known()
    with lzma.open(ANSWERS, "wt", encoding="utf-8", preset=9) as file:
        file.write(json.dumps(names) + "\n")
        for capture in captures():
            file.write(json.dumps(table(capture, names), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
