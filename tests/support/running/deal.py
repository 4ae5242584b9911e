"""How tests are dealt to the processes of pytest-xdist: what waits beside what computes, and none idle.

Each worker puts its tests into the same order (`mixed`): every folder goes on evenly through the whole run,
so that at any moment some tests wait for a session and others compute. The controller deals them out one by
one (`Dealer`). A file whose tests share something, by a fixture of the module or an `xdist_group`, stays
whole and comes first, since it may take long. (Together pytest 9.2 and xdist 3.8 lose what is marked as a
group.)
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[3]
SHARES = re.compile(r'xdist_group\(|scope="module"')
SHORT = frozenset(("model", "protocols", "trace", "views", "wire"))      # rooms where no test takes long
LAST = 0.05                            # of the whole run, in which none is to begin that may


@cache
def shares(path: str) -> bool:
    """Whether the tests of a file have something in common that costs much to make twice."""
    return SHARES.search((ROOT / path).read_text(encoding="utf-8")) is not None


def mixed(items: list[pytest.Item]) -> list[pytest.Item]:
    """What shares first, then all others: those of each folder in their order, spread evenly."""
    paths = [item.nodeid.partition("::")[0] for item in items]
    folders = [path.rpartition("/")[0] for path in paths]
    count, before = Counter(folders), Counter[str]()
    places = []
    for path, folder in zip(paths, folders, strict=True):
        room = 1.0 if SHORT.intersection(folder.split("/")[1:2]) else 1.0 - LAST
        places.append((not shares(path), path if shares(path) else "", room * before[folder] / count[folder]))
        before[folder] += 1
    return [items[number] for number in sorted(range(len(items)), key=places.__getitem__)]


class Dealer(LoadScopeScheduling):                             # type: ignore[misc]    # it has no types
    """Hands out test by test, and as one what shares."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if shares(path) else nodeid
