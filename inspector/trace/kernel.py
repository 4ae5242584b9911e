"""What the kernel's samples prove of the programs: bytes that nobody reads, connections that nobody accepts.

Samples in the order of time -> spans in which one socket's queue, or its state, stayed as it should not ->
findings. A span counts from the first sample to the last one that say so: under load a look may leave out
much, so that what no sample says is not known. That it may have lasted longer is said. `KernelFindings` goes
on where it was: whoever follows a trace looks at each sample once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, assert_never

import numpy as np

from inspector.model.endpoint import split_endpoint
from inspector.model.language import Sentence, marked, sentence, sentence_as
from inspector.model.numbers import ACK, FIN, SYN, TCP
from inspector.model.packets import Row, row_at
from inspector.model.records import KernelSample
from inspector.model.units import duration
from inspector.trace.contents.backlogs import Backlogs
from inspector.trace.packet.dropped import Drops
from inspector.wire.findings import Finding, Rule, Rulebook

if TYPE_CHECKING:
    from inspector.trace.index.conversations import ConversationRow
    from inspector.trace.trace import Trace

BOOK = Rulebook(
    Rule("kernel.unread-data", "warning", "recv(2)",
         "The program should call recv() or read(): what waits there has arrived already."),
    Rule("kernel.backlog-waiting", "warning", "listen(2)",
         "The server should call accept(): these connections are whole, and nobody takes them."),
    Rule("kernel.close-wait", "warning", "RFC 9293 §3.6",
         "The program should close() once recv() returned 0 and it has no more to say."),
)  # fmt: skip
_ACCEPT = marked("The server should call accept(): the connection is whole, and nobody takes it.")
_AT_WORK = marked("Look at what takes so long to answer: it has not come to see that nobody waits for it any "
                  "more.")
LEAST_NS = 1_000_000_000             # a shorter wait is no stall: a program may have other things to do
LEAST_CLOSE_WAIT_NS = 2_000_000_000
Kind = Literal["unread", "backlog", "close-wait"]


@dataclass(slots=True)
class Span:
    """One socket that stayed so: the sample that began it, the last that says so, the least that waited."""

    kind: Kind
    first: KernelSample
    last: KernelSample
    waiting: int
    stream: int = -1                   # its TCP conversation; -1 while that is not known
    is_queued: bool = False            # the connection waits for accept(), at the last sample

    @property
    def ns(self) -> int:
        """How long it was seen so, in nanoseconds."""
        return self.last.time_ns - self.first.time_ns

    @property
    def is_long(self) -> bool:
        """Whether it lasted long enough to be told."""
        return self.ns >= (LEAST_CLOSE_WAIT_NS if self.kind == "close-wait" else LEAST_NS)


class Spans:
    """The spans of samples that come one after the other."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str, Kind], Span] = {}
        self._begun: list[Span] = []           # in this order; those that ended too soon are left out
        self._latest: dict[tuple[str, str], KernelSample] = {}

    def take(self, samples: Iterable[KernelSample]) -> None:
        """More samples."""
        for sample in samples:
            for one in self._with_its_peer(sample):
                self._look(one)
        running = set(map(id, self._running.values()))
        self._begun = [span for span in self._begun if span.is_long or id(span) in running]

    def long(self) -> list[Span]:
        """The spans that lasted long enough to be told, in the order in which they began."""
        return [span for span in self._begun if span.is_long]

    def _look(self, sample: KernelSample) -> None:
        for kind, waiting in _waits(sample):
            key = (sample.local, sample.peer, kind)
            span = self._running.get(key)
            # A queue that shrank was read from: its wait begins anew.
            if not waiting or (span is not None and kind == "unread" and waiting < span.waiting):
                self._running.pop(key, None)
                span = None
            if not waiting:
                continue
            if span is None:
                span = self._running[key] = Span(kind, sample, sample, waiting)
                self._begun.append(span)
            span.last, span.waiting = sample, waiting

    def _with_its_peer(self, sample: KernelSample) -> Iterator[KernelSample]:
        """The sample, CLOSE-WAIT as "half-closed" while a program still reads at the other end.

        A program that called shutdown() may wait for what the other one has yet to say: that one keeps
        nothing open in vain. Its socket stands in FIN-WAIT-2 and is held; after close() nobody holds it.
        """
        self._latest[sample.local, sample.peer] = sample
        peer = self._latest.get((sample.peer, sample.local))
        yield _half_closed(sample, peer)
        if peer is not None and peer.state == "CLOSE-WAIT":        # what is known of it changes with this one
            yield _half_closed(replace(peer, time_ns=sample.time_ns), sample)
        if sample.state == "gone":
            del self._latest[sample.local, sample.peer]


