"""What became of packets on a wire that somebody stood in: held, dropped, doubled, delayed, swapped.

Events of kind "wire" -> for each packet that they name, by the sum of its bytes, its row and its fates. A
packet of which no event tells went through at once; on a wire that holds all its event is to come.
"""

from __future__ import annotations

import zlib
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row, first_rows
from inspector.model.wiring import (
    FATE_BYS,
    FATE_WORDS,
    LONGEST_WAITING,
    SENDERS,
    FateBy,
    FateWord,
    Sender,
    WireNumber,
    wire_number,
)

if TYPE_CHECKING:
    from inspector.model.records import Event
    from inspector.trace.index.index import Index

LOST: frozenset[FateWord] = frozenset({"dropped", "lost", "overflowed", "unsent"})
WAITS: frozenset[FateWord] = frozenset({"held", "swapped", "put off"})
_NOBODY: FateBy = ""
_AT_ONCE_NS = 20_000_000           # what becomes of a packet first is told within this time
_LOOKED_BACK = 8192                # packets among which one that an event names is looked for


class Frames(Protocol):
    """What is needed of a trace: how many packets it has by now, and their bytes."""

    @property
    def index(self) -> Index:
        """The columns of the packets."""

    def frame(self, row: Row) -> bytes:
        """The captured bytes of a packet."""


class Fate(NamedTuple):
    """What became of a packet last. `number`: its own on the wire; `by`: who decided it.

    `held_ns`: when it was held, else `time_ns`, when this became of it; ns since the epoch.
    """

    row: Row
    number: WireNumber
    fate: FateWord
    by: FateBy
    sender: Sender
    held_ns: int
    time_ns: int

    @property
    def is_lost(self) -> bool:
        """Whether it never arrived."""
        return self.fate in LOST

    @property
    def is_under_way(self) -> bool:
        """Whether it goes on a wire that takes its time, with nobody's doing: it will arrive."""
        return self.fate == "under way"

    @property
    def has_arrived(self) -> bool:
        """Whether it came to its receiver, or is on its way there."""
        return self.fate not in LOST | WAITS


