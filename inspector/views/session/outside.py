"""Who stands behind a relayed address: the lab's events -> the process or address outside, for each one.

A relayed connection has its real peer in the host's network; all pictures name that one beside the address in
the lab, so that nobody takes the relay for the program it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.model.records import Event, EventFields, EventKind
    from inspector.trace.trace import Trace


class Outside(NamedTuple):
    """The real peer: `process` ("curl") and `pid` where they are known, `address` in the host's network.

    `backlog`: how many connections may wait for its accept(), where that was asked.
    """

    process: str
    pid: int | None
    address: str
    backlog: int | None = None

    def __str__(self) -> str:
        return f"{self.process} {self.pid}" if self.process else self.address


class _Peers:
    """The real peers, as far as a trace's events were read."""

    def __init__(self) -> None:
        self.read = 0
        self.found: dict[str, Outside] = {}
        self._backlogs: dict[str, int] = {}

    def update(self, events: Sequence[Event]) -> None:
        for event in events[self.read :]:
            if event.kind in ("relayed", "reached"):
                self._take(event.kind, event.known)
        self.read = len(events)

    def _take(self, kind: EventKind, fields: EventFields) -> None:
        inside = fields.get("inside")
        if not inside:
            return
        name, _, pid = fields.get("process", "").rpartition(" ")
        if (most := fields.get("backlog", "")).isascii() and most.isdigit() and len(most) < 10:
            self._backlogs[inside] = int(most)
        known = bool(name) and pid.isascii() and pid.isdigit() and len(pid) < 10
        if kind == "relayed" or inside not in self.found:
            self.found[inside] = Outside(
                escaped(name, 32) if known else "", int(pid) if known else None,
                escaped(fields.get("outside", ""), 80), self._backlogs.get(inside),
            )


_known: WeakKeyDictionary[Trace, _Peers] = WeakKeyDictionary()


def outside_peers(trace: Trace) -> Mapping[str, Outside]:
    """The real peers by their addresses in the lab, "127.0.0.1:40112"; the last one where several used it.

    Each event is read once: who draws asks at every key, and a relay may have told of 100,000 connections.
    """
    known = _known.get(trace)
    if known is None or known.read > len(trace.events):
        known = _known[trace] = _Peers()
    known.update(trace.events)
    return known.found
