"""A process that may open few files, take little memory, write small files alone: one sentence, a remedy."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.support.running.commands import COMMAND, ROOT
from tests.support.running.lab import needs_lab
from tests.support.tiers import sweep

CAPTURE = ROOT / "tests" / "data" / "traces" / "http-connections.pcapng"
FILES = ["exec -- true", "exec --save t.pcapng -- true", "record --lab -o t.pcapng -- true", "run tcp"]
SIZES = [f"decode {CAPTURE} -o t.pcapng", f"draw {CAPTURE} --to svg -o t.svg", "exec --save t.pcapng -- true",
         "run tcp --save t.pcapng", f"decode {CAPTURE} --json packets"]  # fmt: skip


def limited(command: str, folder: Path, limit: int, most: int) -> subprocess.CompletedProcess[str]:
    def before() -> None:
        resource.setrlimit(limit, (most, most))

    with (folder / "output").open("w") as output:
        settings = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [*COMMAND, *command.split()], preexec_fn=before, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False, cwd=folder, env=settings,
        )


@needs_lab
@sweep(("command", "most"), [(command, most) for command in FILES for most in (8, 12, 16)],
       lambda case: case in (("run tcp", 12), (FILES[0], 12)))  # fmt: skip
def test_few_open_files_are_no_mistake_of_the_user(command: str, most: int, tmp_path: Path) -> None:
    done = limited(command, tmp_path, resource.RLIMIT_NOFILE, most)
    assert done.returncode == 3, done.stderr
    first, *remedies = done.stderr.splitlines()
    assert first.endswith(": Too many open files.") and "[Errno" not in first
    assert remedies == ["inspector: This mends it: ulimit -n 1024"] or "could not be started" in first
    assert [one.name for one in tmp_path.iterdir()] == ["output"]


@needs_lab
@sweep(("most", "status"), [(20, 3), (32, 0)], lambda case: case == (20, 3))
def test_a_session_runs_with_few_open_files_or_says_so(most: int, status: int, tmp_path: Path) -> None:
    """An endpoint keeps its journal out of the way of its sockets, as far as numbers are allowed."""
    done = limited("run tcp", tmp_path, resource.RLIMIT_NOFILE, most)
    assert done.returncode == status, done.stderr
    assert "Errno" not in done.stderr and "Traceback" not in done.stderr
    assert ("could not be started: Too many open files." in done.stderr) == (status == 3)


@needs_lab
@sweep(("command", "most"), [(command, most) for command in ("run tcp", "lesson check handshake")
                             for most in range(20, 26)],
       lambda case: case in (("run tcp", 24), ("lesson check handshake", 22)))  # fmt: skip
def test_an_end_that_cannot_start_is_the_one_thing_that_is_said(command: str, most: int,
                                                                tmp_path: Path) -> None:
    """The other end is not waited for, nor what becomes of it told; no lesson is accused."""
    done = limited(command, tmp_path, resource.RLIMIT_NOFILE, most)
    if done.returncode:
        assert done.returncode == 3 and len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stderr.endswith(": Too many open files.\n")


@needs_lab
@sweep("command", SIZES, lambda command: command == SIZES[0])
def test_a_file_that_may_not_grow_is_told_once(command: str, tmp_path: Path) -> None:
    done = limited(command, tmp_path, resource.RLIMIT_FSIZE, 512)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("File too large") == 1 and "Traceback" not in done.stderr


def test_little_memory_is_told_with_what_gives_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head of many lines is held until it is told."""
    from tests.support.captures.hostile import CASES  # here: it makes much when it is imported

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")      # each takes room of its own, for nothing
    large = tmp_path / "large.pcapng"
    large.write_bytes(CASES["malformed_headers"](4_000_000).data)
    done = limited(f"decode {large} --json http", tmp_path, resource.RLIMIT_AS, 270_000_000)
    assert done.returncode == 3, done.stderr[-1000:]
    assert done.stderr == ("inspector: There is no more memory for this: part of it may have been done.\n"
                           "inspector: This mends it: ulimit -v unlimited\n")


@needs_lab
@sweep(("command", "megabytes"), [(command, size) for size in (140, 180, 220, 300)
                                  for command in ("run tcp", "exec -- true", "lesson check socket")],
       lambda case: case == ("run tcp", 140))  # fmt: skip
def test_little_memory_breaks_a_session_with_that_reason(
    command: str, megabytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it ends (this process, the agent, one of its threads) is chance: what is said is not."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    done = limited(command, tmp_path, resource.RLIMIT_AS, megabytes * 1_000_000)
    assert done.returncode in (0, 3), done.stderr
    assert "Error" not in done.stderr and "Traceback" not in done.stderr
    is_memory = "memory" in done.stderr and "inspector: This mends it: ulimit -v unlimited" in done.stderr
    assert is_memory or done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["missing/t.pcapng", "."])
def test_a_name_that_cannot_be_a_file_cannot_be_written(name: str, tmp_path: Path) -> None:
    done = limited(f"decode {CAPTURE} -o {name}", tmp_path, resource.RLIMIT_NOFILE, 64)
    assert done.returncode == 3 and name in done.stderr
