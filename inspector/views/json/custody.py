"""Where the bytes of TCP conversations are, as flat JSON objects: one a direction, a to b first.

As at the end of the trace; where a filter chooses packets, as at the last one of them in each conversation.
Regular conversations are told by columns (flows/together/sums.py), all others are walked one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.model.numbers import RST, TCP
from inspector.model.packets import Row, row_at
from inspector.trace.flows.together.patterns import regular
from inspector.trace.flows.together.sums import sums
from inspector.views.json.spread import Spread, parts_of, worth
from inspector.views.session.custody import (
    OVER,
    Custody,
    Known,
    OnTheWire,
    custody,
    custody_of,
    custody_sentences,
)
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.index.conversations import ConversationColumns
    from inspector.trace.trace import Trace

_encode: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=True).encode


def custodies(trace: Trace, rows: Int64s | None = None) -> Iterator[dict[str, Any]]:
    """Two objects a conversation (those of the packets `rows`)."""
    of = _Custodies(trace, rows)
    for part in parts_of(of.listed.packets):
        yield from of.objects(part)


def custody_lines(trace: Trace, rows: Int64s | None = None, spread: Spread = map) -> Iterator[list[str]]:
    """The same as JSON, some lines at a time."""
    of = _Custodies(trace, rows)
    packets = of.listed.packets
    yield from worth(trace, of.listed.stream, packets, spread)(of.lines, parts_of(packets))


class _Custodies:
    """The conversations of a trace, each at the last of its packets that were chosen, or at the end."""

    def __init__(self, trace: Trace, rows: Int64s | None) -> None:
        self.trace, self.known = trace, Known(trace)
        self.listed: ConversationColumns = trace.conversation_columns("tcp")
        index = trace.index
        self._until: Int64s | None = None          # by conversation: row of the last packet that counts
        if rows is not None:
            mine = rows[(index.protocol[rows] == TCP) & (index.stream[rows] >= 0)]
            self._until = np.full(len(index.streams[TCP]), -1, np.int64)
            np.maximum.at(self._until, index.stream[mine], mine)
            self.listed = self.listed.taken(self._until[self.listed.stream] >= 0)
        plain = trace.known.plain_conversations()
        self._regular = found = regular(index) if plain is None else plain.regular
        self._sums = sums(index, found, None if self._until is None else self._until[found.stream])
        self._place = np.full(len(index.streams[TCP]), -1, np.int64)
        if not trace.fates:                        # what became of packets on the wire no column tells
            self._place[found.stream] = np.arange(len(found.stream))
        self._closed: dict[int, bool] = {}       # by pattern
        self._resets = np.zeros(len(index.streams[TCP]), np.bool_)
        of = index.stream[: index.count][(index.protocol[: index.count] == TCP)
                                         & (index.tcp_flags[: index.count] & RST != 0)]
        self._resets[of[of >= 0]] = True

    def objects(self, part: slice) -> Iterator[dict[str, Any]]:
        """Those of some of the conversations that are listed."""
        some = self.listed.taken(part)
        names, a, b, *_ = some.lists(self.trace.index)
        for stream, ends in zip(names, zip(a, b, strict=True), strict=True):
            for way in self._both(stream, ends):
                yield custody_object(way, stream)

    def lines(self, part: slice) -> list[str]:
        """The same as JSON; most captures tell no more of a conversation than its packets do."""
        some, sums, found = self.listed.taken(part), self._sums, []
        places = self._place[some.stream]
        sent, acknowledged = ([np.append(column, 0)[places].tolist() for column in both]     # the last of -1
                              for both in (sums.sent, sums.acknowledged))
        for number, (stream, a, b, *_) in enumerate(zip(*some.lists(self.trace.index), strict=True)):
            place = int(places[number])
            if place < 0 or self.known.speaks_of(a, b):
                found += [_encode(custody_object(way, stream)) for way in self._both(stream, (a, b))]
                continue
            until = None if self._until is None else row_at(self._until, stream)
            is_closed = self._is_closed(stream, place, until)
            if is_closed and any(there[number] > known[number]
                                 for there, known in zip(sent, acknowledged, strict=True)):
                found += [_encode(custody_object(way, stream)) for way in self._both(stream, (a, b))]
                continue
            gone = "true" if is_closed else "false"
            for side, (sender, receiver) in enumerate(((a, b), (b, a))):
                there, known = sent[side][number], acknowledged[side][number]
                found.append(
                    f'{{"tcp.stream": {stream}, "sender": "{sender}", "receiver": "{receiver}", '
                    f'"sent": {there}, "on_the_way": {there - known}, "acknowledged": {known}, '
                    f'"gone": {gone}, "text": []}}')
        return found

    def _both(self, stream: int, ends: tuple[str, str]) -> tuple[Custody, Custody]:
        until = None if self._until is None else row_at(self._until, stream)
        place = int(self._place[stream])
        found = self._sums
        # What a reset destroyed, and which packet it was, no column tells.
        if place < 0 or (self._resets[stream] and any(_pair(found.sent, place))):
            return custody(self.trace, stream, until, self.known)
        wire = OnTheWire(
            ends, _pair(found.opened, place), _pair(found.sent, place), _pair(found.acknowledged, place),
            (0, 0), int(found.last_ns[place]), self._is_closed(stream, place, until),
        )
        return custody_of(wire, self.known, self.known.moment(self.trace, until))

    def _is_closed(self, stream: int, place: int, until: Row | None) -> bool:
        """Whether both ends are closed then; one conversation of each pattern says so for all."""
        if not self._sums.closes[place]:
            return False
        if until is not None and not self._sums.whole[place]:
            return _are_over(self.trace.flow(stream).states(until))
        kind = int(self._regular.kind[place])
        if kind not in self._closed:
            self._closed[kind] = _are_over(self.trace.flow(stream).state)
        return self._closed[kind]


def _are_over(states: tuple[str, str]) -> bool:
    return all(state in OVER for state in states)


def _pair(columns: tuple[Any, Any], place: int) -> tuple[Any, Any]:
    return columns[0][place].item(), columns[1][place].item()


def custody_object(way: Custody, stream: int) -> dict[str, Any]:
    """The object of one direction; what is not known is not there."""
    counts = {
        "written": way.written, "unsent": way.unsent, "sent": way.sent, "on_the_way": way.on_the_way,
        "acknowledged": way.acknowledged, "unread": way.unread, "read": way.read,
        "receive_window": way.window,
    }
    found: dict[str, Any] = {"tcp.stream": stream, "sender": way.sender.address,
                             "receiver": way.receiver.address}
    for name, end in (("sender", way.sender), ("receiver", way.receiver)):
        if process := end.outside or end.owner:
            found[f"{name}_process"] = process
    found |= {key: int(count) for key, count in counts.items() if count is not None}
    if way.waits_ns:
        found["unread_ns"] = int(way.waits_ns)
    if way.beyond is not None:
        found["outside_unread"] = int(way.beyond.unread)
        if way.beyond.read is not None:
            found["outside_read"] = int(way.beyond.read)
        if way.beyond.waits_ns:
            found["outside_unread_ns"] = int(way.beyond.waits_ns)
    if way.in_queue is not None:
        found["sums_hold"] = not way.contradiction
    return found | {"gone": way.gone, "text": [text for text, _ in custody_sentences(way)]}
