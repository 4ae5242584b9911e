"""What a TCP conversation speaks, by its first packets alone, where all of it would take long to decode.

(trace, stream) -> a flow and an application of their own, which take some packets a `step` and are let go of
at its end: nothing is kept of them, and what others have decoded of the conversation stays as it is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from inspector.trace.application.application import ApplicationLayers
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.flows.turns import FIRST, Turns

if TYPE_CHECKING:
    from inspector.trace.index.packets import Packets

KNOWN = 64               # packets after which a known protocol is the answer: upgrades come early
MOST = 256               # and after which nobody looks any further


class Opening:
    """The first packets of the conversation `stream`, `taken` so far."""

    def __init__(self, trace: Packets, stream: int) -> None:
        self.taken = 0
        self._turns = Turns()             # its own: how many packets a step has
        self._turns.left = FIRST
        self._flow = TcpFlow(trace, stream, self._grant)
        self._application: ApplicationLayers | None = ApplicationLayers(trace, self._flow)
        self.title = self._title()

    def _grant(self, fresh: int, taken: int) -> int:
        granted = min(self._turns.grant(fresh, taken), MOST - taken)
        self.taken = taken + granted
        return granted

    def _title(self) -> str:
        layer = None if self._application is None else self._application.layer
        return "" if layer is None else layer.protocol.title

    @property
    def done(self) -> bool:
        """Whether `title` ("HTTP", "" for none) is the answer; the rest of the conversation is not read."""
        return not self._flow.left or self.taken >= (KNOWN if self.title else MOST)

    def step(self) -> None:
        """Read some packets more."""
        if self._application is None or self.done:
            return
        self._turns.left, begun = self._turns.step, time.monotonic()
        self._flow.update()
        self._application.update()
        self._turns.took(time.monotonic() - begun)
        self.title = self._title()

    def let_go(self) -> None:
        """Forget all but the title, so that memory is free at once."""
        if self._application is not None:
            self._application.let_go()
            self._application = None
            self._flow.let_go()
