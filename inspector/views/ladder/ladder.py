"""The ladder, the signature view: two programs as margins, their system calls at the height at which
they happened, and between them the packets as arrows.

     client  pid 4131  127.0.0.1:50412    TCP  1 of 2    server  pid 4130  127.0.0.1:8000    header
    ─ ESTABLISHED ──────┬───────────────────────────────────┬─ ESTABLISHED ────────────────    states
     connect(:8000) …   │ 11 ── SYN  seq 0 mss 65495 ──────▶│   ┆ blocked 23 ms                moments
       ┆                │ 12 ◀────── SYN ACK  seq 0 ack 1 ──│   ┆                              on one
       └ = 0  41 µs     │ 13 ── ACK  ack 1 ────────────────▶│   └ = 5  from :50412             height
                        │         ·  ·  ·  268 ms  ·  ·  ·  │                                  a gap
    margin              │ arrow                             │ margin

Trace -> rows and directions (`ends`), moments of calls (`calls`), places on lines (`layout`), arrows
(`arrow`), margins (`margin`), texts of calls (`session.call_text`) -> lines of any width from 60 cells, made
when they are seen. `update` takes in what the trace gained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.endpoint import Transport, split_endpoint
from inspector.model.numbers import TCP, UDP
from inspector.model.packets import BEFORE, Instant, Row, packet_number, row_after, row_at
from inspector.model.units import duration
from inspector.trace.packet.facts import DEEP, facts
from inspector.views.ladder.arrow import arrow
from inspector.views.ladder.calls import margin_moments
from inspector.views.ladder.ends import Conversation, Side, quoted
from inspector.views.ladder.header import Programs, header_lines
from inspector.views.ladder.layout import GAP_NS, LEFT, RIGHT, WIDE_GAP_NS, Layout, Moment, Place
from inspector.views.ladder.margin import Margins
from inspector.views.ladder.waiting import Waiting
from inspector.views.line.spans import Line, Span, fit
from inspector.views.packets.list import seconds_text
from inspector.views.session.sockets import SocketTable

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

TIMES_FROM = 104           # cells from which there is a column of times


class Target(NamedTuple):
    """What a line, or a cell of it, shows: packet `row` (0-based), or the call `(pid, id)`, or neither."""

    row: Row | None = None
    call: tuple[int, int] | None = None


class Widths(NamedTuple):
    """Cells of the columns: time, number, margin (each), arrows."""

    time: int
    number: int
    margin: int
    middle: int

    @classmethod
    def of(cls, width: int, packets: int, calls: bool) -> Widths:
        """The columns of a ladder `width` cells wide; without calls the margins shrink to a strip."""
        time = 12 if width >= TIMES_FROM else 0
        number = max(len(str(packets)), 2)
        margin = max(12, min(round((width - time) * 0.23), 44)) if calls else 3
        margin = min(margin, max(width // 4, 0))
        return cls(time, number, margin, max(width - time - 2 * margin - 2, 0))


class Ladder:
    """The ladder of one conversation, or of everything in the trace (`conversation` None)."""

    def __init__(self, trace: Trace, conversation: Conversation | tuple[Transport, int] | None = None, *,
                 relative: bool = True, deep: int = DEEP, append_only: bool = False,
                 gap_ns: int | None = None) -> None:
        """`relative`: sequence numbers from 0; `deep`: largest stream that is decoded for its arrows.

        `append_only`: how long a call blocked is said at its return alone, since lines are printed before.
        `gap_ns`: how long a silence has to be to get a line; usually it follows from where the trace is from.
        """
        self.trace = trace
        self.conversation = None if conversation is None else Conversation(*conversation)
        self.relative = relative
        self.deep = deep
        self.chosen: Row | None = None       # of packets that wait on the wire keys mean the chosen one
        self.waiting = Waiting()
        self.sockets = SocketTable()
        self.side = Side(trace, self.conversation, self.sockets)
        usual = GAP_NS if trace.calls or trace.events else WIDE_GAP_NS
        self._layout = Layout(usual if gap_ns is None else gap_ns)
        self.margins = Margins(self._layout, append_only=append_only)
        self.programs: tuple[Programs, Programs] = (frozenset(), frozenset())
        self._started = self.several = self._expected = False
        self._counted = 0                    # packets among which conversations were counted
        self._fates_seen = 0
        self.update()

    def update(self) -> bool:
        """Take in what the trace gained since; True when lines were added or changed."""
        calls = self.trace.calls
        news = self.sockets.update(calls)
        more = self.side.update()
        held = self.waiting.update(self.trace.events)
        fates, self._fates_seen = self._fates_seen, self.trace.fates.version
        held = held or fates != self._fates_seen
        if not self._expected:               # margins of their full width before the first call is made
            self._expected = any(event.kind == "session-started" for event in self.trace.events)
        if not (news or more) and self._started:
            return held
        self._started = True
        self.several = self._count_conversations()
        ends = None if self.conversation is None else self.side.ends
        moments = margin_moments(calls, self.sockets, ends, self.side.times)
        changed = _first_difference(self.moments, moments)
        self._layout.update(self.side.times, moments, self.side.direction, changed)
        self.margins.update(calls, moments, self.side.times)
        self.programs = self._programs()
        return True

    def _programs(self) -> tuple[Programs, Programs]:
        """Name and pid of whoever made calls, for each margin."""
        calls, found = self.trace.calls, (set[tuple[str, int]](), set[tuple[str, int]]())
        for moment in self.moments:
            call = calls[moment.call]
            found[moment.side].add((call.role, call.pid))
        return found

    @property
    def moments(self) -> list[Moment]:
        """The moments of the calls of both margins, by time."""
        return self.margins.moments

    @property
    def count(self) -> int:
        """How many lines there are, with the one at the end for what endpoints are held before."""
        return self._layout.count + bool(self.waiting)

    @property
    def layout_count(self) -> int:
        """How many lines there are of what happened."""
        return self._layout.count

    def place(self, index: int) -> Place:
        """What stands on line `index` of what happened."""
        return self._layout.place(index)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        if index >= self._layout.count:
            return self._held(width)
        return self.draw(index, self._layout.place(index), width)

    def draw(self, index: int, place: Place, width: int) -> Line:
        """Line `index` with `place` on it, which is what stands there or a part of that."""
        widths = self._widths(width)
        spans: list[Span] = []
        if widths.time:
            spans.append(Span(fit(self._clock(place), widths.time - 2, align="right") + "  ", "dim"))
        spans += self.margins.cells(index, place, LEFT, widths.margin)
        spans.append(Span("│", "dim"))
        spans += self._middle(place, widths)
        spans.append(Span("│", "dim"))
        spans += self.margins.cells(index, place, RIGHT, widths.margin)
        return tuple(spans)

    def header(self, width: int, line: int | None = None) -> tuple[Line, ...]:
        """The lines above: who, pid, address, and the TCP states on line `line` (at the end by default)."""
        widths = self._widths(width)
        at = None if line is None or line >= self._layout.count else self._instant(line)
        return header_lines(self, widths.time, widths.margin, widths.middle, at)

    def title(self, width: int) -> tuple[Line, ...]:
        """The lines above where all of it is printed: who they are, the states before anything happened."""
        widths = self._widths(width)
        return header_lines(self, widths.time, widths.margin, widths.middle, None, before=True)

    def _instant(self, line: int) -> Instant:
        place = self._layout.place(line)
        packet = place.before - 1 if place.packet is None else place.packet
        stamp = self.margins.time_of(place)
        while stamp < 0 and line:                # a silence
            line -= 1
            stamp = self.margins.time_of(self._layout.place(line))
        return Instant(row_at(self.side.rows, packet) if packet >= 0 else BEFORE, stamp)

    def instant_of(self, line: int, call: tuple[int, int]) -> Instant:
        """The moment of a call that stands on a line: what the head shows there, for all of the trace.

        Its last packet is one of any conversation. What did not block has been done by then.
        """
        place, here = self._layout.place(line), self._instant(line)
        times = np.maximum.accumulate(self.trace.index.time_ns[:])
        row = max(here.row, row_after(int(times.searchsorted(here.time_ns)) - 1))
        side = place.left if self._call_key(place.left) == call else place.right
        stamp = here.time_ns
        if side is not None and self.moments[side].part != "entry":
            made = self.trace.calls[self.moments[side].call]
            stamp = max(stamp, made.end_ns or 0)
        return Instant(row, stamp)

    def target(self, index: int, cell: int | None = None, width: int = 0) -> Target:
        """What line `index` shows: its packet, else its call; with `cell` and `width`, what stands there."""
        if index >= self._layout.count:
            return Target()
        place = self._layout.place(index)
        left, right = self._call_key(place.left), self._call_key(place.right)
        row = None if place.packet is None else row_at(self.side.rows, place.packet)
        if cell is not None and width:
            widths = self._widths(width)
            if cell < widths.time + widths.margin and left:
                return Target(call=left)
            if cell >= width - widths.margin and right:
                return Target(call=right)
        return Target(row=row) if row is not None else Target(call=left or right)

    def targets(self, index: int) -> tuple[Target, ...]:
        """Everything that line `index` shows: its packet and its calls."""
        if index >= self._layout.count:
            return ()
        place = self._layout.place(index)
        row = None if place.packet is None else row_at(self.side.rows, place.packet)
        found = [Target(row=row)] if row is not None else []
        found += [Target(call=key) for key in map(self._call_key, (place.left, place.right)) if key]
        return tuple(found)

    def index_of(self, target: Target) -> int | None:
        """The line that shows the packet or (the entry of) the call, None when it is not in this ladder."""
        if target.row is not None:
            place = int(self.side.rows.searchsorted(target.row))
            found = place < len(self.side.rows) and row_at(self.side.rows, place) == target.row
            return self._layout.line_of_packet(place) if found else None
        places = self.margins.moments_of(target.call) if target.call else []
        return self._layout.line_of_moment(places[0]) if places else None

    def lines_of(self, target: Target) -> tuple[int, ...]:
        """All lines that show the target: a call that blocked has one for its entry, one for its return."""
        if target.row is not None:
            line = self.index_of(target)
            return () if line is None else (line,)
        places = self.margins.moments_of(target.call) if target.call else []
        return tuple(self._layout.line_of_moment(place) for place in places)

    def cells_of(self, index: int, target: Target, width: int) -> tuple[int, int] | None:
        """Where on line `index` the target stands: cells [start, stop), None when it is not there."""
        if index >= self._layout.count:
            return None
        place, widths = self._layout.place(index), self._widths(width)
        left = widths.time + widths.margin
        if target.row is not None:
            here = place.packet is not None and row_at(self.side.rows, place.packet) == target.row
            return (left + 1, left + 1 + widths.middle) if here else None
        if target.call is not None and self._call_key(place.left) == target.call:
            return widths.time, left
        if target.call is not None and self._call_key(place.right) == target.call:
            return width - widths.margin, width
        return None

    def _call_key(self, moment: int | None) -> tuple[int, int] | None:
        return None if moment is None else self.margins.key(moment)

    def _widths(self, width: int) -> Widths:
        rows = self.side.rows
        highest = row_at(rows, -1) + 1 if len(rows) else 0
        return Widths.of(width, highest, bool(self.moments or self.waiting or self._expected))

    def _held(self, width: int) -> Line:
        widths = self._widths(width)
        texts = [fit(" " + self.waiting.text(side, widths.margin - 1), widths.margin)
                 for side in (LEFT, RIGHT)]
        middle = "│" + " " * widths.middle + "│"
        return (Span(" " * widths.time), Span(texts[LEFT], "warning"), Span(middle, "dim"),
                Span(texts[RIGHT], "warning"))

    def _clock(self, place: Place) -> str:
        stamps = self.trace.index.time_ns
        stamp = self.margins.time_of(place)
        if place.packet is not None:             # as captured, also where captures are out of order
            stamp = int(stamps[row_at(self.side.rows, place.packet)])
        if stamp < 0:
            return ""
        return seconds_text(stamp - (int(stamps[0]) if len(stamps) else self.moments[0].time_ns))

    def _middle(self, place: Place, widths: Widths) -> list[Span]:
        if place.gap_ns:
            text = f"·  ·  ·  {duration(place.gap_ns)}  ·  ·  ·"
            return [Span(fit(text, widths.middle, align="centre"), "dim")]
        if place.packet is None:
            return [Span(" " * widths.middle)]
        row = row_at(self.side.rows, place.packet)
        fact = facts(self.trace, row, relative=self.relative, deep=self.deep)
        number = " " + fit(str(packet_number(row)), widths.number, align="right") + " "
        to_right = self.side.direction(place.packet) == LEFT
        drawn = arrow(self.trace, fact, widths.middle - len(number), to_right=to_right, tag=self.tag(row),
                      meant=self.trace.fates.meant(self.chosen) == row)
        return [Span(number, "number"), *drawn]

    def tag(self, row: Row) -> str:
        """In a ladder of several conversations, the client's port names the packet's; with several servers,
        both ports say between whom it is, since the margins stand for more than two programs."""
        if self.conversation is not None or not self.several:
            return ""
        index = self.trace.index
        if int(index.protocol[row]) in (TCP, UDP) and int(index.stream[row]) >= 0:
            client, server = (f":{split_endpoint(end)[1]}" for end in self.side.ends_of(row)[:2])
            if stranger := self.side.stranger(row):
                return f"{client}→{stranger}"
            return f"{client}→{server}" if self.side.several_servers else client
        quote = quoted(self.trace, row)
        return f":{split_endpoint(quote[1])[1]}" if quote else self.side.stranger(row)

    def _count_conversations(self) -> bool:
        """Whether this is a session with more than one conversation."""
        index, since = self.trace.index, self._counted
        self._counted = index.count
        protocols = {int(number) for number in index.protocol[:64]} & {TCP, UDP}
        return self.several or len(protocols) > 1 or bool((index.stream[since:] > 0).any())


def _first_difference(old: list[Moment], new: list[Moment]) -> int:
    same = min(len(old), len(new))
    if old[:same] == new[:same]:
        return same
    return next(place for place in range(same) if old[place] != new[place])


def default_conversation(trace: Trace) -> Conversation | None:
    """What a ladder shows first: all of a session of ours, else the trace's first conversation."""
    index = trace.index
    if any(event.kind in ("session-started", "program-started") for event in trace.events) or not index.count:
        return None
    for row in range(min(index.count, 4096)):
        protocol, stream = int(index.protocol[row]), int(index.stream[row])
        if protocol in (TCP, UDP) and stream >= 0:
            return Conversation("tcp" if protocol == TCP else "udp", stream)
    return None


__all__ = ["Conversation", "Ladder", "Target", "default_conversation"]
