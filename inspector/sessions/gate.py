"""The gate before every system call: open, or letting one call pass for each step.

A thread that waits here says so in the journal ("waiting", with the call it is about to make), and
says "resumed" when it is let go. Threads wait in order; a step lets the longest waiting one pass. An endpoint
that has no call to make says so too ("idle"), so that nobody waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from inspector.sessions.journal import Journal


class EndedError(Exception):
    """The endpoint was told to end (its standard input ended)."""


class RetiredError(Exception):
    """The socket is being closed by another thread; the call was not made."""


@dataclass(slots=True)
class _Waiter:
    retired: Callable[[], bool]
    passes: bool = False


class Gate:
    """Lets system calls pass at once, or one by one; may be used from any thread."""

    def __init__(self, journal: Journal, *, paused: bool = False) -> None:
        self._journal = journal
        self._paused = paused
        self._ended = False
        self._condition = threading.Condition()
        self._waiters: list[_Waiter] = []
        self.was_paused = paused       # waiting for a person: no time limit holds any more

    def enter(self, call: str, *, retired: Callable[[], bool] = lambda: False) -> None:
        """Return when `call` may be made; EndedError or RetiredError where it must not be made any more."""
        with self._condition:
            if retired():
                raise RetiredError
            if not self._paused or self._ended:
                return
            waiter = _Waiter(retired)
            self._waiters.append(waiter)
            self._journal.event(
                "waiting", f"The {self._journal.role} waits before {call}.", call=call, tid=_tid()
            )
            try:
                self._condition.wait_for(lambda: waiter.passes or self._ended or retired())
            finally:
                self._waiters.remove(waiter)
                self._journal.event("resumed", f"The {self._journal.role} goes on.", call=call, tid=_tid())
            if self._ended:
                raise EndedError
            if retired():
                raise RetiredError

    @property
    def ended(self) -> bool:
        """True once `end` was called."""
        return self._ended

    @property
    def paused(self) -> bool:
        """True while calls wait to be let go."""
        return self._paused and not self._ended

    def idle(self) -> None:
        """The endpoint has no call to make until something comes; told where calls are let go one by one."""
        if self.paused:
            self._journal.event("idle", f"The {self._journal.role} has no call to make.")

    def pause(self) -> bool:
        """From now on every call waits until it is let go; whether it was otherwise before."""
        with self._condition:
            was, self._paused, self.was_paused = self._paused, True, True
            return not was

    def resume(self) -> None:
        """Let all calls pass again."""
        with self._condition:
            self._paused = False
            for waiter in self._waiters:
                waiter.passes = True
            self._condition.notify_all()

    def step(self) -> bool:
        """Let one waiting call pass, and hold the next one; with no call waiting, only hold the next one.

        Whether calls passed at once before.
        """
        with self._condition:
            was, self._paused, self.was_paused = self._paused, True, True
            waiter = next((waiter for waiter in self._waiters if not waiter.passes), None)
            if waiter is not None:
                waiter.passes = True
                self._condition.notify_all()
            return not was

    def end(self) -> None:
        """Send all waiting threads away; calls made from now on, to close the sockets, pass at once."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    def look_again(self) -> None:
        """Let the waiting threads see that their socket was retired."""
        with self._condition:
            self._condition.notify_all()


def _tid() -> str:
    return str(threading.get_native_id())
