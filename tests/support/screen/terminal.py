"""A command on a terminal of its own (a pty): what it writes, byte by byte, and how it ends."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.support.screen.painted import Painted
from tests.support.screen.started import on_terminal

SECONDS = 60.0


class Terminal:
    """`inspector WORDS` on a terminal; `seen`: all bytes that it wrote, `painted`: what stands there now."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str] = os.environ, *,
        size: tuple[int, int] = (80, 24), python: str = sys.executable, user: int | None = None,
    ) -> None:
        """`user`: run as this uid (root may), with a Python that it can run."""
        self._start([python, "-m", "inspector", *words], environment, size, user)

    @classmethod
    def of(cls, command: Sequence[str], environment: Mapping[str, str] = os.environ) -> Self:
        """Any command instead."""
        terminal = cls.__new__(cls)
        terminal._start(command, environment, (80, 24), None)
        return terminal

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int], user: int | None
    ) -> None:
        self.seen, self.painted = b"", Painted(size)
        own = dict(environment) | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self._process, self.terminal = on_terminal(command, own, size, user=user)
        self.pid = self._process.pid

    def press(self, keys: str | bytes) -> None:
        """Press keys."""
        os.write(self.terminal, keys.encode("utf-8", "surrogateescape") if isinstance(keys, str) else keys)

    def until_shown(self, *words: str) -> None:
        """Read until all of `words` stand on the screen at the same time."""
        deadline = time.monotonic() + SECONDS
        while not all(word in self.painted.text for word in words):
            assert time.monotonic() < deadline, f"waited in vain for {words}:\n{self.painted.text}"
            if not self._read(0.5):
                raise AssertionError(f"ended before {words}: {self.seen[-800:]!r}")

    def settle(self) -> None:
        """Read until it writes nothing for a moment."""
        size = -1
        while size != len(self.seen):
            size = len(self.seen)
            self._read(0.5)

    def end(self) -> int:
        """Read until it has ended by itself; its exit status."""
        deadline = time.monotonic() + SECONDS
        while self._read(0.5):
            assert time.monotonic() < deadline, f"it still runs: {self.seen[-800:]!r}"
        self.pid = 0
        return self._process.wait(SECONDS)

    def _read(self, seconds: float) -> bool:
        """Read what comes within a time; False at the end."""
        if select.select([self.terminal], [], [], seconds)[0]:
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                return False
            self.seen += data
            self.painted.feed(data)
            return bool(data)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pid:
            self._process.kill()
            self._process.wait(SECONDS)
        os.close(self.terminal)
