"""The app's hand on its terminal: output that holds nobody up, input that ends with the terminal.

screen -> `TerminalDriver.write` -> Output (a thread) -> terminal -> `keyboard.typed` (another) -> app.
Textual's own output waits for the terminal when thirty writes are outstanding, and so does the whole app: for
ever, where nobody reads the terminal any more. Here pictures that the terminal has no time for are left out,
and the newest is painted whole once it has.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from inspector.tui.terminal.keyboard import Ended, typed

OUTSTANDING = 1 << 18        # bytes that may wait for the terminal; one picture is some ten thousand
PIECE = 1 << 12              # bytes a write: a terminal that is slow takes small ones
PATIENCE = 2.0               # seconds in which a terminal takes nothing: then the last words are given up

# Some terminals that grew meanwhile (tmux) keep lines of ours above the cursor in the screen they go back to.
_NO_LINES = "\x1b[0m\x1b[H\x1b[999M"
BEHIND_SECONDS = 0.2


class Output(threading.Thread):
    """Writes to the terminal in order; `caught_up` is called (on this thread) when something was left out."""

    def __init__(self, stream: TextIO, caught_up: Callable[[], None]) -> None:
        super().__init__(name="terminal-output", daemon=True)
        self._number = stream.fileno()
        self._encoding, self._errors = stream.encoding, stream.errors or "replace"
        self._caught_up = caught_up
        self._waiting: deque[bytes] = deque()
        self._size = self._written = 0
        self._left_out = self._gone = self._ending = False
        self._changed = threading.Condition()

    def write(self, text: str) -> None:
        """Take what is to be written; never waits."""
        data = text.encode(self._encoding, self._errors)
        with self._changed:
            if self._gone:
                return
            if self._size > OUTSTANDING:
                self._leave_out()
                self._left_out = True
            self._waiting.append(data)
            self._size += len(data)
            self._changed.notify_all()

    def leave_out_pictures(self) -> None:
        """Forget what is not written so far: other words come now, and they matter."""
        with self._changed:
            self._leave_out()

    def _leave_out(self) -> None:
        self._waiting.clear()
        self._size = 0

    def finish(self) -> None:
        """Wait until all is written, or the terminal takes no more of it; then take nothing any more."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            before = -1
            while self._size and not self._gone and (self._written != before or self._takes_more()):
                before = self._written
                self._changed.wait_for(lambda: self._gone or not self._size, PATIENCE)
            self._gone = True

    def _takes_more(self) -> bool:
        """Whether the terminal has room: then the machine is busy, and our own thread late."""
        return bool(select.select([], [self._number], [], 0)[1])

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._number, select.POLLOUT)
        try:
            while data := self._next():
                for start in range(0, len(data), PIECE):
                    poll.poll()                          # it may be one that does not block
                    self._write_all(data[start : start + PIECE])
        except OSError:                                  # the terminal has gone
            with self._changed:
                self._gone = True
                self._leave_out()
                self._changed.notify_all()

    def _next(self) -> bytes:
        """The next to be written, b"" at the end."""
        with self._changed:
            while not self._waiting:
                self._size = 0
                self._changed.notify_all()
                if self._left_out and not self._ending:
                    self._left_out = False
                    self._caught_up()
                if self._ending:
                    return b""
                self._changed.wait()
            return self._waiting.popleft()

    def _write_all(self, data: bytes) -> None:
        while data:
            try:
                count = os.write(self._number, data)
            except BlockingIOError:
                continue
            data = data[count:]
            with self._changed:
                self._written += count
                self._size = max(self._size - count, 0)


