"""Reads on in a trace, on a thread of its own, and tells the screen: at most 30 times a second.

wake byte or poll -> Trace.refresh in slices -> `on_grew` (one call a batch; the next one only after
the screen has `taken` this one).
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

PAINTS_A_SECOND = 30
SLICE = 8 << 20          # bytes a refresh: some tens of milliseconds, so that stopping is quick
POLL = 0.25              # seconds between looks at a file that nobody announces


class TraceFeed:
    """Keeps one trace up to date. `lock` is held while the trace changes."""

    def __init__(self, trace: Trace, on_grew: Callable[[], None], wake_fd: int | None = None) -> None:
        self.trace = trace
        self.lock = threading.RLock()
        self._on_grew, self._wake_fd = on_grew, wake_fd
        self._stop_read, self._stop_write = os.pipe()
        self._state = threading.Lock()
        self._told = self._more = False
        self._thread = threading.Thread(target=self._run, name="trace-feed", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; returns when the thread has ended."""
        with contextlib.suppress(OSError):
            os.write(self._stop_write, b".")
        if self._thread.is_alive():
            self._thread.join()
        for descriptor in (self._stop_read, self._stop_write):
            os.close(descriptor)

    def taken(self) -> None:
        """The screen has drawn what it was told of last."""
        with self._state:
            self._told, again, self._more = self._more, self._more, False
        if again:
            self._on_grew()

    def _tell(self) -> None:
        with self._state:
            if self._told:
                self._more = True
                return
            self._told = True
        self._on_grew()

    def _run(self) -> None:
        last = 0.0
        while True:
            with self.lock:
                changed = self.trace.refresh(SLICE)
            if changed:
                pause = last + 1 / PAINTS_A_SECOND - time.monotonic()
                if pause > 0 and self._wait(pause, wake=False):
                    return
                last = time.monotonic()
                self._tell()
            unread = changed and self.trace.progress < 1
            if self._wait(0 if unread else POLL, wake=not unread):
                return

    def _wait(self, seconds: float, *, wake: bool) -> bool:
        """Wait for time, news or the end; True: the end."""
        sources = [self._stop_read]
        if wake and self._wake_fd is not None:
            sources.append(self._wake_fd)
        ready, _, _ = select.select(sources, [], [], seconds)
        if self._wake_fd in ready and self._wake_fd is not None:
            try:
                if not os.read(self._wake_fd, 65536):
                    self._wake_fd = None       # the agent has ended; the file may still be polled
            except BlockingIOError:
                pass
            except OSError:
                self._wake_fd = None
        return self._stop_read in ready
