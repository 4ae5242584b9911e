"""Conversations in which nothing is out of line, told without being decoded one by one.

Of the regular ones (flows/patterns.py) columns say whether TCP has anything to tell; what both ends said in
turn is read many at a time (flows/spoken.py) and scanned by the protocol that knows it again. What is not
certain is decoded as ever: both ways give the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.numbers import TCP
from inspector.model.packets import Row
from inspector.protocols import REGISTRY
from inspector.trace.application.engine import Layer
from inspector.trace.flows.patterns import regular
from inspector.trace.flows.spoken import Pieces, Said, Spoken

if TYPE_CHECKING:
    from inspector.trace.application.application import Application
    from inspector.trace.index.index import Index
    from inspector.wire.arrays import Int64s
    from inspector.wire.keylog import KeyLog
    from inspector.wire.tcp.stream import ByteStream

_SCANNED = [(protocol, protocol.scan) for protocol in REGISTRY if protocol.scan is not None]


_KEPT = 1024             # conversations of which it is known what their packets say

Told = tuple[str, tuple[str, ...]]
"""The info of a packet, and the names of the protocols of which it completes a record."""


def _told_of(layer: Layer) -> dict[Row, Told]:
    """Of a conversation in which each packet carries one record at most."""
    decoder, names = layer.decoder, (layer.protocol.name,)
    found: dict[Row, Told] = {}
    for record in decoder.records:
        rows = decoder.rows_of(record)
        for row in rows[1:-1]:
            found[row] = decoder.short(record), ()
        if len(rows) > 1:
            found[rows[-1]] = decoder.short(record), names
        found[rows[0]] = decoder.summary(record), names if len(rows) == 1 else ()
    return found


class PlainConversation:
    """The source of one conversation's decoder: the packets that carry something, and their offsets."""

    def __init__(self, index: Index, decode: Callable[[], Application], said: Said) -> None:
        self._index, self._decode = index, decode
        self._rows: tuple[list[Row], list[Row]] = ([], [])
        self._starts: tuple[list[int], list[int]] = ([], [])
        self.turns: list[bytes] = []
        ends, before = [0, 0], False
        turn: list[bytes] = []
        for row, back, piece in zip(*said, strict=True):
            self._rows[back].append(Row(row))
            self._starts[back].append(ends[back])
            ends[back] += len(piece)
            if back != before:
                self.turns.append(b"".join(turn) if len(turn) != 1 else turn[0])
                before, turn = back, []
            turn.append(piece)
        self.turns.append(b"".join(turn) if len(turn) != 1 else turn[0])

    @property
    def limit(self) -> int:
        """Bytes to which one compressed message may inflate."""
        return self._decode().limit

    @property
    def secrets(self) -> KeyLog:
        """Secrets of TLS sessions: none, which could be needed here."""
        return self._decode().secrets

    @property
    def streams(self) -> tuple[ByteStream, ByteStream]:
        """The streams, made when somebody reads a body."""
        return self._decode().streams

    def rows_of(self, direction: int, start: int, stop: int) -> tuple[Row, ...]:
        """Rows of the packets that brought bytes [start, stop) of a direction, in order of offset."""
        starts = self._starts[direction]
        first = max(bisect_right(starts, start) - 1, 0)
        return tuple(self._rows[direction][first : bisect_left(starts, stop)]) if start < stop else ()

    def missing_in(self, direction: int, start: int, stop: int) -> int:
        """How many bytes of a range the capture lacks: none."""
        return 0

    def time_of(self, row: Row) -> int:
        """Time of a packet, nanoseconds since the epoch."""
        return int(self._index.time_ns[row])

    def acknowledged(self, direction: int, rows: Int64s) -> Int64s:
        """See `Source`."""
        return self._decode().acknowledged(direction, rows)

    def acknowledged_by(self, row: Row) -> int:
        """See `Source`."""
        return self._decode().acknowledged_by(row)


class PlainConversations:
    """The plain ones of all conversations that an index has now; those asked for in order cost least.

    `pieces` reads bytes of packets, `decode` a whole conversation, which is rarely wanted of a plain one.
    """

    def __init__(self, index: Index, pieces: Pieces, decode: Callable[[int], Application]) -> None:
        self._index, self._decode = index, decode
        self.count = index.count                 # packets that are known here
        self._regular = regular(index)
        self._place = np.full(len(index.streams[TCP]), -1, np.int64)
        self._place[self._regular.stream] = np.arange(len(self._regular.stream))
        self._spoken = Spoken(index, self._regular, pieces)
        self._last: tuple[int, Layer | None] = (-1, None)
        self._told: dict[int, dict[Row, Told]] = {}

    def layer(self, stream: int) -> Layer | None:
        """The protocol of a conversation, and a decoder that has all its records; None: not known here."""
        if self._last[0] != stream:
            self._last = stream, self._scanned(stream)
        return self._last[1]

    def _scanned(self, stream: int) -> Layer | None:
        place = int(self._place[stream])
        said = None if place < 0 else self._spoken.of(place)
        if not said or not said.rows:
            return None
        source = PlainConversation(self._index, partial(self._decode, stream), said)
        turns, source.turns = source.turns, []          # they may be large
        for protocol, scan in _SCANNED:
            decoder = scan(source, turns)
            if decoder is not None:
                return Layer(protocol, decoder)
        return None

    def told(self, stream: int) -> dict[Row, Told] | None:
        """What is said of each packet of a conversation that carries something; None: not known here."""
        known = self._told.get(stream)
        if known is None:
            place, layer = int(self._place[stream]), self.layer(stream)
            said = self._spoken.of(place) if place >= 0 else None
            if layer is None and (said is None or said.rows):
                return None
            known = {} if layer is None else _told_of(layer)
            if len(self._told) >= _KEPT:
                self._told.clear()
            self._told[stream] = known
        return known

    def quiet(self, stream: int) -> bool:
        """Whether there is certainly no finding about a conversation."""
        place = int(self._place[stream])
        if place < 0 or not self._regular.quiet[place]:
            return False
        said = self._spoken.of(place)
        return said is not None and (not said.rows or self.layer(stream) is not None)
