"""What lists say of each TCP conversation: its handshake, states, round trip, and what is spoken on it.

Regular conversations are told by columns (flows/patterns.py), and by their bytes what they carry, many of
them at once, where a protocol can say so without being decoded; all others are decoded one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.numbers import TCP
from inspector.protocols import REGISTRY
from inspector.trace.application import decode_as
from inspector.trace.flows.missing import missing_bytes
from inspector.trace.flows.patterns import regular
from inspector.wire.tcp.analysis import UNKNOWN_TIME

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import Handshake
    from inspector.trace.trace import Trace

_BLOCK = 256             # conversations whose bytes are read together,
_BYTES = 1 << 16        # where each has at most so many
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
        self._regular = found = regular(index)
        self._place = np.full(len(index.streams[TCP]), -1, "i8")
        self._place[found.stream] = np.arange(len(found.stream))
        self._openings: dict[bytes, tuple[Handshake, tuple[str, str]]] = {}     # by pattern
        self._begin = 0                          # of the conversations whose bytes were read last
        self._names: list[str | None] = []

    def of(self, stream: int) -> Summary:
        """The summary of conversation `stream`."""
        place = int(self._place[stream])
        if place < 0:
            flow = self._trace.flow(stream)
            return Summary(flow.handshake, flow.state, flow.rtt_ns, self._missing(stream),
                           *self._decoded(stream))
        pattern, found = self._regular.pattern[place], self._openings.get(self._regular.pattern[place])
        if found is None:
            flow = self._trace.flow(stream)
            found = self._openings[pattern] = flow.handshake, flow.state
        rtt = int(self._regular.round_trip[place])
        if not self._begin <= place < self._begin + len(self._names):
            self._begin, self._names = place, self._spoken(place)
        name = self._names[place - self._begin]
        spoken = self._decoded(stream) if name is None or decode_as.stamp() else (name, False)
        missing = (0, 0) if self._regular.whole[place] else self._missing(stream)
        return Summary(*found, None if rtt == UNKNOWN_TIME else rtt, missing, *spoken)

    def _missing(self, stream: int) -> tuple[int, int]:
        flow = self._trace.flow(stream)
        return missing_bytes(self._trace, flow, 0), missing_bytes(self._trace, flow, 1)

    def _decoded(self, stream: int) -> tuple[str, bool]:
        application = self._trace.application(stream)
        return application.protocol, application.inferred

    def _spoken(self, begin: int) -> list[str | None]:
        """What regular conversations from number `begin` on speak; None where it has to be decoded."""
        found, index = self._regular, self._trace.index
        first, last = found.first[begin : begin + _BLOCK], found.last[begin : begin + _BLOCK]
        counts = last - first
        owner = np.repeat(np.arange(len(first)), counts)
        places = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + first[owner]
        rows, lengths = found.rows[places], index.payload_length[found.rows[places]].astype("i8")
        small = np.bincount(owner, lengths, len(first)) <= _BYTES
        small &= found.whole[begin : begin + _BLOCK]
        carries = np.flatnonzero((lengths > 0) & small[owner])
        rows, lengths = rows[carries], lengths[carries]
        pieces = self._trace.pieces(rows, index.payload[rows].astype("i8"), lengths)
        said: list[tuple[list[bytes], list[bytes]]] = [([], []) for _ in range(len(first))]
        lost = set()
        for number, back, length, piece in zip(
            owner[carries].tolist(), found.reverse[places[carries]].tolist(), lengths.tolist(), pieces,
            strict=True,
        ):
            said[number][back].append(piece)
            if len(piece) < length:
                lost.add(number)
        known = small.tolist()
        return [_name(*map(b"".join, both)) if known[number] and number not in lost else None
                for number, both in enumerate(said)]


def _name(asked: bytes, answered: bytes) -> str | None:
    """The protocol of all that a and b said; "" of nothing, None where it is not plain."""
    if not asked and not answered:
        return ""
    return next((name for name, plain in _PLAIN if plain(asked, answered)), None)
