"""Resets with bytes unread: how many and whose, where calls or the kernel's samples tell it.

A finding of TCP that an end reset the connection -> what that end's program had read by then (its calls), or
what waited in its receive queue when the kernel was last asked -> the same finding with the number.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inspector.model.endpoint import join_endpoint
from inspector.model.language import Sentence, marked, sentence
from inspector.model.numbers import ACK, RST
from inspector.model.packets import Row, row_at
from inspector.model.units import amount, duration
from inspector.trace.application.application import ApplicationLayers, by_place
from inspector.trace.contents.backlogs import Backlogs
from inspector.wire.findings import Finding
from inspector.wire.tcp.rules import finding

if TYPE_CHECKING:
    from inspector.model.records import Call, KernelSample
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.index.index import Index

RESETS = frozenset({"tcp.reset-with-unread-data", "tcp.reset-after-data"})
_EXPLAINED = frozenset({"answer.gave-up", "answer.broken-off"})
_OPENED = "tcp.reset-after-open"
_READS = ("recv", "read")
_INSTEAD = marked("Read all that came, then close(): with bytes unread it resets, and the peer may lose what "
                  "is on its way to it.")
_ACCEPT = marked("The server should accept() each connection before it closes its listener, or ends.")
_OLD_NS = 2_000_000_000          # a look at the queue that is older says little of its moment
_STANDS_NS = 60_000_000_000      # a socket in which nothing moves is written down once
_MOST_LOOKS = 5000               # among which the last one of an end is looked for
_ALERT = 64                      # bytes at most of TLS's last word, which few read

Ends = tuple[str, str]           # addresses: of the end that reset, and of the other one


class Unread(NamedTuple):
    """Bytes that the end which reset had not read, in words."""

    size: int
    words: Sentence
    instead: str


class Records(Protocol):
    """A trace with what programs and the kernel told."""

    @property
    def index(self) -> Index:
        """The columns of the packets."""

    @property
    def calls(self) -> list[Call]:
        """The system calls, in order of their beginning; one that blocks is replaced when it returns."""

    @property
    def kernel(self) -> list[KernelSample]:
        """What the kernel held of each socket, in the order of time."""

    def application(self, stream: int) -> ApplicationLayers:
        """What a TCP conversation carries."""


class UnreadBytes:
    """What calls and samples tell of the resets of a trace, which may grow."""

    def __init__(self, trace: Records) -> None:
        self._trace = trace
        self._reads: dict[Ends, list[int]] = {}        # places of calls, by their ends
        self._looked, self._open = 0, list[int]()      # how many; those of them that had not returned
        self._backlogs = Backlogs()

    def findings(self, flow: TcpFlow, found: list[Finding]) -> list[Finding]:
        """The findings, of a reset with the number of bytes that its end had not read, where that is known.

        Also of a reset of which TCP alone proves nothing, as the other end had closed before it.
        """
        trace = self._trace
        if not (trace.calls or trace.kernel) or any(one.id in _EXPLAINED for one in found):
            return found
        index, rows = trace.index, flow.rows
        resets = rows[index.tcp_flags[rows] & RST != 0]
        is_found = any(one.id in RESETS for one in found)
        if not len(resets) or not (is_found or index.tcp_flags[resets[0]] & ACK):
            return found
        reset = row_at(resets, 0)
        if any(one.id == _OPENED for one in found):
            return [self._unaccepted(flow, reset, one) if one.id == _OPENED else one for one in found]
        unread = self._by_calls(flow, reset) or self._by_samples(flow, reset)
        if unread is None or self._is_explained(flow, unread, is_found):
            return found
        known = finding("tcp.reset-with-unread-data", unread.words, instead=unread.instead)
        if not is_found:
            return sorted([*found, known.at(flow.stream, (reset,))], key=by_place)
        return [replace(known, stream=one.stream, rows=one.rows, more_rows=one.more_rows)
                if one.id in RESETS else one for one in found]

    def _is_explained(self, flow: TcpFlow, unread: Unread, is_found: bool) -> bool:
        """Whether what is spoken says why: TLS's close_notify, words that nobody misses, or a word before a
        reset that TCP left out."""
        application = self._trace.application(flow.stream)
        if unread.size <= application.unmissed_bytes:
            return True
        decoders = [layer.decoder for layer in application.layers]
        if any(one.seals for one in decoders) and unread.size <= _ALERT:
            return True
        return not is_found and any(one.explained_end for one in decoders)

    def _take(self, calls: list[Call]) -> None:
        """Sort the calls that came, or returned, since."""
        new, self._open = [*self._open, *range(self._looked, len(calls))], []
        self._looked = len(calls)
        for place in new:
            call = calls[place]
            if call.end_ns is None:
                self._open.append(place)
            else:
                self._reads.setdefault((call.local, call.peer), []).append(place)

    def _by_calls(self, flow: TcpFlow, reset: Row) -> Unread | None:
        """What came and no call had taken, where the end's calls are told."""
        calls, ends = self._trace.calls, _ends(flow, reset)
        self._take(calls)
        mine = [calls[place] for place in self._reads.get(ends, ())]
        direction = 1 - flow.direction(reset)                  # of the bytes that it should have read
        stream = flow.streams[direction]
        if not mine or not stream.start_known:
            return None
        read = sum(call.result or 0 for call in mine if call.name.startswith(_READS) and not call.errno
                   and (call.result or 0) > 0)
        index, rows = self._trace.index, flow.rows
        acks = rows[(flow.directions(rows) != direction) & (index.tcp_flags[rows] & ACK != 0)
                    & (rows <= reset)]
        came = int(stream.offsets_of(index.ack[acks]).max(initial=0)) if len(acks) else 0
        left = min(came, stream.length) - read
        if left <= 0:
            return None
        return Unread(left, sentence("{owner} closed {end} with {size} unread.",
                                     owner=f"{mine[-1].role} {mine[-1].pid}", end=ends[0],
                                     size=amount(left, "byte")), _INSTEAD)

    def _unaccepted(self, flow: TcpFlow, reset: Row, one: Finding) -> Finding:
        """A reset before anything was said: where nobody had accepted the connection, as that."""
        last = self._last_look(flow, reset, _STANDS_NS)
        self._backlogs.take(self._trace.kernel)
        if last is None or not self._backlogs.has(last):
            return one
        words = sentence("{end} was closed before anybody had accepted the connection.",
                         end=_ends(flow, reset)[0])
        return finding(_OPENED, words, instead=_ACCEPT).at(one.stream, one.rows)

    def _last_look(self, flow: TcpFlow, reset: Row, old_ns: int = _OLD_NS) -> KernelSample | None:
        """What the kernel held of the end when it was asked last before it; None: not lately."""
        samples, ends = self._trace.kernel, _ends(flow, reset)
        moment = int(self._trace.index.time_ns[reset])
        times = attrgetter("time_ns")
        since, until = (bisect_right(samples, at, key=times) for at in (moment - old_ns - 1, moment))
        since = max(since, until - _MOST_LOOKS)
        return next((samples[at] for at in range(until - 1, since - 1, -1)
                     if (samples[at].local, samples[at].peer) == ends and samples[at].state != "gone"), None)

    def _by_samples(self, flow: TcpFlow, reset: Row) -> Unread | None:
        """What waited in the end's receive queue at the last look."""
        last, ends = self._last_look(flow, reset), _ends(flow, reset)
        samples, moment = self._trace.kernel, int(self._trace.index.time_ns[reset])
        if last is None or not last.unread:
            return None
        size, ago = amount(last.unread, "byte"), duration(moment - last.time_ns)
        self._backlogs.take(samples)
        if self._backlogs.has(last):
            return Unread(last.unread, sentence(
                "{end} was closed before anybody had accepted the connection: {size} waited in its receive "
                "queue {ago} before.", end=ends[0], size=size, ago=ago), _ACCEPT)
        if not last.process:
            return Unread(last.unread, sentence(
                "{end} was closed with bytes unread: {size} waited in its receive queue {ago} before.",
                end=ends[0], size=size, ago=ago), _INSTEAD)
        owner = f"{last.process} {last.pid}"
        return Unread(last.unread, sentence(
            "{owner} closed {end} with bytes unread: {size} waited in its receive queue {ago} before.",
            owner=owner, end=ends[0], size=size, ago=ago), _INSTEAD)


def _ends(flow: TcpFlow, reset: Row) -> Ends:
    both = join_endpoint(*flow.a), join_endpoint(*flow.b)
    return both if flow.direction(reset) == 0 else both[::-1]
