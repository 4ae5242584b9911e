"""A small file system that is full, or read-only, below what is written: a tmpfs of a namespace of its own.

What was captured stands there whole up to the fault, one sentence says what happened, and nobody is left.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from inspector.trace.trace import Trace
from tests.support.running.commands import COMMAND, ROOT
from tests.support.running.lab import needs_lab
from tests.support.running.processes import marked
from tests.support.tiers import sweep

CAPTURE = ROOT / "tests" / "data" / "traces" / "http-connections.pcapng"
MOUNTS = '''mount -t tmpfs -o "$1" none "$2" && cd "$2" && shift 2 && "$@"
code=$?; cp -r . "$KEPT"; exit $code'''
PROGRAM = """
import socket, threading
server = socket.create_server(("127.0.0.1", 8000))
def reads():
    accepted, _ = server.accept()
    while accepted.recv(1 << 16):
        pass
thread = threading.Thread(target=reads)
thread.start()
client = socket.create_connection(("127.0.0.1", 8000))
for _ in range(100):
    client.sendall(b"x" * 10_000)
client.close()
thread.join()
"""


def on_a_mount(
    folder: Path, options: str, words: list[str], **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command within a tmpfs of its own; what is in it at the end is copied to `folder`/kept."""
    place, mark = folder / "mount", f"INSPECTOR_MOUNTS={uuid.uuid4().hex}"
    place.mkdir()
    kept = folder / "kept"
    own = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "KEPT": str(kept), **settings}
    name, _, value = mark.partition("=")
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNTS, "sh", options, str(place), *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | own | {name: value})
    assert not marked(mark.encode())
    return done


@needs_lab
@sweep("command", ["exec", "record --lab"], "exec".__eq__)
def test_a_trace_on_a_full_disk_is_whole_up_to_there(command: str, tmp_path: Path) -> None:
    option = "--save" if command == "exec" else "-o"
    words = [*COMMAND, *command.split(), option, "t.pcapng", "--", sys.executable, "-c", PROGRAM]
    done = on_a_mount(tmp_path, "size=64k", words)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("No space left on device") == 1 and "Traceback" not in done.stderr
    with Trace.open(tmp_path / "kept" / "t.pcapng") as trace:
        trace.finish()
        assert 3 < trace.index.count < 200 and not trace.truncated
        assert f"{trace.index.count:,} packets" in done.stderr


@pytest.mark.parametrize("words", [["decode", str(CAPTURE), "--json", "packets"],
                                   ["draw", str(CAPTURE), "--to", "svg"]])
def test_output_on_a_full_disk_is_told(words: list[str], tmp_path: Path) -> None:
    done = on_a_mount(tmp_path, "size=8k", ["sh", "-c", 'exec "$@" > out', "sh", *COMMAND, *words])
    assert done.returncode == 3
    assert done.stderr == "inspector: The output cannot be written: No space left on device.\n"


@needs_lab
@pytest.mark.parametrize("words", [
    ["run", "tcp", "--save", "t.pcapng"], ["decode", str(CAPTURE), "-o", "t.pcapng"],
    ["draw", str(CAPTURE), "--to", "svg", "-o", "t.svg"]])
def test_a_file_on_a_read_only_disk_is_refused_at_once(words: list[str], tmp_path: Path) -> None:
    done = on_a_mount(tmp_path, "ro", [*COMMAND, *words])
    assert done.returncode == 3
    assert done.stderr == f"inspector: {words[-1]} cannot be written: Read-only file system.\n"


@needs_lab
@pytest.mark.parametrize(("options", "sentence"), [
    ("ro", ""), ("size=4k", "inspector: The trace could not be written: No space left on device.\n")])
def test_folders_of_ours_that_cannot_be_written(options: str, sentence: str, tmp_path: Path) -> None:
    """Read-only, the trace stands elsewhere; on a full disk what is missing is said."""
    folders = ("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME")
    done = on_a_mount(tmp_path, options, [*COMMAND, "run", "tcp"],
                      **dict.fromkeys(folders, str(tmp_path / "mount")))
    assert (done.returncode, done.stderr) == (3 if sentence else 0, sentence)
    assert " TCP " in done.stdout or sentence


@pytest.mark.parametrize("words", [("decode", "--json", "packets"), ("draw", "--to", "txt")])
def test_a_copy_that_a_full_disk_does_not_take_says_nothing_of_the_capture(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """Not that it holds no packet, which nobody knows."""
    packed = tmp_path / "many.gz"
    packed.write_bytes(gzip.compress(CAPTURE.read_bytes() * 40))
    done = on_a_mount(tmp_path, "size=64k", [*COMMAND, words[0], str(packed), *words[1:]],
                      TMPDIR=str(tmp_path / "mount"))
    assert done.returncode == 4 and "No space left on device. TMPDIR names another" in done.stderr
    assert "holds no packet" not in done.stderr
