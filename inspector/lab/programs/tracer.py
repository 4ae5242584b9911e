"""System calls of any program in the lab: strace runs beside it, and what it prints becomes records.

A FIFO in a private folder <- strace, which is a grandchild (`-D`), so that the program stays our own child
with its own signals and exit status -> `wire.strace` -> records, in the order in which strace tells them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from inspector.lab.errors import LabError
from inspector.sessions import temporary
from inspector.wire.journal import CallRecord
from inspector.wire.strace import CALLS, OPTIONS, StraceReader

_LAST_LINES = 0.5                  # seconds that strace gets to tell of the program's end
_CHUNK = 1 << 16


def strace() -> str:
    """Where strace is; LabError with the command that installs it."""
    found = shutil.which("strace")
    if found is None:
        raise LabError("--syscalls needs strace, which is not installed.", "sudo apt install strace")
    return found


class Tracer:
    """strace around one program. `descriptor` is readable when it has told something."""

    def __init__(self) -> None:
        self._path = strace()
        self._folder: Path | None = temporary.folder("inspector-calls-")
        self._fifo = str(self._folder / "calls")
        os.mkfifo(self._fifo, 0o600)
        self.descriptor = os.open(self._fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # While we hold a writer ourselves, an empty FIFO is not taken for one that has ended.
        self._writer: int | None = os.open(self._fifo, os.O_WRONLY | os.O_CLOEXEC)
        self._reader = StraceReader(_process_of)

    def around(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` under strace; FileNotFoundError where there is no such."""
        if shutil.which(command[0]) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        # '?': a system call that this machine does not have (recv on amd64) is no mistake. With seccomp-bpf
        # other calls run at nearly full speed.
        chosen = ",".join(f"?{call}" for call in CALLS)
        own = ("-D", "--seccomp-bpf", *OPTIONS, "-e", f"trace={chosen}", "-o", self._fifo, "--")
        return [self._path, *own, *command]

    def read(self) -> list[CallRecord]:
        """The records of what it has told since; of a part of it, where it tells faster than we read."""
        return list(self._reader.take(self._data() or b""))

    def finish(self, program: int) -> Iterator[CallRecord]:
        """What it still tells until the end of the process `program`, which has ended already."""
        self._release()
        deadline = time.monotonic() + _LAST_LINES
        while program not in self._reader.done and (left := deadline - time.monotonic()) > 0:
            if not select.select([self.descriptor], [], [], left)[0]:
                return
            data = self._data()
            if data == b"":
                return
            yield from self._reader.take(data or b"")

    def _data(self) -> bytes | None:
        """What is there; b"" when strace has ended, None when nothing is there."""
        try:
            data = os.read(self.descriptor, _CHUNK)
        except BlockingIOError:
            return None
        if data:
            self._hide()
        return data

    def close(self) -> None:
        """Give back what it holds; strace itself ends with the programs that it watches."""
        self._hide()
        self._release()
        os.close(self.descriptor)

    def _release(self) -> None:
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def _hide(self) -> None:
        """Take the FIFO's name away once strace holds it, so that nothing else can write there."""
        if self._folder is not None:
            temporary.give_back(self._folder)
            self._folder = None


def _process_of(thread: int) -> int:
    """The process that a thread belongs to; the thread's own number where it has gone already."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{thread}/status").read_text().splitlines():
            if line.startswith("Tgid:"):
                return int(line.split()[1])
    return thread
