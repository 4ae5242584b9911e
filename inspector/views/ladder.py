"""The ladder, the signature view: two programs as margins, their system calls at the height at which
they happened, and between them the packets as arrows.

Trace -> rows and directions (`ladder_ends`), moments of calls (`ladder_calls`), places on lines
(`ladder_layout`), arrows (`ladder_arrow`), texts of calls (`call_text`) -> lines of any width from 60
cells, made when they are seen. `update` takes in what the trace gained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inspector.trace.model import Call
from inspector.views.call_text import call_line, duration
from inspector.views.facts import DEEP, TCP, UDP, facts
from inspector.views.ladder_arrow import arrow
from inspector.views.ladder_calls import Blocked, margin_moments
from inspector.views.ladder_ends import Conversation, Side, quoted
from inspector.views.ladder_header import header_lines
from inspector.views.ladder_layout import LEFT, RIGHT, Layout, Moment, Place
from inspector.views.model import Line, Span, Style, cell_width, fit
from inspector.views.packets import seconds_text
from inspector.views.sockets import SocketTable

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

TIMES_FROM = 104           # cells from which there is a column of times
_FEW = 40                  # calls between an entry and its return that are looked through


class Target(NamedTuple):
    """What a line, or a cell of it, shows: packet `row` (0-based), or the call `(pid, id)`, or neither."""

    row: int | None = None
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

    def __init__(self, trace: Trace, conversation: Conversation | tuple[str, int] | None = None, *,
                 relative: bool = True, deep: int = DEEP) -> None:
        """`relative`: sequence numbers from 0; `deep`: largest stream that is decoded for its arrows."""
        self.trace = trace
        self.conversation = None if conversation is None else Conversation(*conversation)
        self.relative = relative
        self.deep = deep
        self.sockets = SocketTable()
        self.side = Side(trace, self.conversation, self.sockets)
        self.moments: list[Moment] = []
        self._layout = Layout()
        self._blocked = Blocked((), ())
        self._moments_of: dict[tuple[int, int], list[int]] = {}
        self._started = False
        self.update()

    def update(self) -> bool:
        """Take in what the trace gained since; True when lines were added or changed."""
        calls = self.trace.calls
        news = self.sockets.update(calls)
        more = self.side.update()
        if not (news or more) and self._started:
            return False
        self._started = True
        ends = None if self.conversation is None else self.side.ends
        moments = margin_moments(calls, self.sockets, ends, self.side.times)
        changed = _first_difference(self.moments, moments)
        self._layout.update(self.side.times, moments, self.side.direction, changed)
        self.moments = moments
        self._blocked = Blocked(calls, moments)
        self._moments_of = {}
        for place, moment in enumerate(moments):
            call = calls[moment.call]
            self._moments_of.setdefault((call.pid, call.id), []).append(place)
        return True

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self._layout.count

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        widths = Widths.of(width, len(self.side.rows), bool(self.moments))
        place = self._layout.place(index)
        spans: list[Span] = []
        if widths.time:
            spans.append(Span(fit(self._clock(place), widths.time - 2, align="right") + "  ", "dim"))
        spans += self._margin(index, place, LEFT, widths.margin)
        spans.append(Span("│", "dim"))
        spans += self._middle(place, widths)
        spans.append(Span("│", "dim"))
        spans += self._margin(index, place, RIGHT, widths.margin)
        return tuple(spans)

    def header(self, width: int, row: int | None = None) -> tuple[Line, ...]:
        """The lines above: who, pid, address, and the TCP states after packet `row` (the last by default)."""
        widths = Widths.of(width, len(self.side.rows), bool(self.moments))
        return header_lines(self, widths.time, widths.margin, widths.middle, row)

    def target(self, index: int, cell: int | None = None, width: int = 0) -> Target:
        """What line `index` shows: its packet, else its call; with `cell` and `width`, what stands there."""
        place = self._layout.place(index)
        left, right = self._call_key(place.left), self._call_key(place.right)
        row = None if place.packet is None else int(self.side.rows[place.packet])
        if cell is not None and width:
            widths = Widths.of(width, len(self.side.rows), bool(self.moments))
            if cell < widths.time + widths.margin and left:
                return Target(call=left)
            if cell >= width - widths.margin and right:
                return Target(call=right)
        return Target(row=row) if row is not None else Target(call=left or right)

    def targets(self, index: int) -> tuple[Target, ...]:
        """Everything that line `index` shows: its packet and its calls."""
        place = self._layout.place(index)
        row = None if place.packet is None else int(self.side.rows[place.packet])
        found = [Target(row=row)] if row is not None else []
        found += [Target(call=key) for key in map(self._call_key, (place.left, place.right)) if key]
        return tuple(found)

    def index_of(self, target: Target) -> int | None:
        """The line that shows the packet or (the entry of) the call, None when it is not in this ladder."""
        if target.row is not None:
            place = int(self.side.rows.searchsorted(target.row))
            found = place < len(self.side.rows) and int(self.side.rows[place]) == target.row
            return self._layout.line_of_packet(place) if found else None
        places = self._moments_of.get(target.call) if target.call else None
        return self._layout.line_of_moment(places[0]) if places else None

    def _call(self, moment: int) -> Call:
        return self.trace.calls[self.moments[moment].call]

    def _call_key(self, moment: int | None) -> tuple[int, int] | None:
        if moment is None:
            return None
        call = self._call(moment)
        return call.pid, call.id

    def _time(self, place: Place) -> int:
        """When the line happens: its packet's time, else its call's, else just after what stands above."""
        if place.packet is not None:
            return int(self.side.times[place.packet])
        for moment in (place.left, place.right):
            if moment is not None:
                return self.moments[moment].time_ns
        return -1

    def _clock(self, place: Place) -> str:
        stamp = self._time(place)
        if stamp < 0:
            return ""
        stamps = self.trace.index.time_ns
        return seconds_text(stamp - (int(stamps[0]) if len(stamps) else self.moments[0].time_ns))

    def _middle(self, place: Place, widths: Widths) -> list[Span]:
        if place.gap_ns:
            text = f"·  ·  ·  {duration(place.gap_ns)}  ·  ·  ·"
            return [Span(fit(text, widths.middle, align="centre"), "dim")]
        if place.packet is None:
            return [Span(" " * widths.middle)]
        row = int(self.side.rows[place.packet])
        fact = facts(self.trace, row, relative=self.relative, deep=self.deep)
        number = " " + fit(str(row + 1), widths.number, align="right") + " "
        to_right = self.side.direction(place.packet) == LEFT
        drawn = arrow(self.trace, fact, widths.middle - len(number), to_right=to_right, tag=self._tag(row))
        return [Span(number, "number"), *drawn]

    def _tag(self, row: int) -> str:
        """In a session of several conversations, the client's port names the packet's."""
        if self.conversation is not None or not self.several:
            return ""
        index = self.trace.index
        if int(index.protocol[row]) in (TCP, UDP) and int(index.stream[row]) >= 0:
            return ":" + self.side.client_of(row).rpartition(":")[2]
        quote = quoted(self.trace, row)
        return ":" + quote[1].rpartition(":")[2] if quote else ""

    @property
    def several(self) -> bool:
        """Whether this is a session with more than one conversation."""
        index = self.trace.index
        streams = int(index.stream[: index.count].max()) if index.count else -1
        protocols = {int(number) for number in index.protocol[:64]} & {TCP, UDP}
        return streams > 0 or len(protocols) > 1

    def _margin(self, line: int, place: Place, side: int, width: int) -> Line:
        room = width - 1
        if room < 3:
            return (Span(" " * width),)
        moment = place.right if side else place.left
        blocked = self._blocked_at(line, place, side)
        if moment is None:
            text, style = self._filler(line, blocked, room)
            return (Span(" " + fit(text, room), style),)
        part = self.moments[moment].part
        if part == "return":
            entry = self._moments_of[self._call_key(moment)][0]  # type: ignore[index]
            blocked = [other for other in blocked if other != entry]
        bars = "┆" * min(len(blocked), 2)
        indent = "  " if room >= 14 else ""
        before = f"{indent}{bars} " if bars else ""
        cells = self._call_cells(moment, room - cell_width(before), indent if not bars else "")
        return (Span(" "), *([Span(before, "blocked")] if before else []), *cells)

    def _call_cells(self, moment: int, room: int, indent: str) -> Line:
        call, part = self._call(moment), self.moments[moment].part
        if part != "return":
            return call_line(call, part, room, full=room >= 36)
        entry = self._moments_of[call.pid, call.id][0]
        between = self.moments[entry + 1 : moment]
        named = len(between) > _FEW or any(other.side == self.moments[moment].side for other in between)
        spans: list[Span] = [Span(indent + "└ ", "blocked")]
        room -= len(indent) + 2
        took = ""
        if not self._labelled(entry) and call.end_ns is not None:
            took = f"  after {duration(call.end_ns - call.time_ns)}"
        cells = call_line(call, "return", room, named=named)
        text_width = len("".join(span.text for span in cells).rstrip())
        if took and text_width + len(took) <= room:
            cells = call_line(call, "return", text_width, named=named)
            cells = (*cells, Span(fit(took, room - text_width), "dim"))
        return (*spans, *cells)

    def _labelled(self, entry: int) -> bool:
        """Whether the line below the entry has its margin free, so that it says how long the call blocked."""
        line = self._layout.line_of_moment(entry) + 1
        if line >= self._layout.count:
            return True
        place = self._layout.place(line)
        return (place.right if self.moments[entry].side else place.left) is None and self._long(entry)

    def _long(self, entry: int) -> bool:
        call = self._call(entry)
        return call.end_ns is None or call.end_ns - call.time_ns >= 1_000_000

    def _filler(self, line: int, blocked: list[int], room: int) -> tuple[str, Style]:
        if not blocked:
            return "", ""
        text = ("  " if room >= 14 else "") + "┆" * min(len(blocked), 2)
        newest = blocked[-1]
        if self._layout.line_of_moment(newest) == line - 1 and self._long(newest):
            call = self._call(newest)
            took = "" if call.end_ns is None else f" {duration(call.end_ns - call.time_ns)}"
            text += f" blocked{took}" if len(text) + 8 + len(took) <= room else took or " …"
        return text, "blocked"

    def _blocked_at(self, line: int, place: Place, side: int) -> list[int]:
        """Entry moments of the calls of this margin that block across line `line`."""
        stamp = self._time(place)
        if stamp < 0 and line:                   # a silence: just after all that stands above
            above = self._layout.place(line - 1)
            ends = [self.moments[at].time_ns for at in (above.left, above.right) if at is not None]
            stamp = max(self._time(above), *ends, 0) + 1
        found = self._blocked.at(stamp, side)
        return [entry for entry in found if self._layout.line_of_moment(entry) < line]


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
