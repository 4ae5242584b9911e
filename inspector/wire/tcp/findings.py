"""What goes wrong in a TCP conversation, told for whoever wrote the program at one of its ends.

Pure: columns of the whole conversation (`TcpFacts`) go in, findings with rows come out. Rules and remedies
stand in `findings.py`. What only might be wrong is not told: clean traffic gives nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from inspector.model.language import Sentence, sentence
from inspector.model.numbers import ACK, FIN, RST, SYN
from inspector.model.packets import Row
from inspector.model.units import amount, duration
from inspector.wire.arrays import Bools, Int64s
from inspector.wire.findings import MOST_ROWS, Finding
from inspector.wire.tcp.flags import KEEP_ALIVE, RETRANSMISSION, ZERO_WINDOW_PROBE
from inspector.wire.tcp.rules import finding
from inspector.wire.tcp.stream import Conflict

MS = 1_000_000
CLOSE_WAIT_NS = 10_000 * MS      # half-closed for so long without a byte: nobody there means to close
ZERO_WINDOW_NS = 200 * MS        # closed for so long is a stall; shorter is ordinary flow control
DELAYED_ACK_NS = (30 * MS, 600 * MS)   # RFC 9293 section 3.8.6.3 allows 500 ms; systems use 40 to 200
SLOW_ANSWER_NS = 1000 * MS       # what a person notices; most programs take a thousandth of it
GAVE_UP_NS = SLOW_ANSWER_NS // 2 # of a wait that its sender ended: a time-out of 1 s began before the request
NAGLE_NS = 5 * MS                # what waited for an ACK leaves at once when it comes …
AT_ONCE_NS = MS // 5             # … in the kernel's own time; a program that writes then takes longer
RARE = 1000                      # one such wait in so many segments is a coincidence
SMALL = 1220                     # less than any usual MSS (RFC 8200: 1280 bytes less the headers)
UNANSWERED = 3                   # so many repetitions without any answer: the peer is gone
SENT_AGAIN_S = 0.1               # between two SYNs that are not one, captured twice
MOST_STALLS = 100
MOST_CONFLICTS = 100


class TcpFacts(NamedTuple):
    """One conversation's packets as columns of int64 (raw numbers, times in nanoseconds).

    `bits`: the analysis of each packet (tcp_flags). `base`: the raw numbers of both ends' SYNs, where known.
    `names`: both ends as text; `rtt_ns`: of the handshake; `refused`: a SYN was
    answered by RST; `client`: the end that opened.
    """

    row: Int64s
    direction: Int64s
    flags: Int64s
    seq: Int64s
    ack: Int64s
    length: Int64s
    window: Int64s
    time_ns: Int64s
    bits: Int64s
    base: tuple[int | None, int | None]
    names: tuple[str, str]
    rtt_ns: int | None
    refused: bool
    client: int | None
    conflicts: tuple[tuple[Conflict, ...], tuple[Conflict, ...]]     # of the bytes that each end sent
    errors: tuple[tuple[Row, str], ...] = ()      # ICMP errors that quote it: row, in words
    accepts: bool = False                         # the peer, silent here, answered another SYN
    end_ns: int = 0                               # up to when the capture went on
    arrivals: Int64s | None = None                # when each arrived, -1: not; None: each when it was sent

    @property
    def arrived_ns(self) -> Int64s:
        """When each packet came to its receiver; -1 for one that waits on the wire, or was lost there."""
        return self.time_ns if self.arrivals is None else self.arrivals

    def delivered(self, positions: Int64s) -> Int64s:
        """Those that arrived: of what did not nobody can be accused."""
        return positions if self.arrivals is None else positions[self.arrivals[positions] >= 0]


def _where(marked: Bools | Int64s) -> Int64s:
    """The places that are marked; sooner than `flatnonzero`, which matters where conversations are short."""
    return marked.nonzero()[0]


def tcp_findings(facts: TcpFacts) -> list[Finding]:
    """All findings of a conversation, in order of the packet where to look. `stream` is left at -1."""
    if not len(facts.row):
        return []
    found = _opening(facts) + _resets(facts) + _gone(facts) + _kept_open(facts)
    span = int(facts.time_ns.max() - facts.time_ns.min())
    for direction in (0, 1):
        if span >= DELAYED_ACK_NS[0] or facts.arrivals is not None:
            found += _small_writes(facts, direction)
        if span >= ZERO_WINDOW_NS:
            found += _zero_windows(facts, direction)
        if facts.conflicts[direction]:
            found += _conflicts(facts, direction)
    return sorted(found, key=lambda one: one.rows)


def _place(facts: TcpFacts, one: Finding, positions: Int64s | list[int]) -> Finding:
    return one.at(-1, facts.row[np.asarray(positions, np.int64)].tolist())


def _ending(facts: TcpFacts, one: Finding, data: Int64s, last: int) -> Finding:
    """The finding at the packet that came last, with the first of those before it."""
    some = data[: MOST_ROWS - 1]
    return replace(_place(facts, one, [last, *some.tolist()]), more_rows=len(data) - len(some))


def _range(facts: TcpFacts, position: int) -> tuple[int, int]:
    """The stream offsets of a packet's payload; (0, 0) where the start of the stream is not known."""
    base = facts.base[int(facts.direction[position])]
    if base is None:
        return 0, 0
    start = (int(facts.seq[position]) - base - 1) & 0xFFFFFFFF
    return start, start + int(facts.length[position])


