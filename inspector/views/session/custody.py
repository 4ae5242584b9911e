"""Where the bytes of a TCP conversation are at a moment: written, on the way, in the receiver's queue, read.

    calls: written, read ─┐
    packets: sent, acked ─┼─> Custody of each direction ─> a line of numbers, a sentence where bytes wait
    kernel: both queues ──┘

Each number comes from where it is known best; where more than that is known the sums are checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.language import Sentence, marked, sentence, tr
from inspector.model.numbers import ACK, RST
from inspector.model.packets import Row, packet_number, row_at, rows_in
from inspector.model.records import Call, KernelSample
from inspector.model.units import amount, duration
from inspector.trace.contents.backlogs import Backlogs
from inspector.trace.kernel import LEAST_NS
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.line.wrap import wrap
from inspector.views.session.call_text import role_name
from inspector.views.session.outside import Outside, outside_peers
from inspector.wire.arrays import Int64s
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.trace import Trace

_WRITES, _READS = ("send", "write"), ("recv", "read")
OVER = ("CLOSED", "TIME-WAIT")         # states in which no program has the socket
_NAME, _NUMBER = 24, 10
SENTENCE = 72                    # cells of a line of a sentence, so that lines are as many at any width
_TITLES = (marked("Written"), marked("Unsent"), marked("On the way"), marked("Unread"), marked("Read"))
_SHORT_TITLES = (*_TITLES[:2], marked("On way"), *_TITLES[3:])
_GONE_TITLES = (_TITLES[0], marked("Not sent"), marked("No ACK"), marked("Not read"), _TITLES[4])
_WHOLE, _NARROW = 72, 8                # columns from which both ends are named; of a number below that


@dataclass(frozen=True, slots=True)
class End:
    """One of the two sockets: how it is called, its address, and whose it is ("python3 812"), if known.

    `outside`: whom the relay stands for that holds this socket in the lab, "" where it is nobody's relay.
    """

    name: str
    address: str
    owner: str = ""
    outside: str = ""


@dataclass(frozen=True, slots=True)
class Beyond:
    """What the kernel of this machine says of the program that the relay stands for: its own socket.

    `read`: bytes that it has read, None where an older kernel does not count; `waits_ns`: how long some wait.
    """

    owner: str
    unread: int
    read: int | None
    waits_ns: int = 0
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Custody:
    """One direction's bytes at a moment; None: not known. `waits_ns`: how long bytes wait to be read.

    `in_queue`: the kernel's word on what is unread, where calls and packets tell it too, and it was looked at
    after the last of them.
    """

    sender: End
    receiver: End
    sent: int                      # by the packets
    acknowledged: int
    written: int | None = None
    unread: int | None = None
    read: int | None = None
    waits_ns: int = 0
    window: int | None = None      # that the receiver grants, by the kernel
    in_queue: int | None = None
    gone: bool = False             # no program has them any more: it is how they were last
    unheard: int = 0               # acknowledged bytes of which the sender has not heard yet
    queued: bool = False           # nobody has accepted the receiver's connection
    beyond: Beyond | None = None   # behind a receiver that is the relay's
    closed: bool = False           # it grants nothing: by its last packet, or the kernel where it sent none
    reset: Row | None = None       # the first packet that reset the connection

    @property
    def unsent(self) -> int | None:
        """Bytes that the sender's kernel keeps back."""
        return None if self.written is None else max(self.written - self.sent, 0)

    @property
    def on_the_way(self) -> int:
        """Bytes that were sent and not acknowledged."""
        return self.sent - self.acknowledged

    @property
    def is_loss(self) -> bool:
        """Whether bytes were destroyed: both ends are over, and nobody has read them."""
        return self.gone and bool(self.unsent or self.on_the_way or self.unread)

    @property
    def unacknowledged(self) -> int:
        """Bytes that the sender's kernel keeps: not sent, or sent and not known to have come."""
        return (self.unsent or 0) + self.on_the_way + self.unheard

    @property
    def contradiction(self) -> bool:
        """Whether calls and packets say another number than the kernel."""
        return self.in_queue is not None and self.in_queue != self.unread


