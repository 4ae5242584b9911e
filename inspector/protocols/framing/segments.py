"""Where in a stream messages may begin: at the starts of segments, since programs begin one with a write.

For sniffers and for decoders that have to find their place again after a hole.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice

from inspector.wire.tcp.stream import ByteStream

_MOST = 256            # segments that are looked at


def starts_between(stream: ByteStream, offset: int, stop: int) -> list[int]:
    """Offsets at which segments begin in [offset, stop), ascending."""
    return [piece.offset for piece in islice(stream.pieces(offset, stop), _MOST)]


def ends_before(stream: ByteStream, stop: int) -> list[int]:
    """Offsets at which segments end, from the stream's start to `stop` or the first hole, ascending."""
    ends = stream.segment_ends()
    if not ends or stop >= ends[-1]:
        return ends
    if stop <= stream.start:
        return []
    return [*ends[: bisect_left(ends, stop)], stop]
