"""The events of a running session as JSON objects: packets, system calls and what else happened, in order.

A growing trace -> dictionaries, each once: a packet with the keys of `decode --json packets`, a system
call (once it returned) with those of `--json syscalls`, an event with its kind; `event` says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.views.json.packets import packets, syscall

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


class RunEvents:
    """Gives what is new in a growing trace at each `update`."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._packets = 0
        self._events = 0
        self._returned: set[tuple[int, int]] = set()

    def update(self, *, final: bool = False) -> Iterator[dict[str, Any]]:
        """New objects by time; `final`: nothing follows, so calls that never returned are given too."""
        new: list[tuple[int, dict[str, Any]]] = []
        trace = self._trace
        rows = np.arange(self._packets, trace.index.count)
        self._packets = trace.index.count
        for row, value in zip(rows.tolist(), packets(trace, rows), strict=True):
            new.append((int(trace.index.time_ns[row]), {"event": "packet", **value}))
        for call in trace.calls:
            key = (call.pid, call.id)
            if key not in self._returned and (call.end_ns is not None or final):
                self._returned.add(key)
                new.append((call.end_ns or call.time_ns, {"event": "syscall", **syscall(call)}))
        for event in trace.events[self._events :]:
            value = {"event": event.kind, "time_ns": event.time_ns, "text": event.text}
            if event.role:
                value["role"] = event.role
            new.append((event.time_ns, value | dict(event.fields)))
        self._events = len(trace.events)
        new.sort(key=lambda item: item[0])
        return (value for _, value in new)
