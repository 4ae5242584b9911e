"""TCP options: all usual kinds, damage told in words, any bytes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.wire.headers.options import walk_options
from inspector.wire.tcp.options import NAMES, NO_OPTIONS, _decode, parse_options


def test_usual_options() -> None:
    field = bytes.fromhex("020405b4 0402 080a 0000000a 00000014 01 030307")
    found = parse_options(field)
    assert (found.mss, found.scale, found.sack_permitted) == (1460, 7, True)
    assert (found.timestamp, found.timestamp_echo, found.broken) == (10, 20, "")
    assert [NAMES[option.kind] for option in found.options] == [
        "Maximum Segment Size", "SACK Permitted", "Timestamps", "No-Operation", "Window Scale"]
    assert [option.offset for option in found.options] == [0, 4, 6, 16, 17]


def test_sack_fast_open_and_the_end() -> None:
    found = parse_options(bytes.fromhex("0512 00000001 00000002 fffffff0 00000005 2206 deadbeef 00 ff"))
    assert found.sack == ((1, 2), (0xFFFFFFF0, 5)) and found.options[1].kind == 34
    assert found.options[-1].kind == 0 and found.broken == ""
    assert parse_options(b"") is NO_OPTIONS


def test_damage() -> None:
    assert "length 1" in parse_options(b"\1\2\1").broken
    assert "bytes are left" in parse_options(b"\x08\x0a\0\0").broken
    assert "should have 4" in parse_options(b"\2\3\5").broken and parse_options(b"\2\3\5").mss is None
    assert parse_options(b"\3").broken


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes(field: bytes) -> None:
    found = parse_options(field)
    options, end = walk_options(field)
    assert found.options == options and end <= len(field)
    assert [option.offset for option in options] == [0, *(option.stop for option in options)][: len(options)]
    assert not options or options[-1].stop == end


@given(st.binary(min_size=8, max_size=8), st.integers(0, 3), st.binary(min_size=24, max_size=24))
def test_what_is_laid_out_as_usual_is_read_as_any(stamp: bytes, blocks: int, numbers: bytes) -> None:
    field = b"\1\1\x08\x0a" + stamp
    if blocks:
        field += b"\1\1\5" + bytes([2 + 8 * blocks]) + numbers[: 8 * blocks]
    assert parse_options(field) == _decode(walk_options(field)[0], "")