class OnTheWire(NamedTuple):
    """What packets tell of a TCP conversation up to a moment: a's direction first.

    `opened`: the SYN of each direction is there; `last_ns`: of its last packet; `closed`: both ends are.
    `unheard`: bytes that are acknowledged, of which their sender has not heard yet. `shut`: whether the
    direction's receiver granted nothing with its last packet; None where it has sent none. `resets`: the
    first reset of each end, a's first.
    """

    addresses: tuple[str, str]
    opened: tuple[bool, bool]
    sent: tuple[int, int]
    acknowledged: tuple[int, int]
    unheard: tuple[int, int]
    last_ns: int
    closed: bool
    shut: tuple[bool | None, bool | None] = (False, False)
    resets: tuple[Row | None, Row | None] = (None, None)


class Known:
    """Calls and samples by the two ends that they speak of, in their order: for many conversations."""

    def __init__(self, trace: Trace) -> None:
        self.calls: dict[frozenset[str | None], list[Call]] = defaultdict(list)
        self.samples: dict[frozenset[str | None], list[KernelSample]] = defaultdict(list)
        for call in trace.calls:
            self.calls[frozenset((call.local, call.peer))].append(call)
        for sample in trace.kernel:
            self.samples[frozenset((sample.local, sample.peer))].append(sample)
        self.beyond: dict[tuple[str, str], list[KernelSample]] = defaultdict(list)
        for sample in trace.kernel_outside:
            self.beyond[sample.lab].append(sample)
        self.backlogs = Backlogs()
        self.backlogs.take(trace.kernel)
        self.outside = outside_peers(trace)
        times = [int(trace.index.time_ns[trace.index.count - 1])] if trace.index.count else [0]
        times += [trace.kernel[-1].time_ns] if trace.kernel else []
        times += [call.end_ns or call.time_ns for call in trace.calls[-1:]]
        self.end_ns = max(times)

    def speaks_of(self, a: str, b: str) -> bool:
        """Whether more is known of the conversation between these ends than its packets."""
        ends = frozenset((a, b))
        return (ends in self.calls or ends in self.samples or a in self.outside or b in self.outside
                or (a, b) in self.beyond or (b, a) in self.beyond)

    def moment(self, trace: Trace, until: Row | None) -> tuple[int, int]:
        """The time that is spoken of: of a packet, or of the last thing that is known; until when it lasts.

        After the last packet there is none that ends its moment: it is told as at the end.
        """
        if until is None or until + 1 >= trace.index.count:
            return self.end_ns, self.end_ns
        return int(trace.index.time_ns[until]), int(trace.index.time_ns[until + 1]) - 1


def custody(
    trace: Trace, stream: int, until: Row | None = None, known: Known | None = None,
    time_ns: int | None = None,
) -> tuple[Custody, Custody]:
    """Both directions of TCP conversation `stream`, a to b first, after packet `until` (None: at the end).

    `known`: of this trace, where it is asked for many. `time_ns`: a moment after that packet, to the point.
    """
    known = known or Known(trace)
    times = known.moment(trace, until) if time_ns is None else (time_ns, time_ns)
    return custody_of(of_flow(trace, trace.flow(stream), until, times[0]), known, times)


