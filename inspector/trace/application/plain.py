"""Conversations in which nothing is out of line, told without being decoded one by one.

Of the regular ones (flows/together/) columns say whether TCP has anything to tell; what both ends said in
turn is read many at a time and scanned by the protocol that knows it again. What is not certain is decoded as
ever: both ways give the same.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from inspector.model.numbers import RST, TCP
from inspector.model.packets import Row, rows_in
from inspector.protocols import REGISTRY
from inspector.protocols.api import Cut, Loose, Protocol, Turns
from inspector.trace.application.engine import Layer
from inspector.trace.application.strangers import Strangers
from inspector.trace.flows.delivered import delivered
from inspector.trace.flows.missing import cut_of
from inspector.trace.flows.together.columns import followed, tcp_columns
from inspector.trace.flows.together.midway import midway_ones
from inspector.trace.flows.together.partly import Packets, Partly, PartlySpoken
from inspector.trace.flows.together.patterns import Regular, quiet_ones, regular_ones
from inspector.trace.flows.together.spoken import BEGINS, LARGEST, Block, Pieces, Spoken

if TYPE_CHECKING:
    from inspector.trace.application.application import ApplicationLayers
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.index.index import Index
    from inspector.wire.arrays import Bools, Int64s
    from inspector.wire.keylog import KeyLog
    from inspector.wire.tcp.stream import ByteStream

_SCANNED = [(protocol, protocol.scan) for protocol in REGISTRY if protocol.scan is not None]


_KEPT = 1024             # conversations of which it is known what their packets say; exchanges that are known
_PIECE = 1 << 19         # bytes of a large conversation that are looked at together
_SHORT = 1024            # bytes of each turn of such an exchange, at most
_PART = 1 << 20          # bytes of a turn of which perhaps not all is searched
_FEW = 64                # conversations whose records are kept

PacketWords = tuple[str, tuple[str, ...]]
"""The info of a packet, and the names of the protocols of which it completes a record."""


def _words_of(layer: Layer) -> dict[Row, PacketWords]:
    """Of a conversation in which each packet carries one record at most."""
    decoder, names = layer.decoder, (layer.protocol.name,)
    found: dict[Row, PacketWords] = {}
    for record in decoder.records:
        rows, counts = decoder.rows_of(record), _counts_for(layer, record)
        for row in rows[1:]:
            found[row] = decoder.short(record), names if row == counts else ()
        found[rows[0]] = decoder.marked_summary(record), names if rows[0] == counts else ()
    return found


def _counts_for(layer: Layer, record: Any) -> Row:
    """The packet for which a record counts: of one that is not whole that with the end of its first line."""
    decoder, stop = layer.decoder, layer.decoder.counts_from(record)
    return decoder.source.rows_of(record.direction, record.start, stop)[-1]


Completed = tuple[Layer | None, dict[Row, list[Any]]]
"""What is spoken in a conversation (None: nothing), and the records that each of its packets completes."""


def _completed(layer: Layer) -> dict[Row, list[Any]]:
    found: dict[Row, list[Any]] = {}
    for record in layer.decoder.records:
        found.setdefault(_counts_for(layer, record), []).append(record)
    return found


class PlainConversation:
    """The source of one conversation's decoder: the packets that carry something, and their offsets."""

    def __init__(self, index: Index, decode: Callable[[], ApplicationLayers], rows: Sequence[Row],
                 reverse: Sequence[bool]) -> None:
        self._index, self._decode = index, decode
        self._rows: tuple[list[Row], list[Row]] = ([], [])
        self._starts: tuple[list[int], list[int]] = ([], [])
        ends = [0, 0]
        sizes = index.payload_length[np.asarray(rows, np.int64)].tolist()
        for row, back, size in zip(rows, reverse, sizes, strict=True):
            self._rows[back].append(row)
            self._starts[back].append(ends[back])
            ends[back] += size

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
        """How many bytes of a range the capture lacks."""
        return 0

    def cut_in(self, direction: int, start: int, stop: int) -> Cut | None:
        """See `Source`."""
        return None

    def time_of(self, row: Row) -> int:
        """Time of a packet, nanoseconds since the epoch."""
        return int(self._index.time_ns[row])

    def acknowledged(self, direction: int, rows: Int64s) -> Int64s:
        """See `Source`."""
        return self._decode().acknowledged(direction, rows)

    def acknowledged_by(self, row: Row) -> int:
        """See `Source`."""
        return self._decode().acknowledged_by(row)

    def sent_to_others(self, direction: int) -> Sequence[bytes]:
        """See `Source`."""
        return self._decode().sent_to_others(direction)


