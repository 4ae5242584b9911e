"""The app as a process on a terminal: it opens, quits, and ends when its terminal is closed."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 60.0


@contextmanager
def app(state: Path) -> Iterator[tuple[int, int]]:
    """The app's pid and its terminal; it is painted."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(state)}
        os.execv(sys.executable, [sys.executable, "-m", "inspector"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    try:
        read_until(terminal, b"WebSocket")
        yield pid, terminal
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def read_until(terminal: int, text: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + SECONDS
    while text not in seen:
        assert time.monotonic() < deadline, seen[-500:]
        if select.select([terminal], [], [], 0.5)[0]:
            seen += os.read(terminal, 65536)
    return seen


def ended(pid: int) -> int:
    """The exit status, once the process has ended by itself."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    raise AssertionError("the app still runs")


def test_q_quits_and_the_terminal_is_as_before(tmp_path: Path) -> None:
    with app(tmp_path) as (pid, terminal):
        os.write(terminal, b"q")
        read_until(terminal, b"\x1b[?1049l")          # the alternate screen was left
        assert ended(pid) == 0
        os.close(terminal)


def test_the_app_ends_when_its_terminal_is_closed(tmp_path: Path) -> None:
    with app(tmp_path) as (pid, terminal):
        os.close(terminal)
        assert ended(pid) != 0
