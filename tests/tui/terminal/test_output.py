"""What the app writes to its terminal at its end: all of it, unless the terminal takes nothing any more."""

from __future__ import annotations

import os
import pty
import threading

import pytest

from inspector.tui.terminal import driver
from inspector.tui.terminal.driver import Output

LEFT = "\x1b[?1049l"


class LateOutput(Output):
    """Its thread gets no time before `free` is set."""

    free = threading.Event()

    def _write_all(self, data: bytes) -> None:
        self.free.wait()
        super()._write_all(data)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PATIENCE", 0.001)


def test_the_last_words_wait_for_a_thread_that_is_late() -> None:
    reading, writing = pty.openpty()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb", buffering=0) as screen:
        output = LateOutput(stream, lambda: None)
        output.start()
        output.write(LEFT)
        freed = threading.Timer(0.1, output.free.set)          # many times as long as one is patient
        freed.start()
        output.finish()
        assert output.free.is_set()
        assert screen.read(100) == LEFT.encode()
        output.join()


def test_a_terminal_that_takes_nothing_holds_nobody_up() -> None:
    reading, writing = pty.openpty()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb", buffering=0) as screen:
        output = Output(stream, lambda: None)
        output.start()
        output.write("x" * (1 << 17))                          # more than a terminal nobody reads takes
        output.finish()                                        # it would be for ever
        screen.close()
        output.join()
