"""What was tried and survived, as lines of JSON: tools add to them, `python -m tests.tools.trust` sums up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

RECORD = Path(__file__).parents[2] / "data" / "trust.jsonl"


@dataclass(frozen=True, slots=True)
class Tried:
    """`tried` inputs, moments or tests of one `name`, of which `failed` did not hold; CPU `seconds` of it."""

    what: str
    name: str
    tried: int
    failed: int = 0
    seconds: float = 0.0


def note(path: Path | None, one: Tried) -> None:
    """Add a line to the file; nothing without one."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(one)) + "\n")


def recorded(path: Path = RECORD) -> list[Tried]:
    """One of each name: what was tried again counts on, but of what is tried whole the last time counts."""
    found: dict[tuple[str, str], Tried] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        one = Tried(**json.loads(line))
        before = found.get((one.what, one.name))
        if before is not None and one.what in GROWING:
            one = replace(one, tried=before.tried + one.tried, seconds=round(before.seconds + one.seconds, 1))
        found[one.what, one.name] = one
    return list(found.values())


GROWING = "fuzz", "spoilt", "signals"


def write(all_of_them: Iterable[Tried], path: Path = RECORD) -> None:
    """The file anew, a line each."""
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in all_of_them), encoding="utf-8")
