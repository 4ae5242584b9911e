"""Decoding behind the picture: what the panes asked for and was not decoded yet, in turns between keys.

trace.turns.wanted -> `Trace.advance`, some milliseconds a turn, what was asked for last first -> `deeper`:
the panes that are seen draw again, and ask again for what they still want. What nobody asks for any more
(another pane, another conversation) is left as it is: whoever comes back to it goes on from there.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from inspector.trace.flows.kept import BUDGET
from inspector.tui.files.settings import kept
from inspector.tui.pace import REST_SECONDS, WORK_SECONDS, settle

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

LEAST_MB = 16
DRAWN = 0.2              # seconds between two pictures while a conversation is decoded


def budget() -> int:
    """Bytes that are kept of what was decoded: `decoded_mb` in the settings, 16 at least; 256 MB else."""
    chosen = kept().get("decoded_mb")
    return max(chosen, LEAST_MB) << 20 if isinstance(chosen, int) else BUDGET


class Behind:
    """Of one trace; used on the event loop's thread alone. `share`: of what is decoded now, 0 to 1."""

    def __init__(self, trace: Trace, deeper: Callable[[], None]) -> None:
        self.trace, self._deeper = trace, deeper
        self._much = budget()
        self._turns = trace.by_turns(self._much)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next: asyncio.TimerHandle | None = None
        self._drawn = 0.0
        self.share = 1.0

    def start(self) -> None:
        """Begin to work on what is wanted."""
        self._loop = asyncio.get_running_loop()
        self._turns.on_wanted = self._soon
        self._soon()

    def stop(self) -> None:
        """Work no more."""
        self._turns.on_wanted = lambda: None
        if self._next is not None:
            self._next.cancel()
        self._loop = self._next = None

    @property
    def busy(self) -> bool:
        """Whether there is something to do still."""
        return self._next is not None

    def _soon(self) -> None:
        if self._loop is not None and self._next is None:
            self._next = self._loop.call_later(REST_SECONDS, self._turn)

    def _turn(self) -> None:
        self._next = None
        stream = self._turns.next()
        if stream is None or self._loop is None:
            self.share = 1.0
            return
        whole = self.trace.advance(stream, WORK_SECONDS)
        if self.trace.given_back > self._much:       # a decoder may be a circle that only a full look finds
            self.trace.given_back = 0
            gc.unfreeze()
            gc.collect()
        settle()
        self.share = self.trace.share(stream)
        now = self._loop.time()
        if whole or now - self._drawn >= DRAWN:
            self._drawn = now
            self._turns.wanted.clear()               # the panes say again what they want
            self._deeper()
        self._soon()