def _conflicts(facts: TcpFacts, direction: int) -> list[Finding]:
    """Bytes that came twice and differ. The byte of a keep-alive is garbage by design (section 3.8.4)."""
    keep_alives = set(facts.row[facts.bits & KEEP_ALIVE != 0].tolist())
    conflicts = [one for one in facts.conflicts[direction] if one.row not in keep_alives]
    name = facts.names[direction]
    return _first([
        finding(
            "tcp.conflicting-retransmission",
            sentence(
                "Bytes {start} to {end} of what {name} sends came twice and differ.", start=one.start,
                end=one.end - 1, name=name),
            direction, one.start, one.end,
        ).at(-1, (one.row, one.first_row))
        for one in conflicts[:MOST_CONFLICTS]
    ], len(conflicts))


def _first(found: list[Finding], count: int) -> list[Finding]:
    """The first findings of a rule, of which the last one says how many more there are of all `count`."""
    if found and count > len(found):
        more = sentence("{first} (The same {count:,} times more.)", first=found[-1].text,
                        count=count - len(found))
        found[-1] = replace(found[-1], text=more)
    return found


def _opening(facts: TcpFacts) -> list[Finding]:
    """Refused, or not answered at all."""
    syns = _where(facts.flags & (SYN | ACK) == SYN)
    if not len(syns):
        return []
    end = int(facts.direction[syns[0]])
    peer = facts.names[1 - end]
    if facts.refused:
        reset = int(_where(facts.flags & RST)[0])
        return [_place(facts, refusal(peer), [int(syns[0]), reset])]
    syns = facts.delivered(syns)
    if not len(syns):
        return []
    silent = not (facts.direction != end).any()
    if silent and (facts.flags & (ACK | RST) == ACK).any():
        return []                      # it acknowledges: what answered is of the direction that is not here
    seconds = float(np.ptp(facts.arrived_ns[syns])) / 1e9
    if len(syns) > 1 and seconds >= SENT_AGAIN_S and silent:
        return [_unanswered(facts, syns, sentence(
            "{peer} answered none of {count} SYNs in {seconds:.1f} s", peer=peer, count=len(syns),
            seconds=seconds))]
    if facts.errors and silent:
        return [_unanswered(facts, syns, sentence("{peer} did not answer SYN", peer=peer))]
    return _answered_late(facts, end, syns)


def refusal(peer: str) -> Finding:
    """That a SYN was answered by RST."""
    return finding("tcp.connection-refused", sentence("{peer} answered SYN with RST: it refuses.", peer=peer))


def _answered_late(facts: TcpFacts, end: int, syns: Int64s) -> list[Finding]:
    """SYNs that came and had to be sent again before one was answered: a full backlog, or loss."""
    answers = _where((facts.direction != end) & (facts.flags & (SYN | ACK) == SYN | ACK))
    if not len(answers):
        return []
    answered = int(facts.time_ns[answers[0]])
    earlier = syns[(facts.direction[syns] == end) & (facts.arrived_ns[syns] <= answered)]
    if len(earlier) < 2 or answered - int(facts.arrived_ns[earlier[0]]) < SENT_AGAIN_S * 1e9:
        return []
    waited = duration(answered - int(facts.arrived_ns[earlier[0]]))
    what = sentence(
        "{end} sent SYN {count} times before {peer} answered, {waited} after the first.",
        end=facts.names[end], count=len(earlier), peer=facts.names[1 - end], waited=waited)
    return [_place(facts, finding("tcp.late-answer", what), [*earlier.tolist(), int(answers[0])])]


