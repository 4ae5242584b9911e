"""Where in a TOML file a key stands: tomllib tells values, not lines, so the text is looked through for them.

text -> {("step", 2, "kind"): 45}: the path of each key and table, and its line from 1. Good for files as
people write them; what it does not find (keys within inline tables) has the line of what it stands in.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_FENCES = ('"""', "'''")


def lines_of(text: str) -> dict[Path, int]:
    """The line of every key and table that is found."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            fence = "" if fence in line else fence
            continue
        header = _HEADER.match(line)
        if header:
            table = _table(header[2], header[1] == "[[", counts)
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_names(key[1])), number)
        fence = next((one for one in _FENCES if line.count(one) % 2), "")
    return found


def _names(dotted: str) -> list[str]:
    return [name.strip().strip("\"'") for name in dotted.split(".")]


def _table(dotted: str, repeated: bool, counts: dict[Path, int]) -> Path:
    path: Path = ()
    names = _names(dotted)
    for place, name in enumerate(names):
        path = (*path, name)
        if repeated and place == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
            for inner in [one for one in counts if one[: len(path)] == path and one != path]:
                if inner[: len(path) + 1] == (*path, counts[path]):
                    del counts[inner]
        if path in counts:
            path = (*path, counts[path])
    return path


def line_at(found: dict[Path, int], path: Path) -> int:
    """The line of `path`, or of the nearest thing that it stands in; 1 at last."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 1)
