"""A trace while it is read: growth, replacement, progress, calls between packets, rows of conversations."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import zstandard

from inspector.model.packets import Row, first_rows
from inspector.model.records import Statistics
from inspector.trace.file.scratch import no_copy, path_of, scratch, took_no_more
from inspector.trace.index.index import DTYPES
from inspector.trace.trace import Trace, TraceError
from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, EventRecord, to_fields
from tests.support.captures.frames import FRAME, FRAMES, pcap_bytes, pcapng_bytes, trace_of


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    saved = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)
    try:
        data = pcapng_bytes(FRAMES)
        trace = Trace.open("-", following=True)
        os.write(writing, data[:50])
        trace.refresh()
        os.write(writing, data[50:300])
        assert trace.refresh() and trace.index.count == 3 and trace.truncated is None and not trace.complete
        os.write(writing, data[300:])
        os.close(writing)
        trace.finish()
        assert (trace.index.count, trace.truncated, trace.name) == (10, None, "standard input")
        assert trace.frame(Row(9)) == FRAMES[9]
        trace.close()
    finally:
        os.dup2(saved, 0)
        os.close(saved)


@pytest.mark.parametrize("data", [pcap_bytes(FRAMES), pcapng_bytes(FRAMES)], ids=["pcap", "pcapng"])
def test_a_file_that_grows_byte_by_byte(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"")
    with Trace.open(path, following=True) as trace, path.open("ab", buffering=0) as file:
        counts = []
        for i in range(0, len(data), 7):
            file.write(data[i : i + 7])
            trace.refresh()
            counts.append(trace.index.count)
            assert trace.truncated is None
        assert counts == sorted(counts) and counts[-1] == 10
        trace.finish()
        assert trace.truncated is None


def one_gzip_member(data: bytes) -> bytes:
    """Flushed after every few bytes, as programs do that others read from meanwhile."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(data[i : i + 50]) + packer.flush(zlib.Z_SYNC_FLUSH)
             for i in range(0, len(data), 50)]
    return b"".join(parts) + packer.flush()


def members(pack: Callable[[bytes], bytes], between: bytes = b"") -> Callable[[bytes], bytes]:
    return lambda data: b"".join(between + pack(data[i : i + 50]) for i in range(0, len(data), 50))


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "flushed gzip": one_gzip_member, "gzip members": members(gzip.compress),
    "gzip members, padded": members(gzip.compress, bytes(9)),
    "zstd": zstandard.compress, "zstd frames": members(zstandard.compress),
    "zstd frames, skippable ones between": members(zstandard.compress, b"\x5e\x2a\x4d\x18\3\0\0\0abc"),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_compressed_file_that_grows_is_followed(
    tmp_path: Path, pack: Callable[[bytes], bytes], step: int
) -> None:
    """From where its capture's header is there, as of a plain file; told of as of a plain file, too."""
    path, data = tmp_path / "growing", pcapng_bytes(FRAMES)
    packed = pack(data).removeprefix(bytes(9))
    path.write_bytes(packed[:4])
    with pytest.raises(TraceError, match="ends early"):
        Trace.open(path)
    with Trace.open(path, following=True) as trace, path.open("ab", buffering=0) as file:
        counts = [0]
        for i in range(4, len(packed), step):
            file.write(packed[i : i + step])
            before = trace.index.count
            assert trace.refresh() or trace.index.count == before
            counts.append(trace.index.count)
            assert trace.truncated is None
        assert counts == sorted(counts) and counts[-1] == 10 and trace.complete
        assert [trace.frame(row) for row in first_rows(10)] == FRAMES
        trace.finish()                                          # what was whole may still grow
        file.write(pack(pcapng_bytes(FRAMES)))
        assert trace.refresh() and trace.index.count == 20 and trace.truncated is None
        os.utime(path, (1, 1))
        trace.refresh()
        assert trace.truncated is None
        os.truncate(path, 100)
        trace.refresh()
        assert trace.truncated == "growing became shorter while it was read; all up to then is shown."


