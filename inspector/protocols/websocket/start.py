"""Where in a TCP conversation WebSocket begins when its upgrade was not captured, and where it goes on.

Looks at the first bytes of both streams; after a hole, at the starts of segments.
"""

from __future__ import annotations

from inspector.protocols.api import GUESSED, Opening, Start
from inspector.protocols.framing.segments import ends_before, starts_between
from inspector.protocols.websocket.guess import (
    SAMPLE,
    Sample,
    frames_follow,
    guess_websocket,
    may_follow,
    reach,
)
from inspector.wire.tcp.stream import ByteStream


def sniff(opening: Opening) -> Start | None:
    """WebSocket by its framing alone."""
    first, second = opening.streams
    if not (_perhaps(first) and _perhaps(second)):
        return None
    guess = guess_websocket((_sample(first), _sample(second)))
    return Start(guess.client, guess.starts, GUESSED) if guess is not None else None


def _perhaps(stream: ByteStream) -> bool:
    """Whether it is worth it to look at all of a sample."""
    start, ends = stream.start, ends_before(stream, stream.start + SAMPLE)
    return may_follow(Sample(start, stream.read(start, min(reach(start, ends), start + SAMPLE)), ends))


def next_frame(stream: ByteStream, offset: int, masked: bool) -> int:
    """Where after lost bytes a frame begins, by the same rules as a guess; else the end of what there is."""
    stop = stream.contiguous_from(offset)
    starts = starts_between(stream, offset, stop)
    for start in starts:
        sample = Sample(start, stream.read(start, min(stop, start + SAMPLE)), starts)
        if frames_follow(sample, start, masked):
            return start
    return stop


def _sample(stream: ByteStream) -> Sample:
    start = stream.start
    return Sample(start, stream.read(start, start + SAMPLE), ends_before(stream, start + SAMPLE))
