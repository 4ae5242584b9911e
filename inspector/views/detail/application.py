"""What protocols say in a packet as subtrees of its dissection, by their tables of fields.

Decoded records on the reassembled stream -> fields with the bytes of this frame that hold them. What
lies in other packets has no bytes here (start == stop) and says where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from inspector.model.language import Sentence, sentence, verbatim
from inspector.model.packets import Row, packet_number
from inspector.protocols.api import Part
from inspector.trace.application.answers import wait_of
from inspector.trace.application.application import ApplicationLayers, Carried
from inspector.views.conversation.waits import wait_text
from inspector.views.detail.laid import Laid
from inspector.wire.dissection.field import Field
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.trace import Trace
    from inspector.wire.tcp.stream import ByteStream

_MOST = 64              # records shown of one packet
_LONGEST = 400          # characters of a value


def application_fields(trace: Trace, row: Row) -> tuple[Field, ...]:
    """The subtrees of what TCP packet `row` carries; none where nothing was decoded."""
    stream = int(trace.index.stream[row])
    flow, application = trace.flow(stream), trace.application(stream)
    here = flow.streams[flow.direction(row)].range_of(row)
    if here is None:
        return ()
    place, carried = _Place(trace, flow, row, here), iter(application.carried(row))
    fields = [_record(one, place, _laid(trace, application, one, place)) for one in islice(carried, _MOST)]
    more = sum(1 for _ in carried)
    if more:
        fields.append(Field("", verbatim("…"), sentence("and {count:,} more records, not shown", count=more),
                            0, 0))
    return tuple(fields)


class _Place:
    """Where bytes of the stream lie in one packet's frame."""

    def __init__(self, trace: Trace, flow: TcpFlow, row: Row, here: tuple[int, int]) -> None:
        self.stream = flow.streams[flow.direction(row)]
        self.here = here
        self.row = row
        self.payload = int(trace.index.payload[row])
        self.captured = int(trace.index.cap_len[row])

    def field(self, name: str, label: str, value: str, start: int, stop: int,
              children: tuple[Field, ...] = ()) -> Field:
        """A field of stream bytes [start, stop), with its bytes in this frame."""
        first, last = self.bytes(start, stop)
        elsewhere = self.elsewhere(start, stop)
        if elsewhere:
            value = sentence("{value}  ({elsewhere})", value=value, elsewhere=elsewhere)
        return Field(name, label, value, first, last, children=children)

    def bytes(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of the frame that hold stream bytes [start, stop); empty where none do."""
        first, last = max(start, self.here[0]), min(stop, self.here[1])
        if first >= last:
            return 0, 0
        shift = self.payload - self.here[0]
        return min(first + shift, self.captured), min(last + shift, self.captured)

    def within(self, sent: ByteStream) -> tuple[int, int]:
        """The bytes that the packet brings of a stream: of the connection's, or of one inside of it."""
        if sent is self.stream:
            return self.here
        ranges = sent.ranges_of(self.row)
        return (ranges[0][0], ranges[-1][1]) if ranges else (0, 0)

    def elsewhere(self, start: int, stop: int) -> Sentence | None:
        """Where the bytes that are not in this packet are: "continues in packet 12"."""
        begins = start < self.here[0] and start < stop
        continues = stop > self.here[1] and start < stop
        first = sentence("begins in {packet}", packet=self._packet(start)) if begins else None
        last = None
        offset = max(start, self.here[1])
        if continues and self.stream.cut_in(offset, offset + 1) is not None:
            last = sentence("cut by the capture")
        elif continues:
            last = sentence("continues in {packet}", packet=self._packet(offset))
        return sentence("{first}, {last}", first=first, last=last) if first and last else first or last

    def _packet(self, offset: int) -> Sentence:
        row = next((piece.row for piece in self.stream.pieces(offset, offset + 1)), None)
        if row is None:
            return sentence("a packet not captured")
        return sentence("packet {number}", number=packet_number(row))


def _waited(trace: Trace, one: Carried, stream: int) -> list[Part]:
    """How long an answer was waited for, and with whom."""
    wait = wait_of(trace, one.layer.decoder, one.position)
    if wait is None:
        return []
    text = wait_text(trace, wait, stream)
    return [Part(f"{one.layer.protocol.name}.time", "Came", text, one.record.start, one.record.stop)]


def _laid(trace: Trace, application: ApplicationLayers, one: Carried, place: _Place) -> Laid:
    """A record laid out; once for all of its packets, where it has several."""
    make = partial(_lay_out, trace, one, int(trace.index.stream[place.row]))
    first, last = place.within(one.layer.streams[one.record.direction])
    if first <= one.record.start and one.record.stop <= last:
        return make()
    return application.once(("laid", id(one.layer), one.position, len(trace.calls)), make)


def _lay_out(trace: Trace, one: Carried, stream: int) -> Laid:
    """The fields of the table that have a label, and the parts beyond it."""
    decoder, record = one.layer.decoder, one.record
    parts = [*_waited(trace, one, stream), *_labelled(one), *decoder.parts(record)]
    cut = decoder.cut(record)
    if cut is not None:
        parts.append(Part("", "Cut", cut.words, record.start, record.start))
    return Laid(*decoder.heading(record), parts)


def _record(one: Carried, place: _Place, laid: Laid) -> Field:
    """The subtree of one record, as packet `place` shows it."""
    record, sent = one.record, one.layer.streams[one.record.direction]
    children = _fields(laid.parts, laid, place, sent)
    return place.field(one.layer.protocol.name, laid.title, laid.text, *sent.wire(record.start, record.stop),
                       children)


def _labelled(one: Carried) -> Iterator[Part]:
    protocol, decoder, _ = one.layer
    record = one.record
    for field in protocol.fields:
        if not field.label:
            continue
        start, stop = field.place(record) if field.place is not None else (record.start, record.stop)
        for value in field.get(decoder, record):
            yield Part(field.name, field.label, _text(value), start, stop)


def _text(value: Any) -> str:
    return escaped(value if isinstance(value, str | bytes) else str(value), _LONGEST)


def _fields(parts: Sequence[Part], laid: Laid, place: _Place, sent: ByteStream) -> tuple[Field, ...]:
    """The fields of one level: those with bytes in the packet, some of the others, and how many there are."""
    shown, left, here = laid.chosen(parts, *place.within(sent))
    fields = tuple(_field(part, laid, place, sent) for part in shown)
    if not left:
        return fields
    more = (sentence("and {count:,} more, not shown", count=left) if here
            else sentence("and {count:,} more in other packets, not shown", count=left))
    return (*fields, Field("", verbatim("…"), more, 0, 0))


def _field(part: Part, laid: Laid, place: _Place, sent: ByteStream) -> Field:
    children = _fields(part.children, laid, place, sent) if part.children else ()
    start, stop = sent.wire(part.start, part.stop) if part.stop > part.start else (part.start, part.start)
    field = place.field(part.name, part.label, part.value, start, stop, children)
    return field._replace(bit_start=part.bit_start, bit_stop=part.bit_stop)
