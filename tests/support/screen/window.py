"""The app as a process on a terminal of its own, and what of it still runs."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from inspector.lab.programs import own
from tests.support.running.processes import marked
from tests.support.screen.painted import Painted
from tests.support.screen.started import on_terminal

SECONDS = 60.0
LEFT = b"\x1b[?1049l"                   # the alternate screen was left


class Terminal:
    """A terminal and what was started on it: `pid` leads its session."""

    def __init__(self, process: own.Process, descriptor: int, size: tuple[int, int], mark: str) -> None:
        self.pid, self.descriptor = process.pid, descriptor
        self.painted = Painted(size)
        self._process = process
        self._mark = mark.encode()

    def resize(self, width: int, height: int) -> None:
        self.painted.resize(width, height)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def write(self, data: bytes) -> None:
        os.write(self.descriptor, data)

    def until_shown(self, *words: str) -> None:
        """Read until all of `words` stand on the screen at the same time."""
        deadline = time.monotonic() + SECONDS
        while not all(word in self.painted.text for word in words):
            assert time.monotonic() < deadline, f"{words} do not come:\n{self.painted.text}"
            self._read(0.5)

    def read_until(self, sequence: bytes) -> bytes:
        """What is written up to `sequence` (which a program writes in one piece: no words on a screen)."""
        seen = b""
        deadline = time.monotonic() + SECONDS
        while sequence not in seen:
            assert time.monotonic() < deadline, f"{sequence!r} does not come:\n{self.painted.text}"
            seen += self._read(0.5)
        return seen

    def read_for(self, seconds: float) -> bytes:
        """What is painted meanwhile."""
        seen = b""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                seen += self._read(left)
            except OSError:                              # nothing is on it any more
                break
        return seen

    def _read(self, seconds: float) -> bytes:
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return b""
        data = os.read(self.descriptor, 65536)
        self.painted.feed(data)
        return data

    def close(self) -> None:
        """The window is closed."""
        with suppress(OSError):
            os.close(self.descriptor)

    def ended(self) -> int:
        """The exit status of the leader, once it has ended by itself."""
        return self._process.wait(SECONDS)

    def runs(self) -> bool:
        """Whether the leader has not ended."""
        return self._process.poll() is None

    def family(self) -> list[int]:
        """Pids of all that was started here and runs, whoever their parents are now."""
        return marked(self._mark)

    def end(self) -> None:
        """Leave nothing behind."""
        self.close()
        for pid in self.family():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait(SECONDS)


def wait_until(true: Callable[[], object], what: str) -> None:
    """Wait for it."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@contextmanager
def terminal(directory: Path, program: Sequence[str], *, ignored: Sequence[signal.Signals] = (),
             size: tuple[int, int] = (80, 24)) -> Iterator[Terminal]:
    """`program` on a terminal of its own; `directory` is for its traces. `ignored`: signals, as by nohup."""
    place = str(directory)
    environment = {"TERM": "xterm-256color", "XDG_STATE_HOME": place, "XDG_CONFIG_HOME": place}
    process, descriptor = on_terminal(program, os.environ | environment, size, ignored=ignored)
    found = Terminal(process, descriptor, size, f"XDG_STATE_HOME={place}")
    try:
        yield found
    finally:
        found.end()


def inspector(*arguments: str) -> list[str]:
    """The words that start the app."""
    return [sys.executable, "-m", "inspector", *arguments]