def custody_of(wire: OnTheWire, known: Known, times: tuple[int, int]) -> tuple[Custody, Custody]:
    """The same where it is known what packets tell. `times`: see `Known.moment`."""
    moment, until = times
    addresses = wire.addresses
    calls = known.calls.get(frozenset(addresses), [])
    watched = {call.local for call in calls}           # an end whose calls are told at all, though later
    # A look after the packet speaks of its moment while nothing else has happened since.
    until = min([until, *(end - 1 for call in calls if (end := call.end_ns or 0) > moment)])
    reading = {call.local for call in calls if call.name.startswith(_READS) and call.time_ns <= moment
               and (call.end_ns is None or call.end_ns > moment)}
    calls = [call for call in calls if 0 < (call.end_ns or 0) <= moment]
    samples = [one for one in known.samples.get(frozenset(addresses), [])
               if one.time_ns <= (moment if one.state == "gone" else max(until, moment))]
    gone = {address: _gone_ns(samples, address) for address in addresses}
    is_gone = wire.closed or (bool(samples) and all(
        gone[address] for address in {one.local for one in samples}))
    samples = [one for one in samples if one.state != "gone"]
    names = ("client", "server") if wire.opened[0] else addresses
    ends = [_end(name, address, calls, samples, known.outside.get(address))
            for name, address in zip(names, addresses, strict=True)]
    found = []
    for direction in (0, 1):
        own, peer = ends[direction], ends[1 - direction]
        then = min(moment, gone[peer.address] or moment)
        way = _of(own, peer, wire, direction, calls, samples, then, watched, is_gone)
        shut = wire.shut[direction]
        at = _last(samples, peer.address, own.address)
        found.append(replace(way, gone=is_gone, unheard=wire.unheard[direction],
                             queued=at is not None and known.backlogs.has(at),
                             # What a recv() takes opens the window before it returns.
                             waits_ns=0 if peer.address in reading else way.waits_ns,
                             closed=way.window is not None and way.window < 2 if shut is None else shut,
                             beyond=_beyond(known, peer, own, moment),
                             reset=min((row for row in wire.resets if row is not None), default=None)))
    return found[0], found[1]


def _gone_ns(samples: Iterable[KernelSample], address: str) -> int:
    """When the kernel was seen to have no socket of an end any more; 0: it has one, as far as is known.

    close() takes the socket from its program, and what is left of it is told at the same look.
    """
    went = held = 0
    for one in samples:
        if one.local == address and one.state == "gone":
            went = one.time_ns
        elif one.local == address:
            held = one.time_ns
    return went if went > held else 0


def of_flow(trace: Trace, flow: TcpFlow, until: Row | None, moment: int) -> OnTheWire:
    """What packets tell of a conversation after packet `until` (None: the last), which came at `moment`."""
    index, streams = trace.index, flow.streams
    rows = flow.rows if until is None else flow.rows[: int(flow.rows.searchsorted(until, side="right"))]
    sent, acknowledged, unheard = [], [], []
    for direction in (0, 1):
        there, known = _on_the_wire(trace, flow, rows, direction)
        sent.append(there)
        acknowledged.append(known)
        unheard.append(known - _heard(trace, flow, rows, direction, moment) if trace.fates else 0)
    states = (flow.state if until is None else flow.states(row_at(rows, -1))) if len(rows) else ()
    return OnTheWire(
        (join_endpoint(*flow.a), join_endpoint(*flow.b)), (streams[0].start_known, streams[1].start_known),
        (sent[0], sent[1]), (acknowledged[0], acknowledged[1]), (max(unheard[0], 0), max(unheard[1], 0)),
        int(index.time_ns[rows[-1]]) if len(rows) else 0, bool(states) and all(one in OVER for one in states),
        (_shut(trace, flow, rows, 0), _shut(trace, flow, rows, 1)),
        (_reset(trace, flow, rows, 0), _reset(trace, flow, rows, 1)))


def _reset(trace: Trace, flow: TcpFlow, rows: Int64s, direction: int) -> Row | None:
    """The first packet by which an end reset the connection."""
    found = rows[trace.index.tcp_flags[rows] & RST != 0]
    return next(iter(rows_in(found[flow.directions(found) == direction])), None) if len(found) else None


def _shut(trace: Trace, flow: TcpFlow, rows: Int64s, direction: int) -> bool | None:
    """Whether the receiver of a direction closed its window with its last packet; a reset grants nothing."""
    index = trace.index
    answers = rows[flow.directions(rows) != direction]
    answers = answers[index.tcp_flags[answers] & (ACK | RST) == ACK]
    return bool(index.window[answers[-1]] == 0) if len(answers) else None