def _unanswered(facts: TcpFacts, syns: Int64s, what: Sentence) -> Finding:
    """Why SYNs got no answer, as far as other packets tell."""
    if facts.errors:
        words = facts.errors[0][1]
        rows = [int(facts.row[syns[0]]), *(one[0] for one in facts.errors), *facts.row[syns[1:]].tolist()]
        return finding("tcp.unreachable", sentence(
            "{what}; an ICMP error did: {words}.", what=what, words=words)).at(-1, rows)
    if facts.accepts:
        what = sentence("{what}, though it answered others: its backlog may be full.", what=what)
        return _place(facts, finding("tcp.backlog-full", what), syns)
    return _place(facts, finding("tcp.no-answer", sentence("{what}.", what=what)), syns)


def _kept_open(facts: TcpFacts) -> list[Finding]:
    """One end closed, the other acknowledged that, and neither sent nor closed any more: CLOSE_WAIT."""
    fins = _where(facts.flags & FIN)
    if not len(fins) or (facts.flags & RST).any():
        return []
    end = int(facts.direction[fins[0]])
    theirs = _where(facts.direction != end)
    if (facts.direction[fins] != end).any() or not len(theirs) or _lacks(facts, 1 - end, len(facts.row)):
        return []
    if not ((facts.flags[theirs] & SYN != 0) | (facts.length[theirs] > 0)).any():
        return []                      # it may have closed before the capture began
    fin = int(fins[0])
    number = (int(facts.seq[fin]) + int(facts.length[fin]) + 1) & 0xFFFFFFFF
    acks = theirs[(facts.flags[theirs] & ACK != 0) & (theirs > fin) & (facts.ack[theirs] == number)]
    if not len(acks):
        return []
    data = theirs[facts.length[theirs] > 0]
    since = max(int(acks[0]), int(data[-1]) if len(data) else 0)
    seconds = (max(facts.end_ns, int(facts.time_ns[-1])) - int(facts.time_ns[since])) / 1e9
    if seconds * 1e9 < CLOSE_WAIT_NS:
        return []
    what = sentence(
        "{end} acknowledged the FIN of {peer}, and has not closed in the {seconds:.0f} s since.",
        end=facts.names[1 - end], peer=facts.names[end], seconds=seconds)
    return [_place(facts, finding("tcp.close-wait", what), [fin, int(acks[0])])]


def _lacks(facts: TcpFacts, end: int, until: int) -> bool:
    """Whether the peer acknowledged, before position `until`, what `end` was not seen to send (its FIN)."""
    flags, mine = facts.flags[:until], facts.direction[:until] == end
    sent, acks = _where(mine), _where(~mine & (flags & (ACK | RST) == ACK))
    if not len(sent) or not len(acks):
        return False
    start = int(facts.seq[sent[0]])
    spans = facts.length[sent] + (flags[sent] & SYN != 0) + (flags[sent] & FIN != 0)
    # An empty segment brings nothing up to its number; the first one says where all begins.
    ends = np.append(_behind(facts.seq[sent], start)[spans > 0] + spans[spans > 0], 0)
    return int(_behind(facts.ack[acks], start).max()) > int(ends.max())


def _behind(numbers: Int64s, start: int) -> Int64s:
    """How far sequence numbers are behind `start`, from -2^31 to 2^31 - 1."""
    far: Int64s = (numbers - start + (1 << 31)) % (1 << 32) - (1 << 31)
    return far


def _size(facts: TcpFacts, positions: Int64s) -> int:
    """How many different bytes some segments of one end carry."""
    starts = _behind(facts.seq[positions], int(facts.seq[positions[0]]))
    size, reach = 0, -(1 << 62)
    for start, length in sorted(zip(starts.tolist(), facts.length[positions].tolist(), strict=True)):
        size += max(start + length - max(start, reach), 0)
        reach = max(reach, start + length)
    return size


