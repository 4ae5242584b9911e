"""Reads on in a trace, in turns short enough for the event loop, and tells the screen of it.

wake byte or poll -> Trace.refresh for some milliseconds -> `on_grew`, at most 30 times a second, and only
after the screen has `taken` what it was told before: messages that replace each other alone would not pace
the drawing (at 100,000 packets/s the loop's lag was p99 110 to 250 ms in place of 63 to 77). A thread would
serve it worse: whatever reads the trace would have to wait for it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from inspector.trace.file.source import TraceError
from inspector.tui.pace import REST_SECONDS, WORK_SECONDS

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

PAUSE = 1 / 30           # seconds between two turns that the screen is told of
LOADING_PAUSE = 0.1      # the same while a file that was there already is read for the first time,
BEHIND_PAUSE = 0.2       # and while there is more to read than a turn takes: drawing costs more than reading,
DRAWING_SHARE = 1 / 3    # so it gets no more of the time than this, however busy the machine is,
LONGEST_PAUSE = 2.0      # but a picture in so many seconds all the same
SLICE = 1 << 20          # bytes a refresh: about 4 ms
POLL = 0.25              # seconds between looks at a file that somebody writes and nobody announces,
SELDOM = 1.0             # and at one that an agent announces, or that nobody writes


class TraceFeed:
    """Keeps one trace up to date; used on the event loop's thread alone."""

    def __init__(self, trace: Trace, on_grew: Callable[[], None], on_broken: Callable[[str], None],
                 on_ended: Callable[[], None], wake_fd: int | None = None) -> None:
        """`on_broken` gets a sentence when reading fails; `on_ended`: the agent at `wake_fd` has gone."""
        self.trace = trace
        self._on_grew, self._on_broken, self._on_ended = on_grew, on_broken, on_ended
        self._wake_fd = wake_fd
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next: asyncio.TimerHandle | None = None
        self.loading = True      # what stood there at first is not read to its end yet
        self._announced = False       # the screen was told and has not drawn yet
        self._unannounced = False          # something was read since it was told
        self._last = 0.0         # when it was told
        self._drawing = 0.0      # seconds that the drawing took then

    def start(self) -> None:
        """Begin to read."""
        self._loop = asyncio.get_running_loop()
        if self._wake_fd is not None:
            self._loop.add_reader(self._wake_fd, self._woken)
        self._later(0)

    def stop(self) -> None:
        """Read no more."""
        if self._loop is not None and self._wake_fd is not None:
            self._loop.remove_reader(self._wake_fd)
        if self._next is not None:
            self._next.cancel()
        self._loop = self._next = self._wake_fd = None

    def taken(self) -> None:
        """The screen has drawn what it was told of."""
        if self._announced and self._loop is not None:
            self._drawing = self._loop.time() - self._last
        self._announced = False

    def _woken(self) -> None:
        """The agent has written."""
        assert self._wake_fd is not None
        try:
            if os.read(self._wake_fd, 65536):
                self._soon()
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        if self._loop is not None:                 # the agent has ended; its file may still be polled
            self._loop.remove_reader(self._wake_fd)
        self._wake_fd = None
        self._soon()
        self._on_ended()

    def _soon(self) -> None:
        if self._loop is not None:
            self._later(max(self._last + PAUSE - self._loop.time(), 0))

    def _later(self, seconds: float) -> None:
        if self._loop is None:
            return
        due = self._loop.time() + seconds
        if self._next is not None:
            if self._next.when() <= due:
                return
            self._next.cancel()
        self._next = self._loop.call_at(due, self._turn)

    def _turn(self) -> None:
        self._next = None
        if self._loop is None:
            return
        if self._announced:                             # still drawing: no need to read faster than that
            self._later(PAUSE)
            return
        start = self._loop.time()
        unread = True
        try:
            while self._loop.time() - start < WORK_SECONDS and unread:
                unread = self.trace.refresh(SLICE)
                self._unannounced = self._unannounced or unread
        except TraceError as error:
            self.stop()
            self._on_broken(str(error))
            return
        ready, self.loading = self.loading and not unread, self.loading and unread
        pause = 0.0 if not unread else max(LOADING_PAUSE if self.loading else BEHIND_PAUSE,
                                           min(self._drawing / DRAWING_SHARE, LONGEST_PAUSE))
        if ready or (self._unannounced and start - self._last >= pause):
            self._announced, self._unannounced, self._last = True, False, start
            self._on_grew()
        self._later(REST_SECONDS if unread else self._poll)

    @property
    def _poll(self) -> float:
        """Seconds until it is looked again, where nobody says before that there is more."""
        grows = self.trace.following or self.trace.writer == "writes"
        return POLL if grows and self._wake_fd is None else SELDOM
