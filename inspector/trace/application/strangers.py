"""Short conversations in which nothing that is known is spoken, told without a flow and a decoder of each.

Columns say which are short; what these carry is read many at a time, in the order of the file, and put into
streams as ever, at which the sniffers look. Whom none of them knows has no layer, whatever TCP does in it: it
is told as if it had been decoded. A small file holds thousands of such, of one packet each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.numbers import FIN, RST, SYN
from inspector.model.packets import Row, first_rows
from inspector.protocols import REGISTRY
from inspector.protocols.api import Opening
from inspector.trace.application.engine import surest
from inspector.trace.flows.tcp_streams import Segment, extend_few
from inspector.trace.flows.together.columns import TcpColumns
from inspector.trace.flows.together.spoken import Pieces, ranges
from inspector.wire.tcp.stream import ByteStream

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.wire.arrays import Bools, Int64s

_PACKETS, _BYTES = 16, 2048       # of a conversation, at most: so many bytes a stream keeps
_FEW, _MANY = 64, 4096            # conversations read together: at first, and of those asked for in order
_PLAIN = 14                      # bytes by which a plain exchange is told; fewer may be anybody's
_LONG, _OPEN, _STRANGE, _KNOWN = 0, 1, 2, 3       # what is found out of a conversation; _OPEN: nothing as yet
_SCANS = [protocol.scan for protocol in REGISTRY if protocol.scan is not None]
_SNIFFERS = [protocol for protocol in REGISTRY if protocol.sniff is not None]


class _Read(NamedTuple):
    """Some conversations that were read: of number i the segments `bounds[i]` to before `bounds[i + 1]`.

    Each one's row is its place among `pieces`; `whole`: no piece is shorter than it was captured.
    """

    bounds: list[int]
    back: list[bool]
    segments: list[Segment]
    pieces: list[bytes]
    whole: bool

    def streams(self, number: int) -> tuple[ByteStream, ByteStream]:
        """Both streams of a conversation."""
        mine: tuple[list[Segment], list[Segment]] = ([], [])
        for place in range(self.bounds[number], self.bounds[number + 1]):
            mine[self.back[place]].append(self.segments[place])
        both = ByteStream(self._fetch), ByteStream(self._fetch)
        extend_few(both, mine)
        return both

    def _fetch(self, row: Row, start: int, length: int) -> bytes:
        return self.pieces[row][start : start + length]


_NONE = _Read([0], [], [], [], True)


class Strangers:
    """The strange ones of the short conversations that an index has; those asked for in order cost least.

    `rows`, `reverse`: of all TCP packets, conversation by conversation, and whether b sent them.
    """

    def __init__(self, index: Index, columns: TcpColumns, pieces: Pieces) -> None:
        self._index, self._pieces = index, pieces
        self.rows, self.reverse = columns.rows, columns.reverse
        starts, stops, carries = columns.starts, columns.stops, columns.length > 0
        count = len(starts)
        size = np.bincount(columns.group, columns.length, count)
        good = (stops - starts <= _PACKETS) & (size <= _BYTES) & ~columns.having(~columns.readable(index))
        stream = index.stream[columns.rows[starts]]
        self._stream: Int64s = stream[good].astype("i8")             # ascending, and places of their packets
        self._first, self._last = starts[good], stops[good]
        self._state = np.zeros(int(stream.max(initial=-1)) + 1, np.uint8)
        carrying = columns.having(carries)
        self._state[stream[good]] = np.where(carrying, _OPEN, _STRANGE)[good]
        alone = good & (stops - starts == 1) & (columns.flags[starts] & RST == 0) & (not len(index.quoted))
        self._alone = np.zeros(len(self._state), np.bool_)
        self._alone[stream[alone]] = True
        self._begin, self._read = 0, _NONE             # the place of the first one that was read
        self._times = 1

    def has(self, stream: int) -> bool:
        """Whether nothing that is known is certainly spoken in a conversation."""
        found = self._state.item(stream)
        if found == _OPEN:
            found = self._state[stream] = self._look_at(int(np.searchsorted(self._stream, stream)))
        return bool(found == _STRANGE)

    def is_alone(self, stream: int) -> bool:
        """Whether a conversation is one packet, of which TCP has nothing to tell."""
        return bool(self._alone[stream])

    def are_alone(self, streams: Int64s) -> Bools:
        """The same of many."""
        found: Bools = self._alone[streams]
        return found

    def packets(self, streams: Int64s) -> tuple[Int64s, Int64s]:
        """Where the packets of some strange conversations begin among `rows`, and where they end."""
        places = np.searchsorted(self._stream, streams)
        return self._first[places], self._last[places]

    def _look_at(self, place: int) -> int:
        number = place - self._begin
        if not 0 <= number < len(self._read.bounds) - 1:
            self._times = min(2 * self._times, _MANY // _FEW) if number == len(self._read.bounds) - 1 else 1
            self._begin, self._read = place, _NONE
            self._read, number = self._read_from(place), 0
        if not self._read.whole or self._begins_known(number):       # (or the file became shorter)
            return _KNOWN
        streams, index = self._read.streams(number), self._index
        first = self.rows.item(self._first.item(place))
        ports = index.sport.item(first), index.dport.item(first)
        return _STRANGE if surest(_SNIFFERS, Opening(streams, ports)) is None else _KNOWN

    def _begins_known(self, number: int) -> bool:
        """Whether the first words are so much of a plain exchange that sniffers need not say so."""
        first, last = self._read.bounds[number], self._read.bounds[number + 1]
        begins = self._read.pieces[first] if first < last else b""
        return len(begins) >= _PLAIN and any(scan.begins(begins) for scan in _SCANS)

    def _read_from(self, place: int) -> _Read:
        """What the conversation at this place carries, and some behind it."""
        index, some = self._index, slice(place, place + self._times * _FEW)
        first, last = self._first[some], self._last[some]
        places = ranges(first, last)
        owner = np.repeat(np.arange(len(first)), last - first)
        rows = self.rows[places]
        flags = index.tcp_flags[rows]
        chosen = (index.payload_length[rows] > 0) | (flags & (SYN | FIN) != 0)
        rows, back, owner, flags = rows[chosen], self.reverse[places[chosen]], owner[chosen], flags[chosen]
        length, payload = index.payload_length[rows].astype(np.int64), index.payload[rows].astype(np.int64)
        captured = np.clip(index.cap_len[rows].astype(np.int64) - payload, 0, length)
        order = np.argsort(rows, kind="stable")
        pieces = [b""] * len(rows)
        read = self._pieces(rows[order], payload[order], captured[order])
        for at, piece in zip(order.tolist(), read, strict=True):
            pieces[at] = piece
        numbers, nothing = first_rows(len(rows)), [0] * len(rows)
        columns = (column.tolist() for column in (flags, index.seq[rows], length, captured))
        segments: list[Segment] = list(zip(numbers, *columns, nothing, strict=True))
        bounds = np.searchsorted(owner, np.arange(len(first) + 1)).tolist()
        return _Read(bounds, back.tolist(), segments, pieces, sum(map(len, pieces)) == int(captured.sum()))
