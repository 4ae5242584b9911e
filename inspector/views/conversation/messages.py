"""The messages of a conversation as a list: direction, size, time, payload; expandable to records (frames).

Those of its last layer that has any, whatever protocol it is; an answer says how long it was waited for.
`MessageList` looks at messages in steps (`update`), so that a filter or a search over a million of them never
holds anything up; lines are made when they are seen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Any

from inspector.model.language import marked, tr, translated
from inspector.model.packets import Row
from inspector.model.units import amount, duration
from inspector.protocols.api import (
    Colour,
    Decoder,
    MessageIndex,
    MessageNumber,
    Protocol,
    message_numbers,
    number_column,
)
from inspector.trace.application.answers import Wait, wait_of
from inspector.views.conversation.place import StreamPlace, place_of
from inspector.views.conversation.turns import number_of_turn, turn, turn_count
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.packets.list import seconds_text
from inspector.views.packets.searching import looking_words, none_words
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

SEARCHED = 1 << 20       # bytes of a message that are searched
COPIED = 1 << 20         # and that are read and copied
_FIRST = 64              # messages among which an answer is looked for
_STEP = 2000             # messages that one update looks at
_TIME, _SIZE, _WAIT, _KIND = 12, 9, 9, 8


class MessageList:
    """The messages of TCP conversation `stream`: `count`, `line(i, width)`, `target(i)`.

    `control` False hides close, ping and pong; `search` keeps messages whose payload has the text (any case)
    or, as "hex:..", the bytes; `direction` keeps one side's; `slowest` shows the answers alone, the
    longest waited for first. Change them by `choose`.
    """

    def __init__(self, trace: Trace, stream: int, most: int = _STEP) -> None:
        """`most`: messages that `choose` and `update` look at, where it is not told."""
        self.trace, self.stream, self._most = trace, stream, most
        self.control, self.search = True, ""
        self.direction: int | None = None
        self.slowest = False
        self._needle = b""
        self.searched_in_part = 0                    # messages too large to be searched to their end
        self._shown = number_column()         # of the messages that are shown
        self._waits: list[int] = []           # of the answers shown, negative, where `slowest` sorts them
        self._messages_read = 0                      # messages that were looked at
        self._expanded: list[MessageNumber] = []     # the expanded ones, ascending
        self._parts: list[int] = []           # and how many lines of records each has
        self._layer: int | None = None
        self._decoder: Decoder[Any] | None = None    # of the layer; others' messages may stand among its own
        self.update()

    def choose(self, *, control: bool = True, search: str = "", direction: int | None = None,
               slowest: bool = False) -> None:
        """Show other messages; call `update` until `complete`."""
        self.control, self.search, self.direction, self.slowest = control, search, direction, slowest
        self._needle = _needle(search)
        self._shown, self._messages_read, self.searched_in_part = number_column(), 0, 0
        self._expanded, self._parts, self._waits = [], [], []
        self.update()

    def update(self, most: int | None = None) -> bool:
        """Look at the next messages, at most `most`; True when lines were added or changed."""
        most = self._most if most is None else most
        if self._is_other():
            self._begin()
        if self._decoder is None:
            return False
        before = len(self._shown)
        stop = min(self._there, self._messages_read + most)
        if self.slowest:
            for number in message_numbers(self._messages_read, stop):
                self._sort_in(number)
        elif self.control and not self._needle and self.direction is None:
            self._shown.extend(message_numbers(self._messages_read, stop))
        else:
            for number in message_numbers(self._messages_read, stop):
                if self._wanted(number):
                    self._shown.append(number)
        self._messages_read = stop
        changed = len(self._shown) > before
        for at, expanded in enumerate(self._expanded):
            count = self._parts_of(expanded)
            changed = changed or count != self._parts[at]
            self._parts[at] = count
        return changed

    def _is_other(self) -> bool:
        """Whether another layer speaks now, or the conversation was decoded anew meanwhile."""
        layer = message_layer(self.trace, self.stream)
        if self._decoder is None or layer is None or layer != self._layer:
            return True
        return self.trace.application(self.stream).layers[layer].decoder is not self._decoder

    def _begin(self) -> None:
        """Turn to the messages of the layer that speaks now."""
        self._layer = message_layer(self.trace, self.stream)
        layers = self.trace.application(self.stream).layers
        self._decoder = None if self._layer is None else layers[self._layer].decoder
        self._shown, self._messages_read, self._expanded, self._parts = number_column(), 0, [], []
        self._waits = []

    def _sort_in(self, number: MessageNumber) -> None:
        """Give a message its line among the slowest, where it is an answer that is wanted."""
        wait = self._wait(number)
        if wait is not None and self._wanted(number):
            at = bisect_right(self._waits, -wait.first_ns)
            self._waits.insert(at, -wait.first_ns)
            self._shown.insert(at, number)

    @property
    def _there(self) -> int:
        """How many messages there are."""
        return 0 if self._decoder is None else turn_count(self._decoder)

    def _of(self, number: MessageNumber) -> tuple[Decoder[Any], MessageIndex]:
        """Whose message it is that has this number, and which of its messages."""
        assert self._decoder is not None
        return turn(self._decoder, number)

    def _wait(self, number: MessageNumber) -> Wait | None:
        decoder, own = self._of(number)
        return wait_of(self.trace, decoder, decoder.records_of(own)[0])

    @property
    def protocol(self) -> Protocol | None:
        """Whose messages they are."""
        layers = self.trace.application(self.stream).layers
        return None if self._layer is None else layers[self._layer].protocol

    def _colour(self, decoder: Decoder[Any]) -> Colour:
        """How the kind of a decoder's messages is painted."""
        layers = self.trace.application(self.stream).layers
        return next((layer.protocol.colour for layer in layers if layer.decoder is decoder), "")

    @property
    def complete(self) -> bool:
        """True when every message there is has been looked at."""
        return self._decoder is None or self._messages_read >= self._there

    @property
    def decoded(self) -> float:
        """Which part of the conversation is decoded, 0 to 1: more messages come while it is not all."""
        return self.trace.share(self.stream) or 1.0      # none: it was read without being decoded in turns

    def none_words(self, lacking: str = "") -> str:
        """The sentence in place of the list where nothing is left of it, or nothing so far.

        `lacking`: what the capture lacks, in words.
        """
        what = self.search or tr("what was chosen")
        if not self.complete:
            return looking_words(what, self.progress, self._there, "message")
        if self.decoded < 1.0:
            return looking_words(what, self.decoded, len(self.trace.rows_of("tcp", self.stream)), "packet")
        return none_words(what, self._there, "message", lacking=lacking)

    @property
    def progress(self) -> float:
        """Which part of the messages was looked at, 0 to 1."""
        return self._messages_read / max(self._there, 1) if self._decoder is not None else 1.0

    def _wanted(self, number: MessageNumber) -> bool:
        decoder, own = self._of(number)
        line = decoder.line(own)
        if (not self.control and line.control) or (self.direction not in (None, line.direction)):
            return False
        if not self._needle:
            return True
        data = decoder.content(own, SEARCHED)
        self.searched_in_part += len(data) >= SEARCHED
        if self.search.startswith("hex:"):
            return self._needle in data
        return self._needle.decode() in data.decode("utf-8", "replace").casefold()

    def _parts_of(self, number: MessageNumber) -> int:
        """How many records message `number` opens to."""
        decoder, own = self._of(number)
        return decoder.line(own).parts

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._shown) + sum(self._parts)

    def _place(self, index: int) -> tuple[MessageNumber, int | None]:
        """(number of the message, place of the frame in it or None) of line `index`."""
        skipped = 0
        for number, frames in zip(self._expanded, self._parts, strict=True):
            line = bisect_left(self._shown, number) + skipped
            if index <= line:
                break
            if index <= line + frames:
                return number, index - line - 1
            skipped += frames
        return self._shown[index - skipped], None

    def index_of(self, number: MessageNumber) -> int | None:
        """The line of message `number`; None when it is not shown."""
        if self.slowest:
            return self._shown.index(number) if number in self._shown else None
        at = bisect_left(self._shown, number)
        if at >= len(self._shown) or self._shown[at] != number:
            return None
        return at + sum(f for n, f in zip(self._expanded, self._parts, strict=True) if n < number)

    def index_of_row(self, row: Row) -> int | None:
        """The line of the first shown message of which packet `row` carries a part."""
        if self._decoder is None:
            return None
        found: list[int] = []
        for one in self.trace.application(self.stream).carried(row):
            whose, own = one.layer.decoder, one.layer.decoder.message_of(one.position)
            number = number_of_turn(self._decoder, whose, own)
            line = None if number is None else self.index_of(number)
            if line is None:
                continue
            if self._decoder.beside is None or _brings(whose, own, row):
                return line                   # (of an answer the events hold the other packets)
            found.append(line)
        return found[0] if found else None

    def toggle(self, index: int) -> None:
        """Expand the message on line `index` to its frames, or fold it again."""
        if self.slowest:
            return
        number, _ = self._place(index)
        at = bisect_left(self._expanded, number)
        if at < len(self._expanded) and self._expanded[at] == number:
            del self._expanded[at], self._parts[at]
        else:
            parts = self._parts_of(number)
            if parts:
                insort(self._expanded, number)
                self._parts.insert(at, parts)

    def target(self, index: int) -> StreamPlace:
        """Where the message or record of line `index` stands: its packets, and its bytes in the first one."""
        number, at = self._place(index)
        decoder, own = self._of(number)
        records = decoder.records_of(own)
        record = decoder.records[records[at or 0]]
        sent = decoder.source.streams[record.direction]
        start, stop = sent.wire(record.start, record.stop)
        place = place_of(self.trace, self.stream, record.direction, start, stop)
        if at is None:
            stop = sent.wire(record.start, decoder.span(own)[2])[1]
            return place._replace(message=number, rows=decoder.line(own).rows, last=stop)
        return place._replace(message=number, frame=records[at] + 1)

    def whole(self, index: int) -> str:
        """All of a message as it is meant, safe to show, its lines kept; what is binary in hex."""
        return "\n".join(escaped(line) for line in self.content(index).split("\n"))

    def content(self, index: int) -> str:
        """The same as it came: head and payload of a message, unmasked and inflated, or of one record."""
        number, at = self._place(index)
        decoder, own = self._of(number)
        if at is not None:
            return translated(decoder.part_line(decoder.records[decoder.records_of(own)[at]]))
        shown = decoder.shown(own, COPIED)
        try:
            body = shown.body.hex(" ") if shown.binary else shown.body.decode("utf-8")
        except UnicodeDecodeError:
            body = shown.body.hex(" ")
        return "\n".join([*map(translated, shown.head), *([body] if body else [])])

    def title(self, width: int) -> Line:
        """The titles above the lines."""
        text = fit(tr("No."), self._digits, align="right") + "   " + fit(tr("Time"), _TIME, align="right")
        text += "  " + fit(tr("Size"), _SIZE, align="right")
        text += fit(tr("Wait"), _WAIT, align="right") if self._waited_for else ""
        text += "  " + fit(tr("Kind"), _KIND) + "  " + tr("Payload")
        if self.decoded < 1.0:
            more = "  " + tr("{part:.0%} decoded, more come", part=self.decoded)
        elif self._answers_cut:
            more = "  " + tr("the capture cut the answers off")
        else:
            return (Span(fit(text, width), "title"),)
        return Span(fit(text, width - cell_width(more)), "title"), Span(more, "warning")

    @property
    def _answers_cut(self) -> bool:
        """Whether there is no answer among the first messages, since a snapshot length cut their heads."""
        decoder = self._decoder
        if decoder is None or not self.trace.cut or not self._waited_for:
            return False
        if any(one.direction != decoder.client for one in decoder.records[:_FIRST]):
            return False
        gap = decoder.source.streams[1 - decoder.client].gap_from(0)
        return gap is not None and gap.cut

    @property
    def _waited_for(self) -> bool:
        """Whether these messages answer each other."""
        decoder = self._decoder
        return decoder is not None and type(decoder).partner is not Decoder.partner

    @property
    def _digits(self) -> int:
        return max(len(str(self._there)), 3)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        number, at = self._place(index)
        if at is not None:
            return self._part_line(number, at, width)
        decoder, own = self._of(number)
        one = decoder.line(own)
        asks = one.direction == decoder.client
        side: Style = "client" if asks else "server"
        base = int(self.trace.index.time_ns[0])
        time = int(self.trace.index.time_ns[one.rows[-1]]) if one.rows else base
        spans = [
            Span(fit(str(number), self._digits, align="right"), "number"),
            Span(" → " if asks else " ← ", side),
            Span(fit(seconds_text(time - base), _TIME, align="right"), "dim"),
            Span(fit(f"{one.size:,}", _SIZE + 2, align="right"), "number"),
            Span(self._wait_text(number)),
            Span("  " + fit(translated(one.kind), _KIND), self._colour(decoder)),
        ]
        own_marks = one.marks if self.decoded == 1.0 else tuple(
            marked("not all decoded") if mark == "unfinished" else mark for mark in one.marks)
        missing, cut = self._missing(number)
        marks = [*(["!"] if one.troubled else []), *map(tr, own_marks), *missing]
        if marks:
            spans.append(Span("  " + " ".join(marks), "warning" if one.troubled else "dim"))
        spans.append(Span("  " + translated(one.text), side))
        spans += [Span("  " + words, "dim") for words in cut]
        return _cut(spans, width)

    def _missing(self, number: MessageNumber) -> tuple[list[str], list[str]]:
        """What the capture lacks of a message: before what it says, or behind that where it is cut."""
        decoder, own = self._of(number)
        direction, start, stop = decoder.span(own)
        missing = decoder.source.missing_in(direction, start, stop)
        cut = decoder.source.cut_in(direction, start, stop + (not decoder.complete(own)))
        lacks = [tr("{size} missing", size=amount(missing, "byte"))] if missing else []
        return (lacks, []) if cut is None else ([], [translated(cut.words), *lacks])

    def _wait_text(self, number: MessageNumber) -> str:
        """The cells of the column Wait, "" where there is none."""
        if not self._waited_for:
            return ""
        wait = self._wait(number)
        known = wait is not None and wait.first_ns >= 0         # else the clock was set back
        return fit(duration(wait.first_ns) if wait is not None and known else "", _WAIT, align="right")

    def _part_line(self, number: MessageNumber, at: int, width: int) -> Line:
        decoder, own = self._of(number)
        text = translated(decoder.part_line(decoder.records[decoder.records_of(own)[at]]))
        style: Style = "warning" if "  ! " in text else "dim"
        return (Span(fit(" " * (self._digits + 3) + text, width), style),)


def message_layer(trace: Trace, stream: int) -> int | None:
    """Which layer of TCP conversation `stream` has messages for a list: the last one with any; or None."""
    layers = trace.application(stream).layers
    return next((place for place in range(len(layers) - 1, -1, -1)
                 if layers[place].decoder.count and not layers[place].beside), None)


def _brings(decoder: Decoder[Any], own: MessageIndex, row: Row) -> bool:
    """Whether packet `row` brings bytes of a message."""
    direction, start, stop = decoder.span(own)
    ranges = decoder.source.streams[direction].ranges_of(row)
    return any(first < stop and last > start for first, last in ranges)


def _needle(search: str) -> bytes:
    if search.startswith("hex:"):
        digits = "".join(c for c in search[4:] if c in "0123456789abcdefABCDEF")
        return bytes.fromhex(digits[: len(digits) & ~1])
    return search.casefold().encode("utf-8", "replace")


def _cut(spans: list[Span], width: int) -> Line:
    """The spans in exactly `width` cells."""
    kept: list[Span] = []
    for span in spans:
        size = cell_width(span.text)
        if size >= width:
            kept.append(Span(fit(span.text, width), span.style))
            return tuple(kept)
        kept.append(span)
        width -= size
    return (*kept, Span(" " * width))