class TerminalDriver(LinuxDriver):
    """Textual's driver, with an output of its own; its input thread ends quietly when the terminal does."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        self._output: Output | None = None
        self._suspended = self._stopping = self._continued = False
        self._modes: list[Any] | None = None       # of the terminal, as they were before we had it
        self._own_modes: list[Any] | None = None   # and those that we gave it
        super().__init__(app, **options)
        self.exit_event: Ended = Ended()           # which wakes the input thread, so that it need not look

    def start_application_mode(self) -> None:
        loop = asyncio.get_running_loop()
        assert sys.__stderr__ is not None
        self._come_to_front()
        self._output = Output(sys.__stderr__, lambda: _soon(loop, self._app.refresh))
        self._output.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._modes = self._modes or self.attrs_before
        if os.isatty(self.fileno):
            self._own_modes = termios.tcgetattr(self.fileno)

    def write(self, data: str) -> None:
        if self._output is not None:
            self._output.write(data)

    def stop_application_mode(self) -> None:
        if self._output is not None and not self._suspended:
            self._output.leave_out_pictures()
            self.write(_NO_LINES)
            super().stop_application_mode()

    # --- stopped, and going on ---

    def _come_to_front(self) -> None:
        """Started behind (`inspector &`): stop, as whoever touches the terminal from there, until in front.

        The signal's own effect stops us: the kernel leaves it out where no shell would let us go on.
        """
        while os.isatty(self.fileno) and not self._is_ours():
            self._continued = False
            ours = signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTTOU)
            time.sleep(BEHIND_SECONDS)               # that we went on is told on this thread, a moment later
            signal.signal(signal.SIGTTOU, ours)
            if not self._continued:
                return

    def stop_group(self) -> None:
        """Stop, with all that was started in one line with us, as the terminal's own ctrl+z does.

        Returns when we go on, or at once where the kernel stops nobody, as nobody would have us go on.
        """
        self._stop(0)

    @property
    def was_stopped(self) -> bool:
        """Whether somebody had us go on since `stop_group`; known a moment after it has returned."""
        return self._continued

    def suspend_application_mode(self) -> None:
        """Leave the terminal as it was; where it is another program's by now, its modes stay."""
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)      # it would stop us half-way
        self.attrs_before = self._modes if self._is_ours() else None
        super().suspend_application_mode()
        self._suspended = True

    def resume_application_mode(self) -> None:
        """Take the terminal again, where it is ours; a program that is behind stops again in a moment."""
        if self._is_ours():
            self._suspended, self._must_signal_resume = False, True
            super().resume_application_mode()
        else:      # not at once: a signal that ends us may have come together with the one to go on
            asyncio.get_running_loop().call_later(BEHIND_SECONDS, self._look_again)

    def _look_again(self) -> None:
        if self._suspended and not self._app._exit:
            if self._is_ours():
                self.resume_application_mode()
            else:
                self._stop(0)

    def _is_ours(self) -> bool:
        """Whether we are in the terminal's foreground."""
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:
            return True            # no terminal, or it has gone: nobody else has it

    def _stop(self, whom: int) -> None:
        """Stop a process (0: our group) of which we are one.

        The terminal first: a shell above us takes it as soon as those that it knows of have stopped, and
        who stops only then would wait twice, the second time for nobody. The signal's own effect stops us:
        the kernel leaves it out where no shell would let us go on. Others of our group may have stopped
        already, and a shell may let all go on before we have: so where we stop alone, the signal waits,
        blocked, while we leave the terminal, and the kernel takes it back as soon as SIGCONT comes.
        """
        self._stopping, self._continued = True, False
        alone = whom == os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP} if alone else ())
        if alone:
            signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)      # no other thread may take it
        if not self._suspended:
            self.suspend_application_mode()
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)                  # here we stop,
        if not alone and not self._continued:                               # (a person may be faster)
            os.kill(whom, signal.SIGTSTP)                                   # or here
        signal.signal(signal.SIGTSTP, ours)
        self._stopping = False
        self.resume_application_mode()

    def _sigtstp_application(self, *_: object) -> None:
        self._stop(os.getpid())

    def _sigcont_application(self, *_: object) -> None:
        """We go on. It may be told late, when `_stop` has returned and the terminal is ours already."""
        self._continued = True
        if self._suspended and not self._stopping:
            self.resume_application_mode()
        elif not self._suspended and self._is_ours() and self._own_modes is not None:
            termios.tcsetattr(self.fileno, termios.TCSANOW, self._own_modes)      # stopped unasked (SIGSTOP)
            self._enable_bracketed_paste()
            _soon(asyncio.get_running_loop(), partial(self._app.refresh, layout=True))

    def close(self) -> None:
        super().close()
        if self._output is not None:
            self._output.finish()

    def _run_input_thread(self) -> None:
        try:
            for message in typed(self.fileno, self.exit_event):
                self.process_message(message)
        except OSError:
            return       # the terminal has gone; what follows is the guard's (guard.py)


def _soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        return           # the loop has ended