class LooseConversation(PlainConversation):
    """The same of one of which the capture lacks something: of each packet that carries something a part."""

    def __init__(self, index: Index, decode: Callable[[], ApplicationLayers], packets: Packets) -> None:
        rows, back = packets.numbered()
        super().__init__(index, decode, rows, back)
        lacks = packets.lengths - packets.captured
        self._lacks = [np.cumsum(lacks[packets.back == bool(side)]).tolist() for side in (0, 1)]
        self._ends = [
            (np.array(self._starts[side], np.int64) + packets.captured[packets.back == bool(side)]).tolist()
            for side in (0, 1)]

    def rows_of(self, direction: int, start: int, stop: int) -> tuple[Row, ...]:
        """Rows of the packets that brought bytes [start, stop) of a direction, in order of offset."""
        first = bisect_right(self._ends[direction], start)
        last = bisect_left(self._starts[direction], stop)
        return tuple(self._rows[direction][first:last]) if start < stop else ()

    def missing_in(self, direction: int, start: int, stop: int) -> int:
        """How many bytes of a range the capture lacks."""
        return self._missing_before(direction, stop) - self._missing_before(direction, start)

    def cut_in(self, direction: int, start: int, stop: int) -> Cut | None:
        """See `Source`."""
        rows, ends = self._rows[direction], self._ends[direction]
        for at in range(bisect_left(ends, start), bisect_left(ends, stop)):
            found = cut_of(self._index, rows[at], ends[at])
            if found is not None:
                return found
        return None

    def _missing_before(self, direction: int, offset: int) -> int:
        at = bisect_left(self._starts[direction], offset) - 1        # the last packet that begins before it
        if at < 0:
            return 0
        before = self._lacks[direction][at - 1] if at else 0
        lacks = self._lacks[direction][at] - before
        return int(before + min(lacks, max(offset - self._ends[direction][at], 0)))


class LooseOne(NamedTuple):
    """What is said in a conversation of which the capture lacks something, by a protocol that knows it."""

    protocol: Protocol
    found: Loose
    packets: Packets
    turns: Turns


def _loosely(turns_of_it: tuple[Packets, Turns] | None) -> LooseOne | None:
    """What turns are of which something may lack; None: they have to be decoded."""
    if turns_of_it is None:
        return None
    packets, turns = turns_of_it
    for protocol, scan in _SCANNED:
        found = scan.loose(turns)
        if found is not None:
            return LooseOne(protocol, found, packets, turns)
    return None


class PlainBlock(NamedTuple):
    """What some of the regular conversations say, by the block's numbers of them.

    `parsed`: what each turn of a conversation is, by `protocol`; None: it is not plain. `silent`: nothing is
    said in it.
    """

    block: Block
    protocol: list[Protocol | None]
    parsed: list[Sequence[Any] | None]
    silent: list[bool]

    def has(self, place: int) -> bool:
        """Whether the conversation at this place is among them."""
        return 0 <= place - self.block.begin < len(self.parsed)


_NONE = PlainBlock(Block(0, [], [0], np.zeros(1, np.int64), [], np.zeros(0, np.int64), np.zeros(0, np.bool_)),
                   [], [], [])


_Scanned = tuple[Protocol | None, Sequence[Any] | None]


