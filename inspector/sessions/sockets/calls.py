"""How one system call is made: it passes the gate, is journaled, runs, and is journaled again.

`Caller` is a socket's state as the journal tells it, shared by the threads that use the socket.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from inspector.sessions.gate import Gate, RetiredError
from inspector.sessions.journal import Journal
from inspector.sessions.loop import Loop
from inspector.sessions.sockets.strace import errno_text

T = TypeVar("T")
_LOOK_SECONDS = 0.05      # between looks at whether the session was stepped on


class Caller:
    """Makes the calls of one descriptor; `fd`, `local` and `peer` are what its calls have told so far."""

    def __init__(self, journal: Journal, gate: Gate, protocol: str) -> None:
        self.journal, self.gate, self.protocol = journal, gate, protocol
        self.fd: int | None = None
        self.local: str | None = None
        self.peer: str | None = None
        self._retired = False
        self._blocked = 0                  # threads inside a blocking call
        self._lock = threading.Lock()
        self._turn = threading.Event()

    def hand_over(self, loop: Loop, function: Callable[[], Any]) -> None:
        """Have the main thread deal with what a blocking call returned; `wait_for_turn` follows."""
        self._turn.clear()
        loop.post(function, self._let_on)

    def _let_on(self) -> bool:
        """Let the thread that waits for its turn go on; whether there is one."""
        self._turn.set()
        return not self._retired

    def wait_for_turn(self) -> None:
        """Wait until the main thread has dealt with all that was handed over.

        Not for ever, since it may itself wait in a send until this thread receives.
        """
        while not self._retired and not self._turn.wait(_LOOK_SECONDS) and self.gate.paused:
            pass

    @property
    def retired(self) -> bool:
        """True once `retire` was called: an empty receive then says nothing about the peer."""
        return self._retired

    def stop_blocking(self) -> bool:
        """Let no further blocking call begin; True when a thread is inside one and has to be woken."""
        with self._lock:
            self._retired = True
            blocked = self._blocked > 0
        self._turn.set()
        self.gate.look_again()
        return blocked

    def call(
        self,
        name: str,
        arguments: str,
        function: Callable[[], T],
        describe: Callable[[T], tuple[int, str]] = lambda _: (0, ""),
        *,
        blocking: bool = False,
        steps: bool = True,
        peer: str | None = None,
        deliver: Callable[[T], None] = lambda _: None,
    ) -> T:
        """Make the call `function` and return its value; `describe` gives its result and detail.

        `steps`: in single step it waits for its turn. `peer` holds for this call alone. `deliver`
        gets the value just before the journal tells of the return, so that what a person does upon
        seeing it comes after. OSError as the call raises it; EndedError and RetiredError (for
        `blocking` calls) where it was not made.
        """

        def retired() -> bool:
            return blocking and self._retired

        if steps:
            self.gate.enter(f"{name}({arguments})", retired=retired)
        with self._lock:
            if retired():
                raise RetiredError
            self._blocked += blocking
        record = self.journal.enter(
            name, arguments, fd=self.fd, local=self.local, peer=peer or self.peer, protocol=self.protocol
        )
        result, errno, detail = None, None, ""
        hand_on: Callable[[], None] | None = None
        began = ended = time.time_ns()      # anew: writing the entry is no part of the call's duration
        try:
            value = function()
            ended = time.time_ns()
            result, detail = describe(value)
            hand_on = partial(deliver, value)
            return value
        except OSError as error:
            ended = time.time_ns()
            errno, detail = errno_text(error), os.strerror(error.errno or 0)
            raise
        finally:
            with self._lock:
                self._blocked -= blocking
            self.journal.leave(replace(
                record, time_ns=began, end_ns=ended, result=result, errno=errno, detail=detail,
                fd=self.fd, local=self.local, peer=peer or self.peer,
            ), hand_on)  # fmt: skip
