"""Datagrams that the kernel dropped at a UDP socket, as its samples count them: no program ever reads them,
though the capture has them.

Samples of one socket -> how much its counter grew, and how full its queue was when that was seen -> findings.
The counter has more reasons than a full queue (a wrong checksum, a filter of the socket): nobody is told to
have read too slowly unless not one more datagram of those that came would have fitted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.endpoint import split_endpoint
from inspector.model.language import marked, sentence
from inspector.model.numbers import UDP
from inspector.model.packets import row_at
from inspector.model.units import amount
from inspector.wire.findings import Rule, Rulebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.records import KernelSample
    from inspector.trace.trace import Trace
    from inspector.wire.arrays import Int64s
    from inspector.wire.findings import Finding

BOOK = Rulebook(
    Rule("kernel.queue-full", "warning", "udp(7)",
         "The program should read sooner, or ask for a larger queue (SO_RCVBUF)."),
    Rule("kernel.datagrams-dropped", "note", "udp(7)",
         "A queue that was full for a moment, a wrong checksum or a filter of the socket can be why."),
)  # fmt: skip
# What a datagram takes at least beside its payload: two structures of the kernel's, and headers. Its buffer
# is a power of two, but for small ones, which have a size of their own, and large ones, which have pages.
_OWN, _BUFFER, _SMALL, _LARGE = 256, 348, 640, 12_000


class Dropped(NamedTuple):
    """What samples of one socket tell of: datagrams that were dropped, and the last sample that did.

    `full`: the queue had no room for one more then.
    """

    datagrams: int
    sample: KernelSample
    full: bool


def counted(sample: KernelSample) -> tuple[int, int]:
    """Datagrams that were dropped at the socket so far, and bytes of memory that its queue may take."""
    info = dict(sample.info)
    return info.get("drops", 0), info.get("rcvbuf", 0)


def dropped(trace: Trace) -> Iterator[Dropped]:
    """What was dropped while somebody looked, socket by socket in order of their first samples."""
    every: dict[tuple[str, str, int | None], list[KernelSample]] = {}
    for sample in trace.kernel_udp:
        if sample.state != "gone":
            every.setdefault((sample.local, sample.peer, sample.pid), []).append(sample)
    known = _from_the_start(trace)
    for samples in every.values():
        before = 0 if known else counted(samples[0])[0]
        counts, last = {True: 0, False: 0}, {True: samples[0], False: samples[0]}
        for sample in samples:
            now = counted(sample)[0]
            if now < before:                   # another socket at the same address
                before = 0
            if now > before:
                full = _is_full(trace, sample)
                counts[full] += now - before
                before, last[full] = now, sample
        for full in (True, False):
            if counts[full]:
                yield Dropped(counts[full], last[full], full)


def _from_the_start(trace: Trace) -> bool:
    """Whether every socket was made while somebody looked: so it is in the lab, where we are first."""
    return any(event.kind == "agent-ready" and event.known.get("mode") == "lab" for event in trace.events)


def _is_full(trace: Trace, sample: KernelSample) -> bool:
    """Whether one more datagram, as large as the largest that came so far, had no room in the queue."""
    rows = _to(trace, sample)
    largest = int(trace.index.payload_length[rows].max()) if len(rows) else 0
    buffer = largest + _BUFFER
    if buffer > _SMALL and largest < _LARGE:
        buffer = 1 << (buffer - 1).bit_length()
    return sample.receive_queue + buffer + _OWN > counted(sample)[1] > 0


def _to(trace: Trace, sample: KernelSample) -> Int64s:
    """The packets to this socket's port until the sample."""
    index, port = trace.index, split_endpoint(sample.local)[1]
    until = int(np.searchsorted(index.time_ns, sample.time_ns, side="right"))
    came = (index.protocol[:until] == UDP) & (index.dport[:until] == port) & (index.stream[:until] >= 0)
    return np.flatnonzero(came)


_ONE_DROPPED = marked("{datagrams} to {local}{owner} was dropped")
_DROPPED = marked("{datagrams} to {local}{owner} were dropped")


def dropped_findings(trace: Trace) -> list[Finding]:
    """A finding for each, with the last packet to the socket before it was seen."""
    found = []
    for count, sample, full in dropped(trace):
        owner = f" ({sample.process} {sample.pid})" if sample.process else ""
        lost = _ONE_DROPPED if count == 1 else _DROPPED
        were = sentence(lost, datagrams=amount(count, "datagram"), local=sample.local, owner=owner)
        memory = sentence("{used:,} of {most:,} bytes of memory", used=sample.receive_queue,
                          most=counted(sample)[1])
        if full:
            reader = sentence("the program") if owner else sentence("its holder")
            words = sentence("{were} by the kernel: the receive queue was full ({memory}), {reader} did not "
                             "read.",
                             were=were, memory=memory, reader=reader)
            one = BOOK.finding("kernel.queue-full", words)
        else:
            words = sentence("{were} by the kernel. When it was looked at, the receive queue had {memory}.",
                             were=were, memory=memory)
            one = BOOK.finding("kernel.datagrams-dropped", words)
        rows = _to(trace, sample)
        stream = int(trace.index.stream[rows[-1]]) if len(rows) else -1
        found.append(replace(one, carrier="udp").at(stream, (row_at(rows, -1),) if len(rows) else ()))
    return found
