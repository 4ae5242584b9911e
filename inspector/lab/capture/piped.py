"""dumpcap as a source of batches: what it writes into a pipe, for a capture that is narrowed here.

dumpcap -w - ─> pipe ─> Enhanced Packet Blocks, their times made nanoseconds ─> `Batch`
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Sequence

import numpy as np

from inspector.capture.batch import Batch
from inspector.capture.packet_socket import Counts
from inspector.wire.pcapng import (
    ENHANCED_PACKET,
    INTERFACE_DESCRIPTION,
    NANOSECONDS,
    Block,
    BlockError,
    block_at,
    parse_interface,
)

_MOST = 4 << 20                    # bytes of one turn
_BEGINS_WITHIN = 10.0              # seconds
_END_WITHIN = 5.0                  # seconds
_TICKS = struct.Struct("=II")


class Piped:
    """A source of batches (see `batch.Source`): dumpcap's packets. OSError where it cannot be started."""

    def __init__(self, command: Sequence[str], born: Callable[[], None]) -> None:
        """`born` is called in its process, and lets it not outlive the agent."""
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=born,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self._pipe, self._words = self._process.stdout.fileno(), self._process.stderr.fileno()
        os.set_blocking(self._pipe, False)
        os.set_blocking(self._words, False)
        self._rest = b""
        self._unit = 1000              # nanoseconds of a tick, until its interface says otherwise
        self._data = bytearray()       # whose memory the last batch speaks of
        self._counts = Counts()
        self._ending = False
        waiter = select.poll()             # its header comes when it captures
        waiter.register(self._pipe, select.POLLIN)
        if not waiter.poll(_BEGINS_WITHIN * 1000):
            self.close()
            raise OSError(0, "dumpcap did not begin to capture")

    def fileno(self) -> int:
        """Readable when dumpcap has written."""
        return self._pipe

    def read(self) -> Batch:
        """The packets that are there. OSError when dumpcap has ended by itself."""
        now, idle = time.time_ns(), False
        try:
            came = os.read(self._pipe, _MOST)
            if not came and not self._ending:
                raise OSError(0, f"dumpcap could not capture: {self._complaint()}")
        except BlockingIOError:
            came, idle = b"", True
        data = self._data = bytearray(self._rest + came)
        times, places = [], []
        at = 0
        while (found := self._block(data, at)) is not None:
            if found.type == ENHANCED_PACKET:
                high, low = _TICKS.unpack_from(data, found.body + 4)
                stamp = ((high << 32) | low) * self._unit
                _TICKS.pack_into(data, found.body + 4, stamp >> 32, stamp & 0xFFFFFFFF)
                times.append(stamp)
                places.append((found.start, found.end - found.start))
            elif found.type == INTERFACE_DESCRIPTION:
                interface = parse_interface(memoryview(data)[found.body : found.body_end], "=")
                self._unit = 10 ** (NANOSECONDS - min(interface.resolution, NANOSECONDS))
            at = found.end
        self._rest = bytes(data[at:])
        if not times:
            return Batch(seen_until=now if idle else 0)
        vectors = np.array(places, np.uint64)
        vectors[:, 0] += np.uint64(np.frombuffer(data, np.uint8).ctypes.data)
        self._counts = Counts(self._counts.received + len(times), self._counts.dropped)
        return Batch(np.array(times, np.int64), vectors, times[-1])

    @staticmethod
    def _block(data: bytearray, at: int) -> Block | None:
        try:
            return block_at(data, at, "=")
        except BlockError as error:
            raise OSError(0, f"dumpcap wrote what is no pcapng: {error}") from error

    def release(self) -> None:
        """The buffer goes with the next `read`."""

    def clear_error(self) -> None:
        """dumpcap looks after its interface itself."""

    def counts(self) -> Counts:
        """What came so far; what dumpcap lost is told by it at its end alone."""
        return self._counts

    def close(self) -> None:
        """End dumpcap."""
        self._ending = True
        with contextlib.suppress(OSError):         # not send_signal: the supervisor collects every child
            os.kill(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _complaint(self) -> str:
        try:
            text = os.read(self._words, 1 << 16).decode("utf-8", "replace")
        except BlockingIOError:
            text = ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return re.sub(r"[^ -~]", "?", lines[-1].rstrip("."))[:200] if lines else "it did not say why"
