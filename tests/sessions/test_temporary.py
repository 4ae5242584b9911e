"""Temporary folders: gone in order, by force, and swept up after a process that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from inspector.sessions import temporary
from tests.support.running.lab import needs_lab, wait_until
from tests.support.screen.terminal import Terminal
from tests.support.tiers import sweep

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of this test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def running(more: str) -> tuple[subprocess.Popen[str], Path]:
    """A process that has a folder, and does nothing further but `more`."""
    code = f"""
import time
from inspector.sessions.temporary import folder
made = folder("inspector-secrets-")
{more}
print(made, flush=True)
while True:
    time.sleep(1)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def old(path: Path) -> None:
    moment = time.time() - 3600
    os.utime(path, (moment, moment))


def test_what_a_killed_process_left_is_swept_up_and_nothing_else(place: Path) -> None:
    holder, theirs = running("")
    (theirs / "keylog").write_text("secret")
    others = [place / "inspector-secrets-young", place / "somebody-else", place / "inspector-notes"]
    for path in others:
        path.mkdir(mode=0o700)
    (place / "inspector-secrets-link").symlink_to(place / "somebody-else")
    for path in (theirs, *others[1:]):
        old(path)
    temporary.sweep()
    assert theirs.exists()                                    # its owner lives
    holder.kill()
    holder.communicate()
    mine = temporary.folder("inspector-calls-")               # sweeps
    assert not theirs.exists() and all(path.exists() for path in others)
    temporary.give_back_all()
    assert not mine.exists()


def test_an_app_that_hangs_and_is_ended_by_force_takes_its_folders_along(place: Path) -> None:
    guard = "from inspector.tui.terminal.guard import Guard\nGuard(lambda status: None, lambda: None).start()"
    process, folder = running(guard)
    assert folder.exists()
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    process.communicate()
    assert not folder.exists()


@needs_lab
@sweep("number", [signal.SIGHUP, signal.SIGTERM], lambda number: number == signal.SIGHUP)
def test_an_app_that_is_ended_leaves_no_folder(number: signal.Signals, place: Path) -> None:
    """The program's secrets stand in one while the app shows what it did."""
    with Terminal(["exec", "--", "true"], {**os.environ, "TMPDIR": str(place)}) as app:
        app.until_shown("Ladder")
        made = list(place.glob("inspector-secrets-*"))
        assert made
        os.kill(app.pid, number)
        app.end()
    wait_until(lambda: not list(place.glob("inspector-*")), "an empty folder")
