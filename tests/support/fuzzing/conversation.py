"""A TCP conversation out of any bytes, and the engine that reads it, without files and indices.

Bytes -> options, then what one end says after the other (`read_input`; `input_of` makes them of real
sessions) -> `Heard`, a source of decoders that holds the packets -> `Engine` -> `check` or `messages_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from inspector.model.packets import Row
from inspector.protocols import REGISTRY
from inspector.protocols.api import LIKELY, MessageIndex, Opening, Protocol, Start
from inspector.trace.application.decode_as import DecodeAs
from inspector.trace.application.engine import Engine, Layer
from inspector.wire.arrays import Int64s
from inspector.wire.keylog import KeyLog
from inspector.wire.tcp.stream import ByteStream

PORTS = (80, 53, 443, 1080, 1883, 3306, 5432, 6379, 8080, 40001)
LIMIT = 1 << 20              # bytes to which a message may inflate
_SEGMENT = 900
_LIVE, _MIDDLE, _OPEN = 1, 2, 4      # bits of the options: packet by packet; no SYN; nobody closes


class Part(NamedTuple):
    """What one end says at a time; `lost`: the capture lacks it."""

    end: int
    data: bytes
    lost: bool = False


class Input(NamedTuple):
    """What any bytes mean: a port, options, and who says what."""

    port: int
    options: int
    parts: list[Part]


def read_input(data: bytes) -> Input:
    """Two bytes of options; then again and again two bytes (end, lost, length) and what is said."""
    port, options = (PORTS[data[0] % len(PORTS)], data[1]) if len(data) > 1 else (80, 0)
    parts, at = [], 2
    while at + 2 < len(data):
        head, size = data[at], (data[at] >> 2) << 8 | data[at + 1]
        piece = data[at + 2 : at + 2 + size]
        if piece:
            parts.append(Part(head & 1, piece, bool(head & 2)))
        at += 2 + size
    return Input(port, options, parts)


def input_of(port: int, turns: Iterable[tuple[int, bytes]]) -> bytes:
    """The bytes that mean these turns of a conversation with a port (any other is told as the last one)."""
    found = bytearray([PORTS.index(port) if port in PORTS else len(PORTS) - 1, 0])
    for end, data in turns:
        for at in range(0, len(data), 16383):
            part = data[at : at + 16383]
            found += bytes([len(part) >> 8 << 2 | end, len(part) & 255]) + part
    return bytes(found)


class Heard:
    """Packets of a conversation in memory. Each says that all came that the other end has sent until then."""

    limit = LIMIT

    def __init__(self, secrets: KeyLog, begun: bool) -> None:
        self.secrets = secrets
        self._payloads: list[bytes] = []
        self._acknowledged: list[int] = []
        self.known = [0, 0]              # of each direction, what the other end said that it has
        self.streams = ByteStream(self._fetch), ByteStream(self._fetch)
        if begun:
            for stream in self.streams:
                stream.open_at(1)

    def _fetch(self, row: Row, place: int, length: int) -> bytes:
        return self._payloads[row][place : place + length]

    def add(self, part: Part) -> None:
        """One segment."""
        stream, other = self.streams[part.end], self.streams[1 - part.end]
        row = Row(len(self._payloads))
        self._payloads.append(part.data)
        self._acknowledged.append(other.length)
        self.known[1 - part.end] = other.length
        stream.add(1 + stream.length & 0xFFFFFFFF, len(part.data), row, 0, 0 if part.lost else len(part.data))

    def rows_of(self, direction: int, start: int, stop: int) -> tuple[Row, ...]:
        return tuple(dict.fromkeys(piece.row for piece in self.streams[direction].pieces(start, stop)))

    def missing_in(self, direction: int, start: int, stop: int) -> int:
        return self.streams[direction].missing_in(start, stop)

    def cut_in(self, direction: int, start: int, stop: int) -> None:
        return None                      # lost, not cut

    def time_of(self, row: Row) -> int:
        return 0                         # so that no cut changes a span

    def acknowledged(self, direction: int, rows: Int64s) -> Int64s:
        return np.array(self._acknowledged, np.int64)[rows]

    def acknowledged_by(self, row: Row) -> int:
        return self._acknowledged[row]

    def sent_to_others(self, direction: int) -> tuple[bytes, ...]:
        return ()


def cut(parts: Iterable[Part], sizes: Iterable[int] = (_SEGMENT,)) -> Iterator[Part]:
    """The same in segments of these sizes, one after the other, again and again. What is lost stays whole."""
    wanted = list(sizes)
    number = 0
    for part in parts:
        end, data, lost = part
        while data:
            size = len(data) if lost else wanted[number % len(wanted)]
            yield Part(end, data[:size], lost)
            data, number = data[size:], number + 1


class Knowing(Engine):
    """An engine that knows whether it was ever less than fairly sure of what is spoken."""

    guessed = False

    def _surest(self, opening: Opening) -> tuple[Protocol, Start] | None:
        found = super()._surest(opening)
        self.guessed = self.guessed or (found is not None and found[1].sure < LIKELY)
        return found


def read(given: Input, secrets: KeyLog, *, protocol: str = "", sizes: Iterable[int] = (_SEGMENT,),
         live: bool | None = None) -> Knowing:
    """The engine that has read the conversation; `protocol`: it is told to be this one's."""
    heard = Heard(secrets, not given.options & _MIDDLE)
    rule = DecodeAs("tcp.port", given.port, protocol) if protocol else None
    engine = Knowing(heard, (40000, given.port), REGISTRY, rule)
    by_turns = given.options & _LIVE if live is None else live

    for part in cut(given.parts, sizes):
        heard.add(part)
        if by_turns:
            engine.update(heard.known.__getitem__)
    if not given.options & _OPEN:
        heard.known = [stream.length for stream in heard.streams]        # by both FINs
        for stream in heard.streams:
            stream.finish_at(1 + stream.length & 0xFFFFFFFF)
    engine.update(heard.known.__getitem__)
    if not given.options & _OPEN and engine.layers and not engine.lacking:
        engine.end(0, False)
    return engine


