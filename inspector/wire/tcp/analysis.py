"""What each TCP packet does, by the names of Wireshark's TCP analysis (User's Guide, "TCP Analysis").

Columns of one conversation's packets go in, in batches and once; flags come out sparse (most packets have
none), round-trip times and bytes in flight as columns. The states of both ends are told in the same pass.
Where all goes straight on, a run of packets is taken by columns (straight.py); others are walked one by one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable

from inspector.model.numbers import ACK, FIN, RST, SYN
from inspector.model.packets import Row
from inspector.wire.tcp.flags import (
    ACK_LOST_SEGMENT,
    DUPLICATE_ACK,
    FAST_RETRANSMISSION,
    KEEP_ALIVE,
    KEEP_ALIVE_ACK,
    LOST_SEGMENT,
    OUT_OF_ORDER,
    RETRANSMISSION,
    REUSED_PORTS,
    SPURIOUS_RETRANSMISSION,
    WINDOW_FULL,
    WINDOW_UPDATE,
    ZERO_WINDOW,
    ZERO_WINDOW_PROBE,
    ZERO_WINDOW_PROBE_ACK,
)
from inspector.wire.tcp.options import TcpOptions
from inspector.wire.tcp.side import HALF, MASK, Side, acknowledge, bytes_in_flight, remember
from inspector.wire.tcp.state import TcpStates
from inspector.wire.tcp.straight import LEAST, UNKNOWN_TIME, Columns, Packet, Straight

__all__ = ["UNKNOWN_TIME", "Columns", "TcpAnalysis"]

_OPENING = SYN | FIN | RST
_TAKES_NUMBER = SYN | FIN
_FAST_NS = 20_000_000            # a fast retransmission follows its duplicate ACK within 20 ms
_REORDER_NS = 3_000_000          # what comes this soon is out of order, where no round trip is known
_UNSCALED = -2                   # window scaling was refused; -1: unknown
_TIMESTAMPS = 32                 # header length with the timestamps option alone
_FIRST, _STEP = 16, 4            # packets of a batch that are walked in any case, and until ends are in step


class TcpAnalysis:
    """The analysis of one conversation. `options` gives the parsed options of a packet by its row.

    `arrived_ns` tells of a packet, and when it was sent, when it arrived; None: it is known that it did not.
    """

    def __init__(self, options: Callable[[Row], TcpOptions],
                 arrived_ns: Callable[[Row, int], int | None] = lambda row, sent_ns: sent_ns) -> None:
        self._options, self._arrived_ns = options, arrived_ns
        self._sides = (Side(), Side())
        self.states = TcpStates()
        self._settled = False
        self.count = 0
        self.flags: dict[int, int] = {}                       # position -> bits
        self.duplicates: dict[int, tuple[int, int]] = {}      # position -> number, position of the first
        self.window_probes: set[int] = set()                  # positions: sent to a window of 0
        self.rtt_ns = array("q")                              # per packet; UNKNOWN_TIME: acknowledges none
        self.in_flight = array("q")                           # per packet; 0: unknown, or no payload
        self.initial_rtt_ns: int | None = None
        self._syn_time: int | None = None
        # Bases that were given up, and the row from which on: (rows, bases) for both directions.
        self._old_bases: tuple[tuple[list[Row], list[int]], ...] = (([], []), ([], []))

    def meets_itself(self) -> None:
        """The one socket of this connection is both its ends (a simultaneous open with itself)."""
        self._sides = (self._sides[0], self._sides[0])
        self.states = TcpStates(to_itself=True)

    def base(self, direction: int, row: Row | None = None) -> int | None:
        """The raw number that is relative 0 for what an end sends; None: nothing known of it.

        A SYN ACK with another ISN than the one before it begins anew; `row` asks for the base at a packet.
        """
        rows, bases = self._old_bases[direction]
        if row is not None and rows and row < rows[-1]:
            return bases[bisect_right(rows, row)]
        return self._sides[direction].base

    def scale(self, direction: int) -> int | None:
        """The shift of the windows an end announces (RFC 7323); None: unknown, since no SYN was captured."""
        scale = self._sides[direction].scale
        return None if scale == -1 else max(scale, 0)

    def feed(self, columns: Columns) -> None:
        """Take the next packets, in the order of the capture."""
        at, count = 0, len(columns.row)
        if count > _FIRST + LEAST:
            at = self._feed_runs(columns)
        self._walk(columns.packets(at, count))

    def _feed_runs(self, columns: Columns) -> int:
        """Take runs of packets in which all goes straight on, and those between them; how many were taken."""
        at, count = 0, len(columns.row)
        while at < count and (not at or not self._settled):
            self._walk(columns.packets(at, at + _FIRST))
            at += _FIRST
        if count - at < LEAST:
            return min(at, count)
        straight = Straight(columns, (self._sides[0].scale, self._sides[1].scale))
        for first, last in straight.runs(at):
            self._walk(columns.packets(at, first))
            at = first
            while self._settled and last - at >= LEAST:
                if straight.in_step(at, self._sides):
                    if straight.take(at, last, self._sides, self.count, self.rtt_ns, self.in_flight):
                        self.count += last - at
                        at = last
                    break
                self._walk(columns.packets(at, at + _STEP))
                at += _STEP
        return at

    def _walk(self, packets: Iterable[Packet]) -> None:
        """Take packets one by one."""
        sides, rtts, in_flight = self._sides, self.rtt_ns, self.in_flight
        position = self.count
        for packet in packets:
            row, direction, flags, seq, ack, length, window, time, header = packet
            sender, receiver = sides[direction], sides[1 - direction]
            opening = flags & _OPENING
            end = (seq + length) & MASK
            bits = 0
            unsettled = opening or not self._settled or not sender.next
            if unsettled:
                bits = self._see_opening(packet, sender, receiver)
            # Most packets are the next data, or acknowledge something new: nothing to say of them.
            if (
                opening or seq != sender.next or not window
                or (length < 2 and (length or ack == sender.ack))
                or 0 < (ack - receiver.reach & MASK) < HALF
                or (length and ((receiver.ack - end & MASK) < HALF or end == receiver.limit))
            ):
                bits |= self._judge(position, sender, receiver, flags, seq, ack, length, window, time)
                if bits:
                    self.flags[position] = bits
                # Linux probes with the byte before the next one, as a keep-alive does (RFC 9293 §3.8.6.1).
                if bits & (KEEP_ALIVE | ZERO_WINDOW_PROBE) and receiver.window == 0:
                    self.window_probes.add(position)
            if unsettled and flags & (SYN | ACK) == ACK:
                self._time_handshake(time)
            if ack != sender.ack:
                sender.first_duplicate, sender.count_duplicate, sender.reported = position, 0, False
                sender.hurried = False
            if length or opening & _TAKES_NUMBER:
                if opening & _TAKES_NUMBER:
                    end = (end + 1) & MASK
                remember(sender, seq, end, time)
            if not bits & ZERO_WINDOW_PROBE:
                if 0 < (end - sender.next & MASK) < HALF or not sender.next:
                    sender.next, sender.next_time = end, time
                if seq == sender.reach or not sender.reach:
                    sender.reach = sender.next
            sender.window, sender.ack, sender.ack_time, sender.flags = window, ack, time, bits
            scale = sender.scale
            if scale != -1:
                sender.limit = (ack + (window << scale if scale > 0 and not opening & SYN else window)) & MASK
            if header > sender.plain_header or sender.sacked:
                self._see_options(row, sender, header)
            rtt = None
            if flags & ACK:
                receiver.tracked = True
                if receiver.segments:
                    rtt = acknowledge(receiver, ack, time)
            rtts.append(UNKNOWN_TIME if rtt is None else rtt)
            flight = 0
            if length and sender.tracked:
                flight = max(bytes_in_flight(sender) - bool(opening & _TAKES_NUMBER) - receiver.sacked, 0)
            in_flight.append(flight)
            position += 1
        self.count = position

    def _time_handshake(self, time: int) -> None:
        if self._syn_time is not None and self.initial_rtt_ns is None:
            self.initial_rtt_ns = time - self._syn_time

    def _see_opening(self, packet: Packet, sender: Side, receiver: Side) -> int:
        """What SYN, FIN and RST say, and any packet until both ends are known to be ESTABLISHED."""
        row, direction, flags, seq, ack, length, _, time, header = packet
        bits = 0
        if sender.base is None:
            sender.base = seq if flags & SYN else (seq - 1) & MASK
        elif flags & (SYN | ACK) == SYN | ACK and sender.base != seq:
            rows, bases = self._old_bases[direction]
            rows.append(row)
            bases.append(sender.base)
            sender.base = seq
            bits = REUSED_PORTS
        if receiver.base is None and flags & ACK:
            receiver.base = (ack - 1) & MASK
        if self._settled:
            for end, side in enumerate(self._sides):
                if side.next:
                    self.states.note(end, side.next, side.ack)
        self.states.see(row, direction, flags, seq, ack, length, sent_ns=time,
                        arrived_ns=self._arrived_ns(row, time))
        self._settled = self.states.settled
        if flags & SYN:
            options = self._options(row) if header > 20 else None
            scale = None if options is None else options.scale
            sender.asked, sender.crossed = not flags & ACK, sender.asked and bool(flags & ACK)
            sender.scale = _UNSCALED if scale is None else min(scale, 14)
            if _UNSCALED in (sender.scale, receiver.scale):
                sender.scale = receiver.scale = _UNSCALED    # both or none (RFC 7323 section 2.2)
            if not flags & ACK:
                self._syn_time = time
        return bits

    def _see_options(self, row: Row, sender: Side, header: int) -> None:
        """Note what SACK reports, and how long headers without it are."""
        sender.sacked = 0
        if header > sender.plain_header:
            options = self._options(row)
            sender.sacked = sum(right - left & MASK for left, right in options.sack)
            if options.timestamp is not None and not options.sack:
                sender.plain_header = _TIMESTAMPS

    def _judge(self, position: int, sender: Side, receiver: Side, flags: int, seq: int, ack: int,
               length: int, window: int, time: int) -> int:
        """All the flags of one packet."""
        opening = flags & _OPENING
        if length == 1 and seq == sender.next and receiver.window == 0:
            bits = ZERO_WINDOW_PROBE
        else:
            bits = self._judge_window(sender, receiver, opening, seq, length, window)
            if not length and not opening and seq == sender.next and ack == sender.ack:
                bits |= self._judge_repetition(position, sender, receiver, window)
        if flags & ACK and receiver.reach and 0 < (ack - receiver.reach & MASK) < HALF:
            bits |= self._judge_lost_data(receiver)
        answers = opening & SYN and sender.crossed        # RFC 9293 section 3.5: the SYN, now with an ACK
        if (length or opening & _TAKES_NUMBER) and not bits & KEEP_ALIVE and not answers:
            bits |= self._judge_repeat_of_data(sender, receiver, opening, seq, length, time)
        return bits

    def _judge_lost_data(self, receiver: Side) -> int:
        """An acknowledgment of what was not captured: told once, until its receiver acknowledges news.

        Wireshark does not repeat it, counts duplicate ACKs anew, and takes what is repeated then as fast
        retransmission. Where a hole is known already, it is only told.
        """
        if receiver.reach != receiver.next:
            receiver.reach = receiver.next
            return ACK_LOST_SEGMENT
        reported, receiver.reported = receiver.reported or receiver.count_duplicate > 0, True
        receiver.hurried, receiver.count_duplicate = True, 0
        return 0 if reported else ACK_LOST_SEGMENT

    def _judge_window(self, sender: Side, receiver: Side, opening: int, seq: int, length: int,
                      window: int) -> int:
        bits = 0
        if not window and not opening:
            bits |= ZERO_WINDOW
        if sender.next and not opening & RST and 0 < (seq - sender.next & MASK) < HALF:
            bits |= LOST_SEGMENT
            sender.tracked = False
        if length <= 1 and not opening and seq == (sender.next - 1) & MASK:
            bits |= KEEP_ALIVE
        if length and not opening and (seq + length) & MASK == receiver.limit:
            bits |= WINDOW_FULL
        return bits

    def _judge_repetition(self, position: int, sender: Side, receiver: Side, window: int) -> int:
        """An empty segment with the numbers of the one before it from the same end."""
        if window != sender.window:
            return WINDOW_UPDATE if window else 0
        if window and receiver.flags & KEEP_ALIVE:
            return KEEP_ALIVE_ACK
        if not window:
            return ZERO_WINDOW_PROBE_ACK if receiver.flags & ZERO_WINDOW_PROBE else 0
        sender.count_duplicate += 1
        sender.hurried = False
        self.duplicates[position] = sender.count_duplicate, sender.first_duplicate
        return DUPLICATE_ACK

    def _judge_repeat_of_data(self, sender: Side, receiver: Side, opening: int, seq: int, length: int,
                              time: int) -> int:
        """Retransmission, its kinds, or out of order: data (or SYN, FIN) that does not go forward."""
        end = (seq + length) & MASK
        if length and receiver.ack and (receiver.ack - end & MASK) < HALF:
            return SPURIOUS_RETRANSMISSION | RETRANSMISSION
        if not sender.next or not 0 < (sender.next - seq & MASK) < HALF:
            return 0
        if length > 1 and seq == (sender.next - 1) & MASK:
            return 0                                      # new data after the byte of a probe
        if (receiver.ack == seq and (receiver.hurried or receiver.count_duplicate >= 2)
                and 0 <= time - receiver.ack_time < _FAST_NS):
            return FAST_RETRANSMISSION | RETRANSMISSION
        soon = self.initial_rtt_ns or _REORDER_NS
        end = (end + bool(opening & _TAKES_NUMBER)) & MASK
        if 0 <= time - sender.next_time < soon and end != sender.next:
            return OUT_OF_ORDER
        return RETRANSMISSION
