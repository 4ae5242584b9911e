"""System calls and events put between the packets, in the order of time.

Records wait here until the capture has passed their time. A call between whose entry and return no
packet went by is written once; otherwise twice, at its entry without and at its return with its result.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from inspector.capture.batch import NO_TIMES, Times
from inspector.wire.journal import CallRecord, Record

_Key = tuple[int, int]


class Placed(NamedTuple):
    """A record, how many packets of the batch stand before it, and the time at which it stands there."""

    place: int
    time_ns: int
    record: Record


class Merge:
    """Pending records; `take` gives those that are due, with their places between a batch's packets."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Record | _Key]] = []
        self._entered: dict[_Key, CallRecord] = {}         # entry not written yet (perhaps with its return)
        self._open: set[_Key] = set()                      # entry written, return not
        self._sequence = 0

    def add(self, record: Record) -> None:
        """Take in a record; a call comes at its entry (`end_ns` None), at its return, or only then."""
        if not isinstance(record, CallRecord):
            self._push(record.time_ns, record)
            return
        key = (record.pid, record.id)
        if record.end_ns is not None and key in self._open:
            self._open.discard(key)
            self._push(record.end_ns, record)
            return
        if key not in self._entered:
            self._push(record.time_ns, key)
        self._entered[key] = record

    def next_time(self) -> int | None:
        """The time of the earliest record that waits."""
        return self._heap[0][0] if self._heap else None

    def take(self, times: Times = NO_TIMES, until: int | None = None) -> list[Placed]:
        """Records before `until` (None: all), placed between the packets at `times`."""
        taken: list[Placed] = []
        place = 0
        while self._heap and (until is None or self._heap[0][0] < until):
            moment, _, item = heapq.heappop(self._heap)
            place = max(place, int(np.searchsorted(times, moment)))
            if not isinstance(item, tuple):
                taken.append(Placed(place, moment, item))
                continue
            call = self._entered.pop(item)
            if call.end_ns is None:
                self._open.add(item)
            elif (until is not None and call.end_ns >= until) or np.searchsorted(times, call.end_ns) > place:
                self._push(call.end_ns, call)
                call = entry_of(call)
            taken.append(Placed(place, moment, call))
        return taken

    def _push(self, moment: int, item: Record | _Key) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (moment, self._sequence, item))


def entry_of(call: CallRecord) -> CallRecord:
    """The call as it stood when it was entered."""
    return replace(call, end_ns=None, result=None, errno=None, detail="")