def _resets(facts: TcpFacts) -> list[Finding]:
    """The first reset of an open connection: what it threw away, or that one end knew nothing of it."""
    resets = _where(facts.flags & RST)
    if not len(resets) or facts.refused:
        return []
    at = int(resets[0])
    end = int(facts.direction[at])
    mine, theirs = facts.direction[:at] == end, facts.direction[:at] != end
    finished = bool((mine & (facts.flags[:at] & FIN != 0)).any())
    if not finished and _lacks(facts, end, at):
        return []                      # it had closed, or sent what the capture lacks
    if _answers_foreign(facts, at, theirs, finished):
        cause = int(_where(theirs)[-1])
        opened = (mine & (facts.flags[:at] & SYN != 0)).any()
        what = sentence(
            "{end} answered with RST: it knows nothing of this connection{value}.", end=facts.names[end],
            value="" if opened else sentence(" (any more: it may have closed before the capture began)"))
        return [_place(facts, finding("tcp.half-open", what), [cause, at])]
    data = facts.delivered(_where(theirs & (facts.length[:at] > 0)))
    own = _where(mine & (facts.length[:at] > 0))
    ended = bool((theirs & (facts.flags[:at] & FIN != 0)).any()) or _knows_more(facts, at)
    # What a client got in answer to what it sent it has probably read, and so has who saw the other's end.
    read = len(own) > 0 and (end == facts.client or ended)
    if not finished and _sent_more(facts, at):
        return []                      # what it sent the capture lacks, and with it what it had answered
    if len(data) and (finished or not len(own) or (own[-1] < data[-1] and not read)):
        found = _unread(facts, at, data, int(own[-1]) if len(own) else -1, finished)
        return found or (_reset_behind_fin(facts, at) if finished and not ended else [])
    if finished or ended:
        return [] if finished or not len(data) else _reset_for_a_fin(facts, at)
    if not (len(data) or len(own)):
        return _reset_at_once(facts, at)
    what = sentence("{end} aborted with RST after data had been exchanged.", end=facts.names[end])
    return [_place(facts, finding("tcp.reset-after-data", what), [at])]


def _reset_at_once(facts: TcpFacts, at: int) -> list[Finding]:
    """A connection that was opened wholly, and reset before anything was said on it."""
    opened = [_where((facts.flags[:at] & (SYN | ACK)) == flags) for flags in (SYN, SYN | ACK, ACK)]
    if not all(map(len, opened)):          # half of it: a scanner's look, or the beginning is not there
        return []
    what = sentence(
        "{end} reset the connection before anything was said on it.",
        end=facts.names[int(facts.direction[at])])
    return [_place(facts, finding("tcp.reset-after-open", what), [int(opened[0][0]), at])]


def _knows_more(facts: TcpFacts, at: int) -> bool:
    """Whether packet `at` acknowledges more than the other end was seen to send before: its FIN, say."""
    sent = _where((facts.direction[:at] != facts.direction[at]) & (facts.length[:at] > 0))
    base = facts.base[1 - int(facts.direction[at])]
    if not facts.flags[at] & ACK or (base is None and not len(sent)):
        return False
    ends = facts.seq[sent] + facts.length[sent]
    if base is not None:
        ends = np.append(ends, base + 1)
    return int(_behind(ends, int(facts.ack[at])).max()) < 0


def _sent_more(facts: TcpFacts, at: int) -> bool:
    """Whether the end that resets had sent bytes that the capture lacks: before its beginning, or lost."""
    end = int(facts.direction[at])
    base = facts.base[end]
    opened = (facts.direction[:at] == end) & (facts.flags[:at] & SYN != 0)
    if base is None or not opened.any():
        return True
    mine = _where((facts.direction[:at] == end) & (facts.length[:at] > 0))
    sent = (int(facts.seq[at]) - base - 1) & 0xFFFFFFFF
    return sent < 1 << 31 and sent > (_size(facts, mine) if len(mine) else 0)


def _answers_foreign(facts: TcpFacts, at: int, theirs: Bools, finished: bool) -> bool:
    """RST without ACK that takes its number from a segment's ACK: sent where no connection is known.

    RFC 9293 section 3.10.7.1, and figure 9: a SYN that meets an old connection.
    """
    before = _where(theirs)
    if finished or facts.flags[at] & ACK or not len(before):
        return False
    cause = int(before[-1])
    if not facts.flags[cause] & ACK or facts.flags[cause] & SYN or facts.ack[cause] != facts.seq[at]:
        return False
    mine = _where(facts.direction[:at] == facts.direction[at])
    only_syn = len(mine) > 0 and bool((facts.flags[mine] & (SYN | ACK) == SYN).all())
    return only_syn or bool((facts.length[cause] > 0) or facts.bits[cause] & KEEP_ALIVE)


