"""What lists say of each TCP conversation: its handshake, states, round trip, and what is spoken on it.

Regular conversations are told by columns (flows/together/), and by their bytes what they carry, many of them
at once, where a protocol can say so without being decoded; all others are decoded one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.numbers import TCP
from inspector.protocols import REGISTRY
from inspector.trace.application.plain import PlainBlock
from inspector.trace.flows.missing import missing_bytes
from inspector.trace.flows.together.patterns import regular
from inspector.wire.tcp.analysis import UNKNOWN_TIME
from inspector.wire.tcp.state import UNKNOWN

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import Handshake
    from inspector.trace.trace import Trace
    from inspector.wire.arrays import Int64s

_PLAIN = [(protocol.name, protocol.plain) for protocol in REGISTRY if protocol.plain is not None]


class Summary(NamedTuple):
    """One conversation; `application` "" while nothing is known; `rtt_ns` of the handshake.

    `missing`: bytes of each direction that the capture lacks.
    """

    handshake: Handshake
    states: tuple[str, str]
    rtt_ns: int | None
    missing: tuple[int, int]
    application: str
    inferred: bool


class Summaries:
    """Summaries of the conversations that a trace has now; those asked for in order cost least."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        index = trace.index
        self._plain = trace.known.plain_conversations()
        self._regular = found = regular(index) if self._plain is None else self._plain.regular
        self._place = np.full(len(index.streams[TCP]), -1, "i8")
        if not trace.fates:                        # what became of packets on the wire no column tells
            self._place[found.stream] = np.arange(len(found.stream))
        self._openings: dict[int, tuple[Handshake, tuple[str, str]]] = {}     # by pattern
        self._alike: dict[tuple[int, int], Summary] = {}         # by pattern and what is spoken
        self._round_trips = np.append(found.round_trip, UNKNOWN_TIME)     # by place; the last one of -1
        # The first place of the block that was read last, and what its conversations speak, by `_names`.
        self._named: tuple[int, Int64s] = (0, np.zeros(0, np.int64))
        self._names: dict[str, int] = {}
        self._cut_off: list[Int64s] | None = None       # bytes of each direction, by place

    def is_regular(self, stream: int) -> bool:
        """Whether all goes straight on in it, so that no packet stands twice."""
        return bool(self._place[stream] >= 0)

    def of(self, stream: int) -> Summary:
        """The summary of conversation `stream`."""
        (summary,), _, round_trips = self.many(np.array([stream]))
        round_trip = int(round_trips[0])
        return summary._replace(rtt_ns=None if round_trip == UNKNOWN_TIME else round_trip)

    def many(self, streams: Int64s) -> tuple[list[Summary], Int64s, Int64s]:
        """Summaries without round trips, which one of them each conversation has, and their round trips.

        Where all but the round trip is alike it is, mostly, one summary; UNKNOWN_TIME: there is no such trip.
        """
        places, regular = self._place[streams], self._regular
        round_trips, names = self._round_trips[places], self._names_of(places)
        found: list[Summary] = []
        which = np.empty(len(streams), np.int64)
        plain = (places >= 0) & (names >= 0)
        plain[plain] = regular.whole[places[plain]]
        kinds = regular.kind[places[plain]] << 32 | names[plain]
        _, first, which[plain] = np.unique(kinds, return_index=True, return_inverse=True)
        alike = np.flatnonzero(plain)[first].tolist()
        for number in alike + np.flatnonzero(~plain).tolist():
            stream, place, name = int(streams[number]), int(places[number]), int(names[number])
            if place >= 0:
                one = self._regular_one(stream, place, name)
            else:
                one = self._walked(stream)
                round_trips[number] = UNKNOWN_TIME if one.rtt_ns is None else one.rtt_ns
                one = one._replace(rtt_ns=None)
            if not plain[number]:
                which[number] = len(found)
            found.append(one)
        return found, which, round_trips

    def _walked(self, stream: int) -> Summary:
        """Of a conversation that is not regular."""
        midway = None if self._plain is None else self._plain.midway
        at = -1 if midway is None else midway.at(stream)
        if midway is not None and at >= 0:
            state = "ESTABLISHED" if midway.proven[at] else UNKNOWN
            missing = (0, 0) if midway.whole[at] else self._missing(stream)
            return Summary("missing", (state, state), None, missing, *self._decoded(stream))
        flow = self._trace.flow(stream)
        return Summary(flow.handshake, flow.state, flow.rtt_ns, self._missing(stream), *self._decoded(stream))

    def _regular_one(self, stream: int, place: int, name: int) -> Summary:
        """Of a regular conversation; `name`: what it speaks, by `_names`, -1: it has to be decoded."""
        kind, whole = int(self._regular.kind[place]), bool(self._regular.whole[place])
        if whole and (kind, name) in self._alike:
            return self._alike[kind, name]
        opening = self._openings.get(kind)
        if opening is None:
            flow = self._trace.flow(stream)
            opening = self._openings[kind] = flow.handshake, flow.state
        missing = (0, 0) if whole else self._lacking(place)
        loose = None if self._plain is None or name >= 0 else self._plain.loose(place)
        if loose is not None:
            return Summary(*opening, None, missing, loose.protocol.name, False)
        if name >= 0:
            found = Summary(*opening, None, missing, list(self._names)[name], False)
            if whole:
                self._alike[kind, name] = found
            return found
        application = self._trace.application(stream)      # its turns are no protocol's that can be scanned
        return Summary(*opening, None, missing, application.protocol, application.inferred)

    def _names_of(self, places: Int64s) -> Int64s:
        """What regular conversations speak, by `_names`; -1: it has to be decoded, or is not regular."""
        found = np.full(len(places), -1, np.int64)
        if self._plain is None:
            return found
        left = np.flatnonzero(places >= 0)
        while len(left):
            begin, names = self._named
            here = places[left] - begin
            inside = (here >= 0) & (here < len(names))
            found[left[inside]] = names[here[inside]]
            left = left[~inside]
            if len(left):
                block = self._plain.block(int(places[left[0]]))
                self._named = block.block.begin, self._numbers_of(block)
        return found

    def _numbers_of(self, block: PlainBlock) -> Int64s:
        """What the conversations of a block speak, by `_names`, which takes what is new to it."""
        numbers, found = self._names, []
        first = block.protocol[0]
        if first is not None and block.protocol.count(first) == len(block.protocol):
            return np.full(len(block.protocol), numbers.setdefault(first.name, len(numbers)), np.int64)
        for number, protocol in enumerate(block.protocol):
            name = protocol.name if protocol is not None else _name(block, number)
            found.append(-1 if name is None else numbers.setdefault(name, len(numbers)))
        return np.array(found, np.int64)

    def _lacking(self, place: int) -> tuple[int, int]:
        """How much of each direction of a regular conversation was cut off, as all was captured."""
        if self._cut_off is None:
            index, regular = self._trace.index, self._regular
            size, rows = index.payload_length.astype(np.int64), regular.rows
            lacks = np.where(size > 0, np.clip(size + index.payload - index.cap_len, 0, size), 0)[rows]
            sums = [np.concatenate(([0], np.cumsum(np.where(mine, lacks, 0))))
                    for mine in (~regular.reverse, regular.reverse)]
            self._cut_off = [one[regular.last] - one[regular.first] for one in sums]
        a, b = self._cut_off
        return int(a[place]), int(b[place])

    def _missing(self, stream: int) -> tuple[int, int]:
        flow = self._trace.flow(stream)
        return missing_bytes(self._trace, flow, 0), missing_bytes(self._trace, flow, 1)

    def _decoded(self, stream: int) -> tuple[str, bool]:
        if self._trace.known.is_strange(stream):
            return "", False
        found = None if self._plain is None else self._trace.known.exchanged(stream)
        if found is not None and found.protocol[0] is not None:
            return found.protocol[0].name, False
        application = self._trace.application(stream)
        return application.protocol, application.inferred


def _name(plain: PlainBlock, number: int) -> str | None:
    """What conversation `number` of a block speaks, "" where it is silent; None: it has to be decoded.

    No protocol knew its turns.
    """
    block = plain.block
    if not block.known[number] or plain.silent[number]:
        return "" if plain.silent[number] else None
    first, last = block.bounds[number : number + 2]
    back = bool(block.back[block.turns[first]])          # which end speaks first
    ends = b"".join(block.sent[first:last:2]), b"".join(block.sent[first + 1 : last : 2])
    asked, answered = ends[::-1] if back else ends
    return next((name for name, is_plain in _PLAIN if is_plain(asked, answered)), None)