def check(engine: Engine) -> None:
    """Every record has its place, and all that views ask for is safe to show."""
    for layer in engine.layers:
        decoder = layer.decoder
        for position, record in enumerate(decoder.records):
            _check_record(layer, position, record)
        for number in map(MessageIndex, range(decoder.count)):
            line = decoder.line(number)
            assert all(map(str.isprintable, (line.kind, line.text, *line.marks)))
            assert decoder.message_of(decoder.records_of(number)[0]) == number
            assert decoder.message_summary(number).isprintable()
            shown = decoder.shown(number, 2000)
            assert all(map(str.isprintable, (*shown.head, shown.note)))
            decoder.content(number, 2000), decoder.complete(number), decoder.span(number)
    for one in engine.fresh_findings():
        assert one.text.isprintable() and one.start <= one.stop
    for direction in (0, 1):
        assert engine.rest(direction).text.isprintable()


def _check_record(layer: Layer, position: int, record: Any) -> None:
    decoder: Any = layer.decoder
    assert 0 <= record.start <= record.stop        # which may be announced, and lost
    assert decoder.summary(record).isprintable() and decoder.short(record).isprintable()
    assert all(map(str.isprintable, decoder.heading(record)))
    for part in decoder.parts(record):
        assert part.value.isprintable() and part.label.isprintable() and part.start <= part.stop
    partner = decoder.partner(position)
    assert partner is None or 0 <= partner < len(decoder.records)
    decoder.payload(record, 2000), decoder.rows_of(record), decoder.counts_from(record)
    for field in layer.protocol.fields:
        list(field.get(decoder, record))
        if field.place is not None:
            start, stop = field.place(record)
            assert start <= stop


def messages_of(engine: Knowing) -> list[Any] | None:
    """Protocols, records with their fields and findings: what no cut may change.

    None where it was guessed what is spoken: that is told by where segments begin.
    """
    if engine.guessed:
        return None
    found: list[Any] = [layer.protocol.name for layer in engine.layers]
    for layer in engine.layers:
        for record in layer.decoder.records:
            values = [(field.name, list(field.get(layer.decoder, record))) for field in layer.protocol.fields
                      if field.type != "seconds"]
            found.append((record.direction, record.start, record.stop, values))
        found.append([layer.decoder.line(MessageIndex(one))._replace(rows=())
                      for one in range(layer.decoder.count)])
    return [*found, sorted((one.id, one.text) for one in engine.fresh_findings())]
