"""Follow stream: what both ends of a TCP conversation said, in turns, each side in its colour.

`FollowStream` cuts the streams into runs (one end speaks, then the other) and runs into lines, a window at a
time; only the beginnings of lines are kept. A line knows the bytes it shows, hence its packet, and back.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Literal, NamedTuple

from inspector.views.conversation.place import StreamPlace, place_of
from inspector.views.conversation.stream_decoded import JSON_LIMIT, pretty_json, text_lines, unit_lines, units
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

Mode = Literal["text", "hex", "json"]
MODES: tuple[Mode, ...] = ("text", "hex", "json")
_LAYER = 1 << 40          # a decoded unit is told by its layer times this, and its number there
_WINDOW = 1 << 18
_HEX = 16
_INDENT = 2


class _Cut(NamedTuple):
    """Where a line's octets stand; `part` counts the lines that one JSON value was laid out on."""

    direction: int
    start: int
    stop: int
    part: int


class FollowStream:
    """TCP conversation `stream` as lines: `count`, `line(i, width)`, `target(i, cell)`, `index_of(row)`.

    `mode`: "text" (a line ends with LF, or after `wrap` octets), "hex", or "json": messages of
    its protocols as they are meant, JSON laid out; of other streams a line that is JSON. `direction` shows
    one side alone. Change them by `choose`; `update` cuts more.
    """

    def __init__(self, trace: Trace, stream: int, mode: Mode = "text", *, wrap: int = 100) -> None:
        self.trace, self.stream = trace, stream
        self.mode: Mode = mode
        self.wrap = max(wrap, 8)
        self.direction: int | None = None
        self._restart()
        self.update()

    def choose(self, mode: Mode = "text", *, direction: int | None = None, wrap: int | None = None) -> None:
        """Show the stream in another way, from its start; call `update` until `complete`."""
        self.mode, self.direction = mode, direction
        self.wrap = max(wrap or self.wrap, 8)
        self._restart()
        self.update()

    def _restart(self) -> None:
        self._pump = Pump(self.trace.flow(self.stream).streams)
        self._side = array("B")
        self._start, self._stop = array("q"), array("q")
        self._part = array("I")
        self._unit = array("q")       # a decoded unit: its number, and _LAYER more for each layer; or -1
        self._done: list[int] = []    # decoded units of each layer
        self._open = False            # the last line was ended by the end of what there was, not by LF
        self._by_side: tuple[array[int], array[int]] = (array("I"), array("I"))   # lines of each direction
        self._laid: tuple[int, int, int, list[str]] = (-1, -1, -1, [])

    @property
    def complete(self) -> bool:
        """True when all that can be read has been cut into lines."""
        if self._decoded:
            application = self.trace.application(self.stream)
            return not units(application, self._done, 1)
        return all(self._pump.position[d] >= self._pump.available(d) for d in (0, 1))

    @property
    def _decoded(self) -> bool:
        return self.mode == "json" and bool(self.trace.application(self.stream).protocol)

    def update(self, most: int = 1 << 22) -> bool:
        """Cut up to about `most` more octets into lines; True when there were any."""
        if self._decoded:
            return self._add_units(max(most >> 12, 1))
        self.trace.flow(self.stream)       # its streams take the packets that came since
        done = 0
        for direction, _, end in self._pump.runs():
            while done < most and (start := self._pump.position[direction]) < end:
                data = self._pump.read(direction, start, min(end, start + _WINDOW))
                if not data:
                    break
                self._pump.position[direction] = start + len(data)
                done += len(data)
                if self.direction in (None, direction):
                    self._cut(direction, start, data)
            if done >= most:
                break
        return done > 0

    def _add_units(self, most: int) -> bool:
        application = self.trace.application(self.stream)
        found = units(application, self._done, most)
        self._done += [0] * (len(application.layers) - len(self._done))
        for unit in found:
            self._done[unit.layer] += 1
            if self.direction in (None, unit.direction):
                count = len(unit_lines(application, unit.layer, unit.number, self.wrap))
                self._add(unit.direction, unit.start, unit.stop, count, unit.number + unit.layer * _LAYER)
        return bool(found)

    def _cut(self, direction: int, start: int, data: bytes) -> None:
        """Add the lines of `data`, the first one going on where the last line was left open."""
        size = {"hex": _HEX, "text": self.wrap, "json": JSON_LIMIT}[self.mode]
        position, first = 0, self._reopen(direction, start, data)
        while position < len(data):
            begin = first if first is not None else start + position
            first = None
            room = max(begin + size - (start + position), 1)
            end = min(position + room, len(data))
            feed = -1 if self.mode == "hex" else data.find(b"\n", position, end)
            self._open = feed < 0 and end - position < room
            position = feed + 1 if feed >= 0 else end
            parts = len(self._layout(direction, begin, start + position, -1)) if self.mode == "json" else 1
            self._add(direction, begin, start + position, parts)

    def _reopen(self, direction: int, start: int, data: bytes) -> int | None:
        """The start of the last line, taken away, where `data` goes on with it."""
        if not self._open or not self._side or self._side[-1] != direction or self._stop[-1] != start:
            return None
        begin = self._start[-1]
        while self._start and self._start[-1] == begin and self._side[-1] == direction:
            for column in (self._side, self._start, self._stop, self._part, self._unit):
                column.pop()
            self._by_side[direction].pop()
        return begin

    def _add(self, direction: int, start: int, stop: int, parts: int, unit: int = -1) -> None:
        for part in range(parts):
            self._by_side[direction].append(len(self._side))
            self._side.append(direction)
            self._start.append(start)
            self._stop.append(stop)
            self._part.append(part)
            self._unit.append(unit)

    def _layout(self, direction: int, start: int, stop: int, unit: int) -> list[str]:
        """The lines of a unit, or of a line that may be JSON. The last ones are kept."""
        if self._laid[:3] == (direction, start, stop):
            return self._laid[3]
        if unit >= 0:
            application = self.trace.application(self.stream)
            lines = unit_lines(application, unit // _LAYER, unit % _LAYER, self.wrap)
        else:
            data = self._read(direction, start, stop)
            lines = pretty_json(data) or text_lines(data, self.wrap)
        self._laid = direction, start, stop, lines
        return lines

    def _read(self, direction: int, start: int, stop: int) -> bytes:
        return self.trace.flow(self.stream).streams[direction].read(start, stop)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._side)

    def title(self, width: int) -> Line:
        """Who is who, in their colours."""
        flow = self.trace.flow(self.stream)
        client = flow.client or 0
        ends = (flow.a, flow.b)
        texts = [f"{name} {escaped(ends[side][0])}:{ends[side][1]}  {flow.streams[side].captured:,} bytes  "
                 for name, side in (("client", client), ("server", 1 - client))]
        first = fit(texts[0], min(cell_width(texts[0]), width))
        return (Span(first, "client"), Span(fit(texts[1], max(width - cell_width(first), 0)), "server"))

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        direction, start, stop, part = self._at(index)
        style = self._style(direction)
        turn = index == 0 or self._side[index - 1] != direction
        mark = ("→ " if direction == 0 else "← ") if turn else "  "
        if self.mode == "hex":
            text = _hex_text(start, self._read(direction, start, stop))
        elif self.mode == "json":
            lines = self._layout(direction, start, stop, self._unit[index])
            text = lines[part] if part < len(lines) else ""
        else:
            text = escaped(self._read(direction, start, stop).rstrip(b"\r\n"))
        return (Span(fit(mark, min(_INDENT, width)), "dim"), Span(fit(text, max(width - _INDENT, 0)), style))

    def _style(self, direction: int) -> Style:
        return "client" if direction == (self.trace.flow(self.stream).client or 0) else "server"

    def _at(self, index: int) -> _Cut:
        return _Cut(self._side[index], self._start[index], self._stop[index], self._part[index])

    def target(self, index: int, cell: int | None = None) -> StreamPlace:
        """The packet and bytes of line `index`; with `cell` (from 0) those of the byte drawn there."""
        direction, start, stop, _ = self._at(index)
        if cell is not None and self.mode != "json":
            offset = start + self._byte_at(direction, start, stop, cell - _INDENT)
            start, stop = offset, offset + 1
        return place_of(self.trace, self.stream, direction, start, stop)

    def _byte_at(self, direction: int, start: int, stop: int, cell: int) -> int:
        """Which byte of a line is drawn at `cell` of its text."""
        data = self._read(direction, start, stop)
        if self.mode == "hex":
            column = cell - len(_offset_text(start))
            last = column - 3 * _HEX - 2 if column >= 3 * _HEX + 2 else (column - (column > 24)) // 3
            return min(max(last, 0), max(len(data) - 1, 0))
        used = position = 0
        for character in data.decode("utf-8", "surrogateescape"):
            size = 1 if "\udc80" <= character <= "\udcff" else len(character.encode("utf-8", "replace"))
            used += cell_width(escaped(data[position : position + size]))
            if used > cell or position + size >= len(data):
                break
            position += size
        return position

    def index_of(self, row: int) -> int | None:
        """The first line that shows a byte of packet `row`, as far as lines were cut."""
        flow = self.trace.flow(self.stream)
        direction = flow.direction(row)
        for start, _ in flow.streams[direction].ranges_of(row):
            return self.index_at(direction, start)
        return None

    def index_at(self, direction: int, offset: int) -> int | None:
        """The line that shows octet `offset` of a direction, as far as lines were cut."""
        numbers = self._by_side[direction]
        at = bisect_right(numbers, offset, key=lambda line: self._start[line]) - 1
        if at < 0 or offset >= self._stop[numbers[at]]:
            return None
        return numbers[at] - self._part[numbers[at]]


def _offset_text(offset: int) -> str:
    return f"{offset:08x}  "


def _hex_text(offset: int, data: bytes) -> str:
    """`00000010  48 65 …  Hello…`, the two halves of the bytes set apart."""
    halves = data[:8].hex(" "), data[8:].hex(" ")
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{_offset_text(offset)}{fit('  '.join(halves) if halves[1] else halves[0], 3 * _HEX)}  {text}"
