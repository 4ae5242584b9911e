"""The ladder as text, from its head to its foot: what `inspector run` prints while it happens, or a picture.

A growing trace -> the lines that are settled by now, each once, in the order of time. A blocked call is
printed when it is entered (`accept() …`) and again when it returned (`└ = 4`), a packet when it waits on the
wire and again when it is known what became of it; what comes late beside a packet that was already printed
gets a line of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.language import tr
from inspector.model.packets import row_at
from inspector.model.units import duration
from inspector.views.ladder.ends import Conversation
from inspector.views.ladder.header import ladder_ends
from inspector.views.ladder.ladder import Ladder
from inspector.views.ladder.layout import Place
from inspector.views.line.spans import Line, Span, fit
from inspector.views.session.loss import loss_word

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

SETTLED_NS = 60_000_000      # the agent has written by then what belongs beside a line
_LOOK_BACK = 200             # lines above the last one printed that may still gain something
_Key = tuple[object, ...]


class LadderText:
    """Prints a ladder as its trace grows: `update` returns the lines that are new.

    `whole`: all of it is there, so that each line may tell what came later.
    """

    def __init__(self, trace: Trace, width: int = 100, conversation: Conversation | None = None, *,
                 relative: bool = True, whole: bool = False) -> None:
        self.ladder = Ladder(trace, conversation, relative=relative, append_only=not whole)
        self.width = width
        self._printed: set[_Key] = set()
        self._from = 0
        self._headed = False

    def update(self, now_ns: int | None = None) -> list[Line]:
        """The lines that became final. `now_ns`: the present, ns since the epoch; None: nothing follows."""
        self.ladder.update()
        lines: list[Line] = []
        if not self._headed:
            if now_ns is not None and not self._both_known():
                return lines
            self._headed = bool(self.ladder.count)
            lines += self.ladder.title(self.width) if self._headed else ()
        for index in range(self._from, self.ladder.layout_count):
            place = self.ladder.place(index)
            if now_ns is not None and self._time_of(index) > now_ns - SETTLED_NS:
                break
            rest = self._unprinted(index, place)
            if rest is not None:
                lines.append(self.ladder.draw(index, rest, self.width))
                self._from = max(index - _LOOK_BACK, self._from)
        return lines

    def footer(self) -> list[Line]:
        """What ends the picture: a rule with the final states, and what there was in sum."""
        if not self._headed:
            return []
        above = self.ladder.header(self.width)[1]
        rule = tuple(Span(span.text.replace("┬", "┴"), span.style) for span in above)
        return [rule, (Span(fit(" " + self._summary(), self.width), "dim"),)]

    def _summary(self) -> str:
        trace = self.ladder.trace
        stamps = self.ladder.side.times
        calls = len({(moment.call) for moment in self.ladder.moments})
        _, _, what = ladder_ends(self.ladder, None)
        took = f"  {duration(int(stamps[-1]) - int(stamps[0]))}" if len(stamps) else ""
        parts = [what]
        if calls:                      # without any, nobody looked at them
            parts.append(tr("{count} system calls", count=calls))
        parts[-1] += took
        if trace.counts_drops:
            parts.append(f"{trace.statistics.dropped} {tr(loss_word(trace))}")
        return "  ".join([*parts, tr("{count:,} cut short", count=trace.cut)] if trace.cut else parts)

    def _time_of(self, index: int) -> int:
        """When line `index` happens; a silence is over with the line below."""
        place = self.ladder.place(index)
        below = place.gap_ns and index + 1 < self.ladder.layout_count
        return self.ladder.margins.time_of(self.ladder.place(index + 1) if below else place)

    def _ends_with(self, index: int) -> _Key:
        """What a silence above line `index` ends with, which is the silence's name."""
        place = self.ladder.place(index)
        if place.packet is not None:
            return ("packet", place.packet)
        return next((self._key(at) for at in (place.left, place.right) if at is not None), ())

    def _both_known(self) -> bool:
        """Whether the head can name both programs: each made a call, or packets flow already."""
        sides = {moment.side for moment in self.ladder.moments}
        return len(sides) == 2 or len(self.ladder.side.rows) > 0

    def _unprinted(self, index: int, place: Place) -> Place | None:
        """The line without what was printed before, None when nothing remains of it."""
        packet, left, right, gap = place.packet, place.left, place.right, place.gap_ns
        if packet is not None and not self._take(("packet", packet, self._waits(packet))):
            packet = None
        if left is not None and not self._take(self._key(left)):
            left = None
        if right is not None and not self._take(self._key(right)):
            right = None
        if gap and not self._take(("silence", *self._ends_with(index + 1))):
            gap = 0
        if packet is None and left is None and right is None and not gap:
            return None
        return Place(packet, left, right, gap, place.before)

    def _waits(self, packet: int) -> str:
        """For what a packet waits on the wire, "" where it does not: what becomes of it is printed anew."""
        fate = self.ladder.trace.fates.shown(row_at(self.ladder.side.rows, packet))
        if fate is not None and fate.fate in ("under way", "arrived"):
            return fate.fate               # told when it leaves, and when it comes
        return "" if fate is None or fate.has_arrived or fate.is_lost else fate.fate

    def _key(self, moment: int) -> _Key:
        entry = self.ladder.moments[moment]
        call = self.ladder.trace.calls[entry.call]
        return call.pid, call.id, "return" if entry.part == "return" else "entry"

    def _take(self, key: _Key) -> bool:
        if key in self._printed:
            return False
        self._printed.add(key)
        return True
