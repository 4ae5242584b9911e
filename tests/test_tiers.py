"""A tier runs what it says: a test of hypothesis some of its examples by default, all when thorough."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tiers import SHARE, part_of


@settings(max_examples=100)
@given(number=st.integers())
def test_some_examples_are_some_of_all(request: pytest.FixtureRequest, number: int) -> None:
    run = getattr(request.function, "_hypothesis_internal_use_settings").max_examples    # noqa: B009  (no type)
    assert run == (100 // SHARE if "[some]" in request.node.name else 100)


def test_a_part_is_one_of_several() -> None:
    assert part_of("1/1") == (0, 1) and part_of("2/3") == (1, 3)
    for wrong in ("", "2", "0/2", "3/2", "1/0", "a/b", "1/2/3"):
        with pytest.raises(pytest.UsageError, match="N/M"):
            part_of(wrong)
