"""`decode -o`: a part of a capture as a file, or through a pipe, and the words when it cannot be."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from inspector.trace.trace import Trace
from tests.support.captures.traces import TRACES
from tests.support.running.commands import run

CAPTURE = TRACES / "http-connections.pcapng"


def decode(*words: str) -> subprocess.CompletedProcess[bytes]:
    return run("decode", *words)


def count_of(path: Path) -> int:
    with Trace.open(path) as trace:
        trace.finish()
        assert trace.truncated is None
        return trace.index.count


def test_a_filter_makes_a_part(tmp_path: Path) -> None:
    file = tmp_path / "part.pcapng"
    done = decode(str(CAPTURE), "--filter", "tcp.stream == 1", "-o", str(file))
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode() == f"inspector: 10 of 20 packets are in {file}.\n"
    assert count_of(file) == 10
    again = decode(str(CAPTURE), "-o", str(file))
    assert again.returncode == 2 and b"--overwrite" in again.stderr and count_of(file) == 10
    assert decode(str(CAPTURE), "-o", str(file), "--overwrite", "--filter", "tcp.len > 0").returncode == 0
    assert count_of(file) == 4


def test_a_pipe_gets_it_and_all_of_a_file_is_unpacked(tmp_path: Path) -> None:
    packed = tmp_path / "packed.pcapng.gz"
    packed.write_bytes(gzip.compress(CAPTURE.read_bytes()))
    done = decode(str(packed), "-o", "-")
    assert done.returncode == 0 and done.stdout == CAPTURE.read_bytes()


@pytest.mark.parametrize(("words", "sentence"), [
    ((), "Say what to print"),
    (("-o", "-", "--json", "packets"), "Standard output is JSON"),
    (("-o", str(CAPTURE), "--overwrite"), "is the capture itself"),
    (("-o", "/no/such/folder/x.pcapng"), "cannot be written: No such file or directory"),
    (("-o", "/dev/full"), "cannot be written: No space left on device"),
])
def test_what_cannot_be_written_is_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = decode(str(CAPTURE), *words)
    status = 3 if "cannot be written" in sentence else 2
    assert done.returncode == status and sentence in done.stderr.decode() and done.stderr.count(b"\n") == 1
    assert CAPTURE.stat().st_size == 26472