def _heard(trace: Trace, flow: TcpFlow, rows: Int64s, direction: int, moment: int) -> int:
    """Up to which offset the sender had heard by then that all has come: on a held wire ACKs wait too."""
    for row in reversed(rows_in(rows[flow.directions(rows) != direction])):
        arrived = trace.fates.arrived_ns(row, int(trace.index.time_ns[row]))
        if arrived is not None and arrived <= moment and trace.index.tcp_flags[row] & ACK:
            return _acknowledged(trace, flow, np.array([row]), direction)
    return 0


def _on_the_wire(trace: Trace, flow: TcpFlow, rows: Int64s, direction: int) -> tuple[int, int]:
    """Up to which offset a direction was sent, and acknowledged by its receiver."""
    index, stream = trace.index, flow.streams[direction]
    directions = flow.directions(rows)
    own = rows[directions == direction]
    stops = stream.offsets_of(index.seq[own]) + index.payload_length[own]
    sent = max(int(stops[index.payload_length[own] > 0].max(initial=0)), 0)
    return sent, min(_acknowledged(trace, flow, rows[directions != direction], direction), sent)


def _acknowledged(trace: Trace, flow: TcpFlow, answers: Int64s, direction: int) -> int:
    """Up to which offset of a direction these packets of the other one acknowledge."""
    index = trace.index
    answers = answers[index.tcp_flags[answers] & ACK != 0]
    return max(int(flow.streams[direction].offsets_of(index.ack[answers]).max(initial=0)), 0)


def _of(
    own: End, peer: End, wire: OnTheWire, direction: int, calls: Sequence[Call],
    samples: Sequence[KernelSample], moment: int, watched: Container[str | None], is_gone: bool,
) -> Custody:
    sent, acknowledged = wire.sent[direction], wire.acknowledged[direction]
    written, read = (_moved(calls, *ends, names) if wire.opened[direction] and ends[0] in watched else None
                     for ends, names in (((own.address, peer.address), _WRITES),
                                         ((peer.address, own.address), _READS)))
    sending, receiving = (_last(samples, *pair) for pair in
                          ((own.address, peer.address), (peer.address, own.address)))
    waiting = None if receiving is None else receiving.unread
    # A socket that closes with something unread resets; without that, all was read since it was looked at.
    if receiving is not None and waiting and is_gone and (
            receiving.time_ns < wire.last_ns and wire.resets[1 - direction] is None):
        waiting = None
    counted = None
    if read is not None:
        counted = max(acknowledged - read, 0)
    elif waiting is not None:
        read = max(acknowledged - waiting, 0)
    if written is not None:
        written = max(written, sent)           # a packet is seen before the call that wrote it returns
    elif sending is not None:
        kept = dict(sending.info).get("notsent", 0)
        written = sent + kept if not kept or not is_gone or sending.time_ns >= wire.last_ns else None
    latest = max([wire.last_ns, *(call.end_ns or 0 for call in calls)])
    seen = 0 if receiving is None else receiving.time_ns
    reads = [call.end_ns or 0 for call in calls if call.local == peer.address and (call.result or 0) > 0
             and call.name.startswith(_READS)]  # fmt: skip
    since = _waiting_since(samples, peer.address, own.address)
    stays = since is not None and bool(waiting) and max(reads, default=0) <= seen
    return Custody(
        own, peer, sent, acknowledged, written, waiting if counted is None else counted, read,
        max(moment - since, 0) if stays and since is not None else 0,
        None if receiving is None else dict(receiving.info).get("window"),
        waiting if counted is not None and seen > latest else None,
    )


def _moved(calls: Iterable[Call], local: str, peer: str, names: tuple[str, ...]) -> int:
    """The bytes that calls of these names moved on a socket."""
    return sum(call.result for call in calls if call.local == local and call.peer == peer
               and call.name.startswith(names) and call.result is not None and call.result > 0
               and not call.errno)


def _last(samples: Sequence[KernelSample], local: str, peer: str) -> KernelSample | None:
    return next((one for one in reversed(samples) if one.local == local and one.peer == peer), None)


