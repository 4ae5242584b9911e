"""Every target of the fuzzer holds what it begins with, what it once found, and that spoilt a little.

`python -m tests.tools.fuzz` looks for more, guided by coverage; what it finds is kept, small, as
tests/data/fuzz/TARGET/NAME.
"""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from tests.support.fuzzing.seeds import FOUND, spoilt
from tests.support.fuzzing.targets import TARGETS
from tests.support.tiers import sweep

MOST = (3, 8)          # seeds of a target, each with as many spoilt ones: the tool tries all of them


@sweep(("name", "most"), [(name, most) for most in MOST for name in TARGETS], lambda case: case[1] == MOST[0])
def test_it_holds_what_it_begins_with(name: str, most: int) -> None:
    target, chance = TARGETS[name], random.Random(name)
    small = (one for one in target.seeds() if len(one) <= target.longest)
    for one in (b"", *islice(small, most)):
        target.run(one)
        for _ in range(most):
            target.run(spoilt(one, chance)[: target.longest])


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda one: f"{one.parent.name}-{one.name}")
def test_it_holds_what_was_found(path: Path) -> None:
    TARGETS[path.parent.name].run(path.read_bytes())
