"""A TPACKET_V3 ring: the kernel puts frames into memory that this process shares, a block at a time.

`read` takes up to 64 ready blocks, finds their frames, and turns each into a pcapng Enhanced Packet
Block *in place*: the block's head goes into the ring's own header room before the frame, its tail into
the gap behind. `release` hands the blocks back. Layout: linux/if_packet.h and packet_mmap.rst.
"""

from __future__ import annotations

import mmap
import socket
import struct
import sys
import time

import numpy as np
from numpy.typing import NDArray

from inspector.capture.batch import Batch, Counts
from inspector.capture.packet_socket import SOL_PACKET, Counter, bind
from inspector.wire.pcapng import ENHANCED_PACKET

BLOCK_SIZE = 256 * 1024
BLOCKS = 512
RETIRE_MS = 10                     # an unfilled block is handed over after this time
_MOST_BLOCKS = 64                  # of one turn
_FRAME_SIZE = 2048                 # a formality of TPACKET_V3
_PACKET_RX_RING, _PACKET_VERSION, _TPACKET_V3 = 5, 10, 2
_STATUS, _COUNT, _FIRST = 2, 3, 4  # words of a block's descriptor
_USER = 1

_HEAD = np.dtype([
    ("next", "u4"), ("sec", "u4"), ("nsec", "u4"), ("snaplen", "u4"), ("len", "u4"), ("status", "u4"),
    ("mac", "u2"), ("net", "u2"),
])
_EPB = np.dtype([
    ("type", "u4"), ("total", "u4"), ("interface", "u4"), ("high", "u4"), ("low", "u4"),
    ("cap", "u4"), ("len", "u4"),
])
_LITTLE = sys.byteorder == "little"


class Ring:
    """A source of batches (see `batch.Source`) over a ring; OSError where the kernel refuses it."""

    def __init__(
        self, packet_socket: socket.socket, blocks: int = BLOCKS, block_size: int = BLOCK_SIZE
    ) -> None:
        self._socket = packet_socket
        self._blocks, self._block_size = _set_up(packet_socket, blocks, block_size)
        size = self._blocks * block_size
        self._map = mmap.mmap(packet_socket.fileno(), size, mmap.MAP_SHARED | mmap.MAP_POPULATE)
        if hasattr(mmap, "MADV_DONTFORK"):
            self._map.madvise(mmap.MADV_DONTFORK)
        self._view = memoryview(self._map).cast("I")
        memory = np.frombuffer(self._map, np.uint8)
        self._address = memory.ctypes.data
        self._heads = _sliding(memory, "V28")
        self._tails = _sliding(memory, "V8")
        self._next = 0
        self._taken = 0
        self._counter = Counter(packet_socket)
        bind(packet_socket)

    def fileno(self) -> int:
        """Readable when a block is ready."""
        return self._socket.fileno()

    def read(self) -> Batch:
        """All frames of the blocks that are ready, at most 64 blocks."""
        now = time.time_ns()
        offsets: list[NDArray[np.int64]] = []
        words, stride = self._view, self._block_size // 4
        index, taken = self._next, 0
        most = min(_MOST_BLOCKS, self._blocks)
        while taken < most and words[index * stride + _STATUS] & _USER:
            base = index * stride
            if words[base + _COUNT]:
                offsets.append(_walk(words, base * 4 + words[base + _FIRST], words[base + _COUNT]))
            taken += 1
            index = (index + 1) % self._blocks
        self._next, self._taken = index, taken
        at = index * stride
        idle = not words[at + _STATUS] & _USER and not words[at + _COUNT]
        if not offsets:
            return Batch(seen_until=now if idle else 0)
        batch = self._blocks_of(np.concatenate(offsets))
        batch.seen_until = now if idle else int(batch.times[-1])
        return batch

    def release(self) -> None:
        """Hand the blocks of the last batch back to the kernel."""
        stride = self._block_size // 4
        index = (self._next - self._taken) % self._blocks
        for _ in range(self._taken):
            self._view[index * stride + _COUNT] = 0
            self._view[index * stride + _STATUS] = 0
            index = (index + 1) % self._blocks
        self._taken = 0

    def counts(self) -> Counts:
        """The kernel's counts so far."""
        return self._counter.counts()

    def close(self) -> None:
        """Close the socket; the ring's memory goes with the last reference."""
        self._socket.close()

    def _blocks_of(self, at: NDArray[np.int64]) -> Batch:
        """Make pcapng blocks, in place, of the frames whose ring headers stand at these offsets."""
        head = self._heads[at].view(_HEAD)
        cap = head["snaplen"]
        times = head["sec"].astype(np.int64) * 1_000_000_000 + head["nsec"]
        padding = -cap & 3
        block = np.empty(len(at), _EPB)
        block["type"], block["interface"] = ENHANCED_PACKET, 0
        block["total"] = cap + padding + 32
        block["high"], block["low"] = times >> 32, times & 0xFFFFFFFF
        block["cap"], block["len"] = cap, head["len"]
        start = at + head["mac"] - 28
        # Eight bytes behind a frame are free: the kernel keeps a block's last eight unused, and the next
        # frame's ring header, which may stand there, has been read above.
        shift = padding * 8 if _LITTLE else 32 - padding * 8
        tail = block["total"].astype(np.uint64) << shift.astype(np.uint64)
        self._heads[start] = block.view("V28")
        self._tails[start + 28 + cap] = tail.view("V8")
        vectors = np.empty((len(at), 2), np.uint64)
        vectors[:, 0] = start + self._address
        vectors[:, 1] = block["total"]
        return Batch(times, vectors)


def _set_up(packet_socket: socket.socket, blocks: int, block_size: int) -> tuple[int, int]:
    """Ask for the ring, for a smaller one where memory does not do."""
    packet_socket.setsockopt(SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
    while True:
        request = struct.pack(
            "=7I", block_size, blocks, _FRAME_SIZE, block_size // _FRAME_SIZE * blocks, RETIRE_MS, 0, 0
        )
        try:
            packet_socket.setsockopt(SOL_PACKET, _PACKET_RX_RING, request)
        except MemoryError:
            pass
        except OSError as error:
            if error.errno != 12 or blocks <= 8:
                raise
        else:
            return blocks, block_size
        blocks //= 2


def _sliding(memory: NDArray[np.uint8], kind: str) -> NDArray[np.void]:
    """The memory as overlapping items of `kind`, one at every byte."""
    width = np.dtype(kind).itemsize
    return np.ndarray((len(memory) - width + 1,), kind, memory, strides=(1,))


def _walk(words: memoryview, first: int, count: int) -> NDArray[np.int64]:
    """Where the ring headers of a block's frames stand, from one to the next; runs of one length at once."""
    found: list[NDArray[np.int64]] = []
    singles: list[int] = []
    at, left, previous = first, count, -1
    while left:
        step = words[at >> 2]
        if step == previous and left > 8:
            column = np.asarray(words[at >> 2 : (at + step * left) >> 2])[:: step >> 2]
            differs = np.flatnonzero(column != step)
            run = int(differs[0]) if len(differs) else len(column)
            if singles:
                found.append(np.array(singles, np.int64))
                singles = []
            found.append(at + step * np.arange(run, dtype=np.int64))
            at, left, previous = at + step * run, left - run, -1
            continue
        singles.append(at)
        at, left, previous = at + step, left - 1, step
    if singles:
        found.append(np.array(singles, np.int64))
    return found[0] if len(found) == 1 else np.concatenate(found)