def _unread(facts: TcpFacts, at: int, data: Int64s, own: int, finished: bool) -> list[Finding]:
    end = int(facts.direction[at])
    if finished:
        closed = _where((facts.direction == end) & (facts.flags & FIN != 0))[0]
        data = data[data > closed]
        late = _after_news(facts, int(closed), data)
        if late is not None:
            return [late]
        what = sentence("{end} had closed, and answered what still came with RST.", end=facts.names[end])
    else:
        data = data[data > own]
        if not len(data):
            return []
        size = amount(_size(facts, data), "byte")
        what = sentence(
            "{end} reset the connection after {size} that it had not answered.", end=facts.names[end],
            size=size)
    if not len(data):
        return []
    return [_ending(facts, finding("tcp.reset-with-unread-data", what), data, at)]


def _reset_behind_fin(facts: TcpFacts, at: int) -> list[Finding]:
    """An end in FIN-WAIT that resets though nothing came since: its bytes were unread, or it lingers 0 s.

    A RST without ACK answers a segment of a connection that is known no more.
    """
    if not facts.flags[at] & ACK:
        return []
    end = int(facts.direction[at])
    closed = _where((facts.direction == end) & (facts.flags & FIN != 0))[:1]
    what = sentence(
        "{end} sent FIN and then RST, and nothing had come between them.", end=facts.names[end])
    return [_ending(facts, finding("tcp.reset-with-unread-data", what), closed, at)]


def _reset_for_a_fin(facts: TcpFacts, at: int) -> list[Finding]:
    """A server that knew its client's FIN, and reset where a FIN of its own was due; a note: nothing is lost.

    Many clients end so what their server closed, and have read all.
    """
    end = int(facts.direction[at])
    fins = _where((facts.direction[:at] != end) & (facts.flags[:at] & FIN != 0))
    if facts.client is None or end == facts.client or not len(fins) or not facts.flags[at] & ACK:
        return []
    fin = int(fins[0])
    if int(facts.ack[at]) != (int(facts.seq[fin]) + int(facts.length[fin]) + 1) & 0xFFFFFFFF:
        return []
    what = sentence("{end} ended with RST the connection that {peer} had closed; a FIN was due.",
                    end=facts.names[end], peer=facts.names[1 - end])
    return [replace(_place(facts, finding("tcp.reset-with-unread-data", what), [at, fin]), severity="note")]


def _after_news(facts: TcpFacts, closed: int, data: Int64s) -> Finding | None:
    """That who sent data after the FIN had acknowledged that FIN by then: a kept connection's end.

    By the numbers: of what was swapped on the way, the later part proves nothing of the earlier.
    """
    end = int(facts.direction[closed])
    number = (int(facts.seq[closed]) + int(facts.length[closed]) + 1) & 0xFFFFFFFF
    acks = _where((facts.direction != end) & (facts.flags & ACK != 0) & (facts.ack == number)
                          & (np.arange(len(facts.row)) > closed))
    if not len(data) or not len(acks) or acks[0] > data[0]:
        return None
    if _behind(facts.seq[data], int(facts.seq[acks[0]])).min() < 0:
        return None
    waited = duration(int(facts.time_ns[data[0]] - facts.time_ns[closed]))
    size = amount(_size(facts, data), "byte")
    what = sentence(
        "{end} sent {size} {waited} after {peer} had closed the connection, and got RST.",
        end=facts.names[1 - end], size=size, waited=waited, peer=facts.names[end])
    (start, _), (_, stop) = _range(facts, int(data[0])), _range(facts, int(data[-1]))
    one = finding("tcp.sent-after-close", what, 1 - end, start, max(start, stop))
    return _place(facts, one, [closed, *data.tolist()])