def _waiting_since(samples: Iterable[KernelSample], local: str, peer: str) -> int | None:
    """Since when something waits to be read there; a queue that shrank was read from."""
    since, before = None, 0
    for one in samples:
        if one.local == local and one.peer == peer:
            now = one.unread
            since = None if not now else one.time_ns if since is None or now < before else since
            before = now
    return since


def _beyond(known: Known, receiver: End, sender: End, moment: int) -> Beyond | None:
    samples = [one for one in known.beyond.get((receiver.address, sender.address), ())
               if one.time_ns <= moment]
    held = [one for one in samples if one.state != "gone"]
    if not held:
        return None
    last, gone = held[-1], samples[-1].state == "gone"
    came = dict(last.info).get("bytes_received")
    since = _waiting_since(held, last.local, last.peer)
    owner = f"{last.process} {last.pid}" if last.process else receiver.outside or last.local
    return Beyond(escaped(owner, 40), last.unread, None if came is None else max(came - last.unread, 0),
                  0 if since is None else max((last.time_ns if gone else moment) - since, 0), gone)


def _end(name: str, address: str, calls: Iterable[Call], samples: Sequence[KernelSample],
         outside: Outside | None) -> End:
    by_calls = next((f"{call.role} {call.pid}" for call in calls if call.local == address), "")
    owner = next((f"{one.process} {one.pid}" for one in reversed(samples)
                  if one.local == address and one.process), by_calls)
    return End(name, address, escaped(owner, 40), "" if outside is None else str(outside))


# --- as lines ------------------------------------------------------------------------------------------


def custody_lines(both: Iterable[Custody], stream: int, width: int) -> list[Line]:
    """A title, a line of numbers for each direction, and what is to be said of it."""
    both = [one for one in both if one.sent or one.written]
    if not both:
        return []
    wide = width >= _WHOLE
    cell, words = (_NUMBER + 1, _TITLES) if wide else (_NARROW + 1, _SHORT_TITLES)
    words = _GONE_TITLES if any(one.is_loss for one in both) else words
    name = max(min(_NAME, width - 5 * cell - 2), 8)
    titles = "".join(fit(tr(title), cell, align="right") for title in words)
    whose = tr("Bytes of TCP {number}", number=stream) if wide else f"TCP {stream}"
    lines: list[Line] = [(Span(fit("", width)),),
                         (Span(fit(f" {fit(whose, name)}{titles}", width), "title"),)]
    for one in both:
        numbers = (one.written, one.unsent, one.on_the_way, one.unread, one.read)
        texts = ["–" if number is None else f"{number:,}" for number in numbers]
        receiver = f" {role_name(one.receiver.name)}" if wide else ""
        way = f" {fit(f'{role_name(one.sender.name)} →{receiver}', name)}"
        spans = [Span(fit(way, min(cell_width(way), width)))]
        waits = (False, bool(one.unsent), one.gone and bool(one.on_the_way),
                 one.waits_ns >= LEAST_NS or (one.gone and bool(one.unread)), False)
        spans += [Span(fit(text, cell, align="right"), "warning" if waiting else "number")
                  for text, waiting in zip(texts, waits, strict=True)]
        used = name + 1 + 5 * cell
        if used > width:
            text = "".join(span.text for span in spans)
            lines.append((Span(fit(text, width)),))
        else:
            lines.append((*spans, Span(" " * (width - used))))
        lines += [(Span(fit(f"   {line}", width), style),) for text, style in custody_sentences(one)
                  for line in wrap(text, SENTENCE)]
    return lines


