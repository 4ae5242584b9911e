"""Tiers of tests: `quick`, what runs by default, and sweeps through everything (`thorough`), in CI too.

A sweep keeps what is likely to fail first in the default tier, and marks the rest of its cases. What
hypothesis finds examples for runs with some of them by default, with all in the thorough tier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import hypothesis
import pytest

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
