"""Programs that a test starts and listens to."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import AnyStr


def first_line(process: subprocess.Popen[AnyStr]) -> AnyStr:
    """The next line of its standard output, which is a pipe."""
    assert process.stdout is not None
    return process.stdout.readline()


def marked(mark: bytes) -> list[int]:
    """Pids of all processes that run and have `mark` in the environment they were started with."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found
