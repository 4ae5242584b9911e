"""Opening captures: every format, compression, cuts, damage, foreign files, blocks of every kind."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row, first_rows
from inspector.trace.trace import Trace, TraceError
from inspector.wire import pcapng
from tests.support.captures.frames import ETHERNET, FRAME, FRAMES, START, pcap_bytes, pcapng_bytes, trace_of


def turned(data: bytes) -> bytes:
    """A pcapng file of fixed fields in the other byte order."""
    order, parts, at = ("<", [], 0)
    while at < len(data):
        kind, total = struct.unpack_from(order + "II", data, at)
        body = data[at + 8 : at + total - 4]
        if kind == pcapng.SECTION_HEADER:
            body = struct.pack(">IHHq", *struct.unpack_from("<IHHq", body))
        elif kind == pcapng.INTERFACE_DESCRIPTION:
            body = struct.pack(">HHI", *struct.unpack_from("<HHI", body)) + struct.pack(">HHB3xI", 9, 1, 9, 0)
        else:
            body = struct.pack(">5I", *struct.unpack_from("<5I", body)) + body[20:]
        parts.append(struct.pack(">II", kind, len(body) + 12) + body + struct.pack(">I", len(body) + 12))
        at += total
    return b"".join(parts)


@pytest.mark.parametrize("data", [
    pcap_bytes(FRAMES), pcap_bytes(FRAMES, order=">"), pcap_bytes(FRAMES, nano=True),
    pcap_bytes(FRAMES, order=">", nano=True), pcap_bytes(FRAMES, modified=True), pcapng_bytes(FRAMES),
    turned(pcapng_bytes(FRAMES)), pcapng_bytes(FRAMES[:5]) + turned(pcapng_bytes(FRAMES[5:])),
], ids=["pcap", "big", "nano", "big nano", "modified", "pcapng", "big pcapng", "two sections"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
def test_every_format_gives_the_same_packets(
    tmp_path: Path, data: bytes, pack: Callable[[bytes], bytes]
) -> None:
    with trace_of(tmp_path / "capture", pack(data)) as trace:
        trace.finish()
        assert [trace.frame(row) for row in first_rows(trace.index.count)] == FRAMES
        assert trace.index.length.tolist() == trace.index.cap_len.tolist() == [len(FRAME)] * 10
        times = (trace.index.time_ns - START) // 1_000_000
        assert times.tolist() in ([*range(10)], [*range(5), *range(5)])
        assert trace.index.sport.tolist() == [40001] * 10
        assert (trace.truncated, trace.progress, trace.link_type(Row(3))) == (None, 1.0, ETHERNET)


def test_members_and_frames_of_compressed_files_follow_each_other(tmp_path: Path) -> None:
    data = pcap_bytes(FRAMES)
    for pack in (gzip.compress, zstandard.compress):
        with trace_of(tmp_path / "capture", pack(data[:100]) + pack(data[100:])) as trace:
            trace.finish()
            assert (trace.index.count, trace.truncated) == (10, None)


def test_a_cut_compressed_file_gives_what_came_before(tmp_path: Path) -> None:
    noise = [FRAME + os.urandom(1000) for _ in range(600)]
    for pack in (gzip.compress, zstandard.compress):
        packed = pack(pcap_bytes(noise))
        with trace_of(tmp_path / "capture", packed[: len(packed) // 2]) as trace:
            trace.finish()
            assert 100 < trace.index.count < 600
            assert trace.truncated == "The compressed data of capture ends early; all before that is shown."


@pytest.mark.parametrize(("name", "data", "sentence"), [
    ("text", b"This is no capture at all.", "text is neither a pcap nor a pcapng file."),
    ("empty", b"", "empty is empty."),
    ("short", b"\xd4\xc3\xb2\xa1\2\0", "short is too short to be a capture."),
    ("old", struct.pack("<IHHiIII", 0xA1B2C3D4, 1, 0, 0, 0, 0, 1),
     "old cannot be read: its pcap version is 1, and only 2 was ever in use."),
    ("packed", gzip.compress(b"no capture, but compressed", mtime=0),
     "packed is neither a pcap nor a pcapng file."),
])
def test_foreign_files_get_one_sentence(tmp_path: Path, name: str, data: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TraceError) as caught:
        Trace.open(tmp_path / name)
    assert str(caught.value) == sentence


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"^There is no file .*nothing\.pcap\.$"):
        Trace.open(tmp_path / "nothing.pcap")
    with pytest.raises(TraceError, match=r"is a directory, not a capture\.$"):
        Trace.open(tmp_path)


@pytest.mark.parametrize("data", [pcap_bytes(FRAMES), pcapng_bytes(FRAMES)], ids=["pcap", "pcapng"])
def test_a_cut_file_gives_all_up_to_the_cut(tmp_path: Path, data: bytes) -> None:
    for cut in (1, 15, 30):
        with trace_of(tmp_path / "capture", data[:-cut]) as trace:
            trace.finish()
            assert trace.index.count == 9
            assert trace.truncated == "The file ends in the middle of packet 10; all before that is shown."


def test_a_cut_between_packets_is_told_as_such(tmp_path: Path) -> None:
    data = pcapng_bytes(FRAMES) + pcapng.journal({"MESSAGE": "half of this"})
    with trace_of(tmp_path / "capture", data[:-9]) as trace:
        trace.finish()
        assert trace.truncated == (
            "The file ends in the middle of a block after packet 10; all before that is shown."
        )


def test_hostile_lengths_are_damage_and_end_the_reading(tmp_path: Path) -> None:
    good = pcap_bytes(FRAMES[:3])
    huge = good + struct.pack("<IIII", 1, 2, 0x7FFFFFFF, 0x7FFFFFFF) + bytes(100)
    with trace_of(tmp_path / "a", huge) as trace:
        trace.finish()
        assert trace.index.count == 3
        assert trace.truncated == (
            "The file is damaged after packet 3: a packet claims to be 2147483647 bytes long; "
            "all before that is shown."
        )
    for total, inner in ((0xFFFFFFFC, 4), (33, 4), (8, 4), (48, 4096)):
        block = struct.pack("<7I16xI", 6, total, 0, 0, 0, inner, inner, total)
        with trace_of(tmp_path / "b", pcapng_bytes(FRAMES[:3]) + block + bytes(64)) as trace:
            trace.finish()
            assert trace.index.count == 3 and trace.truncated is not None
            assert trace.truncated.startswith("The file is damaged after packet 3: ")


def test_interfaces_resolutions_offsets_and_packet_blocks_of_every_kind(tmp_path: Path) -> None:
    simple = struct.pack("<III", 3, 16 + 44, len(FRAME)) + FRAME[:44] + struct.pack("<I", 16 + 44)
    padded = FRAME + b"\0"
    old = struct.pack("<IIHHIIII", 2, 32 + len(padded), 1, 7, 0, 5_000_000, len(FRAME), len(FRAME)) + padded
    data = b"".join([
        pcapng.section_header(comment="of the file"),
        pcapng.interface_description(ETHERNET, 44, "one", resolution=6),
        pcapng.interface_description(ETHERNET, 0, "two", resolution=6, offset=100),
        pcapng.interface_description(ETHERNET, 0, "three", resolution=0x80 | 10),
        pcapng.interface_description(101, 0, "four", resolution=3),
        pcapng.enhanced_packet(FRAME, 2_000_001, comment="of a packet"), simple,
        old + struct.pack("<I", 32 + len(padded)), struct.pack("<III", 0x0BAD, 12, 12),
        pcapng.enhanced_packet(FRAME, 1024 + 512, interface=2),
        pcapng.enhanced_packet(FRAME[14:], 7, interface=3),
    ])
    with trace_of(tmp_path / "capture", data) as trace:
        trace.finish()
        assert trace.truncated is None
        assert trace.index.time_ns.tolist() == [
            2_000_001_000, 0, 105_000_000_000, 1_500_000_000, 7_000_000
        ]
        assert trace.index.cap_len.tolist() == [len(FRAME), 44, len(FRAME), len(FRAME), len(FRAME) - 14]
        assert [trace.link_type(row) for row in first_rows(5)] == [1, 1, 1, 1, 101]
        assert trace.index.sport.tolist() == [40001] * 5
        assert trace.comments.of(Row(0)) == ("of a packet",) and trace.comments.rows == {0}
        assert [interface.name for interface in trace.interfaces] == ["one", "two", "three", "four"]


def test_a_packet_of_an_interface_that_was_not_described_is_damage(tmp_path: Path) -> None:
    data = pcapng_bytes(FRAMES[:2]) + pcapng.enhanced_packet(FRAME, 1, interface=1)
    with trace_of(tmp_path / "capture", data) as trace:
        trace.finish()
        assert trace.index.count == 2
        assert "a packet names an interface that was not described" in str(trace.truncated)


def test_more_interfaces_than_the_column_holds(tmp_path: Path) -> None:
    heads = [pcapng.interface_description(1 if i % 2 else 101, name=f"n{i}") for i in range(400)]
    blocks = [pcapng.enhanced_packet(FRAME if i % 2 else FRAME[14:], i, interface=i) for i in range(400)]
    with trace_of(tmp_path / "capture", pcapng.section_header() + b"".join(heads + blocks)) as trace:
        trace.finish()
        assert [trace.link_type(Row(row)) for row in (0, 1, 254, 255, 256, 399)] == [101, 1, 101, 1, 101, 1]
        assert trace.index.sport.tolist() == [40001] * 400


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=400), st.sampled_from([pcap_bytes(FRAMES[:2]), pcapng_bytes(FRAMES[:2])]), st.data()
)
def test_any_bytes_are_read_or_told(tmp_path: Path, noise: bytes, data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    for content in (noise, data[:at] + noise, data[:at] + noise + data[at + len(noise) :]):
        try:
            trace = trace_of(tmp_path / "noise", content)
        except TraceError as error:
            assert str(error).endswith(".")
            continue
        with trace:
            trace.finish()
            assert trace.truncated is None or trace.truncated.endswith(".")
            for row in first_rows(trace.index.count):
                assert len(trace.frame(row)) == trace.index.cap_len[row]
