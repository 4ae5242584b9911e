"""Sequences put beside each other: nothing is lost, nothing changes its order, the same shares a row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inspector.views.conversations.compare.align import aligned, same
from inspector.views.conversations.compare.happenings import step_name

NAMES = st.lists(st.sampled_from("abcd"), max_size=12)


def shown(*runs: str) -> str:
    rows = [zip(row, runs, strict=True) for row in aligned(runs, str)]
    return " ".join("".join("-" if place is None else run[place] for place, run in row) for row in rows)


def test_what_one_has_alone_gets_a_row_of_its_own() -> None:
    assert shown("abc", "axc") == "aa b- -x cc"
    assert shown("abc", "abc", "abc") == "aaa bbb ccc"
    assert shown("ac", "abc", "bc") == "aa- -bb ccc"
    assert shown("a", "") == "a-"


def test_one_step_that_came_out_otherwise_shares_a_row() -> None:
    runs = (["c connect = ok", "c send = ok", "c recv = ok"], ["c connect = ECONNREFUSED", "c close = ok"])
    rows = aligned(runs, step_name)
    assert rows == [[0, 0], [1, None], [2, None], [None, 1]]
    assert not any(same(row, runs) for row in rows)


@given(st.lists(NAMES, min_size=2, max_size=4))
def test_every_step_stands_once_in_its_order_and_a_row_has_one_name(runs: list[list[str]]) -> None:
    rows = aligned(runs, str)
    for number, run in enumerate(runs):
        assert [row[number] for row in rows if row[number] is not None] == list(range(len(run)))
    for row in rows:
        names = {run[place] for place, run in zip(row, runs, strict=True) if place is not None}
        assert len(names) == 1
        assert same(row, runs) == (None not in row)


@given(NAMES)
def test_a_run_beside_itself_is_the_same_in_every_row(run: list[str]) -> None:
    assert all(same(row, (run, run)) for row in aligned((run, run), str))
