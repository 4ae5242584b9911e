"""scapy's AsyncSniffer over a source of ours: its loop and thread, batches instead of packets.

The socket tells scapy that it is non-blocking, so that the waiting is ours: it ends when a batch is ready,
when a record becomes due, or when another thread says so. scapy dissects nothing here.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from threading import Event
from typing import Any

import inspector.wire.dissection.scapy_start  # noqa: F401

# isort: split
from scapy.sendrecv import AsyncSniffer
from scapy.supersocket import SuperSocket

from inspector.capture.batch import Batch, Source
from inspector.capture.writer import STATISTICS_EVERY, TraceWriter

_LONGEST_WAIT = STATISTICS_EVERY / 1e9 / 2     # seconds; and where no statistics are to be written,
_REST = 2.0                                    # since all else wakes us
_FLOOD = range(1000, 30_000)       # so many packets at once: the next ones may gather, which costs far less
_GATHER = 0.02                     # seconds
_DRAIN_LIMIT = 2.0                 # seconds after which a flood that does not end is cut off


class BatchSocket(SuperSocket):  # type: ignore[misc]
    """What scapy reads: `recv` gives a `Batch` where scapy expects a packet."""

    desc = "batches of loopback frames"
    nonblocking_socket = True

    def __init__(
        self, source: Source, writer: TraceWriter, nudge: int, failed: Callable[[Exception], None]
    ) -> None:
        self.source, self.writer, self.nudge, self.failed = source, writer, nudge, failed
        self.outs = None
        self.flooded = False
        self.poll = select.poll()
        self.poll.register(source.fileno(), select.POLLIN)
        self.poll.register(nudge, select.POLLIN)

    @staticmethod
    def select(sockets: list[Any], remain: float | None = None) -> list[Any]:
        """Wait until there is something to do for the (one) socket."""
        only: BatchSocket = sockets[0]
        try:
            only.wait()
        except Exception as error:
            only.failed(error)
            raise
        return [only]

    def wait(self) -> None:
        """Until frames are ready, a record is due, or another thread has something."""
        if self.flooded:
            time.sleep(_GATHER)
        due = self.writer.due()
        longest = _REST if self.writer.is_quiet else _LONGEST_WAIT
        wait = longest if due is None else min(due, longest)
        for descriptor, events in self.poll.poll(wait * 1000):
            if descriptor == self.nudge:
                os.eventfd_read(self.nudge)
            elif events & select.POLLERR:
                self.source.clear_error()

    def recv(self, x: int = 0, **_: Any) -> Batch:
        """The frames that are ready, perhaps none."""
        try:
            batch = self.source.read()
        except Exception as error:
            self.failed(error)
            raise
        self.flooded = len(batch.times) in _FLOOD
        return batch

    def fileno(self) -> int:
        """The source's descriptor."""
        return self.source.fileno()

    def close(self) -> None:
        """scapy closes a socket that failed; the capture does it here."""


class Sniffer:
    """Runs the capture until `stop`; `failed` is called, in its thread, with what ended it early."""

    def __init__(
        self, source: Source, writer: TraceWriter, nudge: int, failed: Callable[[Exception], None]
    ) -> None:
        self._source, self._writer, self._nudge, self._failed = source, writer, nudge, failed
        self._started = Event()
        self._sniffer = AsyncSniffer(
            opened_socket=BatchSocket(source, writer, nudge, failed), prn=self._turn, store=False,
            started_callback=self._started.set,
        )

    def start(self) -> None:
        """Start scapy's thread and return when it runs."""
        self._sniffer.start()
        self._started.wait()

    def stop(self) -> None:
        """Stop, then write what still arrives until the capture has passed this moment."""
        if self._sniffer.running:
            self._sniffer.stop(join=False)
            os.eventfd_write(self._nudge, 1)
        self._sniffer.join()
        try:
            self._drain(time.time_ns())
            self._writer.finish(self._source.counts())
        except OSError as error:
            self._failed(error)

    def _drain(self, moment: int) -> None:
        waiter = select.poll()
        waiter.register(self._source.fileno(), select.POLLIN)
        while not self._writer.broken and time.time_ns() < moment + _DRAIN_LIMIT * 1e9:
            batch = self._source.read()
            self._writer.turn(batch)
            self._source.release()
            if batch.seen_until > moment + 1_000_000:
                return
            waiter.poll(2)

    def _turn(self, batch: Batch) -> None:
        try:
            if not self._writer.broken:
                self._writer.turn(batch)
                if self._writer.statistics_due():
                    self._writer.statistics(self._source.counts())
            self._source.release()
        except Exception as error:
            self._failed(error)
