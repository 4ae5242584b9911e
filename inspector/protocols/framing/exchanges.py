"""Units that make messages, messages that answer each other: what PostgreSQL, MySQL and HTTP/2 share.

    units ─> records ─> messages (a query; all that answers it) ─> partner, line, what a person reads

A subclass calls `put` for every record and says in `message_words` what the message is. The records of a
message need not follow each other, but those of one direction stand in the order of the stream.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from inspector.model.language import sentence
from inspector.model.packets import Row
from inspector.protocols.api import MessageIndex, MessageLine, R, Rest, Shown, Source, Start, message_at
from inspector.protocols.framing.units import UnitDecoder
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import worded

_SHOWN = 200             # records of a message that are laid out


@dataclass(slots=True)
class Message:
    """What one end said at once. `records`: their positions; `partner`: index of what it answers, or of
    what answers it; `ended`: nothing more belongs to it; `size`: bytes of its records.

    Where very many records are alike (rows), a subclass counts them, and keeps the others in `kept`.
    """

    index: MessageIndex
    direction: int
    records: array[int]
    partner: MessageIndex | None = None
    ended: bool = False
    troubled: bool = False
    size: int = 0
    counted: int = 0
    kept: tuple[int, ...] = ()


class ExchangeDecoder(UnitDecoder[R]):
    """Records in messages; each is the request or the answer of another one, or of none."""

    grouped = True

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        self._messages: list[Message] = []
        self._message_of = array("I")                  # of each record
        # Messages of each direction that have not ended.
        self._growing: list[dict[MessageIndex, None]] = [{}, {}]

    def put(self, record: R, message: Message | None = None, *, ends: bool = False) -> Message:
        """Append a record, to a message or as the first of a new one; `ends`: as the last of it."""
        if message is None:
            message = Message(message_at(len(self._messages)), record.direction, array("I"))
            self._messages.append(message)
            self._growing[record.direction][message.index] = None
        message.records.append(len(self._records))
        message.size += record.stop - record.start
        self._message_of.append(message.index)
        self._records.append(record)
        if ends:
            self.close(message)
        return message

    def close(self, message: Message) -> None:
        """Nothing more belongs to a message."""
        message.ended = True
        self._growing[message.direction].pop(message.index, None)

    @staticmethod
    def pair(asked: Message, answer: Message) -> None:
        """`answer` answers `asked`."""
        asked.partner, answer.partner = answer.index, asked.index

    # --- messages ------------------------------------------------------------------------------------

    @abstractmethod
    def message_words(self, message: Message) -> tuple[str, str]:
        """A message for the list: a short word for its kind, and what it says; safe to show."""

    def message(self, position: int) -> Message:
        """The message that record `position` belongs to."""
        return self._messages[self._message_of[position]]

    def partner(self, position: int) -> int | None:
        partner = self.message(position).partner
        return None if partner is None else self._messages[partner].records[0]

    def answer_time(self, position: int) -> int | None:
        """Of a record that answers: nanoseconds from the last byte of what it answers to its own last one."""
        record, partner = self._records[position], self.message(position).partner
        if partner is None or record.direction == self.client:
            return None
        asked = self._records[self._messages[partner].records[-1]]
        rows = [self.source.rows_of(one.direction, one.stop - 1, one.stop) for one in (asked, record)]
        return self.source.time_of(rows[1][-1]) - self.source.time_of(rows[0][-1]) if all(rows) else None

    @property
    def count(self) -> int:
        return len(self._messages)

    def complete(self, index: MessageIndex) -> bool:
        return self._messages[index].ended

    def under_way(self, direction: int) -> MessageIndex | None:
        return next(iter(self._growing[direction]), None)

    def span(self, index: MessageIndex) -> tuple[int, int, int]:
        message = self._messages[index]
        first, last = (self._records[message.records[at]] for at in (0, -1))
        return message.direction, first.start, last.stop

    def message_of(self, position: int) -> MessageIndex:
        return message_at(self._message_of[position])

    def records_of(self, index: MessageIndex) -> Sequence[int]:
        return self._messages[index].records

    def line(self, index: MessageIndex) -> MessageLine:
        message = self._messages[index]
        rows: set[Row] = set()
        for position in message.records[:_SHOWN]:
            rows.update(self.rows_of(self._records[position]))
        rows.update(self.rows_of(self._records[message.records[-1]]))
        kind, text = self.message_words(message)
        marks = () if message.ended else ("unfinished",)
        count = len(message.records)
        return MessageLine(message.direction, kind, text, message.size, tuple(sorted(rows)), marks,
                           message.troubled, parts=count if count > 1 else 0)

    def message_summary(self, index: MessageIndex) -> str:
        return worded(self.message_words(self._messages[index]))

    def rest(self, direction: int) -> Rest:
        if self._lost[direction]:
            return Rest("of no message that is understood", True)
        return super().rest(direction)

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        message = self._messages[index]
        head = [self.message_summary(index)]
        if len(message.records) > 1:
            head += [sentence("  {record}", record=self.summary(self._records[one]))
                     for one in message.records[:_SHOWN]]
        more = len(message.records) - _SHOWN
        note = sentence("{count:,} more records of this message", count=more) if more > 0 else ""
        return Shown(tuple(head), note=note)
