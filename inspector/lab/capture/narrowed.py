"""A capture of a process's ports, which are known only when they are open: packets wait for the next look.

    source ─> copies of its blocks, held ─┐
                                          ├─> the frames with those ports ─> the writer
    looks at the process's sockets ───────┘

So the first packet of a connection is there too, though nobody knew its port when it came. No filter of the
kernel does that; a helper's filter is locked besides. A packet waits a tenth of a second, as long as a look.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from inspector.capture.batch import NO_VECTORS, Batch, Source, Times, Vectors
from inspector.capture.packet_socket import Counts
from inspector.model.numbers import LINK_ETHERNET, TCP, UDP
from inspector.wire.arrays import Bools, Int64s
from inspector.wire.headers.read import PADDING, Headers, read_headers

WAITS = 0.35                       # seconds that a packet may wait at most, of a busy machine
_HEAD = 28                         # bytes of an Enhanced Packet Block before its frame
_REMEMBERED = 1_000_000_000        # nanoseconds for which a port that was one counts: a frame may be older
_MOST = 64 << 20                   # bytes that wait; the oldest are decided by what is known


class Ports:
    """The ports as looks found them; told by one thread, asked by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: deque[tuple[int, frozenset[int]]] = deque()
        self._until = 0.0

    def add(self, began_ns: int, ports: frozenset[int]) -> None:
        """A look that began at this time found these."""
        with self._lock:
            self._looks.append((began_ns, ports))
            self._until = max(self._until, began_ns)
            while self._looks[0][0] < began_ns - _REMEMBERED:
                self._looks.popleft()

    def end(self) -> None:
        """No look comes any more: what is known decides on all."""
        with self._lock:
            self._until = math.inf

    def known(self) -> tuple[float, Int64s]:
        """Up to which time a frame's ports are known, and all that there were lately."""
        with self._lock:
            ports = frozenset().union(*(found for _, found in self._looks))
            return self._until, np.array(sorted(ports), np.int64)


@dataclass(slots=True)
class _Held:
    """Copies of a batch's blocks, one behind the other, and what decides on them."""

    data: bytes
    starts: Int64s                 # of the blocks
    sizes: Int64s
    times: Times
    cut: Bools
    headers: Headers


class Narrowed:
    """A source of batches (see `batch.Source`) that gives those frames of another one that have `ports`."""

    def __init__(self, source: Source, ports: Ports) -> None:
        self._source, self._ports = source, ports
        self._held: deque[_Held] = deque()
        self._size = 0
        self._given: list[_Held] = []              # whose memory the last batch speaks of

    def fileno(self) -> int:
        """Readable when there are frames to be held."""
        return self._source.fileno()

    def read(self) -> Batch:
        """What was decided since: the frames that are wanted, perhaps none."""
        came = self._source.read()
        if len(came.times):
            held = _copied(came)
            self._held.append(held)
            self._size += len(held.data)
        self._source.release()
        until, ports = self._ports.known()
        done: list[_Held] = []
        while self._held and (self._held[0].times[-1] <= until or self._size > _MOST):
            done.append(self._held.popleft())
            self._size -= len(done[-1].data)
        self._given = done
        seen = int(self._held[0].times[0]) - 1 if self._held else came.seen_until
        masks = [_having(one.headers, ports) for one in done]
        if not any(mask.any() for mask in masks):
            return Batch(seen_until=seen)
        return Batch(
            np.concatenate([one.times[mask] for one, mask in zip(done, masks, strict=True)]),
            np.concatenate([_vectors(one, mask) for one, mask in zip(done, masks, strict=True)]),
            seen, sum(int(one.cut[mask].sum()) for one, mask in zip(done, masks, strict=True)),
        )

    def release(self) -> None:
        """The memory of the last batch is not needed any more."""
        self._given = []

    def clear_error(self) -> None:
        """Take note that the interface went down."""
        self._source.clear_error()

    def counts(self) -> Counts:
        """The kernel's counts so far, of all frames."""
        return self._source.counts()

    def close(self) -> None:
        """Stop capturing."""
        self._source.close()


def _copied(batch: Batch) -> _Held:
    pieces = [ctypes.string_at(int(at), int(size)) for at, size in batch.vectors]
    data = b"".join(pieces) + bytes(PADDING)
    sizes = batch.vectors[:, 1].astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    words = np.frombuffer(data, np.uint32)         # blocks are of whole words
    captured, lengths = (words[(starts + at) // 4].astype(np.int64) for at in (20, 24))
    headers = read_headers(np.frombuffer(data, np.uint8), starts + _HEAD, captured, lengths, LINK_ETHERNET)
    return _Held(data, starts, sizes, batch.times.copy(), captured < lengths, headers)


def _having(headers: Headers, ports: Int64s) -> Bools:
    """Which frames have one of these ports, in their own header or in one that an ICMP error quotes."""
    found = _with_ports(headers, ports)
    for beside in headers.quoted:
        found[beside.rows[_with_ports(beside.headers, ports)]] = True
    return found


def _with_ports(headers: Headers, ports: Int64s) -> Bools:
    has = (headers.protocol == TCP) | (headers.protocol == UDP)
    found: Bools = has & (np.isin(headers.sport, ports) | np.isin(headers.dport, ports))
    return found


def _vectors(held: _Held, mask: Bools) -> Vectors:
    if not mask.any():
        return NO_VECTORS
    base = np.frombuffer(held.data, np.uint8).ctypes.data
    return np.stack((held.starts[mask] + base, held.sizes[mask]), axis=1).astype(np.uint64)
