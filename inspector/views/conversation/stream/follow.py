"""Follow stream: what both ends of a TCP conversation said, in turns, each side in its colour.

`FollowStream` cuts the streams into lines, a window at a time; only the beginnings of lines are kept. What
may still change (a message that has not ended, a hole that may be filled) stands behind them as a tail, which
is made anew whenever the conversation grows. All bytes of both directions stand in a line, or in a note that
says how many are missing and why.

    settled: messages, bytes as they came, notes │ tail: not ended yet, not decided, not captured so far
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from inspector.model.language import tr
from inspector.model.packets import Row, packet_number
from inspector.model.units import amount
from inspector.protocols.api import message_at
from inspector.trace.flows.missing import Missing, acknowledged, missing_from
from inspector.views.conversation.place import StreamPlace, place_of
from inspector.views.conversation.stream.decoded import (
    JSON_LIMIT,
    Unit,
    byte_lines,
    is_opened,
    pretty_json,
    text_lines,
    unit_lines,
    units,
)
from inspector.views.conversation.stream.lines import RAW, Cut, StreamLines
from inspector.views.conversation.stream.words import missing_words, unended_words
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.wire.tcp.delivery import Pump
from inspector.wire.tcp.stream import ByteStream
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

Mode = Literal["text", "hex", "json"]
Secrecy = Literal["", "sealed", "opened"]
MODES: tuple[Mode, ...] = ("text", "hex", "json")
_LAYER = 1 << 40          # a decoded unit is told by its layer times this, and its index there
_WINDOW = 1 << 18
_AT_ONCE = 1 << 22
_MESSAGE, _LINES = 1 << 12, 40    # bytes that a message counts for, as work, and lines
_HEX = 16
_LEAST = 30               # cells of both ends' names, at least
_INDENT = 2
_HOLE = 1 << 12           # bytes that crossing a hole counts for, as work
_CROSSED = 64             # holes that were crossed last, and might be filled nevertheless
_PATIENCE = 1 << 20       # bytes behind a hole after which nobody waits for it any more


class FollowStream:
    """TCP conversation `stream` as lines: `count`, `line(i, width)`, `target(i, cell)`, `index_of(row)`.

    `mode`: "text" (a line ends with LF, or after `wrap` bytes), "hex", or "json": messages of
    its protocols as they are meant, JSON laid out; of other streams a line that is JSON. `direction` shows
    one side alone; `inside` the bytes that TLS keeps secret, where they are known, and not those that went.
    Change them by `choose`; `update` cuts more.
    """

    def __init__(self, trace: Trace, stream: int, mode: Mode = "text", *, wrap: int = 100,
                 direction: int | None = None, inside: bool = False, most: int = _AT_ONCE) -> None:
        """`most`: bytes that are cut at first, and by `choose` and `update`, where they are not told."""
        self.trace, self.stream = trace, stream
        self.mode: Mode = mode
        self.wrap = max(wrap, 8)
        self.direction, self._most = direction, most
        self.inside = inside
        self._restart()
        self.update()

    def choose(self, mode: Mode = "text", *, direction: int | None = None, wrap: int | None = None,
               inside: bool = False) -> None:
        """Show the stream in another way, from its start; call `update` until `complete`."""
        self.mode, self.direction, self.inside = mode, direction, inside
        self.wrap = max(wrap or self.wrap, 8)
        self._restart()
        self.update()

    def _restart(self) -> None:
        self._pump = Pump(self._streams)
        self._lines = StreamLines()
        self._done: list[int] = []    # decoded units of each layer
        self._open = False            # the last line was ended by the end of what there was, not by LF
        self._settled = 0             # lines before the tail
        self._complete_at = -1        # packets of the conversation for which all is cut, the tail too
        self._crossed: list[tuple[int, int]] = []      # direction and start of holes
        self._begun = [False, False]
        self._rest_words = ["", ""]         # what bytes in no message are, as was said last of a direction
        self._layers = 0              # layers there were then
        self._laid: tuple[Cut | None, list[str]] = (None, [])

    @property
    def secrecy(self) -> Secrecy:
        """Whether the bytes that went are those of TLS, and whether what is inside is known."""
        decoders = [layer.decoder for layer in self.trace.application(self.stream).layers]
        if any(decoder.inside is not None and decoder.inside.streams[0].captured
               + decoder.inside.streams[1].captured for decoder in decoders):
            return "opened"
        return "sealed" if any(decoder.seals for decoder in decoders) else ""

    @property
    def _streams(self) -> tuple[ByteStream, ByteStream]:
        """The bytes that are shown: those that went, or those inside."""
        if self.inside and self.mode != "json" and self.secrecy == "opened":
            found = [layer.decoder.inside for layer in self.trace.application(self.stream).layers]
            return next(one.streams for one in reversed(found) if one is not None)
        return self.trace.flow(self.stream).streams

    @property
    def _is_inside(self) -> bool:
        return self._pump.streams[0] is not self.trace.flow(self.stream).streams[0]

    def _missing(self, direction: int, offset: int) -> Missing | None:
        """The first bytes at or behind `offset` that are not there; inside, those that did not open."""
        if not self._is_inside:
            return missing_from(self.trace, self.trace.flow(self.stream), direction, offset)
        gap = self._pump.streams[direction].gap_from(offset)
        return None if gap is None else Missing(gap.start, gap.end, gap.cut)

    @property
    def complete(self) -> bool:
        """True when all that can be read has been cut into lines."""
        return self._complete_at == self._packets

    @property
    def _packets(self) -> int:
        return len(self.trace.flow(self.stream).rows)

    @property
    def _decoded(self) -> bool:
        return self.mode == "json" and bool(self.trace.application(self.stream).protocol)

    # --- cutting -----------------------------------------------------------------------------------

    def update(self, most: int | None = None) -> bool:
        """Cut up to about `most` more bytes into lines; True when lines were added or changed."""
        most = self._most if most is None else most
        if self.complete:              # (asking for it lets the streams take the packets that came since)
            return False
        if self._is_outdated():
            self._restart()
        self._lines.cut_to(self._settled)
        more = self._add_units(max(most // _MESSAGE, 1)) if self._decoded else False
        more = more or self._add_bytes(most)
        self._settled = len(self._lines)
        if not more:
            self._complete_at = self._packets
            self._add_tail()
        return True

    def _is_outdated(self) -> bool:
        """Whether a hole that was crossed has been filled, or bytes in no message turned out to be some."""
        streams = self._streams
        if streams[0] is not self._pump.streams[0]:
            return True                    # what is inside is known now, or is so in another way
        if any(streams[direction].contiguous_from(start) > start for direction, start in self._crossed):
            return True
        layers = len(self.trace.application(self.stream).layers) if self.mode == "json" else 0
        return any(self._rest_words) and layers != self._layers

    @property
    def _opened(self) -> bool:
        """Whether messages are shown that were said inside of TLS."""
        application = self.trace.application(self.stream)
        places = range(len(application.layers))
        return self._decoded and any(is_opened(application, place) for place in places)

    def _add_units(self, most: int) -> bool:
        """Add messages that will not change; True when there may be more."""
        application = self.trace.application(self.stream)
        found = units(application, self._done, most)
        self._done += [0] * (len(application.layers) - len(self._done))
        laid = 0
        for unit in found:
            self._done[unit.layer] += 1
            laid += self._add_unit(unit)
            if laid >= most * _LINES:
                return True
        return len(found) >= most

    def _add_unit(self, unit: Unit) -> int:
        """Add a message; how many lines it has."""
        lines: list[str] = []
        application, direction = self.trace.application(self.stream), unit.direction
        self._fill(direction, unit.start, tr("in no message"))
        whole = min(application.streams[direction].contiguous_from(unit.start), unit.stop)
        if self._wanted(direction):
            lines = unit_lines(application, unit.layer, unit.message, self.wrap)
            self._lines.add(direction, unit.start, whole, len(lines), unit.message + unit.layer * _LAYER)
        self._pump.position[direction] = max(self._pump.position[direction], whole)
        self._note_urgent(direction, unit.start, whole)
        if not application.layers[unit.layer].decoder.complete(unit.message):
            self._note(direction, whole, whole, unended_words(self.trace, self.stream, unit))
        if whole < unit.stop:
            self._fill(direction, unit.stop, tr("what follows the hole, as it came"))
        return len(lines)

    def _fill(self, direction: int, stop: int, words: str) -> None:
        """Show bytes up to `stop` as they came, and name the holes between them."""
        position, noted = self._pump.position, False
        stream = self.trace.flow(self.stream).streams[direction]
        while (start := position[direction]) < stop:
            end = min(stream.contiguous_from(start), stop)
            if end == start:
                lost = missing_from(self.trace, self.trace.flow(self.stream), direction, start)
                if lost is None:
                    return
                self._cross(direction, lost._replace(stop=min(lost.stop, stop)))
                continue
            if self._opened:
                self._note(direction, start, end, tr("{size} of TLS", size=amount(end - start, "byte")))
                position[direction] = end
                continue
            if not noted:
                self._note(direction, start, start, words)
            noted = True
            if not self._take(direction, end, 1 << 62):        # the file was cut or written over meanwhile
                text = tr("the file does not hold these {size} any more", size=amount(end - start, "byte"))
                self._note(direction, start, end, text, "warning")
                position[direction] = end

    def _add_bytes(self, most: int) -> bool:
        """Add bytes as they came, crossing holes that nobody waits for; True when there may be more."""
        sides = self._raw_sides()
        done = 0
        while sides and done < most:
            before = done
            crossing = {side: lost for side in sides if (lost := self._lost(side)) is not None}
            self._pump.before = [self._row_behind(1 - side, crossing.get(1 - side)) for side in (0, 1)]
            for direction, _, end in self._pump.runs():
                if direction in sides and done < most:
                    self._head(direction)
                    done += self._take(direction, end, most - done)
            self._pump.before = [None, None]
            for side in sides:
                lost = crossing.get(side)
                if lost is not None and lost.start == self._pump.position[side] and done < most:
                    self._head(side)
                    self._cross(side, lost)
                    done += _HOLE
                    break
            if done == before:
                return False
        return done >= most

    def _raw_sides(self) -> tuple[int, ...]:
        """The directions whose next bytes are, or will be, in no message."""
        if not self._decoded:
            return (0, 1)
        application = self.trace.application(self.stream)
        if units(application, self._done, 1, settled=False):
            return ()
        return tuple(side for side in (0, 1) if application.rest(side).final)

    def _head(self, direction: int) -> None:
        """Say what bytes are that stand in no message."""
        if not self._decoded:
            return
        application = self.trace.application(self.stream)
        words = tr(application.rest(direction).text)
        if self._rest_words[direction] != words:
            self._rest_words[direction], self._layers = words, len(application.layers)
            start = self._pump.position[direction]
            self._note(direction, start, start, words)

    def _take(self, direction: int, end: int, most: int) -> int:
        """Cut bytes up to `end`, at most about `most`; how many."""
        position, done = self._pump.position, 0
        while done < most and (start := position[direction]) < end:
            data = self._pump.read(direction, start, min(end, start + _WINDOW))
            if not data:
                break
            position[direction] = start + len(data)
            done += len(data)
            if self._wanted(direction):
                self._begin(direction, start)
                self._cut(direction, start, data)
            self._note_urgent(direction, start, position[direction])
        return done

    def _note_urgent(self, direction: int, start: int, stop: int) -> None:
        """Say of urgent bytes between those that are shown that they are not among them."""
        for one in self._pump.streams[direction].urgent:
            if start <= one.offset < stop:
                words = tr("an urgent byte of packet {number}, which a program reads apart, stood before "
                           "byte {place:,} of this",
                           number=packet_number(one.row), place=one.offset - start + 1)
                self._note(direction, stop, stop, words)

    def _begin(self, direction: int, start: int) -> None:
        """Say before the first line of a direction that others came before the capture."""
        if not self._begun[direction]:
            self._begun[direction] = True
            if not self._pump.streams[direction].start_known:
                self._open = False
                text = tr("the capture began later: what was said before is not known")
                self._lines.note(direction, start, start, f"[{text}]")

    # --- holes and notes ---------------------------------------------------------------------------

    def _lost(self, direction: int) -> Missing | None:
        """The next bytes of a direction that the capture lacks, if nobody waits for them any more."""
        flow = self.trace.flow(self.stream)
        lost = self._missing(direction, self._pump.position[direction])
        if lost is None or lost.start >= self._pump.streams[direction].length:
            return None                # behind the last byte it is for the tail
        if self._is_inside:
            return lost
        static = self.trace.complete and not self.trace.following and not flow.left
        late = flow.streams[direction].length - lost.stop > _PATIENCE
        return lost if static or late or acknowledged(self.trace, flow, direction) >= lost.stop else None

    def _row_behind(self, direction: int, lost: Missing | None) -> Row | None:
        """The packet that brings what follows a hole: what came after it is shown after it."""
        if lost is None:
            return None
        stream = self._pump.streams[direction]
        piece = next(stream.pieces(lost.stop, stream.length), None)
        return None if piece is None else piece.row

    def _cross(self, direction: int, lost: Missing) -> None:
        words = (tr("{size} that could not be opened", size=amount(lost.size, "byte")) if self._is_inside
                 else missing_words(self.trace, lost))
        self._note(direction, lost.start, lost.stop, words, "warning")
        self._pump.position[direction] = lost.stop
        self._crossed = [*self._crossed[-_CROSSED:], (direction, lost.start)]

    def _note(self, direction: int, start: int, stop: int, text: str, style: Style = "dim") -> None:
        if self._wanted(direction):
            self._open = False
            self._begin(direction, start)
            self._lines.note(direction, start, stop, f"[{text}]", style)

    def _wanted(self, direction: int) -> bool:
        return self.direction in (None, direction)

    def _add_tail(self) -> None:
        """Add what may still change; the state of cutting stays where the settled lines end."""
        position, is_open, begun = list(self._pump.position), self._open, list(self._begun)
        crossed, self._open = self._crossed, False
        if self._decoded:
            for unit in units(self.trace.application(self.stream), self._done, 1 << 30, settled=False):
                self._add_unit(unit)
        for direction in (0, 1):
            self._add_rest(direction)
        self._pump.position, self._open, self._begun = position, is_open, begun
        self._crossed = crossed

    def _add_rest(self, direction: int) -> None:
        """Add what stands behind the last message, or behind a hole that may still be filled."""
        stream, start = self._pump.streams[direction], self._pump.position[direction]
        if self._decoded and start < stream.length:
            stop = min(stream.length, start + JSON_LIMIT)
            left = self.trace.application(self.stream).rest(direction)
            cut = not left.final and not self.trace.may_grow and self._missing(direction, start) is not None
            self._fill(direction, stop, tr("the beginning of a message that was not captured whole") if cut
                       else tr(left.text))
            if stop < stream.length:
                self._note(direction, stop, stream.length,
                           tr("{count:,} more bytes of it", count=stream.length - stop))
        elif start < stream.length:
            lost = self._missing(direction, start)
            size, rest = (lost.size, stream.length - lost.stop) if lost else (0, 0)
            text = (tr("{size:,} bytes not captured so far; {rest:,} bytes behind them wait for them",
                       size=size,
                       rest=rest) if self.trace.may_grow else
                    tr("{size:,} bytes not captured; {rest:,} bytes behind them wait for them", size=size,
                       rest=rest))
            self._note(direction, start, stream.length, text, "warning")
        lost = None if self._is_inside else self._missing(direction, stream.length)
        if lost is not None:
            words = missing_words(self.trace, lost, behind=True)
            self._note(direction, lost.start, lost.stop, words, "warning")

    def _cut(self, direction: int, start: int, data: bytes) -> None:
        """Add the lines of `data`, the first one going on where the last line was left open."""
        size = {"hex": _HEX, "text": self.wrap, "json": JSON_LIMIT}[self.mode]
        position, first = 0, self._reopen(direction, start)
        while position < len(data):
            begin = first if first is not None else start + position
            first = None
            room = max(begin + size - (start + position), 1)
            end = min(position + room, len(data))
            feed = -1 if self.mode == "hex" else data.find(b"\n", position, end)
            self._open = feed < 0 and end - position < room
            position = feed + 1 if feed >= 0 else end
            stop = start + position
            parts = len(self._layout(Cut(direction, begin, stop, 0, RAW))) if self.mode == "json" else 1
            self._lines.add(direction, begin, stop, parts)

    def _reopen(self, direction: int, start: int) -> int | None:
        """The start of the last line, taken away, where what begins at `start` goes on with it."""
        last = self._lines[-1] if self._open and len(self._lines) else None
        if last is None or last.unit != RAW or last.direction != direction or last.stop != start:
            return None
        count = len(self._lines) - 1 - last.part
        self._lines.cut_to(count)
        self._settled = min(self._settled, count)
        return last.start

    def _layout(self, cut: Cut) -> list[str]:
        """The lines of a message, or of bytes that may be JSON. The last ones are kept."""
        key = cut._replace(part=0)
        if self._laid[0] == key:
            return self._laid[1]
        if cut.unit >= 0:
            application = self.trace.application(self.stream)
            lines = unit_lines(application, cut.unit // _LAYER, message_at(cut.unit % _LAYER), self.wrap)
        else:
            data = self._read(cut.direction, cut.start, cut.stop)
            lines = pretty_json(data) or self._byte_lines(data)
        self._laid = key, lines
        return lines

    def _byte_lines(self, data: bytes) -> list[str]:
        """Bytes that are in no message: as text, or in hex where they are none."""
        in_hex = self._decoded and b"\0" in data
        return byte_lines(data, self.wrap) if in_hex else text_lines(data, self.wrap)

    def _read(self, direction: int, start: int, stop: int) -> bytes:
        return self._pump.streams[direction].read(start, stop)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def title(self, width: int) -> Line:
        """Who is who, in their colours."""
        flow = self.trace.flow(self.stream)
        client = self.trace.client(self.stream)
        ends = (flow.a, flow.b)
        sent = self._pump.streams
        texts = [f"{name} {escaped(ends[side][0])}:{ends[side][1]}  "
                 + tr("{count:,} bytes", count=sent[side].captured) + "  "
                 for name, side in ((tr("client"), client), (tr("server"), 1 - client))]
        words, room = self._secrecy_words(), width
        if cell_width(words) + _LEAST <= width:
            room -= cell_width(words)
        else:
            words = ""
        first = fit(texts[0], min(cell_width(texts[0]), room))
        spans = Span(first, "client"), Span(fit(texts[1], max(room - cell_width(first), 0)), "server")
        return (*spans, Span(words, "warning")) if words else spans

    def _secrecy_words(self) -> str:
        """Which bytes of TLS are shown; "" where there are none."""
        secrecy = self.secrecy
        if not secrecy:
            return ""
        opened = secrecy == "opened" and (self.inside or self.mode == "json")
        return tr(" TLS, decrypted") if opened else tr(" TLS, encrypted")

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        cut = self._lines[index]
        direction, start, stop, part, unit = cut
        style = self._style(direction)
        mark = ("→ " if style == "client" else "← ") if self._lines.turns(index) else "  "
        note = self._lines.note_of(unit)
        if note is not None:
            text, style = note
        elif self.mode == "hex":
            text = _hex_text(start, self._read(direction, start, stop))
        elif self.mode == "json":
            lines = self._layout(cut)
            text = lines[part] if part < len(lines) else ""
        else:
            text = escaped(self._read(direction, start, stop).rstrip(b"\r\n"))
        return (Span(fit(mark, min(_INDENT, width)), "dim"), Span(fit(text, max(width - _INDENT, 0)), style))

    def _style(self, direction: int) -> Style:
        return "client" if direction == self.trace.client(self.stream) else "server"

    def target(self, index: int, cell: int | None = None) -> StreamPlace:
        """The packet and bytes of line `index`; with `cell` (from 0) those of the byte drawn there."""
        direction, start, stop, _, unit = self._lines[index]
        if cell is not None and self.mode != "json" and unit == RAW:
            offset = start + self._byte_at(direction, start, stop, cell - _INDENT)
            start, stop = offset, offset + 1
        return place_of(self.trace, self.stream, direction, *self._pump.streams[direction].wire(start, stop))

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

    def index_of(self, row: Row) -> int | None:
        """The first line that shows a byte of packet `row`, as far as lines were cut."""
        flow = self.trace.flow(self.stream)
        direction = flow.direction(row)
        for start, _ in self._pump.streams[direction].ranges_of(row):
            return self.index_at(direction, start)
        return None

    def index_at(self, direction: int, offset: int) -> int | None:
        """The line that shows byte `offset` of a direction, as far as lines were cut."""
        return self._lines.index_at(direction, offset)


def _offset_text(offset: int) -> str:
    return f"{offset:08x}  "


def _hex_text(offset: int, data: bytes) -> str:
    """`00000010  48 65 …  Hello…`, the two halves of the bytes set apart."""
    halves = data[:8].hex(" "), data[8:].hex(" ")
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{_offset_text(offset)}{fit('  '.join(halves) if halves[1] else halves[0], 3 * _HEX)}  {text}"
