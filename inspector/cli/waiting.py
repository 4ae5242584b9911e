"""A pipe that nobody writes to: that it is waited for is said after a second, and who waits can leave."""

from __future__ import annotations

import atexit
import os
import select
import stat
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from inspector.cli.output import notice

PATIENCE = 1.0                     # seconds after which it is said what is waited for
_LEAVE = frozenset(b"qQ\x1b")


class Leaving:
    """Whether the person at the keyboard (standard input) asks to leave, before there is an app to ask."""

    def __init__(self) -> None:
        self._modes: list[Any] | None = None

    def listen(self) -> None:
        """Take keys as they are pressed from now on; ctrl+c does what it always does."""
        with suppress(OSError, termios.error):
            self._modes = termios.tcgetattr(0)
            atexit.register(self.forget)           # however the process ends
            tty.setcbreak(0, termios.TCSADRAIN)    # what was typed already is not thrown away

    def asked(self) -> bool:
        """Whether q or Escape was pressed since; other keys are for nobody."""
        if self._modes is None or not select.select([0], [], [], 0)[0]:
            return False
        if not _LEAVE & frozenset(os.read(0, 64)):
            return False
        self.forget()
        return True

    def forget(self) -> None:
        """Leave the terminal as it was."""
        if self._modes is not None:
            with suppress(OSError, termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, self._modes)
            self._modes = None
            atexit.unregister(self.forget)


@contextmanager
def announced_wait(file: str) -> Iterator[None]:
    """While `file` is opened: where it is a pipe, and nobody opens it to write, that is said."""
    timer = threading.Timer(PATIENCE, notice, [f"Waiting for somebody who writes to {file}; ctrl+c ends it."])
    timer.daemon = True
    waits = False
    with suppress(OSError, ValueError):
        waits = stat.S_ISFIFO(Path(file).stat().st_mode)
    if waits:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
