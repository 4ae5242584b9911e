"""One end of a TCP connection as its own packets show it: numbers, window, and what is not acknowledged yet.

`Side` is what `tcp_analysis` keeps of each end between packets; numbers are relative to the end's first, and
compared modulo 2^32 (RFC 9293 section 3.4).
"""

from __future__ import annotations

from collections import deque

from inspector.wire.tcp_flags import ACK, SYN

MASK = 0xFFFFFFFF
HALF = 0x80000000
MOST_SEGMENTS = 10_000           # unacknowledged segments remembered for each end


class Segment:
    """A segment that was not acknowledged yet."""

    __slots__ = ("next", "seq", "time")

    def __init__(self, seq: int, following: int, time: int) -> None:
        self.seq, self.next, self.time = seq, following, time


class Side:
    """What one end has sent so far; numbers relative to `base`, 0 for "nothing yet" as in Wireshark."""

    __slots__ = ("ack", "ack_time", "base", "count_duplicate", "disorder", "first_duplicate", "flags",
                 "known", "limit", "next", "next_time", "opened", "position", "reach", "scale", "segments",
                 "syn_seen", "tracked", "window")

    def __init__(self) -> None:
        self.base = 0                # the raw number that is relative 0, once `known`
        self.known = False
        self.next = 0                # highest sequence number sent, plus one
        self.next_time = 0
        self.reach = 0               # the highest that may be acknowledged without a hole
        self.ack = 0
        self.ack_time = 0
        self.window = 0
        self.scale = -1
        self.limit = -1              # the edge of its announced window; -1: unknown
        self.flags = 0               # of its last packet
        self.count_duplicate = 0
        self.first_duplicate = 0     # position of the packet that later ones repeat
        self.position = -1           # of its last packet
        self.syn_seen = False
        self.opened = False          # sent a SYN without ACK
        self.tracked = True          # bytes in flight are known
        self.disorder = False        # segments are not in order of sequence numbers
        self.segments: deque[Segment] = deque()


def set_bases(sender: Side, receiver: Side, flags: int, seq: int, ack: int) -> None:
    if not sender.known:
        sender.base, sender.known = seq if flags & SYN else (seq - 1) & MASK, True
    if not receiver.known and flags & ACK:
        receiver.base, receiver.known = (ack - 1) & MASK, True


def remember(sender: Side, seq: int, end: int, time: int) -> int:
    """Keep a segment until it is acknowledged; returns `end`."""
    segments = sender.segments
    if len(segments) < MOST_SEGMENTS:
        if segments and not (end - segments[-1].next & MASK) < HALF:
            sender.disorder = True
        segments.append(Segment(seq, end, time))
    return end


def acknowledge(receiver: Side, ack: int, time: int) -> int:
    """Forget what `ack` covers; the time since the segment that it covers exactly was sent, or -1."""
    segments = receiver.segments
    rtt = -1
    if receiver.disorder:
        kept = []
        for segment in segments:
            if segment.next == ack and rtt < 0:
                rtt = time - segment.time
            if 0 < (segment.next - ack & MASK) < HALF:
                kept.append(segment)
        receiver.segments = deque(kept)
        receiver.disorder = bool(kept)
        return rtt
    while segments:
        segment = segments[0]
        if 0 < (segment.next - ack & MASK) < HALF:
            if (ack - segment.seq & MASK) < HALF:
                segment.seq = ack
            break
        if segment.next == ack and rtt < 0:
            rtt = time - segment.time
        segments.popleft()
    receiver.tracked = True
    return rtt


def bytes_in_flight(sender: Side) -> int:
    segments = sender.segments
    if not segments or not sender.tracked:
        return -1
    if not sender.disorder:
        return segments[-1].next - segments[0].seq & MASK
    first = segments[0].seq
    lowest = min((segment.seq - first + HALF) & MASK for segment in segments)
    highest = max((segment.next - first + HALF) & MASK for segment in segments)
    return highest - lowest


def was_sent(sender: Side, seq: int, end: int) -> bool:
    """A segment that is not acknowledged yet holds all of these bytes."""
    return any((seq - segment.seq & MASK) < HALF and (segment.next - end & MASK) < HALF
               for segment in sender.segments)
