"""Is this WebSocket? A guess from framing alone, for streams whose upgrade was not captured.

Each direction's bytes are followed as frames from a few places on (the stream's start, then the starts of
segments: endpoints begin a frame with a write). Every frame must be valid, one direction masked and the other
not; what chance would rarely give is counted in bits, and a guess needs many of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from inspector.protocols.websocket import frame as ws
from inspector.protocols.websocket.rules import CONTROL_LIMIT, shortest_form

SAMPLE = 1 << 16       # bytes of each direction that are looked at
PLACES = 16            # segment starts that are tried
_NEXT = 16             # bytes that hold a frame's header
BITS = 24              # evidence that a guess needs when masked frames were seen …
BITS_UNMASKED = 40     # … and when only unmasked ones were
_OPCODES = frozenset(ws.OPCODES)


class Sample(NamedTuple):
    """The first bytes of a direction, and the stream offsets at which segments begin (ascending)."""

    start: int
    data: bytes
    segments: Sequence[int]


class Guess(NamedTuple):
    """It is WebSocket: the client's direction, and where the first frame begins in each direction."""

    client: int
    starts: tuple[int, int]


class _Chain(NamedTuple):
    start: int
    bits: float
    masked: bool


def guess_websocket(samples: tuple[Sample, Sample]) -> Guess | None:
    """The guess, or None when there is too little evidence (as yet) or some against it."""
    best: Guess | None = None
    most = 0.0
    chains = tuple(_chains(sample) for sample in samples)
    for client in (0, 1):
        masked = max((c for c in chains[client] if c.masked), key=lambda c: c.bits, default=None)
        plain = max((c for c in chains[1 - client] if not c.masked), key=lambda c: c.bits, default=None)
        if (masked is None and samples[client].data) or (plain is None and samples[1 - client].data):
            continue
        bits = (masked.bits if masked else 0.0) + (plain.bits if plain else 0.0)
        if bits < (BITS if masked else BITS_UNMASKED) or bits <= most:
            continue
        starts = [samples[0].start, samples[1].start]
        if masked:
            starts[client] = masked.start
        if plain:
            starts[1 - client] = plain.start
        most, best = bits, Guess(client, (starts[0], starts[1]))
    return best


def frames_follow(sample: Sample, place: int, masked: bool) -> bool:
    """True when valid frames, one of them whole, are all that follows from stream offset `place` on."""
    chain = _follow(sample, place, {*sample.segments, sample.start + len(sample.data)})
    return chain is not None and chain.masked is masked and chain.bits > 0


def may_follow(sample: Sample) -> bool:
    """Whether frames may follow from one of the places on that are tried, by the bytes next to them."""
    return not sample.data or bool(_chains(sample))


def reach(start: int, segments: Sequence[int]) -> int:
    """Up to where bytes are needed to rule that out."""
    return _places(start, segments)[-1] + _NEXT


def _places(start: int, segments: Sequence[int]) -> list[int]:
    """Where frames are tried to begin."""
    behind = bisect_right(segments, start)
    return [start, *segments[behind : behind + PLACES - 1]]


def _chains(sample: Sample) -> list[_Chain]:
    ends = {*sample.segments, sample.start + len(sample.data)}
    found = (_follow(sample, place, ends) for place in _places(sample.start, sample.segments))
    return [chain for chain in found if chain is not None]


def _follow(sample: Sample, place: int, ends: set[int]) -> _Chain | None:
    """Read frames from `place` to the end of the sample; None as soon as one is not valid."""
    data, position = sample.data, place - sample.start
    bits, masked, fragmented = 0.0, None, False
    while position < len(data):
        parsed = ws.parse_header(data, position)
        if isinstance(parsed, int):
            break
        first, mask, length, form, header = parsed
        if masked is None:
            masked = mask
        if mask != masked or not _valid(first, length, form, fragmented):
            return None
        if not first & 8:
            fragmented = not first & 128
        stop = position + header + length
        if stop > len(data):
            break
        key = data[position + header - 4 : position + header] if mask else b""
        payload = ws.unmask(data[position + header : min(stop, position + header + 64)], key)
        text = first & 15 == ws.TEXT and not first & 0x70
        if text and not _is_text(payload):
            return None
        bits += _evidence(mask, text, payload, sample.start + stop in ends)
        position = stop
    return None if masked is None else _Chain(place, bits, masked)


def _valid(first: int, length: int, form: int, fragmented: bool) -> bool:
    opcode, fin, rsv = first & 15, first >= 128, first >> 4 & 7
    if opcode not in _OPCODES or form != shortest_form(length) or length >> 63:
        return False
    if opcode >= 8:
        return fin and not rsv and length <= CONTROL_LIMIT
    # RSV1 can be a compressed message; a continuation needs a start that was seen.
    return rsv == 0 if opcode == ws.CONTINUATION and fragmented else \
        opcode != ws.CONTINUATION and not fragmented and rsv in (0, ws.RSV1)


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.end == len(payload)
    return True


def _evidence(masked: bool, text: bool, payload: bytes, ends_segment: bool) -> float:
    if not payload:
        return 2.0 if ends_segment else 0.0
    bits = 3.0 + (4.0 if ends_segment else 0.0)
    if text:
        bits += min(len(payload), 12) if masked else min(len(payload) / 2, 6)
    return bits
