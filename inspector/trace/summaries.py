"""What lists say of each TCP conversation: its handshake, states, round trip, and what is spoken on it.

Regular conversations are told by columns (flows/patterns.py), and by their bytes what they carry, many of
them at once, where a protocol can say so without being decoded; all others are decoded one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.numbers import TCP
from inspector.protocols import REGISTRY
from inspector.trace.application.plain import PlainBlock
from inspector.trace.flows.missing import missing_bytes
from inspector.trace.flows.patterns import regular
from inspector.wire.tcp.analysis import UNKNOWN_TIME

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import Handshake
    from inspector.trace.trace import Trace

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
        name = None if self._plain is None else _name(self._plain.block(place), place)
        spoken = self._decoded(stream) if name is None else (name, False)
        missing = (0, 0) if self._regular.whole[place] else self._missing(stream)
        return Summary(*found, None if rtt == UNKNOWN_TIME else rtt, missing, *spoken)

    def _missing(self, stream: int) -> tuple[int, int]:
        flow = self._trace.flow(stream)
        return missing_bytes(self._trace, flow, 0), missing_bytes(self._trace, flow, 1)

    def _decoded(self, stream: int) -> tuple[str, bool]:
        found = None if self._plain is None else self._trace.exchanged(stream)
        if found is not None and found.protocol[0] is not None:
            return found.protocol[0].name, False
        application = self._trace.application(stream)
        return application.protocol, application.inferred


def _name(plain: PlainBlock, place: int) -> str | None:
    """What the regular conversation at `place` speaks, "" where it is silent; None: it has to be decoded."""
    block = plain.block
    number = place - block.begin
    protocol = plain.protocol[number]
    if protocol is not None:
        return protocol.name
    if not block.known[number] or plain.silent[number]:
        return "" if plain.silent[number] else None
    first, last = block.bounds[number : number + 2]
    back = bool(block.back[block.turns[first]])          # which end speaks first
    ends = b"".join(block.sent[first:last:2]), b"".join(block.sent[first + 1 : last : 2])
    asked, answered = ends[::-1] if back else ends
    return next((name for name, is_plain in _PLAIN if is_plain(asked, answered)), None)
