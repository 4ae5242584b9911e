"""The terminal that tests look at: words are seen however they were painted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.screen.painted import Painted

PICTURE = ("\x1b[?1049h\x1b]0;title\x07\x1b[2;3H\x1b[1;38;5;9m8 o\x1b[0m\x1b[2;7H 16\x1b[2;6Hf\r\n漢字é\x1b[H"
           "\x1b[4;1Hgone\x1b[3D\x1b[K\x1b[4;80Hxy\n").encode()
LINES = ["", "  8 of 16", "漢字é", "g" + " " * 78 + "x", "y"]


@given(st.lists(st.integers(0, len(PICTURE)), max_size=8))
def test_pieces_change_nothing(cuts: list[int]) -> None:
    painted = Painted()
    edges = [0, *sorted(cuts), len(PICTURE)]
    for start, stop in pairwise(edges):
        painted.feed(PICTURE[start:stop])
    assert painted.text.split("\n") == LINES + [""] * 19


@pytest.mark.parametrize(("written", "lines"), [
    (b"one\r\ntwo\r\nthree\r\nfour", ["two", "three", "four"]),
    (b"one\r\ntwo\x1b[A\x1b[2Jx", ["   x", "", ""]),
    (b"one\r\ntwo\x1b[1K\x1b[1;2H\x1b[1J-", [" -e", "", ""]),
    (b"one\x1b[?1049l$ two\x08O", ["   $ twO", "", ""]),
    (b"\x1b[9;9Hin\x1b[99;99Hx", ["", "", "        in x"]),
])
def test_cursor_and_erasing(written: bytes, lines: list[str]) -> None:
    painted = Painted((12, 3))
    painted.feed(written)
    assert painted.text.split("\n") == lines


def test_another_size_keeps_what_fits() -> None:
    painted = Painted((6, 2))
    painted.feed("abcdef漢".encode())
    painted.resize(4, 3)
    assert painted.text == "abcd\n漢\n"
