"""Every target of the fuzzer holds what it begins with, what it once found, and that spoilt a little.

`python -m tests.tools.fuzz` looks for more, guided by coverage; what it finds is kept, small, as
tests/data/fuzz/TARGET/NAME.
"""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from tests.support.fuzzing.seeds import FOUND
from tests.support.fuzzing.targets import TARGETS

MOST = 6                     # seeds of a target, each with as many spoilt ones: the tool tries all of them


def spoilt(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, left out, or said again."""
    found = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at, size = chance.randrange(len(found) + 1), chance.randrange(1, 9)
        found[at : at + size] = chance.choice((b"", chance.randbytes(size), found[at : at + size] * 2))
    return bytes(found)


@pytest.mark.parametrize("name", TARGETS)
def test_it_holds_what_it_begins_with(name: str) -> None:
    target, chance = TARGETS[name], random.Random(name)
    small = (one for one in target.seeds() if len(one) <= target.longest)
    for one in (b"", *islice(small, MOST)):
        target.run(one)
        for _ in range(MOST):
            target.run(spoilt(one, chance)[: target.longest])


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda one: f"{one.parent.name}-{one.name}")
def test_it_holds_what_was_found(path: Path) -> None:
    TARGETS[path.parent.name].run(path.read_bytes())
