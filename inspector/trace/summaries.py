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
        self._plain = trace.plain_conversations()
        self._regular = found = regular(index) if self._plain is None else self._plain.regular
        self._place = np.full(len(index.streams[TCP]), -1, "i8")
        self._place[found.stream] = np.arange(len(found.stream))
        self._openings: dict[bytes, tuple[Handshake, tuple[str, str]]] = {}     # by pattern
        self._alike: dict[tuple[bytes, str], Summary] = {}         # by pattern and what is spoken
        self._round_trips = np.append(found.round_trip, UNKNOWN_TIME)     # by place; the last one of -1
        # The first place of the block that was read last, and what its conversations speak.
        self._named: tuple[int, list[str | None]] = (0, [])

    def is_regular(self, stream: int) -> bool:
        """Whether all goes straight on in it, so that no packet stands twice."""
        return bool(self._place[stream] >= 0)

    def of(self, stream: int) -> Summary:
        """The summary of conversation `stream`."""
        (summary,), (round_trip,) = self.many(np.array([stream]))
        return summary._replace(rtt_ns=None if round_trip == UNKNOWN_TIME else round_trip)

    def many(self, streams: Int64s) -> tuple[list[Summary], list[int]]:
        """Summaries of many without their round trips, and these; UNKNOWN_TIME where there is none.

        Where all but the round trip is alike it is, mostly, one and the same summary.
        """
        places = self._place[streams]
        round_trips, listed = self._round_trips[places].tolist(), places.tolist()
        names, patterns, alike = self._names_of(listed), self._regular.pattern, self._alike
        known = [alike.get((patterns[place], name)) if name is not None else None
                 for place, name in zip(listed, names, strict=True)]
        found = []
        for number, one in enumerate(known):
            if one is None:
                stream, place = int(streams[number]), listed[number]
                if place < 0:
                    one = self._walked(stream)
                    round_trips[number] = UNKNOWN_TIME if one.rtt_ns is None else one.rtt_ns
                    one = one._replace(rtt_ns=None)
                else:
                    one = self._regular_one(stream, place, patterns[place], names[number])
            found.append(one)
        return found, round_trips

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

    def _regular_one(self, stream: int, place: int, pattern: bytes, name: str | None) -> Summary:
        """Of a regular conversation; `name`: what it speaks, where that is known without decoding."""
        opening = self._openings.get(pattern)
        if opening is None:
            flow = self._trace.flow(stream)
            opening = self._openings[pattern] = flow.handshake, flow.state
        whole = bool(self._regular.whole[place])
        missing = (0, 0) if whole else self._missing(stream)
        if name is not None:
            found = Summary(*opening, None, missing, name, False)
            if whole:
                self._alike[pattern, name] = found
            return found
        application = self._trace.application(stream)      # its turns are no protocol's that can be scanned
        return Summary(*opening, None, missing, application.protocol, application.inferred)

    def _names_of(self, places: list[int]) -> list[str | None]:
        """What regular conversations speak; None: it has to be decoded, or (-1) it is not regular."""
        if self._plain is None:
            return [None] * len(places)
        found: list[str | None] = []
        begin, names = self._named
        stop = begin + len(names)
        for place in places:
            if place < 0:
                found.append(None)
                continue
            if not begin <= place < stop:
                block = self._plain.block(place)
                begin = block.block.begin
                names = [_name(block, number) for number in range(len(block.parsed))]
                stop, self._named = begin + len(names), (begin, names)
            found.append(names[place - begin])
        return found

    def _missing(self, stream: int) -> tuple[int, int]:
        flow = self._trace.flow(stream)
        return missing_bytes(self._trace, flow, 0), missing_bytes(self._trace, flow, 1)

    def _decoded(self, stream: int) -> tuple[str, bool]:
        found = None if self._plain is None else self._trace.exchanged(stream)
        if found is not None and found.protocol[0] is not None:
            return found.protocol[0].name, False
        application = self._trace.application(stream)
        return application.protocol, application.inferred


def _name(plain: PlainBlock, number: int) -> str | None:
    """What conversation `number` of a block speaks, "" where it is silent; None: it has to be decoded."""
    protocol = plain.protocol[number]
    if protocol is not None:
        return protocol.name
    block = plain.block
    if not block.known[number] or plain.silent[number]:
        return "" if plain.silent[number] else None
    first, last = block.bounds[number : number + 2]
    back = bool(block.back[block.turns[first]])          # which end speaks first
    ends = b"".join(block.sent[first:last:2]), b"".join(block.sent[first + 1 : last : 2])
    asked, answered = ends[::-1] if back else ends
    return next((name for name, is_plain in _PLAIN if is_plain(asked, answered)), None)
