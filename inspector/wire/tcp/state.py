"""The state of each end of a TCP connection after every packet, by RFC 9293's transitions (figure 5).

A packet that was captured is taken as delivered, until its receiver shows by what it sends next that it had
not come yet; then the states since are corrected. Where somebody stood on the wire it is known when it came,
and it counts for its receiver from then on. So an end is known by a few facts with the moment at which each
came true, and its states follow from them. Where the start was not captured an end is "unknown", until
both ends have shown by new data that neither had closed before. Seen from one side alone (no packet of the
other end was captured, though this one acknowledges what it sent) both are "unknown": what the other end did
since cannot be told.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from copy import copy
from typing import NamedTuple

from inspector.model.numbers import ACK, FIN, RST, SYN
from inspector.model.packets import Row

UNKNOWN = "unknown"
STATES = (
    "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",
    "LAST-ACK", "TIME-WAIT", "CLOSED", UNKNOWN,
)
# Moments: a packet's row times this; what arrives after it has those that follow.
_STEPS = 256
NEVER = 1 << 62                  # the moment of a fact that did not come true
_WINDOW = 1 << 30                # the largest window (RFC 7323 section 2.3)


class _UnderWay(NamedTuple):
    """A packet that arrives after it was sent: when, its moment of sending, to which end, and its numbers."""

    arrived_ns: int
    sent: int
    receiver: int
    flags: int
    seq: int
    ack: int


class _End:
    """What is known of one end: the moments at which facts came true, and raw sequence numbers."""

    __slots__ = ("ack", "ack_sent", "answers", "awaits_syn", "challenged", "fin", "fin_acked", "fin_sent",
                 "got_fin", "got_syn", "heard", "next", "passive", "proven", "reset", "syn", "syn_acked",
                 "syn_sent", "to_listen", "unseen")

    def __init__(self) -> None:
        self.syn_sent = self.got_syn = self.syn_acked = NEVER
        self.fin_sent = self.got_fin = self.fin_acked = NEVER
        self.reset = self.proven = self.answers = NEVER     # answers: its first acknowledgment
        self.heard = False               # a packet of it was captured
        self.syn: int | None = None      # sequence number of its SYN
        self.fin: int | None = None      # the number after its FIN
        self.next: int | None = None     # the number after the last it sent
        self.ack: int | None = None      # the acknowledgment it sent last
        self.passive = False             # answered a SYN
        self.ack_sent = False            # its SYN carried ACK
        self.to_listen = False           # a reset leads back to LISTEN
        self.challenged = False          # was sent an unacceptable ACK in SYN-SENT
        self.awaits_syn = False          # it is known that a SYN did not come at once
        self.unseen = False              # its FIN is known by its acknowledgment alone

    def moments(self) -> tuple[int, ...]:
        return (self.syn_sent, self.got_syn, self.syn_acked, self.fin_sent, self.got_fin, self.fin_acked,
                self.reset, self.proven, self.answers)

    def state(self, moment: int, started: bool) -> str:
        """The state after `moment`; `started`: the opening, or proof that nobody had closed, was captured."""
        if self.reset <= moment:
            return "LISTEN" if self.to_listen else "CLOSED"
        if not started:
            return UNKNOWN
        if self.fin_sent <= moment:
            acked = self.fin_acked <= moment
            if self.got_fin < self.fin_sent:
                return "CLOSED" if acked else "LAST-ACK"
            if self.got_fin <= moment:
                return "TIME-WAIT" if acked else "CLOSING"
            return "FIN-WAIT-2" if acked else "FIN-WAIT-1"
        if self.got_fin <= moment:
            return "CLOSE-WAIT"
        if self.syn is None and self.proven <= moment:
            return "ESTABLISHED"
        return self._opening(moment)

    def _opening(self, moment: int) -> str:
        if self.syn_sent <= moment:
            if self.got_syn > moment:
                return "SYN-SENT"
            return "ESTABLISHED" if self.syn_acked <= moment else "SYN-RECEIVED"
        if self.syn_sent != NEVER:       # it answered later: what it was until then is known now
            if not self.passive:
                return "CLOSED"
            return "LISTEN" if self.awaits_syn and self.got_syn > moment else "SYN-RECEIVED"
        return "CLOSED" if self.reset != NEVER else UNKNOWN


class TcpStates:
    """Both ends' states. Feed packets in order with `see`; ask with `at` for any row seen so far.

    `to_itself`: both ends are one and the same socket.
    """

    def __init__(self, *, to_itself: bool = False) -> None:
        self._to_itself = to_itself
        self._ends = self._fresh()
        self._started = NEVER
        self._last = 0                   # the moment of the last packet
        self._under_way: list[_UnderWay] = []        # by when they arrive
        self._came: list[tuple[int, int]] = []       # moments, and times, at which some arrived
        self.decisive: set[Row] = set()   # packets by whose arrival their receiver's state may change
        self._moments: tuple[list[int], list[int]] = ([], [])
        self._names: tuple[list[str], list[str]] = ([], [])
        self._frozen = (0, 0)            # log entries of an earlier connection on the same ports
        self._changed = False            # the log is to be written anew
        self._open = False               # both are ESTABLISHED, as far as the ends that were heard tell,
        self._doubted = False            # and that is to be found out

    @property
    def current(self) -> tuple[str, str]:
        """The states after the last packet, and after all that has arrived since."""
        self._refresh()
        names = self._names
        return names[0][-1] if names[0] else UNKNOWN, names[1][-1] if names[1] else UNKNOWN

    @property
    def settled(self) -> bool:
        """Both are ESTABLISHED: only SYN, FIN or RST can change that, other packets need not be fed.

        The first packet of an end of which none was seen has to be fed in any case.
        """
        if self._under_way:
            return False
        if self._doubted:
            a, b = self._ends
            moments = (moment for moment in (self._started, *a.moments(), *b.moments()) if moment != NEVER)
            last = max(moments, default=NEVER)
            self._open = last != NEVER and all(
                end.state(last, self._started < NEVER) == "ESTABLISHED" for end in self._ends)
            self._doubted = False
        return self._open

    def at(self, row: Row, time_ns: int = 0) -> tuple[str, str]:
        """The states of a and b after packet `row` (any row between two packets seen counts as the first).

        `time_ns`: and after what has arrived up to then, before the next packet.
        """
        self._refresh()
        asked = self._moment(row, time_ns) if self._came or self._under_way else _STEPS * row
        found = []
        for moments, names in zip(self._moments, self._names, strict=True):
            index = bisect_right(moments, asked) - 1
            found.append(names[index] if index >= 0 else UNKNOWN)
        return found[0], found[1]

    def _moment(self, row: Row, time_ns: int) -> int:
        """That of a packet, or of what arrived last after it up to a time."""
        after = _STEPS * row
        came = self._came[bisect_right(self._came, (after, NEVER)) :]
        came += [(moment, one.arrived_ns) for moment, one in self._arrivals()]
        return max((moment for moment, came_ns in came if moment < after + _STEPS and came_ns <= time_ns),
                   default=after)

    def note(self, direction: int, following: int | None, ack: int | None) -> None:
        """Tell what an end sent in packets that were not fed: its next sequence number, its last ACK."""
        end = self._ends[direction]
        end.next = end.next if following is None else following
        end.ack = end.ack if ack is None else ack

    def see(self, row: Row, direction: int, flags: int, seq: int, ack: int, length: int, *,
            sent_ns: int = 0, arrived_ns: int | None = 0) -> None:
        """Take packet `row`, sent by end `direction`, with raw numbers and `length` bytes of payload.

        `arrived_ns`: when it came to the other end; None: it is known that it did not.
        """
        moment, other = _STEPS * row, 1 - direction
        if self._under_way:
            self._arrive(sent_ns)
        if flags & (SYN | ACK) == SYN and self._is_over(*self._ends):
            self._restart(moment)
        sender, receiver = self._ends[direction], self._ends[other]
        before = (self._started, sender.heard, *sender.moments(), *receiver.moments())
        self._last = moment
        sender.heard = True
        if flags & ACK:
            sender.answers = min(sender.answers, moment)
        if flags & RST:
            self._send_reset(moment, sender)
        else:
            self._send(moment, flags, seq, ack, length, sender, receiver)
        if flags & SYN and (arrived_ns is None or arrived_ns > sent_ns):
            receiver.awaits_syn = True
        if _brings(flags, ack, receiver):
            self.decisive.add(row)
        if arrived_ns is not None and arrived_ns > sent_ns:
            insort(self._under_way, _UnderWay(arrived_ns, moment, other, flags, seq, ack))
            self._changed = self._doubted = True
        elif arrived_ns is not None:
            self._deliver(moment, flags, seq, ack, receiver)
        if before != (self._started, sender.heard, *sender.moments(), *receiver.moments()):
            self._changed = self._doubted = True

    def _arrive(self, time_ns: int) -> None:
        """Deliver what has arrived up to a time."""
        count = bisect_right(self._under_way, time_ns, key=lambda one: one.arrived_ns)
        for moment, one in self._arrivals()[:count]:
            self._deliver(moment, one.flags, one.seq, one.ack, self._ends[one.receiver])
            self._came.append((moment, one.arrived_ns))
            self._changed = self._doubted = True
        del self._under_way[:count]

    def _arrivals(self) -> list[tuple[int, _UnderWay]]:
        """What arrives after the last packet, with its moment (of very many the last ones have the same)."""
        return [(self._last + min(number, _STEPS - 1), one) for number, one in enumerate(self._under_way, 1)]

    def _is_over(self, sender: _End, receiver: _End) -> bool:
        closed = sender.fin_acked != NEVER and receiver.fin_acked != NEVER
        return closed or (sender.reset != NEVER and receiver.reset != NEVER)

    def _restart(self, moment: int) -> None:
        self._refresh()
        self._under_way.clear()
        self._frozen = len(self._moments[0]), len(self._moments[1])
        self._ends = self._fresh()
        self._started = moment

    def _fresh(self) -> tuple[_End, _End]:
        end = _End()
        return end, end if self._to_itself else _End()

    def _send(self, moment: int, flags: int, seq: int, ack: int, length: int, sender: _End,
              peer: _End) -> None:
        """What a packet shows of its sender, corrections of what it was taken to have received included."""
        if flags & SYN:
            self._send_syn(moment, flags, seq, ack, sender, peer)
        elif flags & ACK and sender.syn is None and peer.syn is not None and _acceptable(ack, peer):
            # The SYN ACK was not captured; that its sender goes on proves it.
            sender.syn, sender.passive = (seq - 1) & 0xFFFFFFFF, True
            sender.syn_sent, sender.got_syn = moment, min(sender.got_syn, moment)
        elif flags & ACK and sender.syn is not None and sender.got_syn == NEVER and peer.syn is None:
            sender.got_syn = sender.syn_acked = moment
            peer.syn, peer.passive = (ack - 1) & 0xFFFFFFFF, True
            peer.syn_sent, peer.got_syn = moment, min(peer.got_syn, moment)
            peer.next = ack if peer.next is None else peer.next
        elif flags & ACK and sender.syn is not None and _acceptable(ack, peer):
            sender.got_syn = min(sender.got_syn, moment)
            if peer.passive and not sender.passive:          # in SYN-SENT none is sent: the SYN ACK had come
                sender.syn_acked = min(sender.syn_acked, moment)
        span = length + bool(flags & FIN) + bool(flags & SYN)
        if span and sender.next is not None and _difference(seq, sender.next) >= 0:
            sender.proven = min(sender.proven, moment)
        end = (seq + span) & 0xFFFFFFFF
        if sender.next is None or _difference(end, sender.next) > 0:
            sender.next = end
        if flags & FIN:
            if sender.fin is None:
                sender.fin, sender.fin_sent = end, moment
            elif sender.fin == end and sender.fin_acked < moment:
                sender.fin_acked = NEVER          # sent again: the acknowledgment had not come
        if flags & ACK:
            sender.ack = ack
            self._take_unseen(moment, ack, sender, peer)
            if peer.fin is not None and ack != peer.fin and sender.got_fin < moment:
                sender.got_fin = moment           # crossed on the way: it cannot have come before this
        if self._started == NEVER and (flags & SYN or max(sender.proven, peer.proven) != NEVER):
            self._started = moment

    def _take_unseen(self, moment: int, ack: int, sender: _End, peer: _End) -> None:
        """An acknowledgment of one number more than was seen is of a FIN that the capture lacks.

        It could be of one byte of data, too; then its sender goes on, and the FIN is taken back.
        """
        if sender.unseen and _difference(sender.next or 0, sender.fin or 0) > 0:
            sender.fin, sender.unseen = None, False
            sender.fin_sent = sender.fin_acked = peer.got_fin = NEVER
        if peer.fin is None and peer.next is not None and peer.syn_acked != NEVER and (
                _difference(ack, peer.next) == 1):
            peer.fin, peer.fin_sent, peer.unseen = ack, moment, True
            sender.got_fin = moment

    def _send_syn(self, moment: int, flags: int, seq: int, ack: int, sender: _End, peer: _End) -> None:
        acks = bool(flags & ACK)
        if sender.syn is None:
            sender.syn, sender.syn_sent, sender.passive = seq, moment, acks
            if acks and peer.syn is None:         # the SYN itself was not captured
                peer.syn, peer.syn_sent, peer.next = (ack - 1) & 0xFFFFFFFF, moment, ack
                sender.got_syn = moment
            elif acks and _acceptable(ack, peer):
                sender.got_syn = min(sender.got_syn, moment)
        elif acks != sender.ack_sent:             # simultaneous open: SYN, then SYN ACK
            sender.syn_acked = moment if sender.syn_acked < moment else sender.syn_acked
        else:                                     # sent again: no answer had come
            sender.syn_acked = NEVER
            if not acks and peer.ack_sent:
                sender.got_syn = NEVER
        if not acks and sender.got_syn < moment:
            sender.got_syn = moment
        sender.ack_sent = acks

    def _deliver(self, moment: int, flags: int, seq: int, ack: int, receiver: _End) -> None:
        """What a packet brings to its receiver."""
        if flags & RST:
            self._deliver_reset(moment, flags, seq, ack, receiver)
            return
        if flags & SYN:
            receiver.got_syn = min(receiver.got_syn, moment)
        if flags & FIN:
            receiver.got_fin = min(receiver.got_fin, moment)
        if not flags & ACK:
            return
        if receiver.syn is not None and receiver.syn_acked == NEVER:
            if _acceptable(ack, receiver):
                receiver.syn_acked = moment
            else:
                receiver.challenged = receiver.got_syn > moment
        if receiver.fin is not None and ack == receiver.fin:
            receiver.fin_acked = min(receiver.fin_acked, moment)

    def _send_reset(self, moment: int, sender: _End) -> None:
        if sender.challenged and sender.syn_acked == NEVER:
            sender.challenged = False             # RFC 9293 figure 9: it stays in SYN-SENT
        else:
            sender.reset = min(sender.reset, moment)

    def _deliver_reset(self, moment: int, flags: int, seq: int, ack: int, receiver: _End) -> None:
        opening = receiver.syn is not None and receiver.got_syn == NEVER
        if opening:
            accepted = bool(flags & ACK) and _acceptable(ack, receiver)
        else:
            accepted = receiver.ack is None or -1 <= _difference(seq, receiver.ack) <= _WINDOW
        if accepted and receiver.reset == NEVER:
            receiver.reset = moment
            receiver.to_listen = receiver.passive and receiver.syn_acked == NEVER

    def _refresh(self) -> None:
        if not self._changed:
            return
        self._changed = False
        a, b = self._ends_by_now()
        marks = sorted({moment for moment in (self._started, *a.moments(), *b.moments()) if moment != NEVER})
        alone = min((end.answers for end, other in ((a, b), (b, a)) if not other.heard), default=NEVER)
        for end, moments, names, keep in zip((a, b), self._moments, self._names, self._frozen, strict=True):
            del moments[keep:], names[keep:]
            for moment in marks:
                name = end.state(moment, self._started <= moment)
                if alone <= moment < end.reset:
                    name = UNKNOWN
                if not names or names[-1] != name:
                    moments.append(moment)
                    names.append(name)

    def _ends_by_now(self) -> tuple[_End, _End]:
        """Both ends with all that arrives after the last packet; the next one may have been sent before."""
        if not self._under_way:
            return self._ends
        a = copy(self._ends[0])
        ends = a, a if self._to_itself else copy(self._ends[1])
        for moment, one in self._arrivals():
            self._deliver(moment, one.flags, one.seq, one.ack, ends[one.receiver])
        return ends


def _difference(left: int, right: int) -> int:
    """left - right of two sequence numbers, from -2^31 to 2^31 - 1."""
    return ((left - right + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def _brings(flags: int, ack: int, receiver: _End) -> bool:
    """Whether its receiver's state may be another one once a packet has come."""
    if flags & (SYN | FIN | RST):
        return True
    acked = receiver.fin_acked if receiver.fin is not None and ack == receiver.fin else receiver.syn_acked
    return bool(flags & ACK) and acked == NEVER


def _acceptable(ack: int, end: _End) -> bool:
    """Whether `ack` acknowledges the SYN of `end` and nothing it has not sent."""
    if end.syn is None or end.next is None:
        return False
    return 0 < _difference(ack, end.syn) <= _difference(end.next, end.syn)
