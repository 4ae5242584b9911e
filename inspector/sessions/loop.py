"""The endpoint's main thread: it does, one after the other, what other threads and timers ask for.

Threads that sit in blocking system calls post what they got, and block again when this thread has
done all that follows from it; everything that decides or sends runs here. So the protocols need no
locks, a script is straight code that waits for conditions, and the calls come in a plain order.
"""

from __future__ import annotations

import heapq
import queue
import time
from collections.abc import Callable
from typing import Any

from inspector.sessions.gate import EndedError

_Item = tuple[Callable[[], Any], Callable[[], bool] | None]


class Loop:
    """A queue of functions to call, and timers; `post` and `end` may be called from any thread.

    `idle` is called when there is nothing to do, once until something was done, and no thread goes on either.
    """

    def __init__(self, idle: Callable[[], None] = lambda: None) -> None:
        self._idle = idle
        self._is_idle = False
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._followed: list[Callable[[], bool]] = []
        self._timers: list[tuple[float, int, Callable[[], Any]]] = []
        self._count = 0
        self._ended = False

    def post(self, function: Callable[[], Any], followed: Callable[[], bool] | None = None) -> None:
        """Have `function` called by the main thread, and `followed` when it then has nothing more to do.

        `followed` says whether it let another thread go on.
        """
        self._queue.put((function, followed))

    def later(self, delay: float, function: Callable[[], Any]) -> None:
        """Have `function` called after `delay` seconds; only from the main thread."""
        self._count += 1
        heapq.heappush(self._timers, (time.monotonic() + delay, self._count, function))

    def end(self) -> None:
        """Make the wait that runs, and every later one, raise EndedError."""
        self._ended = True
        self.post(lambda: None)

    def wait(self, until: Callable[[], bool], timeout: Callable[[], float | None]) -> bool:
        """Call what is posted until `until()` is true; False when nothing happened for `timeout()` seconds.

        Timers that fall due count as something that happened. Raises what the functions raise.
        """
        while True:
            if self._ended:
                raise EndedError
            if until():
                return True
            if not self._run_one(timeout):
                return False

    def _run_one(self, timeout: Callable[[], float | None]) -> bool:
        began = time.monotonic()
        while True:
            now = time.monotonic()
            if self._timers and self._timers[0][0] <= now:
                self._is_idle = False
                heapq.heappop(self._timers)[2]()
                return True
            limit = timeout()
            ends = [began + limit] if limit is not None else []
            ends += [self._timers[0][0]] if self._timers else []
            try:
                function, followed = self._next(max(min(ends) - now, 0) if ends else None)
            except queue.Empty:
                if limit is not None and time.monotonic() >= began + limit and timeout() is not None:
                    return False
                continue
            self._is_idle = False
            if followed is not None:
                self._followed.append(followed)
            function()
            return True

    def _next(self, timeout: float | None) -> _Item:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            followed, self._followed = self._followed, []
            goes_on = [function() for function in reversed(followed)]
            if not self._is_idle and not any(goes_on):
                self._idle()
            self._is_idle = True
            return self._queue.get(timeout=timeout)
