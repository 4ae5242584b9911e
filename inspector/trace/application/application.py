"""What a TCP conversation says: the layers of protocols on it, their records and messages, their findings.

`ApplicationLayers` has an `Engine` read both streams of its flow, and go on where the flow grew; it ties what
comes out to packets: rows, times, and a line of text for each packet. It knows no protocol by name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from inspector.model.language import sentence
from inspector.model.numbers import ACK, FIN, RST, TCP, URG
from inspector.model.packets import BEFORE, Row, packet_number, row_at, rows_in
from inspector.model.units import times
from inspector.protocols import REGISTRY
from inspector.protocols.api import Cut, Decoder, MessageIndex, Protocol, Rest
from inspector.trace.application import decode_as
from inspector.trace.application.answers import Answers
from inspector.trace.application.engine import Engine, Layer
from inspector.trace.application.kept_open import kept_open, sent_late, unmissed, unmissed_bytes
from inspector.trace.flows.missing import acknowledged, cut_of, sent
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.index.packets import Packets
from inspector.trace.limits import chosen
from inspector.wire.arrays import Int64s
from inspector.wire.findings import Finding, Folded
from inspector.wire.keylog import KeyLog
from inspector.wire.tcp.rules import ENDINGS
from inspector.wire.tcp.stream import ByteStream
from inspector.wire.text import worded

_ROWS = 64               # packets that a finding names at most
_NEAR = 1 << 13          # packets before and after among which other conversations are looked for,
_OTHERS = 8              # so many of them,
_OPENING = 8             # and so many of their first bytes
_PARTS = 3               # records of one packet that `info` spells out
_ASKED = 4               # ranges of bytes whose packets are kept
_MADE = 8                # things that are kept for the other packets of a record
T = TypeVar("T")


def by_place(one: Finding) -> tuple[Row, int, int]:
    """The key by which the findings of a conversation are in order: of the packets where to look."""
    return one.rows[0] if one.rows else BEFORE, one.direction or 0, one.start


class Carried(NamedTuple):
    """A record with bytes in a packet: its layer, its position among the layer's records, itself."""

    layer: Layer
    position: int
    record: Any


