"""One end of a TCP connection as its own packets show it: numbers, window, and what is not acknowledged yet.

`Side` is what `tcp_analysis` keeps of each end between packets. Numbers are the wire's, compared modulo 2^32
(RFC 9293 section 3.4); 0 stands for "nothing yet", as in Wireshark.
"""

from __future__ import annotations

from bisect import bisect_right

MASK = 0xFFFFFFFF
HALF = 0x80000000
MOST_SEGMENTS = 10_000           # unacknowledged segments remembered for each end
_NEAR = 4                        # among so many ordered by end stands the one with the lowest start


class Segment:
    """A segment that was not acknowledged yet."""

    __slots__ = ("next", "seq", "time")

    def __init__(self, seq: int, following: int, time: int) -> None:
        self.seq, self.next, self.time = seq, following, time


class Side:
    """What one end has sent so far."""

    __slots__ = (
        "ack",
        "ack_time",
        "asked",
        "base",
        "count_duplicate",
        "crossed",
        "first_duplicate",
        "flags",
        "hurried",
        "limit",
        "next",
        "next_time",
        "plain_header",
        "reach",
        "reported",
        "sacked",
        "scale",
        "segments",
        "tracked",
        "window",
    )

    def __init__(self) -> None:
        self.base: int | None = None  # the raw number that is relative 0
        self.asked = False           # its last SYN came without ACK
        self.crossed = False         # its last SYN answers one that crossed its own: a simultaneous open
        self.next = 0                # highest sequence number sent, plus one
        self.next_time = 0
        self.reach = 0               # the highest that may be acknowledged without a hole
        self.ack = 0
        self.ack_time = 0
        self.window = -1
        self.scale = -1
        self.limit = -1              # the edge of its announced window; -1: unknown
        self.flags = 0               # of its last packet
        self.plain_header = 20       # length of its headers without SACK
        self.sacked = 0              # bytes that its last packet reported beyond `ack`
        self.count_duplicate = 0
        self.first_duplicate = 0     # position of the packet that later ones repeat
        self.hurried = False         # likewise, and it has not repeated an acknowledgment since
        self.tracked = True          # bytes in flight are known
        self.reported = False            # that the other end acknowledged what was not captured
        self.segments: list[Segment] = []    # not acknowledged yet, ordered by their ends


def remember(sender: Side, seq: int, end: int, time: int) -> None:
    """Keep a segment until it is acknowledged; ordered by its end, of equals the older first."""
    segments = sender.segments
    if not segments or (end - segments[-1].next & MASK) < HALF:
        if len(segments) < MOST_SEGMENTS:
            segments.append(Segment(seq, end, time))
    elif len(segments) < MOST_SEGMENTS:
        origin = segments[-1].next - HALF
        at = bisect_right(segments, end - origin & MASK, key=lambda segment: segment.next - origin & MASK)
        segments.insert(at, Segment(seq, end, time))


def acknowledge(receiver: Side, ack: int, time: int) -> int | None:
    """Forget what `ack` covers; the time since the segment that it covers exactly was first sent."""
    segments = receiver.segments
    rtt: int | None = None
    count = 0
    for segment in segments:
        if 0 < (segment.next - ack & MASK) < HALF:
            break
        if segment.next == ack and rtt is None:
            rtt = time - segment.time
        count += 1
    if count:
        del segments[:count]
    for segment in segments[:_NEAR]:
        if 0 < (ack - segment.seq & MASK) < HALF:
            segment.seq = ack
    return rtt


def bytes_in_flight(sender: Side) -> int:
    """Sequence numbers sent and not acknowledged, holes included."""
    segments = sender.segments
    if not segments:
        return 0
    end = segments[-1].next
    if len(segments) == 1:
        return end - segments[0].seq & MASK
    return max(end - segment.seq & MASK for segment in segments[:_NEAR])
