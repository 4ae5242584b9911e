"""One end of a TCP connection as its own packets show it: numbers, window, and what is not acknowledged yet.

`Side` is what `tcp_analysis` keeps of each end between packets. Numbers are the wire's, compared modulo 2^32
(RFC 9293 section 3.4); 0 stands for "nothing yet", as in Wireshark.
"""

from __future__ import annotations

from collections import deque

MASK = 0xFFFFFFFF
HALF = 0x80000000
MOST_SEGMENTS = 10_000           # unacknowledged segments remembered for each end


class Segment:
    """A segment that was not acknowledged yet."""

    __slots__ = ("next", "seq", "time")

    def __init__(self, seq: int, following: int, time: int) -> None:
        self.seq, self.next, self.time = seq, following, time


class Side:
    """What one end has sent so far."""

    __slots__ = ("ack", "ack_time", "base", "count_duplicate", "disorder", "first_duplicate",
                 "flags", "limit", "next", "next_time", "plain_header", "reach", "sacked", "scale",
                 "segments", "told", "tracked", "window")

    def __init__(self) -> None:
        self.base: int | None = None  # the raw number that is relative 0
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
        self.tracked = True          # bytes in flight are known
        self.told = False            # that the other end acknowledged what was not captured
        self.disorder = False        # segments do not follow each other
        self.segments: deque[Segment] = deque()


def remember(sender: Side, seq: int, end: int, time: int) -> None:
    """Keep a segment until it is acknowledged."""
    segments = sender.segments
    if len(segments) < MOST_SEGMENTS:
        if segments and seq != segments[-1].next:
            sender.disorder = True
        segments.append(Segment(seq, end, time))


def acknowledge(receiver: Side, ack: int, time: int) -> int | None:
    """Forget what `ack` covers; the time since the segment that it covers exactly was sent."""
    segments = receiver.segments
    rtt: int | None = None
    if receiver.disorder:
        kept: deque[Segment] = deque()
        for segment in segments:
            if 0 < (segment.next - ack & MASK) < HALF:
                if 0 < (ack - segment.seq & MASK) < HALF:
                    segment.seq = ack
                kept.append(segment)
            elif segment.next == ack and rtt is None:
                rtt = time - segment.time
        receiver.segments = kept
        receiver.disorder = bool(kept)
        return rtt
    while segments:
        segment = segments[0]
        if 0 < (segment.next - ack & MASK) < HALF:
            if 0 < (ack - segment.seq & MASK) < HALF:
                segment.seq = ack
            break
        if segment.next == ack and rtt is None:
            rtt = time - segment.time
        segments.popleft()
    return rtt


def bytes_in_flight(sender: Side) -> int:
    """Sequence numbers sent and not acknowledged, holes included."""
    segments = sender.segments
    if not segments:
        return 0
    first = segments[0].seq
    if not sender.disorder:
        return segments[-1].next - first & MASK
    lowest = min((segment.seq - first + HALF) & MASK for segment in segments)
    highest = max((segment.next - first + HALF) & MASK for segment in segments)
    return highest - lowest
