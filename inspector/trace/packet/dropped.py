"""Datagrams that the kernel dropped at a UDP socket, as its samples count them: no program ever reads them,
though the capture has them.

Samples of one socket -> how much its counter grew, and how full its queue was when that was seen -> findings.
`Drops` goes on where it was: it looks at each sample and at each packet once, however often it is asked.
The counter has more reasons than a full queue (a wrong checksum, a filter of the socket): nobody is told to
have read too slowly unless not one more datagram of those that came would have fitted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.endpoint import split_endpoint
from inspector.model.language import marked, sentence
from inspector.model.numbers import UDP
from inspector.model.packets import BEFORE, Row, row_at
from inspector.model.units import amount
from inspector.wire.findings import Rule, Rulebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.records import KernelSample
    from inspector.trace.trace import Trace
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

    `last_row`: the last packet to its port before that (BEFORE: none). `full`: the queue had no room for one
    more then.
    """

    datagrams: int
    sample: KernelSample
    last_row: Row
    full: bool


def counted(sample: KernelSample) -> tuple[int, int]:
    """Datagrams that were dropped at the socket so far, and bytes of memory that its queue may take."""
    info = dict(sample.info)
    return info.get("drops", 0), info.get("rcvbuf", 0)


class Arrivals:
    """The packets to one port, in the order of time: the largest so far, and the last one."""

    def __init__(self, trace: Trace, port: int) -> None:
        self.trace, self.port = trace, port
        self.largest, self.last_row = 0, BEFORE
        self._until = 0                        # packets that were looked at

    def take(self, time_ns: int) -> None:
        """Look at those that came until then; an earlier time than before has nothing new."""
        index = self.trace.index
        until = int(np.searchsorted(index.time_ns[: index.count], time_ns, side="right"))
        fresh = slice(self._until, until)
        if until <= self._until:
            return
        came = (index.protocol[fresh] == UDP) & (index.dport[fresh] == self.port)
        rows = np.flatnonzero(came & (index.stream[fresh] >= 0)) + self._until
        if len(rows):
            self.largest = max(self.largest, int(index.payload_length[rows].max()))
            self.last_row = row_at(rows, -1)
        self._until = until

    def copy(self) -> Arrivals:
        """The same, to look further without going on for good."""
        again = Arrivals(self.trace, self.port)
        again.largest, again.last_row, again._until = self.largest, self.last_row, self._until
        return again


class Growth(NamedTuple):
    """A sample that counts more than the one before it."""

    datagrams: int
    sample: KernelSample


@dataclass(slots=True)
class _Socket:
    """What samples of one socket said so far; by whether its queue was full."""

    counts: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    last: dict[bool, tuple[KernelSample, Row]] = field(default_factory=dict)      # with the last packet to it
    before: int = 0

    def add(self, growth: Growth, arrivals: Arrivals) -> None:
        """A growth, judged by what came until then."""
        arrivals.take(growth.sample.time_ns)
        full = _is_full(growth.sample, arrivals.largest)
        self.counts[full] += growth.datagrams
        self.last[full] = growth.sample, arrivals.last_row

    def copy(self) -> _Socket:
        """The same, to add to."""
        return _Socket(dict(self.counts), dict(self.last), self.before)


