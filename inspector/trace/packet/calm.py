"""Packets of conversations in which TCP has nothing to tell, by columns: what is said of all of them.

Regular conversations, a block at a time (application/plain.py), and short ones of which nothing is known
(strangers.py) -> those that are plain, without a mark of TCP's analysis -> of their packets what the index
lacks: numbers from 0, windows in bytes, what each carries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from inspector.model.numbers import ACK, FIN, RST, SYN, TCP
from inspector.model.packets import rows_in
from inspector.trace.application.plain import PacketWords, PlainBlock, PlainConversations
from inspector.trace.flows.together.columns import previous
from inspector.trace.flows.together.spoken import ranges
from inspector.trace.packet.facts import preview_of
from inspector.trace.packet.info import PREVIEW, option_words, tcp_line
from inspector.trace.packet.protocol_names import NO_KIND, plain_kinds
from inspector.wire.arrays import Bools, Int64s, Objects
from inspector.wire.headers.read import CUT
from inspector.wire.tcp.options import parse_options

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.trace.trace import Trace

_UNKNOWN, _CALM, _OTHER = 0, 1, 2
_MASK, _MOST_SCALE, _KEPT = 0xFFFFFFFF, 14, 4096
_NOTHING: PacketWords = ("", ())
_Texts = tuple[PacketWords, PacketWords, PacketWords, PacketWords]


class _Packets(NamedTuple):
    """All packets of a block's conversations, one after the other; `owner`: which, `head`: its first."""

    rows: Int64s
    owner: Int64s
    head: Int64s
    reverse: Bools
    flags: Int64s
    length: Int64s


def _packets_of(index: Index, rows: Int64s, reverse: Bools, first: Int64s, last: Int64s) -> _Packets:
    """The packets of conversations, each of which has those from `first` to before `last` of the rows."""
    places, counts = ranges(first, last), last - first
    owner, mine = np.repeat(np.arange(len(first)), counts), rows[places]
    head = np.repeat(np.cumsum(counts) - counts, counts)
    return _Packets(mine, owner, head, reverse[places], index.tcp_flags[mine].astype("i8"),
                    index.payload_length[mine].astype("i8"))


def _nothing(count: int) -> Objects:
    found = np.empty(count, object)
    found.fill(_NOTHING)
    return found


