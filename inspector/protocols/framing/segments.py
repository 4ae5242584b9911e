"""Where in a stream messages may begin: at the starts of segments, since programs begin one with a write.

For sniffers and for decoders that have to find their place again after a hole.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import islice

from inspector.wire.tcp.stream import ByteStream

_MOST = 256            # segments that are looked at
_SAMPLE = 1 << 16      # bytes that are searched in one go: so many are in memory meanwhile (stream.sampled)


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


def with_mark(stream: ByteStream, places: list[int], mark: re.Pattern[bytes], within: int) -> list[int]:
    """Of ascending places, all but those behind which `mark` certainly does not begin within so many bytes.

    Most of them are ruled out so in one search, where each would be read by itself.
    """
    count = bisect_right(places, stream.start + _SAMPLE - within)
    if count < 2:
        return places
    base = places[0]
    data = stream.read(base, places[count - 1] + within)
    marks = [match.start() + base for match in mark.finditer(data)]
    found = []
    for place in places[:count]:
        at = bisect_left(marks, place)
        if at < len(marks) and marks[at] < place + within:
            found.append(place)
    return found + places[count:]