class Drops:
    """What was dropped at the UDP sockets of one trace, which may grow."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._begin(from_the_start=False)
        self._events_seen = 0

    def _begin(self, *, from_the_start: bool) -> None:
        """`from_the_start`: each socket was made while somebody looked (in the lab, where we are first)."""
        self._from_the_start = from_the_start
        self._sockets: dict[tuple[str, str, int | None], _Socket] = {}
        self._open: dict[tuple[str, str, int | None], deque[Growth]] = {}    # packets of before may yet come
        self._arrivals: dict[int, Arrivals] = {}
        self._seen = 0

    def dropped(self) -> Iterator[Dropped]:
        """What was dropped while somebody looked, socket by socket in order of their first samples."""
        self._take()
        for key, one in self._sockets.items():
            growths = self._open.get(key)
            if growths:
                one, arrivals = one.copy(), self._arrived(growths[0]).copy()
                for growth in growths:
                    one.add(growth, arrivals)
            for full in (True, False):
                if one.counts[full]:
                    yield Dropped(one.counts[full], *one.last[full], full)

    def _take(self) -> None:
        """Look at the samples that are new, and judge those before which no packet can come any more."""
        trace = self.trace
        fresh, self._events_seen = trace.events[self._events_seen :], len(trace.events)
        if not self._from_the_start and any(
                one.kind == "agent-ready" and one.known.get("mode") == "lab" for one in fresh):
            self._begin(from_the_start=True)
        samples, self._seen = trace.kernel_udp[self._seen :], len(trace.kernel_udp)
        for sample in samples:
            if sample.state != "gone":
                self._count(sample)
        index = trace.index
        latest = int(index.time_ns[index.count - 1]) if index.count else 0
        for key, growths in list(self._open.items()):
            while growths and growths[0].sample.time_ns < latest:
                self._sockets[key].add(growths[0], self._arrived(growths[0]))
                growths.popleft()
            if not growths:
                del self._open[key]

    def _count(self, sample: KernelSample) -> None:
        key, now = (sample.local, sample.peer, sample.pid), counted(sample)[0]
        one = self._sockets.get(key)
        if one is None:
            one = self._sockets[key] = _Socket(before=0 if self._from_the_start else now)
        if now < one.before:                   # another socket at the same address
            one.before = 0
        if now > one.before:
            self._open.setdefault(key, deque()).append(Growth(now - one.before, sample))
            one.before = now

    def _arrived(self, growth: Growth) -> Arrivals:
        port = split_endpoint(growth.sample.local)[1]
        if port not in self._arrivals:
            self._arrivals[port] = Arrivals(self.trace, port)
        return self._arrivals[port]

    def findings(self) -> list[Finding]:
        """A finding for each, with the last packet to the socket before it was seen."""
        return [_finding(self.trace, one) for one in self.dropped()]


def _is_full(sample: KernelSample, largest: int) -> bool:
    """Whether one more datagram, as large as the largest that came so far, had no room in the queue."""
    buffer = largest + _BUFFER
    if buffer > _SMALL and largest < _LARGE:
        buffer = 1 << (buffer - 1).bit_length()
    return sample.receive_queue + buffer + _OWN > counted(sample)[1] > 0


_ONE_DROPPED = marked("{datagrams} to {local}{owner} was dropped")
_DROPPED = marked("{datagrams} to {local}{owner} were dropped")


def _finding(trace: Trace, lost: Dropped) -> Finding:
    sample = lost.sample
    owner = f" ({sample.process} {sample.pid})" if sample.process else ""
    were = sentence(_ONE_DROPPED if lost.datagrams == 1 else _DROPPED,
                    datagrams=amount(lost.datagrams, "datagram"), local=sample.local, owner=owner)
    memory = sentence("{used:,} of {most:,} bytes of memory", used=sample.receive_queue,
                      most=counted(sample)[1])
    if lost.full:
        reader = sentence("the program") if owner else sentence("its holder")
        words = sentence("{were} by the kernel: the receive queue was full ({memory}), {reader} did not "
                         "read.",
                         were=were, memory=memory, reader=reader)
        found = BOOK.finding("kernel.queue-full", words)
    else:
        words = sentence("{were} by the kernel. When it was looked at, the receive queue had {memory}.",
                         were=were, memory=memory)
        found = BOOK.finding("kernel.datagrams-dropped", words)
    stream = int(trace.index.stream[lost.last_row]) if lost.last_row >= 0 else -1
    rows = (lost.last_row,) if lost.last_row >= 0 else ()
    return replace(found, carrier="udp").at(stream, rows)