class Fates:
    """The fates that a trace tells; `update` reads on."""

    def __init__(self) -> None:
        self.begun = False                 # a session on the wire was read
        self.holds = False                 # each packet waits from now on
        self.version = 0                   # counts what was read
        self._read = 0
        self._summed = 0
        self._rows: dict[str, deque[Row]] = {}
        self._numbers: dict[str, Row] = {}
        self._fates: dict[Row, Fate] = {}
        self._pending: dict[Row, Fate] = {}    # those that may still arrive
        self._held_since_ns = 0
        self._looked_at = 0                    # packets among which those were looked for that are
        self._awaited: dict[Row, Fate] = {}    # on a wire that holds all, and of which no event tells yet

    def __bool__(self) -> bool:
        return bool(self._fates)

    def of(self, row: Row) -> Fate | None:
        """What became of packet `row`; None where it went through at once."""
        return self._fates.get(row)

    def shown(self, row: Row) -> Fate | None:
        """The same for who looks: what came to a wire that holds all waits, though no event tells it yet."""
        return self._fates.get(row) or self._awaited.get(row)

    def arrived_ns(self, row: Row, sent_ns: int) -> int | None:
        """When a packet came to its receiver that was sent at `sent_ns`; None where it has not, so far."""
        fate = self._fates.get(row)
        if fate is None:
            return None if row in self._awaited else sent_ns
        return fate.time_ns if fate.has_arrived else None

    @property
    def all(self) -> list[Fate]:
        """The fates of all packets of which there is one to tell."""
        return list(self._fates.values())

    @property
    def waiting(self) -> list[Fate]:
        """The packets that are held now, the one that waits longest first."""
        return [fate for fate in self._pending.values() if fate.fate == "held"]

    def meant(self, chosen: Row | None) -> Row | None:
        """Of the packets that are held the one that a person means: the chosen one, else the longest held."""
        fate = None if chosen is None else self._fates.get(chosen)
        if fate is not None and fate.fate == "held":
            return chosen
        return next((fate.row for fate in self._pending.values() if fate.fate == "held"), None)

    def update(self, trace: Frames, events: list[Event], may_grow: bool = True) -> list[Row]:
        """Read the events that are new; the packets of which it is known anew whether they have arrived.

        `may_grow`: more may be told; else what is not told now never will be.
        """
        changed: list[Row] = []
        for event in events[self._read :]:
            if event.kind == "wire":
                changed += self._take(trace, event)
            elif event.kind == "session-started":
                session = event.session
                self._begin(session is not None and session.wire == "held", event.time_ns)
        self._read = len(events)
        return changed + self._await(trace, may_grow)

    def _await(self, trace: Frames, may_grow: bool) -> list[Row]:
        """Note the new packets that the wire holds without anybody's word so far; those that are given up."""
        index, begin = trace.index, self._looked_at
        self._looked_at = index.count
        given_up = [row for row, fate in self._awaited.items()
                    if not self.holds or not may_grow or fate.time_ns < self._held_since_ns]
        for row in given_up:
            del self._awaited[row]
        self.version += bool(given_up)
        if not self.holds or not may_grow:
            return given_up
        for row in first_rows(index.count)[begin:]:
            time_ns = int(index.time_ns[row])
            if row in self._fates or time_ns < self._held_since_ns or index.protocol[row] not in (TCP, UDP):
                continue
            self._awaited[row] = Fate(row, LONGEST_WAITING, "held", _NOBODY, SENDERS[0], time_ns, time_ns)
        return given_up

    def _begin(self, holds: bool, time_ns: int) -> None:
        """A new session begins on the wire; what was held before is not there any more."""
        self.begun, self.holds, self._held_since_ns = True, holds, time_ns
        self._numbers.clear()
        for row, fate in self._pending.items():
            self._fates[row] = fate._replace(fate="unsent", by="kernel")
        self._pending.clear()

    def _take(self, trace: Frames, event: Event) -> list[Row]:
        fields = event.known
        fate, number = fields.get("fate", ""), fields.get("packet", "")
        self.version += 1
        if fate in ("hold", "open"):
            self.holds, self._held_since_ns = fate == "hold", event.time_ns
        word = next((one for one in FATE_WORDS if one == fate), None)
        sender = next((one for one in SENDERS if one == fields.get("sender")), None)
        if not (number.isascii() and number.isdigit() and len(number) < 12) or word is None or sender is None:
            return []                          # of the wire itself; or a stranger's file says it
        row = self._numbers.get(number)
        if row is None:
            row = self._found(trace, fields.get("sum", ""), event.time_ns)
            if row is None:
                return []
            self._numbers[number] = row
        before = self._fates.get(row)
        held_ns = event.time_ns if before is None else before.held_ns
        # Who let a packet be overtaken is who put it behind the next one.
        by = next((one for one in FATE_BYS if one == fields.get("by")), _NOBODY)
        if by == _NOBODY and before is not None:
            by = before.by
        now = Fate(row, wire_number(int(number)), word, by, sender, held_ns, event.time_ns)
        was_awaited = self._awaited.pop(row, None) is not None
        self._fates[row] = now
        self._pending.pop(row, None)
        if word in WAITS:
            self._pending[row] = now
        known = not was_awaited and (before is None or (before.has_arrived and not before.is_under_way))
        return [] if (now.has_arrived and not now.is_under_way) == known else [row]

    def _found(self, trace: Frames, wanted: str, time_ns: int) -> Row | None:
        """The packet with this sum that no event has named yet; of several alike the first shortly before."""
        count = trace.index.count
        for row in first_rows(count)[max(self._summed, count - _LOOKED_BACK) :]:
            self._rows.setdefault(f"{zlib.crc32(trace.frame(row)):08x}", deque()).append(row)
        self._summed = count
        found, times = self._rows.get(wanted, deque()), trace.index.time_ns
        while len(found) > 1 and times[found[0]] < time_ns - _AT_ONCE_NS:
            found.popleft()                    # it went through, and was sent again
        return found.popleft() if found else None
