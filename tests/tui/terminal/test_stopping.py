"""The app stops for a shell, unless the shell let it go on before it had stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from inspector.tui.terminal.driver import TerminalDriver
from tests.support.running.commands import COMMAND
from tests.support.screen.terminal import Terminal


class Stops(TerminalDriver):
    """What a driver does about signals, without a terminal: `leaving` is what happens while it is left."""

    def __init__(self, leaving: Callable[[], None]) -> None:
        self._suspended, self._leaving = False, leaving

    def suspend_application_mode(self) -> None:
        self._leaving()

    def resume_application_mode(self) -> None:
        os._exit(7)

    def stop(self) -> None:
        """As of a SIGTSTP to us."""
        self._stop(os.getpid())


@pytest.mark.parametrize(("leaving", "stops"), [
    (lambda: None, True),
    (lambda: os.kill(os.getpid(), signal.SIGCONT), False),
])
def test_who_was_let_go_on_while_it_left_the_terminal_does_not_stop(
    leaving: Callable[[], None], stops: bool
) -> None:
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)                   # a job of its own, which a shell could wake
            signal.signal(signal.SIGCONT, lambda *_: None)         # Python tells of it too late
            Stops(leaving).stop()
        finally:
            os._exit(9)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status) is stops
    if stops:
        os.kill(child, signal.SIGCONT)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


@pytest.mark.parametrize(("given", "status"), [((), 3), (("--foreground",), 0)])
def test_who_is_started_behind_its_terminal_says_so_and_ends(given: tuple[str, ...], status: int) -> None:
    """The kernel would stop it at its first look at the keyboard, and no shell would bring it back."""
    words = [*given, "100", *COMMAND]
    terminal = Terminal.of(["sh", "-c", "timeout \"$@\"; echo status $?", "sh", *words])
    if not status:
        terminal.until_shown("WebSocket")
        terminal.press("q")
    terminal.end()
    assert f"status {status}".encode() in terminal.seen
    assert (b"in the background of its terminal" in terminal.seen) is (status == 3)
