"""Tiers of tests: `quick`, what runs by default, and sweeps through everything (`thorough`), in CI too.

A sweep keeps what is likely to fail first in the default tier, and marks the rest of its cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

thorough = pytest.mark.thorough


def sweep(
    names: str | tuple[str, ...], cases: Iterable[Any], usual: Callable[[Any], object], **options: Any
) -> pytest.MarkDecorator:
    """`parametrize`, all of the cases `thorough` but the `usual` ones."""
    several = not isinstance(names, str)
    params = [case if usual(case) else pytest.param(*(case if several else (case,)), marks=thorough)
              for case in cases]
    return pytest.mark.parametrize(names, params, **options)
