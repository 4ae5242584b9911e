"""Which line of the ladder shows what: packets and the calls of both margins, merged by their times.

Times of packets (numpy) and moments of calls (entered, returned) -> lines. Every packet has a line of
its own; a call stands on the line of the packet that it caused or that brought it back, else on one
between; long silences get a line too. Only the lines beside packets are stored, so a ladder of
millions of packets costs nothing but the search for a line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from inspector.wire.arrays import Int64s

GAP_NS = 20_000_000        # on loopback a silence this long gets a line: half of a delayed ACK (40 ms)
WIDE_GAP_NS = 200_000_000  # elsewhere: more than most round trips
SLACK_NS = 50_000          # a call causes a packet that is seen up to this long after its return

Part = Literal["whole", "entry", "return"]
LEFT, RIGHT = 0, 1


class Moment(NamedTuple):
    """A call is entered, or returns, or both at once (`whole`), on one side at one time."""

    time_ns: int
    call: int                # index into trace.calls
    part: Part
    side: int                # LEFT or RIGHT
    cause: bool = False      # it may make its side send a packet at once
    effect: bool = False     # it ends because of what the peer sent
    until_ns: int = 0        # when a causing call returned; its packet is seen before


class Place(NamedTuple):
    """What line `i` holds: a packet (its position among the ladder's packets) or not, moments, a silence."""

    packet: int | None
    left: int | None         # indexes into Layout.moments
    right: int | None
    gap_ns: int = 0
    before: int = 0          # how many packets stand above this line


class Layout:
    """The lines of a ladder. `times`: of its packets, not decreasing; `moments`: sorted by time."""

    def __init__(self, gap_ns: int = GAP_NS) -> None:
        self.gap_ns = gap_ns
        self.moments: Sequence[Moment] = ()
        self.packets = 0
        self._cells: dict[int, list[int | None]] = {}      # packet -> [left moment, right moment]
        self._extra_at = np.zeros(0, np.int64)             # packets above each extra line
        self._extra: list[tuple[int | None, int | None, int]] = []   # left, right, gap_ns
        self._line_of_extra = np.zeros(0, np.int64)
        self._place_of_moment: list[tuple[bool, int]] = []  # (on a packet's line, packet | extra)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self.packets + len(self._extra)

    def update(self, times: Int64s, moments: Sequence[Moment], direction: Callable[[int], int],
               changed: int) -> None:
        """Lay out again from moment `changed` on (0: everything); what stands above it is kept.

        `direction(position)`: LEFT when the packet was sent by the left side, else RIGHT.
        """
        old = self.packets
        slots = _slots(times, moments[changed:])
        start = min(old, int(slots[0]) if len(slots) else len(times))
        # The moments of the first slot that changes are laid out anew, all of them.
        while changed and int(np.searchsorted(times, moments[changed - 1].time_ns)) >= start:
            changed -= 1
        slots = _slots(times, moments[changed:])
        self._cut(start, changed)
        self.moments, self.packets = moments, len(times)
        self._fill(times, slots, changed, start, direction)

    def place(self, line: int) -> Place:
        """What stands on line `line`."""
        extra = int(np.searchsorted(self._line_of_extra, line))
        if extra < len(self._extra) and int(self._line_of_extra[extra]) == line:
            left, right, gap = self._extra[extra]
            return Place(None, left, right, gap, int(self._extra_at[extra]))
        packet = line - extra
        left, right = self._cells.get(packet, (None, None))
        return Place(packet, left, right, 0, packet)

    def line_of_packet(self, packet: int) -> int:
        """The line of the packet at this position."""
        return packet + int(np.searchsorted(self._extra_at, packet, side="right"))

    def line_of_moment(self, moment: int) -> int:
        """The line on which moment `moment` stands."""
        on_packet, place = self._place_of_moment[moment]
        return self.line_of_packet(place) if on_packet else int(self._line_of_extra[place])

    def _cut(self, start: int, changed: int) -> None:
        """Forget what stands at or below the slot above packet `start`."""
        keep = int(np.searchsorted(self._extra_at, start, side="left"))
        del self._extra[keep:]
        self._extra_at = self._extra_at[:keep]
        for on_packet, place in self._place_of_moment[changed:]:
            if on_packet:
                self._cells.pop(place, None)
        # A cell above the cut may hold a moment from before it beside one that was just dropped.
        for moment in range(changed - 1, max(changed - 3, -1), -1):
            on_packet, place = self._place_of_moment[moment]
            if on_packet:
                cell = self._cells.setdefault(place, [None, None])
                cell[self.moments[moment].side] = moment
        del self._place_of_moment[changed:]

    def _fill(self, times: Int64s, slots: Int64s, changed: int, start: int,
              direction: Callable[[int], int]) -> None:
        at: list[int] = []
        used: list[int] = []
        first = 0
        total = len(slots)
        while first < total:
            slot, last = int(slots[first]), first
            while last < total and int(slots[last]) == slot:
                last += 1
            self._fill_slot(times, slot, range(changed + first, changed + last), direction, at)
            used.append(slot)
            first = last
        self._add_gaps(times, start, changed, np.array(used, np.int64), at)

    def _fill_slot(self, times: Int64s, slot: int, indexes: range, direction: Callable[[int], int],
                   at: list[int]) -> None:
        """Place the moments between packet slot-1 and packet slot."""
        previous = int(times[slot - 1]) if slot else None
        quiet = False                      # a silence or a line of its own stands after packet slot-1
        for index in indexes:
            moment = self.moments[index]
            silence = 0 if previous is None else moment.time_ns - previous
            if silence >= self.gap_ns:
                self._append(at, slot, None, None, silence)
                quiet = True
            previous = moment.time_ns
            last = all(self.moments[later].side != moment.side for later in range(index + 1, indexes.stop))
            if last and self._caused(times, slot, moment, direction):
                self._take(slot, index)
            elif slot and not quiet and self._brought(slot - 1, moment, direction):
                self._take(slot - 1, index)
            else:
                sides: tuple[int | None, int | None] = (None, index) if moment.side else (index, None)
                self._place_of_moment.append((False, len(self._extra)))
                self._append(at, slot, *sides, 0)
                quiet = True
        if slot < len(times) and previous is not None and int(times[slot]) - previous >= self.gap_ns:
            self._append(at, slot, None, None, int(times[slot]) - previous)

    def _caused(self, times: Int64s, slot: int, moment: Moment, direction: Callable[[int], int]) -> bool:
        """Whether the packet below the slot is what this call sent."""
        return (moment.cause and slot < len(times) and direction(slot) == moment.side
                and int(times[slot]) <= moment.until_ns + SLACK_NS)

    def _brought(self, packet: int, moment: Moment, direction: Callable[[int], int]) -> bool:
        """Whether the moment may stand on the line of the packet above: it follows it, its cell is free."""
        cell = self._cells.get(packet)
        if cell is not None and cell[moment.side] is not None:
            return False
        return direction(packet) != moment.side or moment.effect

    def _take(self, packet: int, index: int) -> None:
        self._cells.setdefault(packet, [None, None])[self.moments[index].side] = index
        self._place_of_moment.append((True, packet))

    def _append(self, at: list[int], slot: int, left: int | None, right: int | None, gap: int) -> None:
        at.append(slot)
        self._extra.append((left, right, gap))

    def _add_gaps(self, times: Int64s, start: int, changed: int, used: Int64s, at: list[int]) -> None:
        """Add the silences between packets without calls between them; bring the extra lines in order."""
        below = max(start, 1)
        steps = np.diff(times[below - 1 :])
        quiet = np.flatnonzero(steps >= self.gap_ns) + below
        quiet = quiet[~np.isin(quiet, used)]
        kept = len(self._extra_at)
        new_at = np.concatenate([np.array(at, np.int64), quiet])
        if len(quiet):
            order = np.argsort(new_at, kind="stable")
            extras: list[tuple[int | None, int | None, int]] = self._extra[kept:]
            extras += [(None, None, int(gap)) for gap in steps[quiet - below]]
            self._extra[kept:] = [extras[place] for place in order]
            inverse = np.empty(len(order), np.int64)
            inverse[order] = np.arange(len(order))
            self._place_of_moment[changed:] = [
                (on, place) if on else (on, kept + int(inverse[place - kept]))
                for on, place in self._place_of_moment[changed:]
            ]
            new_at = new_at[order]
        self._extra_at = np.concatenate([self._extra_at, new_at])
        self._line_of_extra = self._extra_at + np.arange(len(self._extra_at))


def _slots(times: Int64s, moments: Sequence[Moment]) -> Int64s:
    """For each moment how many packets came before it."""
    stamps = np.fromiter((moment.time_ns for moment in moments), np.int64, len(moments))
    return np.searchsorted(times, stamps, side="left")