def spans(samples: Iterable[KernelSample]) -> list[Span]:
    """The spans of all these samples that lasted long enough."""
    found = Spans()
    found.take(samples)
    return found.long()


def _half_closed(sample: KernelSample, peer: KernelSample | None) -> KernelSample:
    reads = peer is not None and peer.state == "FIN-WAIT-2" and peer.pid is not None
    return replace(sample, state="half-closed") if reads and sample.state == "CLOSE-WAIT" else sample


def _waits(sample: KernelSample) -> tuple[tuple[Kind, int], ...]:
    listening = sample.state == "LISTEN"
    return (
        ("unread", 0 if listening else sample.unread),
        ("backlog", sample.receive_queue if listening else 0),
        ("close-wait", int(sample.state == "CLOSE-WAIT")),
    )


class KernelFindings:
    """What the samples of one trace prove, which may grow."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._drops = Drops(trace)
        self._own, self._outside = Spans(), Spans()
        self._samples = 0, 0                   # that were looked at: ours, those outside
        self._backlogs = Backlogs(), Backlogs()
        self._events, self._is_led = 0, False

    def look(self) -> list[Finding]:
        """Each finding with its conversation and its last packet before.

        Where a program outside of the lab leaves bytes unread the relay comes to a stand too: it is the
        program that is told of.
        Nobody waits too long in a session that is led call by call: there the person is who waits.
        """
        trace, lost = self.trace, self._drops.findings()
        self._take()
        if self._is_led:
            return lost
        outside = self._outside.long()
        waiting = {(span.kind, span.first.lab) for span in outside}
        own = [span for span in self._own.long()
               if (span.kind, (span.first.local, span.first.peer)) not in waiting]
        long_waits = [span for span in (*own, *outside) if _is_long_wait(trace, span)]
        for span in long_waits:
            span.is_queued = self._backlogs[bool(span.first.lab[0])].has(span.last)
        self._place(long_waits)
        found = (_finding(trace, span) for span in long_waits)
        return [one for one in found if one is not None] + lost

    def _take(self) -> None:
        trace, (own, outside) = self.trace, self._samples
        self._is_led |= any(event.kind == "waiting" for event in trace.events[self._events :])
        for backlogs, samples in zip(self._backlogs, (trace.kernel, trace.kernel_outside), strict=True):
            backlogs.take(samples)
        self._own.take(trace.kernel[own:])
        self._outside.take(trace.kernel_outside[outside:])
        self._samples, self._events = (len(trace.kernel), len(trace.kernel_outside)), len(trace.events)

    def _place(self, long_waits: list[Span]) -> None:
        """Find the conversation of each span, where it is not known for good."""
        # Those of a listener have none.
        open_ = [span for span in long_waits if span.stream < 0 and span.kind != "backlog"]
        streams: dict[frozenset[str], list[ConversationRow]] = {}
        if open_:
            for row in self.trace.conversations("tcp"):
                streams.setdefault(frozenset((row.a, row.b)), []).append(row)
        for span in open_:
            span.stream = _stream(streams, span)


def kernel_findings(trace: Trace) -> list[Finding]:
    """What the samples of a trace prove, asked once."""
    return KernelFindings(trace).look()


def _stream(streams: dict[frozenset[str], list[ConversationRow]], span: Span) -> int:
    """The conversation that a span speaks of: between the same ends the one of its time; else -1."""
    ends = span.first.lab if span.first.lab[0] else (span.first.local, span.first.peer)
    same = streams.get(frozenset(ends), [])
    begun = [row for row in same if row.start_ns <= span.first.time_ns]
    return (begun[-1] if begun else same[0]).stream if same else -1


def _is_long_wait(trace: Trace, span: Span) -> bool:
    """Whether those who wait at a span's end have waited long; it begins with them from now on.

    accept() takes the one that has waited longest. So where the server said something on a connection, all
    that were opened before that one had been accepted by then: a busy server has somebody waiting at every
    look, and never the same.
    """
    if span.kind == "backlog":
        since = _accepted(trace, span)
        if since is not None:
            span.first = replace(span.first, time_ns=min(since, span.last.time_ns))
    return span.is_long


def _accepted(trace: Trace, span: Span) -> int | None:
    """When the youngest connection was opened, in the span's time, on which the listener's program spoke."""
    index, port = trace.index, split_endpoint(span.last.local)[1]
    times = index.time_ns[: index.count]
    here = slice(*(int(np.searchsorted(times, one.time_ns, side="right")) for one in (span.first, span.last)))
    tcp, streams = index.protocol[here] == TCP, index.stream[here]
    speaks = tcp & (index.sport[here] == port) & (streams >= 0)
    speaks &= (index.payload_length[here] > 0) | (index.tcp_flags[here] & FIN > 0)
    opened = tcp & (index.dport[here] == port) & (index.tcp_flags[here] & (SYN | ACK) == SYN)
    opened &= np.isin(streams, streams[speaks])
    return int(times[here][opened].max()) if opened.any() else None


def _finding(trace: Trace, span: Span) -> Finding | None:
    stream = span.stream
    sample, lasted = span.last, sentence("at least {time}", time=duration(span.ns))
    owner = f" ({sample.process} {sample.pid})" if sample.process else ""
    whose = f"{sample.local}{owner}"
    if sample.lab[0]:
        whose = sentence("{whose} outside of the lab", whose=whose)
    match span.kind:
        case "unread":
            waiting = sentence_as(_count(span.waiting, "byte"), marked("{count:,} bytes wait"),
                                  {"count": span.waiting})
            words = sentence("{waiting} in the receive queue of {whose} for {time}.", waiting=waiting,
                             whose=whose, time=lasted)
            if span.is_queued:
                words = sentence("{waiting} in the receive queue of {whose} for {time}: nobody has accepted "
                                 "the connection.", waiting=waiting, whose=whose, time=lasted)
            found = BOOK.finding("kernel.unread-data", words, instead=_ACCEPT if span.is_queued else "")
        case "backlog":
            waiting = sentence_as(_count(span.waiting, "connection"), marked("{count:,} connections wait"),
                                  {"count": span.waiting})
            words = sentence("{waiting} in the backlog of {whose} for {time}.", waiting=waiting, whose=whose,
                             time=lasted)
            if sample.receive_queue > sample.send_queue:
                words = sentence("{words} It is full: listen() was given {most}, and Linux lets one more "
                                 "wait.", words=words, most=sample.send_queue)
            found = BOOK.finding("kernel.backlog-waiting", words)
        case "close-wait":
            close_wait = _close_wait(trace, span, whose, lasted)
            if close_wait is None:
                return None
            found = close_wait
        case _:
            assert_never(span.kind)
    rows: tuple[Row, ...] = ()
    if stream >= 0:
        own = trace.rows_of("tcp", stream)
        before = own[trace.index.time_ns[own].astype(np.int64) <= span.first.time_ns]
        rows = (row_at(before, -1) if len(before) else row_at(own, 0),)
    return found.at(stream, rows)


def _close_wait(trace: Trace, span: Span, whose: str, lasted: Sentence) -> Finding | None:
    """That an end does not close; None where it was at work on an answer meanwhile, which is told of it."""
    if span.is_queued:
        words = sentence("{whose} is in CLOSE-WAIT for {time}: the peer {peer} sends no more, and nobody has "
                         "accepted the connection.", whose=whose, time=lasted, peer=span.last.peer)
        return BOOK.finding("kernel.close-wait", words, instead=_ACCEPT)
    application = trace.application(span.stream) if span.stream >= 0 else None
    given_up = None if application is None else application.answers.given_up(application)
    if application is None or given_up is None or given_up.heard:
        words = sentence("{whose} is in CLOSE-WAIT for {time}: the peer {peer} sends no more.", whose=whose,
                         time=lasted, peer=span.last.peer)
        return BOOK.finding("kernel.close-wait", words)
    if given_up.answered is not None:
        if span.last.time_ns <= int(trace.index.time_ns[given_up.answered]) + LEAST_NS:
            return None
        words = sentence("{whose} is in CLOSE-WAIT for {time}, and had answered {request} by then.",
                         whose=whose, time=lasted, request=given_up.words())
        return BOOK.finding("kernel.close-wait", words)
    if application.is_over:
        return None
    words = sentence(
        "{whose} has not answered {request}, which had waited {waited} when {peer} gave up, nor closed "
        "since, for {time}.", whose=whose, request=given_up.words(), peer=span.last.peer, time=lasted,
        waited=duration(application.answers.waited_ns(given_up)))
    return BOOK.finding("kernel.close-wait", words, instead=_AT_WORK)


def _count(number: int, what: str) -> str:
    return f"1 {what} waits" if number == 1 else f"{number:,} {what}s wait"
