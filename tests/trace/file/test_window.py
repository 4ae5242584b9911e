"""Many places of a file, read together: each one's bytes in the order in which they were asked for."""

import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.trace.file.plain import FileSource
from inspector.trace.file.window import Window

SIZE = 1 << 17
DATA = bytes(number * 31 % 251 for number in range(SIZE))
PLACES = st.lists(st.tuples(st.integers(0, SIZE - 300), st.integers(0, 300)), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    path = tmp_path_factory.mktemp("window") / "x"
    path.write_bytes(DATA)
    descriptor = os.open(path, os.O_RDONLY)
    yield Window(FileSource(descriptor, path))
    os.close(descriptor)


@given(PLACES)
def test_scattered_places_are_read_in_any_order(window: Window, places: list[tuple[int, int]]) -> None:
    starts, lengths = (np.array(column, np.int64) for column in zip(*places, strict=True))
    assert window.scattered(starts, lengths) == [DATA[start : start + size] for start, size in places]


def test_conversations_that_went_on_side_by_side_are_read_together(
        window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight of them by turns in the file, asked for one after the other."""
    starts = np.concatenate([np.arange(number, 8_000, 8, dtype=np.int64) * 16 for number in range(8)])
    monkeypatch.delattr(FileSource, "read_each")               # one read a place
    found = window.scattered(starts, np.full(len(starts), 10))
    assert found == [DATA[start : start + 10] for start in starts.tolist()]
