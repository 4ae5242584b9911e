"""What the kernel's samples prove of the programs: bytes that nobody reads, connections that nobody accepts.

Samples in the order of time -> spans in which one socket's queue, or its state, stayed as it should not ->
findings. A span counts from the sample that began it to the one that ended it, else to the last of all:
every change is told at the next look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, assert_never

import numpy as np

from inspector.model.packets import Row, row_at
from inspector.model.records import KernelSample
from inspector.model.units import duration
from inspector.wire.findings import Finding, Rule, Rulebook

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

BOOK = Rulebook(
    Rule("kernel.unread-data", "warning", "recv(2)",
         "The program should call recv() or read(): what waits there has arrived already."),
    Rule("kernel.backlog-waiting", "warning", "listen(2)",
         "The server should call accept(): these connections are whole, and nobody takes them."),
    Rule("kernel.close-wait", "warning", "RFC 9293 §3.6",
         "The program should close() once recv() returned 0 and it has no more to say."),
)  # fmt: skip
LEAST_NS = 1_000_000_000             # a shorter wait is no stall: a program may have other things to do
LEAST_CLOSE_WAIT_NS = 2_000_000_000
_LOOK_NS = 100_000_000               # between two looks of the sampler: it was so until then at least
_FIN_COUNTS = ("CLOSE-WAIT", "half-closed", "LAST-ACK", "CLOSING", "TIME-WAIT")   # Linux counts FIN there
Kind = Literal["unread", "backlog", "close-wait"]


@dataclass(slots=True)
class Span:
    """One socket that stayed so: the sample that began it, the last one, and the least that waited.

    `until_ns`: when it was so no more, or the time of the last sample of any socket. `ended`: it was seen to
    end; else it may have gone on for as long as nobody looked.
    """

    kind: Kind
    first: KernelSample
    last: KernelSample
    waiting: int
    until_ns: int | None = None
    ended: bool = False

    @property
    def ns(self) -> int:
        """How long it was seen so, in nanoseconds."""
        return (self.until_ns or self.last.time_ns) - self.first.time_ns


def unread(sample: KernelSample) -> int:
    """Bytes in the receive queue, without the FIN that Linux counts among them."""
    return max(sample.receive_queue - (sample.state in _FIN_COUNTS), 0)


def spans(samples: Iterable[KernelSample]) -> Iterator[Span]:
    """The spans that lasted long enough to be told, in the order in which they began."""
    running: dict[tuple[str, str, Kind], Span] = {}
    found: list[Span] = []
    now = 0
    for sample in _with_their_peers(samples):
        now = max(now, sample.time_ns)
        for kind, waiting in _waits(sample):
            key = (sample.local, sample.peer, kind)
            span = running.get(key)
            # A queue that shrank was read from: its wait begins anew.
            if not waiting or (span is not None and kind == "unread" and waiting < span.waiting):
                if ended := running.pop(key, None):
                    ended.until_ns = max(ended.last.time_ns, sample.time_ns - _LOOK_NS)
                    ended.ended = True
                span = None
            if not waiting:
                continue
            if span is None:
                span = running[key] = Span(kind, sample, sample, waiting)
                found.append(span)
            span.last, span.waiting = sample, waiting
    for span in running.values():
        span.until_ns = now
    return (span for span in found if span.ns >= (
        LEAST_CLOSE_WAIT_NS if span.kind == "close-wait" else LEAST_NS))  # fmt: skip


def _with_their_peers(samples: Iterable[KernelSample]) -> Iterator[KernelSample]:
    """The samples, CLOSE-WAIT as "half-closed" while a program still reads at the other end.

    A program that called shutdown() may wait for what the other one has yet to say: that one keeps nothing
    open in vain. Its socket stands in FIN-WAIT-2 and is held; after close() nobody holds it.
    """
    latest: dict[tuple[str, str], KernelSample] = {}
    for sample in samples:
        latest[sample.local, sample.peer] = sample
        peer = latest.get((sample.peer, sample.local))
        yield _half_closed(sample, peer)
        if peer is not None and peer.state == "CLOSE-WAIT":        # what is known of it changes with this one
            yield _half_closed(replace(peer, time_ns=sample.time_ns), sample)


def _half_closed(sample: KernelSample, peer: KernelSample | None) -> KernelSample:
    reads = peer is not None and peer.state == "FIN-WAIT-2" and peer.pid is not None
    return replace(sample, state="half-closed") if reads and sample.state == "CLOSE-WAIT" else sample


def _waits(sample: KernelSample) -> tuple[tuple[Kind, int], ...]:
    listening = sample.state == "LISTEN"
    return (
        ("unread", 0 if listening else unread(sample)),
        ("backlog", sample.receive_queue if listening else 0),
        ("close-wait", int(sample.state == "CLOSE-WAIT")),
    )


def kernel_findings(trace: Trace) -> list[Finding]:
    """What the samples prove, each with its conversation and its last packet before.

    Nothing of a session that is led call by call: there the person is who waits.
    """
    if not trace.kernel or any(event.kind == "waiting" for event in trace.events):
        return []
    streams = {frozenset((row.a, row.b)): row.stream for row in trace.conversations("tcp")}
    return [_finding(trace, span, streams.get(frozenset((span.first.local, span.first.peer)), -1))
            for span in spans(trace.kernel)]  # fmt: skip


def _finding(trace: Trace, span: Span, stream: int) -> Finding:
    sample, lasted = span.last, ("" if span.ended else "at least ") + duration(span.ns)
    owner = f" ({sample.process} {sample.pid})" if sample.process else ""
    whose = f"{sample.local}{owner}"
    match span.kind:
        case "unread":
            words = f"{_count(span.waiting, 'byte')} in the receive queue of {whose} for {lasted}."
            found = BOOK.finding("kernel.unread-data", words)
        case "backlog":
            words = f"{_count(span.waiting, 'connection')} in the backlog of {whose} for {lasted}."
            if sample.receive_queue > sample.send_queue:
                words += f" It is full ({sample.send_queue} may)."
            found = BOOK.finding("kernel.backlog-waiting", words)
        case "close-wait":
            words = f"{whose} is in CLOSE-WAIT for {lasted}: the peer {sample.peer} sends no more."
            found = BOOK.finding("kernel.close-wait", words)
        case _:
            assert_never(span.kind)
    rows: tuple[Row, ...] = ()
    if stream >= 0:
        own = trace.rows_of("tcp", stream)
        before = own[trace.index.time_ns[own].astype(np.int64) <= span.first.time_ns]
        rows = (row_at(before, -1) if len(before) else row_at(own, 0),)
    return found.at(stream, rows)


def _count(number: int, what: str) -> str:
    return f"1 {what} waits" if number == 1 else f"{number:,} {what}s wait"
