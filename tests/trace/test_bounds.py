"""What hostile bytes can cost is bounded: bytes unpacked, findings kept, layers, blocks that end a stream.

Counted, not timed; `python -m tests.tools.hostile` measures whole files.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import zstandard

from inspector.cli.exports import export_of
from inspector.protocols.http import message
from inspector.protocols.http.message import decode_content
from inspector.protocols.websocket.session import deflate
from inspector.protocols.websocket.session.deflate import Inflater
from inspector.trace import limits
from inspector.trace.trace import Trace
from inspector.wire import pcapng
from inspector.wire.findings import REPEATS
from tests.support.captures.frames import pcapng_bytes
from tests.support.captures.growth import KINDS
from tests.support.captures.hostile import CASES
from tests.support.captures.tcp import segment
from tests.support.tiers import thorough

SMALL = 40_000


def opened(folder: Path, name: str, size: int = SMALL) -> Trace:
    file = CASES[name](size)
    path = folder / ("x" + file.suffix)
    path.write_bytes(file.data)
    trace = Trace.open(path)
    trace.finish()
    return trace


def findings(trace: Trace) -> list[dict[str, Any]]:
    export = export_of("findings")
    assert export is not None
    return list(export.objects(trace, None))


@pytest.mark.parametrize("name", ["gz_of_packets", "gz_of_short_packets", "zst_of_packets", "zst_of_zeros"])
def test_a_bomb_is_unpacked_up_to_a_limit_that_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_ROOM", 100_000)
    with opened(tmp_path, name, 200_000) as trace:
        size = sum(map(len, trace.read_file()))
        truncated = trace.truncated
    if name != "zst_of_zeros":                   # which is damaged before
        assert truncated is not None and "--unpack" in truncated
    assert 0 < size < 20 * 200_000 * 1.3 + (64 << 20)


def test_the_limit_is_raised_by_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_ROOM", 100_000)
    with opened(tmp_path, "gz_of_packets") as trace:
        few = trace.index.count
    limits.choose(1 << 30)
    try:
        with opened(tmp_path, "gz_of_packets") as trace:
            assert trace.truncated is None and trace.index.count > 2 * few
            assert limits.chosen().message == 1 << 30
    finally:
        limits.choose(None)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packets_that_take_no_bytes_are_bounded_too(pack: Any, tmp_path: Path) -> None:
    packets = pcapng.enhanced_packet(b"", 1) * 300_000
    data = pack(pcapng.section_header() + pcapng.interface_description(101) + packets)
    path = tmp_path / "x.pcapng.gz"
    path.write_bytes(data)
    with Trace.open(path) as trace:
        trace.finish()
        assert 50_000 < trace.index.count < 50_000 + len(data) // 12 + (1 << 16)
        assert trace.truncated is not None and f"the first {trace.index.count:,}" in trace.truncated
        assert trace.complete and trace.progress == 1.0
    limits.choose(1 << 30)
    try:
        with Trace.open(path) as trace:
            trace.finish()
            assert (trace.index.count, trace.truncated) == (300_000, None)
    finally:
        limits.choose(None)


@thorough
def test_what_is_said_again_and_again_is_no_bomb(tmp_path: Path) -> None:
    frames = [segment(n % 2, "PA", n * 20, n * 20, b"GET / HTTP/1.1\r\n\r\n") for n in range(60_000)]
    path = tmp_path / "x.pcapng.gz"
    path.write_bytes(gzip.compress(pcapng_bytes(frames, 101, 1_234_567)))
    with Trace.open(path) as trace:
        trace.finish()
        assert (trace.index.count, trace.truncated) == (60_000, None)


class Counted:
    """`zlib` with the bytes that go in and out of its decompressors counted."""

    error, MAX_WBITS = zlib.error, zlib.MAX_WBITS

    def __init__(self) -> None:
        self.taken = self.given = self.steps = 0

    def decompressobj(self, *arguments: Any, **named: Any) -> Any:
        counter, engine = self, zlib.decompressobj(*arguments, **named)

        class Engine:
            def __getattr__(self, name: str) -> Any:
                return getattr(engine, name)

            def decompress(self, data: bytes, most: int = 0) -> bytes:
                found = engine.decompress(data, most)
                counter.taken += len(data)
                counter.given += len(found)
                counter.steps += 1
                return found

        return Engine()


@pytest.mark.parametrize("codings", [1, 2, 10, 60])
def test_codings_in_codings_give_no_more_than_one(codings: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()
    monkeypatch.setattr(message, "zlib", counted)
    body = gzip.compress(bytes(16 << 20), 9)
    for _ in range(codings - 1):
        body = gzip.compress(body, 9)
    found = decode_content(body, ["gzip"] * codings)
    assert counted.given <= message.bound(len(body), 16 << 20) + codings
    assert found.problem == ("limit" if codings > 1 else "")


def test_zstandard_is_unpacked_no_further_either() -> None:
    body = zstandard.compress(bytes(16 << 20), 19)
    found = decode_content(body, ["zstd"])
    assert (len(found.data), found.problem) == (message.bound(len(body), 16 << 20), "limit")


@pytest.mark.parametrize("block", [b"\x03\x00", b"K\x04\x00"])
def test_blocks_that_end_a_stream_cost_what_they_are(block: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = []
    for count in (2_000, 4_000):
        counted = Counted()
        monkeypatch.setattr(deflate, "zlib", counted)
        Inflater().feed(block * count, final=True)
        costs.append(counted.taken)
    assert costs[1] < 2.5 * costs[0]


@pytest.mark.parametrize("data", [bytes(1 << 20), bytes(range(256)) * 2000])
def test_a_window_is_checked_in_a_bounded_number_of_steps(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted()
    monkeypatch.setattr(deflate, "zlib", counted)
    packed = zlib.compress(data, 9)[2:-4]
    inflater = Inflater(9)
    for _ in range(20):
        inflater.feed(packed, final=True)
        inflater.end()
    assert counted.steps < 20 * (len(data) >> 15) + 3 * (20 * len(packed) + deflate._FREE_STEPS) + 1000


@pytest.mark.parametrize(("name", "rules"), [
    ("malformed_headers", 2), ("broken_headers", 4), ("shortest_requests", 3),
    ("unmasked_frames", 1), ("every_error_in_a_frame", 6),
])
def test_findings_of_a_kind_are_counted_beyond_some(name: str, rules: int, tmp_path: Path) -> None:
    with opened(tmp_path, name, 200_000) as trace:
        found = findings(trace)
    kinds = Counter(one["id"] for one in found)
    assert len(kinds) >= rules - 1 and max(kinds.values()) == REPEATS
    assert any("times more" in one["text"] for one in found)


def test_tunnels_in_tunnels_are_followed_some_way(tmp_path: Path) -> None:
    with opened(tmp_path, "tunnels_in_tunnels") as trace:
        application = trace.application(0)
        assert 2 <= len(application.layers) <= 16
        assert "not read any further" in application.rest(0).text


def test_headers_on_many_lines_are_joined_once(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    path.write_bytes(KINDS["folded_headers"](3))
    with Trace.open(path) as trace:
        trace.finish()
        asked = trace.application(0).layers[0].decoder.records[0]
        assert [header.value for header in asked.headers] == ["x", "b c c c"]
        assert asked.headers[1].stop == asked.body_start - 2
