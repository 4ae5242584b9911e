"""A terminal for the app's benchmarks: programs run in one of 120 × 40 cells, and their output is read.

Nobody draws the output: what is taken is the time at which a text stands in it, which is what a terminal
would be given. Queries that the program sends to its terminal are answered as common terminals do.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

COLUMNS, LINES = 120, 40
_KEPT = 4096                       # bytes looked at again: a text may come in two readings
_MODE_QUERY = re.compile(rb"\x1b\[\?(\d+)\$p")
_KNOWN_MODES = {b"2026"}           # synchronized output
_END_WITHIN = 8.0                  # seconds


class Terminal:
    """One program in a pseudo terminal, from its start to its end."""

    def __init__(self, command: Sequence[str], settings: Mapping[str, str] | None = None,
                 folder: str | None = None) -> None:
        """Start it, with these variables too, in a folder; `began` is when (time.perf_counter)."""
        self._master, slave = os.openpty()
        termios.tcsetwinsize(self._master, (LINES, COLUMNS))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment |= settings or {}
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment,
            cwd=folder,
        )
        os.close(slave)
        self._tail = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """End the program as closing the terminal's window would, its output read to the end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        limit = time.perf_counter() + _END_WITHIN
        while self._process.poll() is None and time.perf_counter() < limit:
            self._read(0.05)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def fileno(self) -> int:
        """Readable when the program has drawn something."""
        return self._master

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the program is over."""
        return self._process.poll() is not None

    def type(self, text: str) -> None:
        """What a person types."""
        os.write(self._master, text.encode())

    def until_still(self, still: float, seconds: float) -> tuple[float, float]:
        """Read until nothing was drawn for `still` seconds: when the first came, and the last, in seconds
        from now; `seconds` at most. (0, 0) where nothing came."""
        began = time.perf_counter()
        first = last = 0.0
        while (now := time.perf_counter() - began) < seconds and now - last < still:
            if select.select([self._master], [], [], min(still - (now - last), seconds - now))[0]:
                last = time.perf_counter() - began
                first = first or last
                if not self._read(0):
                    break
                self._tail = self._tail[-_KEPT:]
        return first, last

    def wait_for(self, text: str, seconds: float) -> float:
        """When `text` stood in the output (time.perf_counter); TimeoutError when it did not come."""
        sought, limit = text.encode(), time.perf_counter() + seconds
        while True:
            at = self._tail.find(sought)
            if at >= 0:
                self._tail = self._tail[at + len(sought) :]
                return time.perf_counter()
            self._tail = self._tail[-_KEPT:]
            left = limit - time.perf_counter()
            if left <= 0 or not self._read(left):
                raise TimeoutError(f"{text!r} was not on the screen within {seconds} s")

    def watch(self, seconds: float) -> None:
        """Read what is drawn for so long."""
        limit = time.perf_counter() + seconds
        while (left := limit - time.perf_counter()) > 0:
            if not self._read(left):
                time.sleep(left)
        self._tail = self._tail[-_KEPT:]

    def watch_to_end(self, seconds: float) -> bool:
        """Read what is drawn until the program ends; False when it did not within so long."""
        limit = time.perf_counter() + seconds
        while self._process.poll() is None and time.perf_counter() < limit:
            self._read(0.05)
            self._tail = self._tail[-_KEPT:]
        return self._process.poll() is not None

    def _read(self, seconds: float) -> bool:
        """Read once, waiting so long at most; False when the program has closed its terminal."""
        if not select.select([self._master], [], [], max(seconds, 0))[0]:
            return True
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:                # EIO: nobody has the other end any more
            return False
        for mode in _MODE_QUERY.findall(data):
            os.write(self._master, b"\x1b[?%s;%d$y" % (mode, 2 if mode in _KNOWN_MODES else 0))
        self._tail += data
        return bool(data)