def custody_sentences(one: Custody) -> Iterator[tuple[str, Style]]:
    """What is to be said of a direction, each with a style: where bytes wait, whether the sums hold."""
    if one.unread and one.waits_ns >= LEAST_NS:
        named = one.receiver.owner and not one.receiver.owner.startswith(f"{one.receiver.name} ")
        owner = sentence(" ({owner})", owner=one.receiver.owner) if named else ""
        template = _WAITED if one.gone else _QUEUED if one.queued else _WAITS if one.unread == 1 else _WAIT
        yield tr(template, size=amount(one.unread, "byte"), whose=_whose(one.receiver), owner=owner,
                 time=duration(one.waits_ns)), "warning"
    if one.gone:
        yield from _sentences_of_loss(one)
    elif one.unsent:
        why = sentence("; the receiver's window is closed") if one.closed else ""
        yield tr(_UNSENT_ONE if one.unsent == 1 else _UNSENT, size=amount(one.unsent, "byte"),
                 why=why), "warning"
    if one.beyond is not None:
        yield from _sentences_beyond(one.beyond)
    elif one.receiver.outside and one.read:
        yield tr("Read by the relay, for {outside} outside of the lab: whether that program has read it is "
                 "not seen.", outside=one.receiver.outside), "dim"
    if one.contradiction:
        yield tr("The sums do not hold: by calls and packets {size} should wait, the kernel says {told:,}.",
                 size=amount(one.unread or 0, "byte"), told=one.in_queue or 0), "warning"
    elif one.in_queue:
        yield tr("The sums hold: calls, packets and the kernel's queues say the same."), "dim"


_WAITED = marked("{size} waited in {whose} receive queue{owner} for {time}: when it was seen last.")
_WAITS = marked("{size} waits in {whose} receive queue{owner} for {time}: it does not read.")
_WAIT = marked("{size} wait in {whose} receive queue{owner} for {time}: it does not read.")
_QUEUED = marked("{size} in {whose} receive queue{owner} for {time}: nobody has accepted the connection.")
_UNSENT_ONE = marked("{size} is written and not sent yet{why}.")
_UNSENT = marked("{size} are written and not sent yet{why}.")
_LOST_UNSENT = marked("{size} lost: written, and never sent{before}.")
_LOST_UNACKNOWLEDGED = marked("{size} lost: sent, and never acknowledged{before}.")
_LOST_UNREAD = marked("{size} lost: in {whose} receive queue, and never read{before}.")
_OUTSIDE_WAITED = marked("{size} waited in the receive queue of {owner}, outside of the lab, for {time}: "
                         "when it was seen last.")
_OUTSIDE_WAITS = marked("{size} waits in the receive queue of {owner}, outside of the lab, for {time}: it "
                        "does not read.")
_OUTSIDE_WAIT = marked("{size} wait in the receive queue of {owner}, outside of the lab, for {time}: it "
                       "does not read.")


def _sentences_of_loss(one: Custody) -> Iterator[tuple[str, Style]]:
    """What was destroyed with the connection: where it was, and which reset came before it got on."""
    before: Sentence | str = "" if one.reset is None else sentence(
        " before packet {number} reset the connection", number=packet_number(one.reset))
    for count, template in ((one.unsent, _LOST_UNSENT), (one.on_the_way, _LOST_UNACKNOWLEDGED),
                            (one.unread, _LOST_UNREAD)):
        if count:
            yield tr(template, size=amount(count, "byte"), whose=_whose(one.receiver),
                     before=before), "warning"


def _sentences_beyond(one: Beyond) -> Iterator[tuple[str, Style]]:
    """Of the program behind the relay: where bytes wait, else how much it has read."""
    if one.unread and one.waits_ns >= LEAST_NS:
        template = _OUTSIDE_WAITED if one.gone else _OUTSIDE_WAITS if one.unread == 1 else _OUTSIDE_WAIT
        yield tr(template, size=amount(one.unread, "byte"), owner=one.owner,
                 time=duration(one.waits_ns)), "warning"
    elif one.read and one.unread:
        yield tr("{owner}, outside of the lab, has read {size} of it, {left} not.", owner=one.owner,
                 size=amount(one.read, "byte"), left=amount(one.unread, "byte")), "dim"
    elif one.read:
        yield tr("{owner}, outside of the lab, has read {size} of it.", owner=one.owner,
                 size=amount(one.read, "byte")), "dim"


def _whose(end: End) -> Sentence:
    if end.name == end.address:
        return sentence("{end}'s", end=end.name)
    return sentence("the {end}'s", end=sentence(end.name))