class ApplicationLayers:
    """The application layer of one flow; a `Source` of its decoders. `limit` bounds inflation.

    `protocol`: the last layer's name ("http", "websocket", …), "" while none is known.
    """

    def __init__(self, trace: Packets, flow: TcpFlow, limit: int | None = None,
                 protocols: Iterable[Protocol] = REGISTRY) -> None:
        self._trace, self._flow = trace, flow
        self.limit = chosen().message if limit is None else limit
        self.streams: tuple[ByteStream, ByteStream] = flow.streams
        ports = flow.a[1], flow.b[1]
        self._engine = Engine(self, ports, protocols, decode_as.wanted(ports, flow.stream))
        self._findings: list[Finding] = []
        self._folded: dict[str, tuple[int, tuple[Row, ...]]] = {}     # by rule: how many, and their packets
        self._ended = False
        self._packets = -1
        self._scanned = 0                      # packets in which FIN and RST were looked for
        self._reset = False
        self._closing: Row | None = None       # the packet that began the end
        # For findings without bytes: whose end was looked for among how many packets, and where it is.
        self._last_words: tuple[tuple[int | None, int], tuple[Row, ...]] = ((None, -1), ())
        # The first packet of each direction with an urgent byte, among how many.
        self._urgent_among: tuple[int, list[Row | None]] = (-1, [None, None])
        # Per direction what was asked last: which stream, bytes, how many it had, what packet completed them.
        self._completed = [(0, 0, 0, 0, BEFORE), (0, 0, 0, 0, BEFORE)]
        # The packet asked for last, among how many: its direction, and its ranges of the stream.
        self._ranges: tuple[Row, int, int, list[tuple[int, int]]] = (BEFORE, -1, -1, [])
        # Rows that were asked for last: of which direction, its bytes, and how many it had.
        self._brought: dict[tuple[int, int, int, int], tuple[Row, ...]] = {}
        # What is told at each packet of a record or message: among how many packets, and by what it is known.
        self._made: dict[tuple[Hashable, ...], Any] = {}
        self.answers = Answers(trace, flow)
        self.update()

    def update(self) -> bool:
        """Take what the flow has got since the last time; True when there was something."""
        if len(self._flow.rows) == self._packets:
            return False
        self._packets = len(self._flow.rows)
        self.streams = self._flow.streams
        known: list[int | None] = [None, None]

        def acknowledged_of(direction: int) -> int:
            found = known[direction]
            if found is None:
                found = known[direction] = acknowledged(self._trace, self._flow, direction)
            return found

        changed = self._engine.update(acknowledged_of, more=self._flow.left > 0)
        if not self._ended and self.layers:
            self._end_if_over()
        self._findings += map(self._place, self._engine.fresh_findings())
        return changed

    def let_go(self) -> None:
        """Forget what was decoded: memory is free at once, a record that somebody has stays readable."""
        for layer in self._engine.layers:
            layer.decoder.let_go()
        del self._engine
        self._findings = []

    @property
    def secrets(self) -> KeyLog:
        """Secrets of TLS sessions."""
        return self._trace.secrets

    def acknowledged_by(self, row: Row) -> int:
        """The offset of the other direction's stream up to which packet `row` says that it has all bytes."""
        index = self._trace.index
        if not int(index.tcp_flags[row]) & ACK:
            return 0
        return self._flow.streams[1 - self._flow.direction(row)].offset_of(int(index.ack[row]))

    def sent_to_others(self, direction: int) -> list[bytes]:
        """First bytes that the end of a direction sent to others, from the same address and port."""
        index, here = self._trace.index, row_at(self._flow.rows, 0)
        near = slice(max(here - _NEAR, 0), here + _NEAR)
        me, port = ("src", "sport") if self._flow.direction(here) == direction else ("dst", "dport")
        theirs = np.flatnonzero(
            (index.protocol[near] == TCP) & (index.src[near] == getattr(index, me)[here])
            & (index.sport[near] == getattr(index, port)[here]) & (index.payload_length[near] > 0)
            & (index.stream[near] != self._flow.stream)) + near.start
        rows = theirs[np.sort(np.unique(index.stream[theirs], return_index=True)[1])[:_OTHERS]]
        return [self._trace.frame(row)[int(index.payload[row]) :][:_OPENING] for row in rows_in(rows)]

    def acknowledged(self, direction: int, rows: Int64s) -> Int64s:
        """For packets of a direction: the offsets of the other stream up to which they acknowledge."""
        index = self._trace.index
        offsets = self._flow.streams[1 - direction].offsets_of(index.ack[rows])
        return np.where(index.tcp_flags[rows] & ACK != 0, offsets, 0)

    def _end_if_over(self) -> None:
        """Judge what is missing, once nothing more can come: a FIN from each side, or a reset."""
        index, rows = self._trace.index, self._flow.rows[self._scanned :]
        flags = index.tcp_flags[rows]
        self._scanned += len(rows)
        self._reset = self._reset or bool((flags & RST != 0).any())
        closing = rows[flags & (RST | FIN) != 0]
        if self._closing is None and len(closing):
            self._closing = row_at(closing, 0)
        finished = all(s.end is not None and s.contiguous >= s.end for s in self._flow.streams)
        if self._closing is None or self._engine.lacking or not (self._reset or finished):
            return
        lost = any(sent(self._trace, self._flow, one) > self.streams[one].length for one in (0, 1))
        if lost or self._resets_behind(self._closing):
            return                             # the last bytes of all were not captured
        self._ended = True
        self._engine.end(self._closes(self._closing), self._is_reset(self._closing))

    def _resets_behind(self, row: Row) -> bool:
        """Whether packet `row` is a reset that stands behind bytes which were not captured, by its number."""
        index, stream = self._trace.index, self.streams[self._flow.direction(row)]
        if not int(index.tcp_flags[row]) & RST or not stream.start_known:
            return False
        return 1 < stream.offset_of(int(index.seq[row])) - stream.length < 1 << 30

    @property
    def is_over(self) -> bool:
        """Whether both ends have closed, or one has reset, and all was read."""
        return self._ended

    def _closes(self, row: Row) -> int:
        """The direction that began to close: by packet `row`, or by a FIN that this one acknowledges.

        The latter stands behind it in a file whose packets changed places.
        """
        direction = self._flow.direction(row)
        end = self.streams[1 - direction].end
        later = end is not None and self.acknowledged_by(row) == end + 1
        return 1 - direction if later else direction

    def _is_reset(self, row: Row) -> bool:
        """Whether packet `row`, the first that closes, is a reset, and no FIN was lost before it."""
        index, direction = self._trace.index, self._flow.direction(row)
        if not int(index.tcp_flags[row]) & RST:
            return False
        return self.streams[direction].offset_of(int(index.seq[row])) != self.streams[direction].length + 1

    # --- layers ------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The protocols of the connection, in the order in which they followed each other."""
        return self._engine.layers

    @property
    def layer(self) -> Layer | None:
        """The last layer, but for what is told beside one: what is spoken, by all that was seen so far."""
        layers = self.layers
        return next((layer for layer in reversed(layers) if not layer.beside), None)

    def decoder(self, name: str) -> Decoder[Any] | None:
        """The decoder of the layer of this name; None where the connection has none."""
        return next((layer.decoder for layer in reversed(self.layers) if layer.protocol.name == name), None)

    @property
    def protocol(self) -> str:
        """What is spoken, by all that was seen so far; "" while nothing is known."""
        layer = self.layer
        return "" if layer is None else layer.protocol.name

    def rest(self, direction: int) -> Rest:
        """What bytes of a direction are that stand in no message, behind the last one."""
        return self._engine.rest(direction)

    @property
    def inferred(self) -> bool:
        """True when the protocol's beginning was not captured, and it was recognised by its form."""
        layer = self.layer
        return layer is not None and layer.decoder.inferred

    @property
    def client(self) -> int | None:
        """The direction of the client (0: a to b); None when nothing is known."""
        layer = self.layer
        return None if layer is None else layer.decoder.client

    # --- findings ----------------------------------------------------------------------------------

    @property
    def findings(self) -> list[Finding]:
        """All findings so far, those of TCP among them, in order of the packets where to look."""
        return self.findings_beside(self._flow.findings())

    def findings_beside(self, of_tcp: list[Finding]) -> list[Finding]:
        """The same where it is known what TCP tells."""
        found = self.own_findings
        if self._flow.out_of_order:
            return []
        if any(layer.decoder.explained_end for layer in self.layers):
            of_tcp = [one for one in of_tcp if one.id not in ENDINGS]
        elif any(layer.decoder.seals for layer in self.layers):     # few read close_notify, and then reset
            of_tcp = [one for one in of_tcp if one.id not in ENDINGS or one.severity != "note"]
        of_tcp, found = self.answers.explained(self, of_tcp, found, over=self._ended)
        of_tcp, found = sent_late(self._trace, self._flow, self.layers, of_tcp, found)
        of_tcp = unmissed(self._trace, self._flow, self.layers, of_tcp)
        return sorted(of_tcp + found, key=by_place)

    @property
    def unmissed_bytes(self) -> int:
        """How many bytes at most the end that reset may have left unread without losing anything."""
        return unmissed_bytes(self._trace, self._flow, self.layers)

    @property
    def own_findings(self) -> list[Finding]:
        """The same without those of TCP."""
        current = self._engine.current
        begun = current.provisional() if current is not None and not self._ended else []
        if self._flow.out_of_order:
            return []
        own = self._counted() + [self._place(one) for one in begun] + self.answers.slow(self)
        own = self.answers.abandoned(self, own)
        endless = kept_open(self._trace, self._flow, self.layers)
        if endless is not None:                # that says why the client closed
            own = [*(one for one in own if (one.direction, one.start) != (endless.direction, endless.start)
                     or one.severity != "note"), endless]
        return sorted(own, key=by_place)

    def _counted(self) -> list[Finding]:
        """The findings; where a rule has more than are kept, the last one says how many."""
        found = list(self._findings)
        more = {rule: (layer, folded) for layer in self.layers
                for rule, folded in layer.decoder.uncounted.items()}
        for at in range(len(found) - 1, -1, -1):
            if not more:
                break
            layer, folded = more.pop(found[at].id, (None, None))
            if layer is not None and folded is not None:
                text = f"{found[at].text} (The same {times(folded.count)} more.)"
                found[at] = replace(found[at], text=text, alike=self._alike(found[at].id, layer, folded))
        return found

    def _alike(self, rule: str, layer: Layer, folded: Folded) -> tuple[Row, ...]:
        """The packets in which findings of a rule begin that are told by their number alone, ascending."""
        count, known = self._folded.get(rule, (0, ()))
        if count != folded.count:
            rows: set[Row] = set()
            for stream, inner, starts in zip(self._flow.streams, layer.streams, folded.starts, strict=True):
                places = np.array(starts, np.int64)
                if inner is not stream and len(places):
                    places = np.array([inner.wire(start, start + 1)[0] for start in starts], np.int64)
                rows.update(stream.rows_at(places))
            known = tuple(sorted(rows))
            self._folded[rule] = folded.count, known
        return known

    def _place(self, one: Finding) -> Finding:
        direction = one.direction or 0
        rows: tuple[Row, ...] = ()
        if one.stop > one.start:
            rows = self._rows(direction, one.start, one.stop, _ROWS)
        if not rows:
            key = one.direction, len(self._flow.rows)
            if self._last_words[0] != key:
                self._last_words = key, self._closing_rows(one.direction)
            rows = self._last_words[1]
        urgent = self._urgent(direction) if one.stop > one.start and one.severity != "note" else None
        if urgent is not None:
            what = f"But packet {packet_number(urgent)} has an urgent byte, which a program reads apart "
            what += "from the others, unless it asks otherwise."
            one = replace(one, severity="note", text=f"{one.text} {what}")
        return one.at(self._flow.stream, rows)

    def _urgent(self, direction: int) -> Row | None:
        """The first packet of a direction that has an urgent byte."""
        if self._urgent_among[0] != self._packets:
            index, rows = self._trace.index, self._flow.rows
            first: list[Row | None] = [None, None]
            for row in rows_in(rows[(index.tcp_flags[rows] & URG != 0) & (index.payload_length[rows] > 0)]):
                end = self._flow.direction(row)
                first[end] = row if first[end] is None else first[end]
            self._urgent_among = self._packets, first
        return self._urgent_among[1][direction]

    def _closing_rows(self, direction: int | None) -> tuple[Row, ...]:
        """The packet with which a direction (or the connection) ended, else the last one there is."""
        index, rows = self._trace.index, self._flow.rows
        for row in rows_in(rows[index.tcp_flags[rows] & (FIN | RST) != 0]):
            if direction is None or self._flow.direction(row) == direction:
                return (row,)
        return (row_at(rows, -1),) if len(rows) else ()

    def rows_of(self, direction: int, start: int, stop: int) -> tuple[Row, ...]:
        """Rows of the packets that brought bytes [start, stop) of a direction, in order of offset.

        Those asked for last are kept: the detail of each packet of a message asks for the same.
        """
        key = direction, start, stop, self._flow.streams[direction].captured
        if key not in self._brought:
            if len(self._brought) >= _ASKED:
                self._brought.clear()
            self._brought[key] = self._rows(direction, start, stop)
        return self._brought[key]

    def _rows(self, direction: int, start: int, stop: int, most: int = sys.maxsize) -> tuple[Row, ...]:
        rows: dict[Row, None] = {}
        for piece in self._flow.streams[direction].pieces(start, stop):
            rows[piece.row] = None
            if len(rows) >= most:
                break
        return tuple(rows)

    def missing_in(self, direction: int, start: int, stop: int) -> int:
        """How many bytes of [start, stop) of a direction the capture lacks."""
        return self._flow.streams[direction].missing_in(start, stop)

    def cut_in(self, direction: int, start: int, stop: int) -> Cut | None:
        """See `Source`."""
        found = self._flow.streams[direction].cut_in(start, stop)
        return None if found is None else cut_of(self._trace.index, found[1], found[0])

    def time_of(self, row: Row) -> int:
        """Time of a packet, nanoseconds since the epoch."""
        return int(self._trace.index.time_ns[row])

    # --- packets -----------------------------------------------------------------------------------

    def carried(self, row: Row, name: str = "") -> Iterator[Carried]:
        """The records with bytes in packet `row`, layer by layer, in stream order; `name`: of one layer."""
        for layer in self.layers:
            if not name or layer.protocol.name == name:
                yield from self._of_layer(layer, row)

    def _of_layer(self, layer: Layer, row: Row) -> Iterator[Carried]:
        records = layer.decoder.records
        return (Carried(layer, position, records[position]) for position in self.positions(layer, row))

    def positions(self, layer: Layer, row: Row) -> Iterator[int]:
        """The places of a layer's records with bytes in packet `row`."""
        direction = self._flow.direction(row)
        stream = layer.streams[direction]
        if self._ranges[:3] != (row, self._packets, id(stream)):
            self._ranges = row, self._packets, id(stream), stream.ranges_of(row)
        given = -1
        for start, stop in self._ranges[3]:
            for position in layer.decoder.within(direction, start, stop):
                if position != given:        # one that lies in two ranges is given once
                    yield position
                given = position

    def completed(self, row: Row, name: str) -> list[Carried]:
        """The records of one protocol that packet `row` completes."""
        return [one for one in self.carried(row, name) if self._completes(one, row)]

    def _completes(self, one: Carried, row: Row) -> bool:
        """As Wireshark has it: the packets before the last one of a record are plain TCP."""
        record = one.record
        direction, stop = record.direction, one.layer.decoder.counts_from(record)
        return self._last_row(one.layer.streams[direction], direction, record.start, stop) == row

    def _last_row(self, stream: ByteStream, direction: int, start: int, stop: int) -> Row:
        """The packet that came last of those with these bytes; kept, as all of them ask for it."""
        key = id(stream), start, stop, stream.captured
        if self._completed[direction][:4] != key:
            self._completed[direction] = *key, stream.last_row(start, stop)
        return self._completed[direction][4]

    def protocols(self, row: Row) -> tuple[str, ...]:
        """Names of the layers, outermost first, down to the last one of which `row` completes a record."""
        layers = self.layers
        for last in range(len(layers), 0, -1):
            if any(self._completes(one, row) for one in self._of_layer(layers[last - 1], row)):
                return tuple(layer.protocol.name for place, layer in enumerate(layers[:last], 1)
                             if not layer.beside or place == last)
        return ()

    def info(self, row: Row) -> str:
        """One line, safe to show: `GET /chat  Upgrade: websocket`, `TEXT "hello" masked`, or ""."""
        places = [(layer, position) for layer in self.layers for position in self.positions(layer, row)]
        opened = [one for one in places if one[0].streams is not self.streams]
        places = opened or places           # what is said inside of TLS, not that it is sealed
        if any(layer.beside for layer, _ in places):
            places = [one for one in places if one[0].beside or self._starts(*one, row)]
        if places and places[0][0].decoder.grouped:
            return self._info_by_messages(places, row)
        texts = []
        for layer, position in places[:_PARTS]:
            record = layer.decoder.records[position]
            begins = self._starts(layer, position, row)
            texts.append(layer.decoder.marked_summary(record) if begins
                         else self._goes_on(layer, position, partial(layer.decoder.short, record)))
        return _joined(texts, len(places))

    def _info_by_messages(self, places: list[tuple[Layer, int]], row: Row) -> str:
        """The messages of a packet, each however many records it has; one that goes on as `… ROWS`."""
        numbers = dict.fromkeys((layer, layer.decoder.message_of(position)) for layer, position in places)
        texts = []
        for layer, number in list(numbers)[:_PARTS]:
            decoder = layer.decoder
            direction, start, _ = decoder.span(number)
            begins = self._begins(layer, direction, start, row)
            texts.append(decoder.message_summary(number) if begins
                         else f"… {self._goes_on(layer, number, partial(_kind, decoder, number))}")
        return _joined(texts, len(numbers))

    def _goes_on(self, layer: Layer, which: int, words: Callable[[], str]) -> str:
        """What packets say that go on with a record or message (`which`), made once for all of them."""
        return self.once(("words", id(layer), which), words)

    def once(self, key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        """What is told at each packet of a record or message, made once for all of them; until more comes."""
        key = self._packets, *key
        made: T = self._made.pop(key) if key in self._made else make()
        self._made[key] = made                 # who was asked for last stands last
        if len(self._made) > _MADE:
            del self._made[next(iter(self._made))]
        return made

    def _starts(self, layer: Layer, position: int, row: Row) -> bool:
        record = layer.decoder.records[position]
        return self._begins(layer, record.direction, record.start, row)

    @staticmethod
    def _begins(layer: Layer, direction: int, start: int, row: Row) -> bool:
        first = next(layer.streams[direction].pieces(start, start + 1), None)
        return first is not None and first.row == row


def _kind(decoder: Decoder[Any], number: MessageIndex) -> str:
    return decoder.line(number).kind


def _joined(texts: list[str], count: int) -> str:
    more = count - len(texts)
    return worded((*texts, sentence("{count} more", count=more) if more else ""), between="  |  ")