@pytest.mark.parametrize("pack", [bytes, one_gzip_member, members(zstandard.compress)],
                         ids=["plain", "gz", "zst"])
def test_decoding_ends_while_somebody_writes_without_a_pause(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """Whoever writes in large pieces is always in the middle of a packet, and a compressor of its member."""
    path = tmp_path / "growing"
    path.write_bytes(pack(pcapng_bytes(FRAMES))[:-9])
    stop = threading.Event()

    def touch() -> None:
        while not stop.wait(0.05):
            os.utime(path)

    writer = threading.Thread(target=touch)
    writer.start()
    try:
        with Trace.open(path) as trace:
            trace.finish()
            assert trace.index.count in (9, 10) and trace.truncated is None
    finally:
        stop.set()
        writer.join()


def test_views_on_columns_stay_valid_while_the_trace_grows(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    with trace_of(path, pcap_bytes(FRAMES)) as trace:
        trace.finish()
        before, place = trace.index.time_ns, trace.index.time_ns.__array_interface__["data"][0]
        with path.open("ab") as file:
            file.write(pcap_bytes(FRAMES * 5000)[24:])
        assert trace.refresh() and trace.index.count == 50010
        assert trace.index.time_ns.__array_interface__["data"][0] == place
        assert before.tolist() == trace.index.time_ns[:10].tolist()


def test_a_file_that_shrinks_or_is_replaced_is_told(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    with trace_of(path, pcap_bytes(FRAMES)) as trace:
        trace.finish()
        os.truncate(path, 100)
        trace.refresh()
        assert trace.truncated == "capture became shorter while it was read; all up to then is shown."
        assert trace.index.count == 10
    with trace_of(path, pcap_bytes(FRAMES)) as trace:
        trace.finish()
        (tmp_path / "other").write_bytes(pcap_bytes(FRAMES[:2]))
        (tmp_path / "other").replace(path)
        trace.refresh()
        assert trace.truncated == "capture was replaced by another file; open it again to see that."
        assert trace.frame(Row(9)) == FRAMES[9]


def test_calls_and_events_between_packets(tmp_path: Path) -> None:
    entered = CallRecord(1, 20, 20, "server", "accept", "3", 100)
    returned = CallRecord(1, 20, 20, "server", "accept", "3", 100, 900, 4, detail="from 127.0.0.1:5\x1b[31m")
    other = CallRecord(1, 21, 21, "client", "connect", "3", 200, 300, None, "ECONNREFUSED")
    event = EventRecord("session-ended", "It ended.", 1000, "client", 21, (("ok", "true"),))
    parts = [
        pcapng_bytes(FRAMES[:2]), pcapng.journal(to_fields(entered)), pcapng.enhanced_packet(FRAME, 5),
        pcapng.journal(to_fields(other)), pcapng.journal({"MESSAGE": "by another", "_PID": "x"}),
        pcapng.journal(to_fields(returned)), pcapng.journal(to_fields(event)),
        pcapng.interface_statistics(1, 10, 1, comment="ring queue freezes: 2"),
        pcapng.interface_statistics(2, 30, 4),
    ]
    path = tmp_path / "capture"
    with trace_of(path, b"".join(parts[:4])) as trace:
        trace.refresh()
        assert [(call.name, call.end_ns) for call in trace.calls] == [("accept", None), ("connect", 300)]
        with path.open("ab") as file:
            file.write(b"".join(parts[4:]))
        assert trace.refresh()
        accept, connect = trace.calls
        assert (accept.end_ns, accept.result) == (900, 4)
        assert accept.detail == "from 127.0.0.1:5␛[31m"
        assert connect.errno == "ECONNREFUSED"
        assert [(one.kind, one.text) for one in trace.events] == [
            ("journal", "by another"), ("session-ended", "It ended.")
        ]
        assert trace.events[1].fields == (("ok", "true"),)
        assert trace.statistics == Statistics(30, 4, 2)


def test_the_first_slice_is_small_and_progress_is_told(tmp_path: Path) -> None:
    with trace_of(tmp_path / "capture", pcap_bytes(FRAMES * 20000)) as trace:
        assert trace.index.count == 0
        assert trace.refresh(1)
        assert 0 < trace.index.count < 20000 and 0 < trace.progress < 0.2 and not trace.complete
        shares = [trace.progress]
        while trace.refresh(1 << 20):
            shares.append(trace.progress)
        assert shares == sorted(shares) and shares[-1] == 1.0 and trace.index.count == 200000


def test_a_packet_takes_at_most_65_bytes(tmp_path: Path) -> None:
    with trace_of(tmp_path / "capture", pcap_bytes(FRAMES)) as trace:
        trace.finish()
        assert trace.index.row_size == sum(np.dtype(kind).itemsize for kind in DTYPES.values()) <= 65


def test_rows_of_conversations_are_extended(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    with trace_of(path, pcap_bytes(FRAMES)) as trace:
        trace.finish()
        assert trace.rows_of("udp", 0).tolist() == [*range(10)]
        assert [len(trace.rows_of(*key)) for key in (("tcp", 0), ("udp", 1), ("udp", -1))] == [0, 0, 0]
        with path.open("ab") as file:
            file.write(pcap_bytes(FRAMES)[24:])
        trace.refresh()
        assert trace.rows_of("udp", 0).tolist() == [*range(20)]
        conversation, = trace.conversations("udp")
        assert conversation[:8] == ("udp", 0, "192.0.2.1:40001", "198.51.100.7:40002", 20, 0, 100, 0)


def test_rows_are_the_same_when_many_conversations_are_asked_for(tmp_path: Path) -> None:
    # Ports in turn, so that the conversations are mixed; growth in between.
    frames = [FRAME[:34] + (30000 + i % 700).to_bytes(2, "big") + FRAME[36:] for i in range(3000)]
    path = tmp_path / "capture"
    with trace_of(path, pcap_bytes(frames)) as trace:
        trace.finish()
        for part in range(3):
            count = trace.index.count
            for stream in range(700):
                expected = [row for row in range(count) if row % 3000 % 700 == stream]
                assert trace.rows_of("udp", stream).tolist() == expected
            if part < 2:
                with path.open("ab") as file:
                    file.write(pcap_bytes(frames)[24:])
                trace.refresh()


def test_packets_far_apart_are_read_one_by_one_and_none_of_another_file(tmp_path: Path) -> None:
    frames = [FRAME + bytes([number]) * (1 if number % 3 else 20_000) for number in range(60)]
    plain, packed = tmp_path / "a.pcap", tmp_path / "a.pcap.gz"
    plain.write_bytes(pcap_bytes(frames))
    packed.write_bytes(gzip.compress(pcap_bytes(frames)))
    rows = np.arange(0, 60, 3)
    positions, lengths = np.arange(20) + len(FRAME) - 5, np.full(20, 9)
    wanted = [frames[3 * i][len(FRAME) - 5 + i :][:9] for i in range(20)]
    for path in (plain, packed):
        with Trace.open(path) as trace:
            trace.finish()
            with patch.object(trace._window, "peek", side_effect=AssertionError("read together")):
                assert trace.pieces(rows, positions, lengths) == wanted
                assert trace.gather(rows, positions, lengths) == b"".join(wanted)
    data = plain.read_bytes()
    with Trace.open(plain) as trace:
        trace.finish()
        os.truncate(plain, len(data) - 20_000 - 2 * (len(FRAME) + 17) + 18)      # the last one is cut
        cut = trace.pieces(rows, positions, lengths)
        assert cut[:-1] == wanted[:-1] and len(cut[-1]) < 9
    plain.write_bytes(data)
    with Trace.open(plain) as trace:
        trace.finish()
        plain.write_bytes(bytes(len(data)))
        assert trace.pieces(rows, positions, lengths) == [b""] * 20


def test_closing_twice_does_no_harm(tmp_path: Path) -> None:
    trace = trace_of(tmp_path / "capture", pcap_bytes(FRAMES))
    trace.finish()
    trace.close()
    trace.close()
    assert trace.index.count == 10


def test_who_has_the_file_open_to_write_may_end_the_packet_whenever_it_was_begun(tmp_path: Path) -> None:
    """tcpdump writes 4 KB at a time: between two of them, for hours, the last packet is half there."""
    path, data = tmp_path / "growing.pcapng", pcapng_bytes(FRAMES)
    with path.open("wb", buffering=0) as file:
        file.write(data[:-9])
        os.utime(path, (1, 1))
        with Trace.open(path) as trace:
            trace.finish()
            assert trace.index.count == 9 and trace.truncated is None
            file.close()
            assert str(trace.truncated).startswith("The file ends in the middle of packet 10")


def test_what_a_stream_s_copy_does_not_take_is_blamed_on_its_folder(tmp_path: Path) -> None:
    with scratch() as copy, path_of(copy.fileno()).open("rb", buffering=0) as read:
        copy.write(pcapng_bytes(FRAMES)[:-9])
        full = OSError(errno.ENOSPC, "No space left on device")
        took_no_more(copy.fileno(), no_copy("standard input", full))
        copy.close()
        with Trace.open(path_of(read.fileno())) as trace:
            trace.finish()
            assert trace.index.count == 9
            assert str(trace.truncated).startswith("standard input is read through a temporary copy, and ")
            assert "No space left on device" in str(trace.truncated)


def test_who_writes_at_this_moment_may_end_the_packet(tmp_path: Path) -> None:
    path, data = tmp_path / "growing.pcapng", pcapng_bytes(FRAMES)
    path.write_bytes(data[:-9])

    def write_on() -> None:
        with path.open("ab") as file:
            file.write(data[-9:])

    with Trace.open(path) as trace:
        while trace.refresh():
            pass
        assert trace.index.count == 9 and trace.truncated is None       # written just now: no word yet
        timer = threading.Timer(0.2, write_on)
        timer.start()
        trace.finish()
        timer.join()
        assert (trace.index.count, trace.truncated) == (10, None)
    path.write_bytes(data[:-9])
    os.utime(path, (1, 1))
    with Trace.open(path) as trace:
        trace.finish()
        assert trace.truncated == "The file ends in the middle of packet 10; all before that is shown."


def test_the_temporary_folder_is_named_where_it_is_the_culprit(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng.gz"
    path.write_bytes(gzip.compress(pcapng_bytes(FRAMES * 100)))
    command = f"ulimit -f 1; exec {sys.executable} -m inspector decode {path} --json conversations"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True,
                          env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 4 and f"{tmp_path} does not take it: File too large." in done.stderr, done


@pytest.mark.parametrize("size", [300_000, 600_000, 3_000_000])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_blocks_of_any_size_are_stepped_over(tmp_path: Path, size: int, packed: bool) -> None:
    path = tmp_path / "large"
    blocks = [pcapng_bytes(FRAMES[:1]), pcapng.journal({"MESSAGE": "x" * size}),
              pcapng.enhanced_packet(FRAMES[1], 1), pcapng.section_header(comment="y" * 60_000)]
    data = b"".join(blocks) + pcapng_bytes(FRAMES[2:])
    path.write_bytes(gzip.compress(data) if packed else data)
    with Trace.open(path) as trace:
        while trace.refresh(1 << 18):
            pass
        trace.finish()
        assert (trace.index.count, len(trace.events), trace.truncated) == (10, 1, None)


def test_bytes_that_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TraceError, match="cannot be read: Input/output error"):
        Trace.open("/proc/self/mem")
    path = tmp_path / "capture"
    path.write_bytes(pcap_bytes(FRAMES))
    with Trace.open(path) as trace:
        while trace.refresh():
            pass
        count = trace.index.count

        def broken(*_: object) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "preadv", broken)
        monkeypatch.setattr(os, "pread", broken)
        assert trace.index.count == count and trace.frame(Row(count - 1)) == b""
        assert trace.truncated == "capture cannot be read further: Input/output error."
