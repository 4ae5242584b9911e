"""A batch of captured frames as pcapng blocks that lie in memory, ready for one `writev`.

A source (ring or recvmsg) makes the blocks where the frames already are; the writer hands their addresses
to the kernel. Nothing here is done per packet in Python.
"""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inspector.capture.packet_socket import Counts

Times = NDArray[np.int64]
Vectors = NDArray[np.uint64]

NO_TIMES: Times = np.empty(0, np.int64)
NO_VECTORS: Vectors = np.empty((0, 2), np.uint64)
_IOV_MAX = 1024
_libc = ctypes.CDLL(None, use_errno=True)
_writev = _libc.writev
_writev.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_writev.restype = ctypes.c_ssize_t


@dataclass(slots=True)
class Batch:
    """Frames in the order the kernel delivered them, valid until the source's `release`.

    `times`: nanoseconds since the epoch; `vectors`: one row (address, length) a frame, its whole Enhanced
    Packet Block; `seen_until`: every packet that the kernel stamped before this time is in this or an
    earlier batch; `cut`: frames that are longer on the wire. `sniffed_on` is set by scapy.
    """

    times: Times = field(default_factory=lambda: NO_TIMES)
    vectors: Vectors = field(default_factory=lambda: NO_VECTORS)
    seen_until: int = 0
    cut: int = 0
    sniffed_on: Any = None


class Source(Protocol):
    """Where frames come from: a packet socket read in batches."""

    def fileno(self) -> int:
        """Readable when a batch is ready."""

    def read(self) -> Batch:
        """What is ready now (perhaps nothing)."""

    def release(self) -> None:
        """Give the memory of the last batch back to the kernel."""

    def clear_error(self) -> None:
        """Take note that the interface went down, without which the socket stays readable; frames come
        again when it is up."""

    def counts(self) -> Counts:
        """The kernel's counts so far."""

    def close(self) -> None:
        """Stop capturing."""


class WriteError(OSError):
    """Writing failed; `rows` were written whole."""

    rows = 0


def write_vectors(descriptor: int, vectors: Vectors) -> None:
    """Write all rows (address, length) of `vectors` in order; WriteError with what `write` says."""
    start, stop = 0, len(vectors)
    base = vectors.ctypes.data
    ends = np.cumsum(vectors[:, 1], dtype=np.int64)
    done = 0                                               # bytes before row `start`
    while start < stop:
        after = min(start + _IOV_MAX, stop)
        written = _writev(descriptor, base + 16 * start, after - start)
        if written < 0:
            number = ctypes.get_errno()
            if number == errno.EINTR:
                continue
            failure = WriteError(number, os.strerror(number))
            failure.rows = start
            raise failure
        done += written
        if done == ends[after - 1]:
            start = after
            continue
        start = int(np.searchsorted(ends, done, side="right"))     # a part only: go on inside that row
        rest = np.uint64(done - (int(ends[start - 1]) if start else 0))
        vectors[start, 0] += rest
        vectors[start, 1] -= rest