class Calm:
    """Which packets of a trace that does not grow are calm; those asked for in order cost least."""

    def __init__(self, trace: Trace, plain: PlainConversations) -> None:
        index, streams = trace.index, len(trace.index.streams[TCP])
        self._trace, self._plain = trace, plain
        self._state = np.zeros(streams, np.uint8)
        self._base = np.zeros((2, streams), np.int64)        # the number that is 0, of what each end sends
        self._scale = np.zeros((2, streams), np.int64)       # of the windows that each end announces
        self._back = np.zeros(index.count, np.bool_)         # whether b sent the packet
        self._words = _nothing(index.count)
        self._kinds = np.full(index.count, NO_KIND, np.uint8)
        self._texts: dict[Any, _Texts] = {}
        self._odd = np.zeros(index.count, np.bool_)          # packets that have more to tell
        self._reused = np.zeros(index.count, np.bool_)       # SYNs on the ports of an earlier conversation
        for rows in (index.outer.row, index.quoted.row, np.array(list(trace.comments.rows), np.int64)):
            self._odd[rows] = True

    def look_at(self, rows: Int64s) -> Bools:
        """Which of these packets are calm: only of them the other methods tell."""
        index = self._trace.index
        carried: Bools = (index.protocol[rows] == TCP) & (index.stream[rows] >= 0)
        streams = np.where(carried, index.stream[rows], 0)
        if carried.any():
            strange: list[int] = []
            for stream in np.unique(streams[carried]).tolist():
                if self._state.item(stream) == _UNKNOWN:
                    place = self._plain.place(stream)
                    if place >= 0:
                        self._take(self._plain.block(place))
                    elif self._trace.known.is_strange(stream):
                        strange.append(stream)
                    else:
                        self._take_troubled(stream, self._trace.known.exchanged(stream))
            if strange:
                self._take_strange(np.array(strange, np.int64))
            carried &= (self._state[streams] == _CALM) & ~self._odd[rows]
        return carried

    def relative(self, rows: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Sequence and acknowledgment numbers from 0 on, and windows in bytes (RFC 7323 section 2.3)."""
        index, stream, back = self._trace.index, self._trace.index.stream[rows], self._back[rows].astype("i8")
        scale = np.where(index.tcp_flags[rows] & SYN != 0, 0, self._scale[back, stream])
        window: Int64s = np.left_shift(index.window[rows].astype("i8"), scale, dtype=np.int64)
        return ((index.seq[rows] - self._base[back, stream]) & _MASK,
                (index.ack[rows] - self._base[1 - back, stream]) & _MASK, window)

    def words(self, rows: Int64s) -> list[PacketWords]:
        """What each packet carries, and of which protocols it completes a record; of a SYN its options."""
        found: list[PacketWords] = self._words[rows].tolist()
        return found

    def reused(self, rows: Int64s) -> list[bool]:
        """Which packets are a SYN on the ports of an earlier conversation: calm ones have no other mark."""
        found: list[bool] = self._reused[rows].tolist()
        return found

    def kinds(self, rows: Int64s) -> list[int]:
        """The headers of each packet, as `protocol_names.KINDS` has them."""
        found: list[int] = self._kinds[rows].tolist()
        return found

    # --- a block ---------------------------------------------------------------------------------------

    def _take(self, block: PlainBlock) -> None:
        """Look at the conversations of a block."""
        regular, index = self._plain.regular, self._trace.index
        begin = block.block.begin
        span = slice(begin, begin + len(block.parsed))
        first, last, streams = regular.first[span], regular.last[span], regular.stream[span]
        packets = _packets_of(index, regular.rows, regular.reverse, first, last)
        rows, owner = packets.rows, packets.owner
        self._back[rows] = packets.reverse
        self._kinds[rows] = plain_kinds(self._trace, rows)
        self._open(packets, streams)
        plain = [found is not None or silent
                 for found, silent in zip(block.parsed, block.silent, strict=True)]
        calm = np.array(plain)
        begins = packets.head[np.append(True, owner[1:] != owner[:-1])]
        self._reused[rows[begins]] = [index.streams[TCP].reopened(one) for one in streams.tolist()]
        calm[owner[self._restless(packets, streams)]] = False
        self._state[streams] = np.where(calm, _CALM, _OTHER)
        self._take_in(block)

    def _take_troubled(self, stream: int, block: PlainBlock | None) -> None:
        """Look at a conversation in which TCP has something to tell of some packets; all others are calm."""
        trace, index = self._trace, self._trace.index
        self._state[stream] = _OTHER
        if block is None:
            return
        flow = trace.flow(stream)
        rows = flow.rows
        if len(rows) != len(trace.rows_of("tcp", stream)):
            return
        back = flow.directions(rows).astype("i8")
        for side in (0, 1):
            base, mine = flow.base(side), rows_in(rows[back == side])
            if mine and flow.base(side, mine[0]) != base:
                return                               # numbers began anew
            detail = flow.detail(mine[0]) if mine else None
            self._base[side, stream] = base or 0
            self._scale[side, stream] = 0 if detail is None else detail.scale or 0
        self._back[rows], self._kinds[rows] = back == 1, plain_kinds(trace, rows)
        self._take_in(block)
        marked, turns, carry = np.array(sorted(flow.flagged()), np.int64), block.block.turns, block.block.rows
        troubled = np.add.reduceat(np.isin(carry, marked), turns[:-1])
        odd = (index.status[rows] & ~np.uint8(CUT) != 0) | (self._kinds[rows] == NO_KIND)
        odd |= index.tcp_flags[rows] & SYN != 0
        odd |= (index.payload_length[rows] > 0) & ~np.isin(rows, carry)
        self._odd[rows[odd]] = self._odd[marked] = True
        self._odd[carry[np.repeat(troubled > 0, np.diff(turns))]] = True
        self._state[stream] = _CALM

    def _take_strange(self, streams: Int64s) -> None:
        """Look at conversations of which nothing is known: those that go straight on, or are one packet."""
        plain, strangers = self._plain, self._plain.strangers
        self._state[streams] = _OTHER
        straight = np.isin(streams, plain.midway.stream) | strangers.are_alone(streams)
        streams = streams[straight]
        if not len(streams) or self._trace.fates:
            return
        index, places = self._trace.index, strangers.packets(streams)
        packets = _packets_of(index, strangers.rows, strangers.reverse, *places)
        self._kinds[packets.rows] = plain_kinds(self._trace, packets.rows)
        begins = np.flatnonzero(np.append(True, packets.owner[1:] != packets.owner[:-1]))
        quiet = np.ones(len(streams), np.bool_)
        quiet[packets.owner[self._marked(packets, begins)]] = False
        self._begin_midway(packets, begins, streams)
        self._state[streams[quiet]] = _CALM
        self._preview(packets.rows[quiet[packets.owner] & (packets.length > 0)])

    def _marked(self, packets: _Packets, begins: Int64s) -> Bools:
        """Which packets of such conversations TCP's analysis has a mark for, or may have.

        Numbers of 0 stand for nothing there (wire/tcp/side.py), and those beside them are compared with it.
        """
        index, rows, flags, reverse = self._trace.index, packets.rows, packets.flags, packets.reverse
        seq, ack = index.seq[rows].astype("i8"), index.ack[rows].astype("i8")
        by_a, by_b = previous(~reverse, packets.head), previous(reverse, packets.head)
        own = np.where(reverse, by_b, by_a)
        odd: Bools = (packets.length == 0) & (own >= 0) & (ack == ack[own])
        odd |= (index.window[rows] == 0) | (flags & SYN != 0)
        odd |= (index.status[rows] & ~np.uint8(CUT) != 0) | (self._kinds[rows] == NO_KIND)
        for number in (seq, seq + packets.length, ack):
            odd |= (number + 1) & _MASK <= 1
        first = rows[begins]
        itself = (index.src[first] == index.dst[first]) & (index.sport[first] == index.dport[first])
        reopened = [index.streams[TCP].reopened(one) for one in index.stream[first].tolist()]
        odd[begins] |= itself | np.array(reopened)
        return odd

    def _begin_midway(self, packets: _Packets, begins: Int64s, streams: Int64s) -> None:
        """Note of conversations whose opening is not there from where numbers count: the first ones are 1."""
        index, first = self._trace.index, packets.rows[begins]
        self._base[0, streams] = (index.seq[first].astype("i8") - 1) & _MASK
        acks = index.tcp_flags[first] & ACK != 0
        self._base[1, streams] = np.where(acks, (index.ack[first].astype("i8") - 1) & _MASK, 0)
        self._back[packets.rows] = packets.reverse

    def _preview(self, rows: Int64s) -> None:
        """Note of packets that carry something that nobody knows what is told of them."""
        index, columns = self._trace.index, (*self.relative(rows),)
        sizes, starts = index.payload_length[rows].astype("i8"), index.payload[rows].astype("i8")
        there = np.clip(np.minimum(index.cap_len[rows] - starts, sizes), 0, 4 * PREVIEW)
        order = np.argsort(rows, kind="stable")
        pieces = self._trace.pieces(rows[order], starts[order], there[order])
        values = (column[order].tolist() for column in (
            rows, index.sport[rows], index.dport[rows], index.tcp_flags[rows], *columns, sizes))
        for piece, row, sport, dport, flags, seq, ack, window, size in zip(pieces, *values, strict=True):
            shown = preview_of(piece, size, PREVIEW)
            text = tcp_line(sport, dport, flags, seq, ack, window, size)
            self._words[row] = f"{text}  {shown}" if shown else text, ()

    def _open(self, packets: _Packets, streams: Int64s) -> None:
        """Note the first numbers of both ends, and their scales: both have one, or none (RFC 7323 2.2)."""
        index, opens = self._trace.index, np.flatnonzero(packets.flags & SYN != 0)
        rows, mine = packets.rows[opens], streams[packets.owner[opens]]
        back = packets.reverse[opens].astype("i8")
        self._base[back, mine] = index.seq[rows]
        start = index.l4[rows].astype("i8") + 20
        scales = []
        for row, field in zip(rows.tolist(), self._trace.pieces(
                rows, start, np.maximum(index.payload[rows].astype("i8") - start, 0)), strict=True):
            options = parse_options(field)
            words = [word for option in options.options for word in option_words(option.kind, option.data)]
            self._words[row] = "".join(f" {word}" for word in words), ()
            scales.append(-1 if options.scale is None else min(options.scale, _MOST_SCALE))
        self._scale[back, mine] = scales
        second = np.arange(len(packets.rows)) - packets.head == 1
        answers = np.flatnonzero((packets.flags & RST != 0) & second)
        resets = packets.rows[answers]             # in place of a SYN: numbers of its end begin with it
        self._base[1, streams[packets.owner[answers]]] = (index.seq[resets].astype("i8") - 1) & _MASK
        refused = (self._scale[:, streams] < 0).any(axis=0)
        self._scale[:, streams[refused]] = 0

    def _restless(self, packets: _Packets, streams: Int64s) -> Bools:
        """Which packets TCP's analysis has a mark for (or may have), or that have more in their headers."""
        index, rows, flags, reverse = self._trace.index, packets.rows, packets.flags, packets.reverse
        window, place = index.window[rows].astype("i8"), np.arange(len(rows))
        seq, ack = index.seq[rows].astype("i8"), index.ack[rows].astype("i8")
        by_a, by_b = previous(~reverse, packets.head), previous(reverse, packets.head)
        own, other = np.where(reverse, by_b, by_a), np.where(reverse, by_a, by_b)
        mine = streams[packets.owner]
        scale = np.where(flags & SYN != 0, 0, self._scale[reverse.astype("i8"), mine])
        limit = (ack + (window << scale)) & _MASK
        plain = flags & (SYN | FIN | RST) == 0
        last = np.append(packets.owner[1:] != packets.owner[:-1], True)
        odd: Bools = plain & (packets.length == 0) & (own >= 0) & (ack == ack[own])
        odd |= plain & (packets.length > 0) & (other >= 0) & ((seq + packets.length) & _MASK == limit[other])
        odd |= (window == 0) & (flags & RST == 0)
        odd |= (flags & RST != 0) & ~last
        odd |= (place - packets.head == 1) & (flags & (SYN | ACK) != SYN | ACK) & (flags & RST == 0)
        odd |= (index.status[rows] & ~np.uint8(CUT) != 0) | (self._kinds[rows] == NO_KIND)
        return odd

    def _take_in(self, block: PlainBlock) -> None:
        """Note of each packet that carries something what it says."""
        rows, turns, bounds = block.block.rows.tolist(), block.block.turns.tolist(), block.block.bounds
        for number, parsed in enumerate(block.parsed):
            if parsed is None:
                continue
            at = bounds[number]
            for one in parsed:
                start, stop = turns[at], turns[at + 1]
                at += 1
                whole, begins, goes_on, ends = self._texts.get(one) or self._texts_of(
                    block.protocol[number], one)
                if stop == start + 1:
                    self._words[rows[start]] = whole
                    continue
                self._words[rows[start]], self._words[rows[stop - 1]] = begins, ends
                for row in rows[start + 1 : stop - 1]:
                    self._words[row] = goes_on

    def _texts_of(self, protocol: Any, parsed: Any) -> _Texts:
        """What a packet with all of a record says; one that begins, goes on with, and ends it."""
        reader, names = protocol.scan.reader(), (protocol.name,)
        summary, short = reader.summary(parsed.record), reader.short(parsed.record)
        if len(self._texts) >= _KEPT:
            self._texts.clear()
        found = self._texts[parsed] = (summary, names), (summary, ()), (short, ()), (short, names)
        return found
