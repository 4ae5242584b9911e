"""Tiers of tests: `quick`, what runs by default, and sweeps through everything (`thorough`), in CI too.

A sweep keeps what is likely to fail first in the default tier, and marks the rest of its cases. What
hypothesis finds examples for runs with some of them by default, with all in the thorough tier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

import hypothesis
import pytest

PART = "--part"          # N/M: of the sweeps that run, every M-th test, from the N-th
SHARE, LEAST = 4, 10     # of the examples one in four by default, but this many at least
_SETTINGS = "_hypothesis_internal_use_settings"          # where hypothesis reads them at each call

thorough = pytest.mark.thorough


def sweep(
    names: str | tuple[str, ...], cases: Iterable[Any], usual: Callable[[Any], object], **options: Any
) -> pytest.MarkDecorator:
    """`parametrize`, all of the cases `thorough` but the `usual` ones."""
    several = not isinstance(names, str)
    params = [case if usual(case) else pytest.param(*(case if several else (case,)), marks=thorough)
              for case in cases]
    return pytest.mark.parametrize(names, params, **options)


def part_of(text: str) -> tuple[int, int]:
    """(N - 1, M) of "N/M"."""
    number, _, several = text.partition("/")
    try:
        found = int(number) - 1, int(several)
    except ValueError:
        found = -1, 0
    if not 0 <= found[0] < found[1]:
        raise pytest.UsageError(f"{PART} takes N/M, N from 1 to M, and not {text}.")
    return found


def keep_part(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the thorough tests of other parts out; each is in one, whatever else runs and whoever asks."""
    number, several = part_of(config.getoption(PART))
    left = [item for item in items if item.get_closest_marker(thorough.name)
            and crc32(item.nodeid.encode()) % several != number]
    if left:
        config.hook.pytest_deselected(items=left)
        out = set(left)
        items[:] = [item for item in items if item not in out]


def examples_in_tiers(metafunc: pytest.Metafunc) -> None:
    """Where a test is hypothesis', have it with some of its examples, and with all."""
    if getattr(metafunc.function, "is_hypothesis_test", False):
        metafunc.parametrize("examples", ["some", pytest.param("all", marks=thorough)], indirect=True)


@pytest.fixture(autouse=True)
def examples(request: pytest.FixtureRequest) -> None:
    """How many examples the test takes: a parameter, see above. For all tests, as none asks for it."""
    if getattr(request, "param", "all") == "some":
        given = getattr(request.function, _SETTINGS)
        some = min(given.max_examples, max(given.max_examples // SHARE, LEAST))
        fewer = hypothesis.settings(given, max_examples=some)
        request.getfixturevalue("monkeypatch").setattr(request.function, _SETTINGS, fewer)