class _Seen:
    """What short exchanges of one question and one answer are, of which many are the same byte for byte."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], _Scanned] = {}

    def scanned(self, sent: Sequence[bytes]) -> _Scanned:
        """As `_scanned`."""
        if len(sent) != 2 or len(sent[0]) > _SHORT or len(sent[1]) > _SHORT:
            return _scanned(sent)
        pair = sent[0], sent[1]
        found = self._known.get(pair)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[pair] = _scanned(sent)
        return found

    def many(self, sent: Sequence[bytes]) -> list[_Scanned]:
        """The same of a question and its answer each."""
        known = map(self._known.get, zip(sent[::2], sent[1::2], strict=True))
        return [found if found is not None else self.scanned(sent[2 * number : 2 * number + 2])
                for number, found in enumerate(known)]


def _scanned(sent: Sequence[bytes]) -> _Scanned:
    """The protocol that knows turns for its own, and what they are; None, None: none does."""
    for protocol, scan in _SCANNED:
        parsed = scan.turns(sent)
        if parsed is not None:
            return protocol, parsed
    return None, None


def _perhaps(asked: bytes) -> bool:
    """Whether a conversation that begins so may be plain."""
    return any(scan.begins(asked) for _, scan in _SCANNED)


def exchanged(index: Index, flow: TcpFlow) -> PlainBlock | None:
    """What is exchanged turn by turn in a conversation that is not regular; None: it has to be decoded."""
    start = flow.streams[0].start
    if flow.out_of_order or not _perhaps(flow.streams[0].read(start, start + BEGINS)):
        return None
    found: list[tuple[Protocol | None, Sequence[Any] | None]] = []

    def known(sent: Sequence[bytes]) -> bool:
        found.append(_scanned(sent))
        return found[0][1] is not None

    block = delivered(index, flow, known)
    return None if block is None else PlainBlock(block, [found[0][0]], [found[0][1]], [False])


class _Gradual:
    """Of one large regular conversation, some turns at a time: whether a protocol knows it for its own.

    `plain`: what is known of that; None: not all was looked at.
    """

    def __init__(self, index: Index, regular: Regular, place: int, pieces: Pieces) -> None:
        part = slice(int(regular.first[place]), int(regular.last[place]))
        carries = index.payload_length[regular.rows[part]] > 0
        self._index, self._pieces = index, pieces
        self._rows, back = regular.rows[part][carries], regular.reverse[part][carries]
        self._turns = np.append(np.flatnonzero(np.append(True, back[1:] != back[:-1])), len(back))
        self._ends = np.cumsum(index.payload_length[self._rows], dtype=np.int64)
        self._at = 0                            # turns that were looked at
        self._protocol: Protocol | None = None
        self.plain: bool | None = None if regular.whole[place] and len(back) and not back[0] else False

    def go_on(self) -> None:
        """Look at the next questions and answers."""
        turns, first = self._turns, int(self._turns[self._at])
        before = int(self._ends[first - 1]) if first else 0
        reach = int(np.searchsorted(self._ends, before + _PIECE, "right"))     # packets within a piece
        stop = max(int(np.searchsorted(turns, reach, "right")) - 1, self._at + 2)
        stop = min(stop - (stop - self._at) % 2, len(turns) - 1)
        rows = self._rows[first : int(turns[stop])]
        sizes = self._index.payload_length[rows].astype(np.int64)
        if int(sizes.sum()) > LARGEST >> 3:     # one answer, which is decoded as it comes
            self.plain = False
            return
        pieces = self._pieces(rows, self._index.payload[rows].astype(np.int64), sizes)
        whole = sum(map(len, pieces)) == int(sizes.sum())
        bounds = (turns[self._at : stop + 1] - first).tolist()
        protocol, found = _scanned([b"".join(pieces[one:other]) for one, other in pairwise(bounds)])
        if found is None or not whole or self._protocol not in (None, protocol):
            self.plain = False
        elif stop == len(turns) - 1:
            self.plain = True
        self._at, self._protocol = stop, protocol


class PlainConversations:
    """The plain ones of all conversations that an index has now; those asked for in order cost least.

    `pieces` reads bytes of packets, `decode` a whole conversation, which is rarely wanted of a plain one.
    """

    def __init__(self, index: Index, pieces: Pieces, decode: Callable[[int], ApplicationLayers],
                 few: bool = False) -> None:
        """`few`: somebody waits, so that a little is read at a time."""
        self._index, self._decode = index, decode
        self.count = index.count                 # packets that are known here
        columns = tcp_columns(index)
        follows, quiet = followed(columns), quiet_ones(index, columns)
        self._regular = regular_ones(index, columns, follows, quiet)
        self.midway = midway_ones(index, columns, follows, quiet)     # those that began before the capture
        self.strangers = Strangers(index, columns, pieces)
        del columns, follows                     # 100 bytes a packet
        self._place = np.full(len(index.streams[TCP]), -1, np.int64)
        self._place[self._regular.stream] = np.arange(len(self._regular.stream))
        self._spoken = Spoken(index, self._regular, pieces, _perhaps)
        self._block = _NONE                      # the conversations that were read last
        self._partly = PartlySpoken(index, self._regular, pieces, _perhaps, few)
        self._loose: tuple[dict[int, int], list[LooseOne | None]] = {}, []      # and of the others, by places
        self._seen = _Seen()
        self._last: tuple[int, Layer | None] = (-1, None)
        self._words: dict[int, dict[Row, PacketWords]] = {}
        self._completed: dict[int, Completed] = {}
        self._turned: dict[int, tuple[Protocol, dict[Row, Any]] | None] = {}
        self._pieces = pieces
        self._large: dict[int, _Gradual | bool] = {}       # what is known of large ones, or being looked at

    @property
    def regular(self) -> Regular:
        """The regular conversations, by their places."""
        return self._regular

    @property
    def streams(self) -> Int64s:
        """The conversations by their places: those that `block` is asked for."""
        return self._regular.stream

    def place(self, stream: int) -> int:
        """The place of a conversation; -1: it is not regular."""
        return int(self._place[stream])

    def irregular(self, streams: Int64s) -> Bools:
        """Which of some conversations are not regular."""
        found: Bools = self._place[streams] < 0
        return found

    def block(self, place: int) -> PlainBlock:
        """What the regular conversation at `place` says, and those behind it that are read with it."""
        if not self._block.has(place):
            self._block = _NONE                  # what it says may be large
            self._block = self._read(place)
        return self._block

    def _read(self, place: int) -> PlainBlock:
        block = self._spoken.read(place)
        sent, nothing, scanned = block.sent, (None, None), self._seen.scanned
        count = len(block.known)
        if block.bounds == list(range(0, 2 * count + 1, 2)) and all(block.known) and not (
                block.back[block.turns[:-1:2]].any()):
            both = self._seen.many(sent)
            protocols, parsed = [one for one, _ in both], [one for _, one in both]
            return PlainBlock(block, protocols, parsed, [False] * count)
        begins_back = block.back[block.turns[:-1]].tolist()
        found = [
            scanned(sent[start:stop]) if known and start < stop and not begins_back[start] else nothing
            for (start, stop), known in zip(pairwise(block.bounds), block.known, strict=True)]
        silent = [known and start == stop
                  for (start, stop), known in zip(pairwise(block.bounds), block.known, strict=True)]
        return PlainBlock(block, [one for one, _ in found], [parsed for _, parsed in found], silent)

    def loose(self, place: int) -> LooseOne | None:
        """What a regular conversation says that has no end, or lacks something; None: it is not known."""
        regular = self._regular
        if place < 0 or (regular.whole[place] and (regular.ended[place] or not self._is_worth(place))):
            return None
        if place not in self._loose[0]:
            self._loose = {}, []
            read: Partly = self._partly.read(place)
            self._loose = read.places, list(map(_loosely, read.found))
        return self._loose[1][self._loose[0][place]]

    def _is_worth(self, place: int) -> bool:
        """Whether a whole conversation was read to its end."""
        block = self.block(place).block
        return block.known[place - block.begin]

    def layer(self, stream: int) -> Layer | None:
        """The protocol of a conversation, and a decoder that has all its records; None: not known here."""
        if self._last[0] != stream:
            self._last = stream, self._layer(stream)
        return self._last[1]

    def _layer(self, stream: int) -> Layer | None:
        place = int(self._place[stream])
        if place < 0:
            return None
        block, protocols, parsed, _ = self.block(place)
        number = place - block.begin
        protocol, found = protocols[number], parsed[number]
        if protocol is None or protocol.scan is None or found is None:
            return None if block.known[number] and self._silent(stream) else self._loose_layer(stream, place)
        source = PlainConversation(self._index, partial(self._decode, stream), *block.packets(number))
        sent = block.sent[block.bounds[number] : block.bounds[number + 1]]
        return Layer(protocol, protocol.scan.decoder(source, found, sent))

    def _loose_layer(self, stream: int, place: int) -> Layer | None:
        one = self.loose(place)
        if one is None or one.protocol.scan is None:
            return None
        source = LooseConversation(self._index, partial(self._decode, stream), one.packets)
        return Layer(one.protocol, one.protocol.scan.loose_decoder(source, one.found, one.turns))

    def words_of(self, stream: int) -> dict[Row, PacketWords] | None:
        """What is said of each packet of a conversation that carries something; None: not known here."""
        known = self._words.get(stream)
        if known is None:
            layer = self.layer(stream)
            if layer is None and not self._silent(stream):
                return None
            known = {} if layer is None else _words_of(layer)
            if len(self._words) >= _KEPT:
                self._words.clear()
            self._words[stream] = known
        return known

    def completed(self, stream: int) -> Completed | None:
        """What is read of a conversation, by the packets that complete it; None: not known here."""
        known = self._completed.get(stream)
        if known is None:
            layer = self.layer(stream)
            if layer is None and not self._silent(stream):
                return None
            known = layer, {} if layer is None else _completed(layer)
            if len(self._completed) >= _FEW:
                self._completed.clear()
            self._completed[stream] = known
        return known

    def turned(self, stream: int) -> tuple[Protocol, dict[Row, Any]] | None:
        """What each turn of a conversation is, by its last packet: the one that completes it.

        None: not known here, or not by turns alone (the last one is not all there, or one is very large).
        """
        if stream not in self._turned:
            if len(self._turned) >= _FEW:
                self._turned.clear()
            self._turned[stream] = self._turned_anew(stream)
        return self._turned[stream]

    def _turned_anew(self, stream: int) -> tuple[Protocol, dict[Row, Any]] | None:
        place = int(self._place[stream])
        if place < 0:
            return None
        block, protocols, parsed, _ = self.block(place)
        number = place - block.begin
        protocol, found = protocols[number], parsed[number]
        if protocol is not None and found is not None:
            first, last = block.bounds[number], block.bounds[number + 1]
            sizes: Sequence[int] = list(map(len, block.sent[first:last]))
            ends = block.rows[block.turns[first + 1 : last + 1] - 1]
        else:
            one = self.loose(place)
            if one is None or not one.found.whole or self._silent(stream):
                return None
            protocol, found, sizes = one.protocol, one.found.records, one.turns.sizes
            counts = one.packets.turns[1:] - 1
            if one.found.early:
                early = list(one.found.early)
                counts[early] = one.packets.turns[early]
            ends = one.packets.rows[counts]
        if max(sizes, default=0) >= _PART:
            return None
        return protocol, dict(zip(ends.tolist(), found, strict=True))

    def _silent(self, stream: int) -> bool:
        place = int(self._place[stream])
        if place < 0:
            return False
        block = self.block(place)
        return block.silent[place - block.block.begin]

    def tcp_quiet(self, stream: int) -> bool:
        """Whether there is certainly no finding about TCP in a conversation."""
        place = int(self._place[stream])
        if place >= 0:
            return bool(self._regular.quiet[place])
        at = self.midway.at(stream)
        return (at >= 0 and bool(self.midway.quiet[at])) or self.strangers.is_alone(stream)

    def refusal(self, stream: int) -> tuple[Row, Row] | None:
        """The SYN and the RST that answered it, where these two packets are a whole regular conversation."""
        place, regular, index = int(self._place[stream]), self._regular, self._index
        if place < 0 or regular.last[place] - regular.first[place] != 2 or len(index.quoted):
            return None
        syn, reset = rows_in(regular.rows[regular.first[place] : regular.last[place]])
        return (syn, reset) if index.tcp_flags.item(reset) & RST else None

    def strange(self, stream: int) -> bool:
        """Whether nothing that is known is certainly spoken in a conversation; it may hold no copies."""
        place = int(self._place[stream])
        if place < 0:
            return self.strangers.has(stream)
        block = self.block(place)
        number = place - block.block.begin
        if block.silent[number] or block.parsed[number] is not None:
            return block.silent[number]
        return self.loose(place) is None and self.strangers.has(stream)

    def quiet(self, stream: int) -> bool:
        """Whether there is certainly no finding about a conversation."""
        place = int(self._place[stream])
        return place >= 0 and bool(self._regular.quiet[place]) and self._is_known(place)

    def nothing_is_wrong(self, stream: int) -> bool:
        """Whether all findings about a conversation are certainly TCP's."""
        place = int(self._place[stream])
        return place >= 0 and self._is_known(place)

    def _is_known(self, place: int) -> bool:
        block = self.block(place)
        number = place - block.block.begin
        return block.silent[number] or block.parsed[number] is not None or self.loose(place) is not None

    def judge(self, stream: int, until: float) -> bool | None:
        """The same of a large one: look at it up to that moment (`time.monotonic`); None: it takes longer."""
        place = int(self._place[stream])
        if place < 0 or not self._regular.quiet[place]:
            return False
        if stream not in self._large:
            self._large[stream] = _Gradual(self._index, self._regular, place, self._pieces)
        found = self._large[stream]
        while not isinstance(found, bool):
            if found.plain is None:
                found.go_on()
            if found.plain is not None:
                found = self._large[stream] = found.plain
            elif time.monotonic() >= until:
                return None
        return found

    def judged(self, stream: int) -> bool:
        """Whether it is known by now of a large one that there is certainly no finding about it."""
        return self._large.get(stream) is True

    def not_quiet(self, streams: Sequence[int]) -> Iterator[int]:
        """All others of some conversations."""
        places = self._place[np.array(streams, np.int64)]
        perhaps = places >= 0
        perhaps[perhaps] = self._regular.quiet[places[perhaps]]
        for stream, place, quiet in zip(streams, places.tolist(), perhaps.tolist(), strict=True):
            if not (quiet and self._is_known(place)):
                yield stream

    def perhaps(self, stream: int) -> bool:
        """Whether it may be that all is said turn by turn: it was not looked at, or is so."""
        place = int(self._place[stream])
        if place < 0:
            return True
        block = self.block(place)
        return block.parsed[place - block.block.begin] is not None
