"""Ends the app when its terminal has gone or a signal asks for it: in order where it can, else by force.

A thread of its own hears both, whatever the event loop does. It looks at the terminal itself: SIGHUP may be
ignored, or go to another process where `su` or a shell leads the terminal's session.
Ending by force loses nothing: the trace is written by the agent, which ends with all it started when we do.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from types import FrameType

from inspector.sessions import temporary

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
                  signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU)  # fmt: skip
GRACE_SECONDS = 1.0                     # for the end in order
LAST_WORDS = b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?7h"


class Guard(threading.Thread):
    """Of one process, started in its main thread. `end` asks the app to end with an exit status.

    `wake` has the main thread look around: any thread may take a signal, its handler waits for the main one.
    `led`: a server holds the other end of the standard input, and when it has gone it is as with a terminal.
    `last` is done before the process is ended by force.
    """

    def __init__(self, end: Callable[[int], None], wake: Callable[[], None], *, led: bool = False,
                 last: Callable[[], None] | None = None) -> None:
        super().__init__(name="terminal-guard", daemon=True)
        self._end, self._wake_main, self._led, self._last = end, wake, led, last
        self._keyboard = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        self._modes = termios.tcgetattr(self._keyboard) if os.isatty(self._keyboard) else None
        self._signals, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def start(self) -> None:
        """Listen from now on, until the process ends."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _heard_elsewhere)
        super().start()

    def run(self) -> None:
        status = self._wait()
        with contextlib.suppress(RuntimeError):         # the loop has ended already
            self._end(status)
        ended = threading.Event()
        ended.wait(GRACE_SECONDS)                       # a process that ends takes this thread along
        self._restore()
        if self._last is not None:
            self._last()
        temporary.give_back_all()
        os._exit(status)

    def _wait(self) -> int:
        """The exit status that the process is to have, once there is a reason to end."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        if self._modes is not None or self._led:
            poll.register(self._keyboard, 0)            # no input: that it has gone is always told
        while True:
            for number, _ in poll.poll():
                if number == self._keyboard:
                    return 128 + signal.SIGHUP
                for byte in os.read(self._signals, 64):
                    if byte in ENDING_SIGNALS:
                        return 128 + byte
                with contextlib.suppress(RuntimeError):         # the loop has ended
                    self._wake_main()

    def _restore(self) -> None:
        """Leave the terminal as it was, where it still is there and takes it at once."""
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        with contextlib.suppress(OSError, termios.error):
            if self._modes is not None:
                termios.tcsetattr(self._keyboard, termios.TCSANOW, self._modes)
            if poll.poll(0) == [(2, select.POLLOUT)]:
                os.write(2, LAST_WORDS)


def _heard_elsewhere(_number: int, _frame: FrameType | None) -> None:
    """The signal's number came through the pipe already; here it must neither end the process nor stop it."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)       # for putting the terminal in order from behind
