"""The one writer of a trace: packets as they come, records between them, statistics, a size limit.

`turn` runs in the sniffer's thread, once a batch; `record` may be called from any thread. Everything goes
to the file with `writev`, so that all that was captured is on disk whatever happens to this process.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from itertools import accumulate, groupby

import numpy as np

from inspector.capture.batch import (
    NO_TIMES,
    NO_VECTORS,
    Batch,
    Times,
    Vectors,
    WriteError,
    write_vectors,
)
from inspector.capture.merge import Merge
from inspector.capture.packet_socket import Counts
from inspector.model.numbers import LINK_ETHERNET
from inspector.model.records import KernelSample
from inspector.model.units import amount, was
from inspector.wire.journal import EventRecord, Record, to_fields
from inspector.wire.pcapng import (
    decryption_secrets,
    interface_description,
    interface_statistics,
    journal,
    section_header,
)

STATISTICS_EVERY = 1_000_000_000   # nanoseconds between Interface Statistics Blocks
_QUIET = 12 * STATISTICS_EVERY     # so long after the last packet they go on: who waits for an answer is told
_SETTLE = 6_000_000                # a packet or record of before this has arrived by now
_LATE = 0.005                      # seconds that packets wait for the calls around them, while calls come
_CALLS_COME = 1_000_000_000        # nanoseconds since the last record, up to which they do
_TRUST = 150_000_000               # a record is never held longer than that, and than packets are
_ASTRAY = 1_000_000_000            # a record from further in the future: the clock was set back meanwhile
_END_ROOM = 2048                   # of the size limit, kept for the last events and statistics


class TraceWriter:
    """Appends to a trace; `woken` is called after each write.

    `limited` is set when `max_size` (bytes) or `most` (packets) ended it, `broken` when the file could not
    be written: it then ends with the last whole block, and nothing more is written.
    """

    def __init__(self, descriptor: int, woken: Callable[[], None], max_size: int = 0, most: int = 0,
                 waits: float = 0.0) -> None:
        """`waits`: seconds for which packets are kept back before they come here."""
        self._descriptor = descriptor
        self._woken = woken
        self._max_size, self._most = max_size, most
        self._trust = _TRUST + int(waits * 1e9)
        self._merge = Merge()
        self._inbox: deque[Record] = deque()
        self._heard = -_CALLS_COME
        self._started = time.time_ns()
        self._counted = Counts()
        self._counted_at = self._moved_at = self._started
        self.size = 0
        self.packets = 0
        self.cut = 0                       # packets of which the file has the beginning alone
        self.limited = False
        self.limit_reached = ""
        self.broken = False

    def begin(self, *, application: str, interface: str, description: str, filter: str, snaplen: int) -> None:
        """Empty the file and write the section's and the interface's header."""
        self._cut(0)
        self._write(section_header(application=application, os=" ".join(os.uname()[::2])))
        self._write(interface_description(
            LINK_ETHERNET, snaplen, interface, filter=filter, description=description
        ))
        self._woken()

    def record(self, *records: Record) -> None:
        """Take in calls and events; each is written when the capture has passed its time."""
        self._inbox.extend(records)
        if not all(isinstance(one, KernelSample) for one in records):      # a sample goes with no packet
            self._heard = time.monotonic_ns()

    def due(self) -> float | None:
        """Seconds until a record that waits may be written; None when none waits.

        Never nothing: one that is overdue waits for packets in a block that the kernel has not handed over,
        and its hand-over wakes the sniffer.
        """
        self._collect()
        moment = self._merge.next_time()
        return None if moment is None else max(0.001, (moment + _SETTLE - time.time_ns()) / 1e9 + 0.0005)

    def turn(self, batch: Batch) -> None:
        """Write a batch, with the records that belong between its packets."""
        if len(batch.times) and time.monotonic_ns() - self._heard < _CALLS_COME:
            time.sleep(_LATE)
        self._collect()
        now, waits = time.time_ns(), self._merge.next_time()
        until = max(batch.seen_until - _SETTLE, now - self._trust)
        if len(batch.times):
            until = max(until, int(batch.times[-1]))
        if waits is not None and waits > now + _ASTRAY:
            until = waits + 1
        if not (self.limited or self.broken):
            self.cut += batch.cut
        if not self._put(batch, until):
            return
        self._woken()

    def limit(self, sentence: str, moment: int) -> None:
        """Write no more packets, and say why; from any thread."""
        if not self.limited:
            self.limited = True
            self.limit_reached = sentence
            self.record(EventRecord("limit-reached", sentence, moment))

    def statistics_due(self) -> bool:
        """True when the kernel should be asked for its counts again."""
        return time.time_ns() - self._counted_at >= STATISTICS_EVERY

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was counted for so long that no statistics are written either."""
        return time.time_ns() - self._moved_at > _QUIET

    def statistics(self, counts: Counts, *, final: bool = False) -> None:
        """Write the kernel's counts where they changed lately, and at the end.

        Their time says that the capture went on, which is known of no silence otherwise.
        """
        now = self._counted_at = time.time_ns()
        if counts != self._counted:
            self._counted, self._moved_at = counts, now
        elif not final and self.is_quiet:
            return
        self._write(interface_statistics(
            now, counts.received, counts.dropped, start_ns=self._started, end_ns=now,
            os_dropped=counts.dropped, delivered=self.packets,
            comment=f"ring queue freezes: {counts.freezes}" if counts.freezes else "",
        ))
        self._woken()

    def flush(self) -> None:
        """Write all that still waits, whatever its time."""
        self._collect()
        if self._put(Batch(), None):
            self._woken()

    def finish(self, counts: Counts) -> None:
        """Write all that still waits and the last statistics."""
        self.flush()
        self.statistics(counts, final=True)

    def _collect(self) -> None:
        while self._inbox:
            self._merge.add(self._inbox.popleft())

    def _put(self, batch: Batch, until: int | None) -> bool:
        times, vectors = self._within_limit(batch)
        taken = self._merge.take(times, until)
        done = 0
        for place, together in groupby(taken, key=lambda each: each.place):
            self._write_packets(vectors[done:place])
            done = max(done, place)
            self._write(*(_block(record, moment) for _, moment, record in together))
        self._write_packets(vectors[done:])
        return bool(taken) or bool(len(vectors))

    def _within_limit(self, batch: Batch) -> tuple[Times, Vectors]:
        times, vectors = batch.times, batch.vectors
        if self.limited or self.broken:
            return NO_TIMES, NO_VECTORS
        if self._max_size and len(times):
            room = self._max_size - self.size - _END_ROOM
            kept = int(np.searchsorted(np.cumsum(vectors[:, 1], dtype=np.int64), room, side="right"))
            if kept < len(times):
                text = f"The capture ended: the file has reached its limit of {self._max_size:,} bytes."
                self.limit(text, int(times[kept]))
                self._collect()
                return times[:kept], vectors[:kept]
        if self._most and self.packets + len(times) >= self._most:
            left = self._most - self.packets
            times, vectors = times[:left], vectors[:left]
            text = f"The capture ended: {amount(self._most, 'packet')} {was(self._most)} captured."
            self.limit(text, time.time_ns())
            self._collect()
        return times, vectors

    def _write_packets(self, vectors: Vectors) -> None:
        if len(vectors):
            lengths = vectors[:, 1].copy()                 # a partial write changes the vectors
            try:
                write_vectors(self._descriptor, vectors)
            except WriteError as error:
                self.size += int(lengths[: error.rows].sum())
                self.packets += error.rows
                self._break()
                raise
            self.size += int(lengths.sum())
            self.packets += len(vectors)

    def _write(self, *blocks: bytes) -> None:
        if self.broken:
            return
        data, written = b"".join(blocks), 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            self.size += max(end for end in accumulate(map(len, blocks), initial=0) if end <= written)
            self._break()
            raise
        self.size += len(data)

    def _break(self) -> None:
        self.broken = True
        self._cut(self.size)

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError:                                    # a pipe, say
            pass


def _block(record: Record, moment: int) -> bytes:
    """A record as it stands in the file at a moment, which of a return is when it returned."""
    if isinstance(record, EventRecord) and record.kind == "secret":
        return decryption_secrets("".join(f"{line}\n" for _, line in record.fields).encode())
    return journal(to_fields(record) | {"__REALTIME_TIMESTAMP": str(moment // 1000)})
