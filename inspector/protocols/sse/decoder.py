"""Events of all answers of type text/event-stream on one connection, as records of their own.

HTTP's decoder hands over each body while it reads it (`open`, then `take`, `lose`, `close`), and shows the
events among its own messages. They stand in its streams: between the bytes of an event may be chunks' heads,
so the pieces of the bodies are kept as places, and data is read again when somebody wants it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence

from inspector.model.language import marked, sentence, sentence_as
from inspector.protocols.api import (
    Decoder,
    Hole,
    MessageIndex,
    MessageLine,
    Part,
    Rest,
    Shown,
    Source,
    Start,
    message_at,
)
from inspector.protocols.sse.event import Event, EventReader, Problem, data_of
from inspector.protocols.sse.findings import BOOK
from inspector.protocols.sse.unpack import Unpacker
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped, worded

_PREVIEW = 400           # bytes of data that lists show
_READ = 64 << 20         # bytes of one event that are read again at most


class EventsDecoder(Decoder[Event]):
    """`came`: told the position of each event when it is there."""

    def __init__(self, source: Source, pump: Pump, start: Start, came: Callable[[int], None]) -> None:
        super().__init__(source, pump, start)
        self._came = came
        self._events: list[Event] = []
        self._problems: list[Problem] = []
        self._reader: EventReader | None = None
        self._unpacker: Unpacker | None = None       # of a compressed body,
        self._since, self._gave = 0, True            # where what gives text next begins; the last gave some
        self._reported = 0                           # events of which `came` knows
        self._per_answer: Counter[int] = Counter()
        self._stops: dict[int, int] = {}         # where an answer ends, as far as it came
        self._begins, self._ends = array("q"), array("q")      # pieces of the bodies, ascending

    # --- reading: by HTTP's decoder ------------------------------------------------------------------

    def open(self, direction: int, answer: int, start: int, coding: str = "") -> None:
        """The body of HTTP message `answer` begins; `coding`: how it is compressed."""
        self._unpacker = Unpacker(coding) if coding else None
        self._gave = True
        self._reader = EventReader(direction, answer, self._events, self._problems)
        self._stops[answer] = start

    def feed(self, answer: int, start: int, data: bytes) -> None:
        """Bytes of the body, which stand at `start` of the stream."""
        if self._reader is None:
            return
        if self._ends and self._ends[-1] == start:
            self._ends[-1] = start + len(data)
        else:
            self._begins.append(start)
            self._ends.append(start + len(data))
        if self._unpacker is None:
            self._reader.feed(start, data)
        else:
            self._unpack(self._unpacker, self._reader, start, data)
        self._note(answer)

    def _unpack(self, unpacker: Unpacker, reader: EventReader, start: int, data: bytes) -> None:
        """The next bytes of a compressed body, which stand at `start`."""
        self._since = start if self._gave else self._since
        was, text = unpacker.ended, unpacker.feed(data)
        self._gave = bool(text)
        if text:
            reader.feed(self._since, text, start + len(data))
        if unpacker.ended and not was:
            self._end_of_text(unpacker)

    def _end_of_text(self, unpacker: Unpacker) -> None:
        """Say from where on compressed events are not told."""
        what = "From here on compressed events are not told one by one."
        place = 1 - self.client, self._since, self._since + 1
        self.findings.append(BOOK.finding("sse.compressed", what, *place,
                                          instead=f"The reason: {unpacker.ended}."))

    def miss(self) -> None:
        """Bytes of the body are missing."""
        if self._reader is not None:
            self._reader.lose()
            if self._unpacker is not None and not self._unpacker.ended:
                self._unpacker.lose()
                self._end_of_text(self._unpacker)

    def reach(self, answer: int, stop: int) -> None:
        """The answer came up to `stop`, with what frames its body."""
        self._stops[answer] = stop

    def close(self, answer: int, stop: int, *, cut: bool = False) -> None:
        """The body is over; `cut`: by the client, or because it is not known how it goes on."""
        reader, self._reader = self._reader, None
        if reader is None:
            return
        doubted = reader.doubted or cut or (self._unpacker is not None and bool(self._unpacker.ended))
        self._stops[answer] = stop
        if reader.finish(stop) and not doubted:
            last = self._events[-1]
            what = sentence("The body ends inside of an event, which no listener is told of.")
            self._problems.append(Problem("sse.unfinished-event", what, last.start, last.stop))
        self._note(answer)

    def _note(self, answer: int) -> None:
        direction = 1 - self.client
        while self._reported < len(self._events):
            self._per_answer[answer] += 1
            self._reported += 1
            self._came(self._reported - 1)
        for one in self._problems:
            self.findings.append(BOOK.finding(one.rule, one.text, direction, one.start, one.stop))
        self._problems.clear()

    def take(self) -> bool:
        return False

    def lose(self, hole: Hole) -> bool:
        return False

    # --- records -------------------------------------------------------------------------------------

    @property
    def records(self) -> Sequence[Event]:
        """The events of all answers, in order."""
        return self._events

    def count_of(self, answer: int) -> int:
        """How many events HTTP message `answer` brought so far."""
        return self._per_answer[answer]

    def has_begun(self, answer: int) -> bool:
        """Whether an event of HTTP message `answer` is there, or the beginning of one."""
        reader = self._reader
        pending = reader is not None and reader.answer == answer and reader.pending is not None
        return pending or bool(self._per_answer[answer])

    def data(self, event: Event, limit: int) -> bytes:
        """The data of an event, its lines joined by LF, at most `limit` bytes."""
        return data_of(self._body(event, limit + event.stop - event.start), limit)

    def _body(self, event: Event, limit: int) -> bytes:
        """The lines of an event, as they stand in the body."""
        if event.text is not None:
            return event.text[:limit]
        stream, parts = self.source.streams[event.direction], []
        stop = min(event.stop, event.start + min(limit, _READ))
        at = max(bisect_right(self._begins, event.start) - 1, 0)
        while at < len(self._begins) and self._begins[at] < stop:
            first, last = max(self._begins[at], event.start), min(self._ends[at], stop)
            parts.append(stream.read(first, last))
            at += 1
        return b"".join(parts)

    def payload(self, record: Event, limit: int) -> bytes:
        return self._body(record, limit)

    def summary(self, record: Event) -> str:
        return worded((self._kind(record), self._text(record)))

    def short(self, record: Event) -> str:
        return f"… {self._kind(record)}"

    def _kind(self, record: Event) -> str:
        if record.is_comment:
            return sentence("comment")
        return escaped(record.event_type, 40) if record.event_type else sentence("no data")

    def _text(self, record: Event) -> str:
        if record.is_comment:
            return escaped("  ".join(record.comments), _PREVIEW)
        words: list[str] = [] if record.id is None else [f"id {escaped(record.id, 40)}"]
        words += [] if record.retry is None else [f"retry {record.retry} ms"]
        if record.has_data:
            words.append(f'"{escaped(self.data(record, _PREVIEW), _PREVIEW)}"')
        words += [] if record.complete else [sentence("unfinished")]
        return worded(words)

    def heading(self, record: Event) -> tuple[str, str]:
        return marked("Server-Sent Event"), self.summary(record)

    def parts(self, record: Event) -> Sequence[Part]:
        shown = [("sse.event", marked("Event"), record.event_type),
                ("sse.id", marked("Id"), record.id),
                ("sse.retry", marked("Retry"), None if record.retry is None else f"{record.retry} ms"),
                *(("sse.comment", sentence_as("Comment", "comment", {}), one) for one in record.comments)]
        if record.has_data:
            shown.append(("sse.data", marked("Data"), self.data(record, _PREVIEW).decode("utf-8", "replace")))
        return [Part(name, label, escaped(value, _PREVIEW), record.start, record.stop)
                for name, label, value in shown if value is not None]

    # --- messages ------------------------------------------------------------------------------------

    def complete(self, index: MessageIndex) -> bool:
        return self._events[index].complete

    def under_way(self, direction: int) -> MessageIndex | None:
        """The last event of an answer that goes on: what frames the body may be added to it."""
        if direction == self.client or self._reader is None or not self._events:
            return None
        return message_at(len(self._events) - 1)

    def rest(self, direction: int) -> Rest:
        return Rest(marked("the beginning of an event that has not ended"))

    def span(self, index: MessageIndex) -> tuple[int, int, int]:
        """All up to where the next event begins, or the answer ends."""
        event = self._events[index]
        later = self._events[index + 1] if index + 1 < len(self._events) else None
        if later is not None and later.answer == event.answer:
            return event.direction, event.start, max(event.stop, later.start)
        return event.direction, event.start, max(event.stop, self._end(event.answer))

    def head_stop(self, answer: int, first: int) -> int:
        """Where the first event of an answer begins, of which `first` is the position; else where it ends."""
        if self._per_answer[answer]:
            return self._events[first].start
        return self._end(answer)

    def _end(self, answer: int) -> int:
        """Up to where an answer came, without the event that has not ended."""
        reader = self._reader
        if reader is not None and reader.answer == answer and reader.pending is not None:
            return reader.pending
        return self._stops[answer]

    def line(self, index: MessageIndex) -> MessageLine:
        event = self._events[index]
        rows = tuple(sorted(self.rows_of(event)))
        marks = () if event.complete else ("unfinished",)
        return MessageLine(event.direction, self._kind(event), self._text(event), event.size, rows, marks,
                           control=event.is_comment)

    def message_summary(self, index: MessageIndex) -> str:
        return self.summary(self._events[index])

    def content(self, index: MessageIndex, limit: int) -> bytes:
        return self._body(self._events[index], limit)

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        event = self._events[index]
        words = [self._kind(event)] if not event.is_comment else []
        words += [] if event.id is None else [f"id {escaped(event.id, 200)}"]
        words += [] if event.retry is None else [f"retry {event.retry} ms"]
        head = ["  ".join(words)] if words else []
        head += [f": {escaped(one, 400)}" for one in event.comments]
        body = self.data(event, limit)
        left = event.size - len(body)
        cut = left > 0 and len(body) >= limit
        note = sentence("{count:,} more bytes of this event are not shown here", count=left) if cut else ""
        return Shown(tuple(head), body, note=note)