def _gone(facts: TcpFacts) -> list[Finding]:
    """The end of the capture is one end repeating itself to nobody."""
    last = int(facts.direction[-1])
    answers = _where(facts.direction != last)
    if not len(answers) or facts.flags[-1] & RST:
        return []
    tail = np.arange(int(answers[-1]) + 1, len(facts.row))
    repeated = tail[(facts.bits[tail] & (RETRANSMISSION | KEEP_ALIVE) != 0) & (facts.flags[tail] & SYN == 0)]
    repeated = facts.delivered(repeated)
    if len(repeated) < UNANSWERED or facts.window[answers[-1]] == 0:
        return []
    what = sentence(
        "{end} does not answer any more: {count} repetitions in vain.", end=facts.names[1 - last],
        count=len(repeated))
    return [_place(facts, finding("tcp.half-open", what), repeated)]


def _small_writes(facts: TcpFacts, end: int) -> list[Finding]:
    """Small data, a delayed ACK, and at once the data that had waited for it: Nagle's algorithm at work."""
    if len(facts.row) < 3:
        return []
    # Three packets in a row: data of `end`, the empty ACK of it, data of `end`.
    first, ack, second = slice(None, -2), slice(1, -1), slice(2, None)
    # From where it came: on the wire it may have been held, which is no fault of who acknowledges.
    delay = facts.time_ns[ack] - facts.arrived_ns[first]
    wait = facts.time_ns[second] - facts.time_ns[ack]
    length, direction, plain = facts.length, facts.direction, facts.flags & (SYN | FIN | RST) == 0
    least, most = DELAYED_ACK_NS
    least += facts.rtt_ns or 0
    at_once = min(NAGLE_NS, AT_ONCE_NS + (facts.rtt_ns or 0))
    stalls = _where(
        (direction[first] == end) & (direction[ack] != end) & (direction[second] == end)
        & (length[first] > 0) & (length[first] < SMALL) & (length[ack] == 0)
        & (length[second] > 0) & (length[second] < SMALL) & plain[first] & plain[ack]
        & (delay >= least) & (delay <= most) & (wait >= 0) & (wait <= at_once)
        & ((facts.seq[first] + length[first]) & 0xFFFFFFFF == facts.ack[ack])
        & (facts.ack[ack] == facts.seq[second])
        & (facts.bits[first] == 0) & (facts.bits[second] == 0)
        & (facts.arrived_ns[first] >= 0) & (facts.arrived_ns[ack] >= 0)
    )
    if len(stalls) * RARE < np.count_nonzero((direction == end) & (length > 0)) or not len(stalls):
        return []
    lost = float(delay[stalls].sum()) / MS
    times = sentence("once") if len(stalls) == 1 else sentence("{count} times", count=len(stalls))
    what = sentence(
        "{end} waited {times}, {lost:.0f} ms in sum, for a delayed ACK between small writes.",
        end=facts.names[end], times=times, lost=lost)
    (start, _), (_, stop) = _range(facts, int(stalls[0])), _range(facts, int(stalls[0]) + 2)
    one = finding("tcp.small-write-stall", what, end, start, max(start, stop))
    return [_place(facts, one, np.ravel(np.column_stack((stalls, stalls + 1, stalls + 2))))]


def _zero_windows(facts: TcpFacts, end: int) -> list[Finding]:
    """Times in which an end announced no window at all."""
    mine = _where((facts.direction == end) & (facts.flags & (SYN | RST | FIN) == 0))
    closed = facts.window[mine] == 0
    starts, opens = mine[closed & ~np.concatenate(([False], closed[:-1]))], mine[~closed]
    later = np.searchsorted(opens, starts)
    stops = np.concatenate((opens, [len(facts.row) - 1]))[later]
    lasted = facts.time_ns[stops] - facts.time_ns[starts]
    found = []
    stalls = _where(lasted >= ZERO_WINDOW_NS)
    for i in stalls[:MOST_STALLS].tolist():
        start, stop, reopened = int(starts[i]), int(stops[i]), later[i] < len(opens)
        waiting = facts.direction[start:stop] != end
        probes = _where((facts.bits[start:stop] & (ZERO_WINDOW_PROBE | KEEP_ALIVE) != 0) & waiting)
        if not reopened and not len(probes):
            continue
        how = sentence("for") if reopened else sentence("to the end of the capture,")
        what = sentence(
            "The application at {end} does not read: window 0 {how} {lasted:.2f} s.",
            end=facts.names[end], how=how, lasted=lasted[i] / 1000000000.0)
        found.append(_place(facts, finding("tcp.zero-window-stall", what),
                            [start, *(probes[:20] + start).tolist(), stop]))
    return _first(found, len(found) + max(len(stalls) - MOST_STALLS, 0))
