"""The app as a process on a terminal of its own, and what of it still runs."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.running.processes import marked
from tests.support.screen.painted import Painted

SECONDS = 60.0
LEFT = b"\x1b[?1049l"                   # the alternate screen was left


class Terminal:
    """A terminal and what was started on it: `pid` leads its session."""

    def __init__(self, pid: int, descriptor: int, mark: str) -> None:
        self.pid, self.descriptor = pid, descriptor
        self.painted = Painted()
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
        found: list[int] = []

        def looked() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            found.append(status)
            return pid != 0
        wait_until(looked, "the leader's end")
        return os.waitstatus_to_exitcode(found[-1])

    def runs(self) -> bool:
        """Whether the leader has not ended."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def family(self) -> list[int]:
        """Pids of all that was started here and runs, whoever their parents are now."""
        return marked(self._mark)

    def end(self) -> None:
        """Leave nothing behind."""
        self.close()
        for pid in self.family():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


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
    own = str(directory)
    environment = {"TERM": "xterm-256color", "XDG_STATE_HOME": own, "XDG_CONFIG_HOME": own}
    pid, descriptor = pty.fork()
    if pid == 0:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        os.execvpe(program[0], list(program), os.environ | environment)
    found = Terminal(pid, descriptor, f"XDG_STATE_HOME={own}")
    found.resize(*size)
    try:
        yield found
    finally:
        found.end()


def inspector(*arguments: str) -> list[str]:
    """The words that start the app."""
    return [sys.executable, "-m", "inspector", *arguments]
