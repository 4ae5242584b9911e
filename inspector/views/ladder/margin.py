"""The margins of a ladder: for each line and side, the call that stands there or the bar of one that blocks.

Moments, layout and calls -> spans of a margin. `Margins` is what the ladder knows of its calls; it is
made anew for the calls that came, and asked for the lines that are seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inspector.model.language import tr
from inspector.model.records import Call
from inspector.model.units import duration
from inspector.views.ladder.calls import AT_ONCE_NS, Blocked
from inspector.views.ladder.layout import LEFT, Layout, Moment, Place
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.session.call_text import call_line
from inspector.wire.arrays import Int64s

_FEW = 40                  # moments between an entry and its return that are looked through
_FULL = 36                 # cells of a margin from which calls are written as in the journal
_INDENTED = 14             # cells from which what belongs to a call is indented


class Margins:
    """Both margins of a ladder."""

    def __init__(self, layout: Layout, *, append_only: bool = False) -> None:
        self.layout = layout
        self.append_only = append_only
        self.calls: Sequence[Call] = ()
        self.moments: list[Moment] = []
        self.times = np.zeros(0, np.int64)
        self._blocked = Blocked((), ())
        self._barred = -1, False               # how many lines there were, and whether one has a bar
        self._moments_of: dict[tuple[int, int], list[int]] = {}

    def update(self, calls: Sequence[Call], moments: list[Moment], times: Int64s) -> None:
        """Take the calls, their moments as laid out, and the times of the ladder's packets."""
        self.calls, self.moments, self.times = calls, moments, times
        self._blocked = Blocked(calls, moments)
        self._barred = -1, False
        self._moments_of = {}
        for place, moment in enumerate(moments):
            call = calls[moment.call]
            self._moments_of.setdefault((call.pid, call.id), []).append(place)

    @property
    def has_bars(self) -> bool:
        """Whether a line stands between the entry of a call and its return, which has its bar then."""
        if self._barred[0] != self.layout.count:
            self._barred = self.layout.count, any(map(self._is_barred, self._moments_of.values()))
        return self._barred[1]

    def _is_barred(self, moments: list[int]) -> bool:
        if self.moments[moments[0]].part != "entry":
            return False
        last = self.layout.line_of_moment(moments[1]) if len(moments) > 1 else self.layout.count
        return last - self.layout.line_of_moment(moments[0]) > 1

    def moments_of(self, key: tuple[int, int]) -> list[int]:
        """The moments, entry first, of the call `(pid, id)`; none when it is not in this ladder."""
        return self._moments_of.get(key, [])

    def call(self, moment: int) -> Call:
        """The call of a moment."""
        return self.calls[self.moments[moment].call]

    def key(self, moment: int) -> tuple[int, int]:
        """`(pid, id)` of a moment's call."""
        call = self.call(moment)
        return call.pid, call.id

    def time_of(self, place: Place) -> int:
        """When the line happens, ns since the epoch: its packet's time, else its call's; -1 for a silence."""
        if place.packet is not None:
            return int(self.times[place.packet])
        for moment in (place.left, place.right):
            if moment is not None:
                return self.moments[moment].time_ns
        return -1

    def cells(self, line: int, place: Place, side: int, width: int) -> Line:
        """What stands on this side of line `line`, in `width` cells."""
        room = width - 1
        if room < 3:
            return (Span(" " * width),)
        moment = place.right if side else place.left
        blocked = self._blocked_at(line, place, side)
        if moment is None:
            text, style = self._filler(line, blocked, room, silent=place.gap_ns > 0)
            return (Span(" " + fit(text, room), style),)
        part = self.moments[moment].part
        if part == "return":
            entry = self._moments_of[self.key(moment)][0]
            blocked = [other for other in blocked if other != entry]
        bars = "┆" * min(len(blocked), 2)
        indent = "  " if room >= _INDENTED else ""
        before = f"{indent}{bars} " if bars else ""
        room -= side == LEFT                    # a text that fills its margin would touch the line
        cells = self._call_cells(moment, room - cell_width(before), indent if not bars else "")
        if side == LEFT:
            cells = (*cells, Span(" "))
        return (Span(" "), *([Span(before, "blocked")] if before else []), *cells)

    def _call_cells(self, moment: int, room: int, indent: str) -> Line:
        call, part = self.call(moment), self.moments[moment].part
        if part != "return":
            return call_line(call, part, room, full=room >= _FULL)
        entry = self._moments_of[call.pid, call.id][0]
        between = self.moments[entry + 1 : moment]
        named = len(between) > _FEW or any(other.side == self.moments[moment].side for other in between)
        spans: list[Span] = [Span(indent + "└ ", "blocked")]
        room -= len(indent) + 2
        took = ""
        if not self._labelled(entry) and call.end_ns is not None:
            took = "  " + tr("after {time}", time=duration(call.end_ns - call.time_ns))
        cells = call_line(call, "return", room, named=named)
        text_width = cell_width("".join(span.text for span in cells).rstrip())
        if took and text_width + cell_width(took) <= room:
            cells = call_line(call, "return", text_width, named=named)
            cells = (*cells, Span(fit(took, room - text_width), "dim"))
        return (*spans, *cells)

    def _labelled(self, entry: int) -> bool:
        """Whether the line below the entry has its margin free, so that it says how long the call blocked."""
        if self.append_only:
            return False
        line = self.layout.line_of_moment(entry) + 1
        if line >= self.layout.count:
            return True
        place = self.layout.place(line)
        return (place.right if self.moments[entry].side else place.left) is None and self._long(entry)

    def _long(self, entry: int) -> bool:
        call = self.call(entry)
        return call.end_ns is None or call.end_ns - call.time_ns >= AT_ONCE_NS

    def _filler(self, line: int, blocked: list[int], room: int, *, silent: bool) -> tuple[str, Style]:
        """The bars of calls that block, and how long the newest did; in a silence, which ones they are."""
        if not blocked:
            return "", ""
        text = ("  " if room >= _INDENTED else "") + "┆" * min(len(blocked), 2)
        newest = blocked[-1]
        if self.layout.line_of_moment(newest) == line - 1 and self._long(newest):
            call = self.call(newest)
            returned = call.end_ns is not None and not self.append_only
            took = f" {duration((call.end_ns or 0) - call.time_ns)}" if returned else ""
            word = " " + tr("blocked")
            text += word + took if len(text) + cell_width(word) + len(took) <= room else took
        elif silent:               # a server that rests is in no call but these
            names = ", ".join(dict.fromkeys(f"{self.call(entry).name}()" for entry in blocked))
            text += f" {names}" if len(text) + 1 + len(names) <= room else ""
        return text, "blocked"

    def _blocked_at(self, line: int, place: Place, side: int) -> list[int]:
        """Entry moments of the calls of this margin that block across line `line`."""
        stamp = self.time_of(place)
        if stamp < 0 and line:                   # a silence: just after all that stands above
            above = self.layout.place(line - 1)
            ends = [self.moments[at].time_ns for at in (above.left, above.right) if at is not None]
            stamp = max(self.time_of(above), *ends, 0) + 1
        found = self._blocked.at(stamp, side)
        return [entry for entry in found if self.layout.line_of_moment(entry) < line]
