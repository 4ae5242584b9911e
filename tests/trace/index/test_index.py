"""The index: the same however its input was cut into batches and turns, and growing without moving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.trace.contents import contents
from inspector.trace.index.columns import Columns, Growing
from inspector.trace.index.index import DTYPES, Index
from inspector.trace.trace import Trace, TraceError
from tests.support.oracles.tshark import CAPTURES, DATA

pytestmark = pytest.mark.quick

SOME = [DATA / name for name in (
    "frames/reuse.pcapng", "frames/errors.pcapng", "frames/links.pcapng", "frames/tunnels.pcapng",
    "captures/format/pcapng-test-generator__output_be__difficult__test202.pcapng",
    "captures/udp/arkime__socks5-http-302-frag.pcap",
)]


def columns(index: Index) -> dict[str, list[int]]:
    """All that the index says, addresses as texts."""
    found = {name: getattr(index, name).tolist() for name in DTYPES if name not in ("src", "dst")}
    for name in ("src", "dst"):
        found[name] = [index.address(number) for number in getattr(index, name)]
    for name, table in (("outer", index.outer), ("quoted", index.quoted)):
        found[name] = [(one._replace(src=0, dst=0), index.address(one.src), index.address(one.dst))
                       for row in np.unique(table.row).tolist() for one in table.of(row)]
    return found


def read(capture: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """The index of a capture whose packets were taken `batch` at a time."""
    monkeypatch.setattr(contents, "_BATCH", batch)
    with Trace.open(capture) as trace:
        trace.finish()
        return columns(trace.index)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: str(path.relative_to(DATA)))
def test_batches_of_any_size_give_the_same_index(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        whole = read(capture, 1 << 14, monkeypatch)
    except TraceError:
        return
    for batch in (1, 7) if len(whole["stream"]) < 500 else (61,):
        assert read(capture, batch, monkeypatch) == whole


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SOME), st.data())
def test_a_file_that_grows_gives_the_same_index(tmp_path: Path, capture: Path, data: st.DataObject) -> None:
    content = capture.read_bytes()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(content)), max_size=8)) | {len(content)})
    path = tmp_path / "growing"
    path.write_bytes(b"")
    with Trace.open(capture) as whole, Trace.open(path, following=True) as trace:
        whole.finish()
        for start, stop in zip([0, *cuts], cuts, strict=False):
            with path.open("ab") as file:
                file.write(content[start:stop])
            trace.refresh(data.draw(st.integers(1, 1 << 20)))
        while trace.refresh():
            pass
        assert columns(trace.index) == columns(whole.index)
        assert trace.interfaces == whole.interfaces and vars(trace.comments) == vars(whole.comments)


def test_columns_keep_their_place_until_the_reservation_is_used_up() -> None:
    space = Columns({"a": "i8", "b": "u1"}, reserve=4096)
    space.arrays["a"][:] = np.arange(4096)
    before = space.arrays["a"]
    space.ensure(4096)
    assert space.arrays["a"] is before and space.row_size == 9
    space.ensure(4097)
    assert space.capacity >= 8192 and space.arrays["a"][:4096].tolist() == before.tolist()
    assert not space.arrays["b"].any()


def test_small_tables_grow() -> None:
    one, two = Growing(np.int32), Growing(np.uint16, 2)
    for start in range(0, 3000, 7):
        one.extend(np.arange(start, start + 7, dtype="i4"))
        two.extend(np.full((7, 2), start, "u2"))
    assert one.values.tolist() == [*range(3003)]
    assert two.values.shape == (3003, 2) and two.values[-1].tolist() == [2996, 2996]
