"""A TPACKET_V3 ring: the kernel puts frames into memory that this process shares, a block at a time.

`read` takes up to 64 ready blocks, whose frames `frames.py` turns into pcapng blocks in place; `release`
hands the ring's blocks back. Layout: linux/if_packet.h and the kernel's packet_mmap.rst.
"""

from __future__ import annotations

import mmap
import socket
import struct
import time

from inspector.capture.batch import Batch
from inspector.capture.frames import Frames
from inspector.capture.packet_socket import SOL_PACKET, PacketSource, bind

BLOCK_SIZE = 256 * 1024
BLOCKS = 512                       # for captures that have to keep up with anything
SESSION_BLOCKS = 128               # for sessions: memory that was never used takes its time to get
RETIRE_MS = 4                      # an unfilled block is handed over after this time
_MOST_BLOCKS = 64                  # of one turn
_FRAME_SIZE = 2048                 # a formality of TPACKET_V3
_PACKET_RX_RING, _PACKET_VERSION, _TPACKET_V3 = 5, 10, 2
_STATUS, _COUNT, _FIRST = 2, 3, 4  # words of a block's descriptor
_USER = 1


class Ring(PacketSource):
    """A source of batches (see `batch.Source`) over a ring; OSError where the kernel refuses it.

    Its memory goes with the last reference, after `close`.
    """

    def __init__(
        self, packet_socket: socket.socket, blocks: int = BLOCKS, block_size: int = BLOCK_SIZE,
        interface: str = "lo",
    ) -> None:
        super().__init__(packet_socket)
        self._blocks, self._block_size = _set_up(packet_socket, blocks, block_size)
        size = self._blocks * block_size
        self._map = mmap.mmap(packet_socket.fileno(), size, mmap.MAP_SHARED | mmap.MAP_POPULATE)
        if hasattr(mmap, "MADV_DONTFORK"):
            self._map.madvise(mmap.MADV_DONTFORK)
        self._view = memoryview(self._map).cast("I")
        self._frames = Frames(self._map)
        self._next = 0
        self._blocks_held = 0
        bind(packet_socket, interface)

    def read(self) -> Batch:
        """All frames of the blocks that are ready, at most 64 blocks."""
        now = time.time_ns()
        ready: list[tuple[int, int]] = []
        words, stride = self._view, self._block_size // 4
        index, taken = self._next, 0
        most = min(_MOST_BLOCKS, self._blocks)
        while taken < most and words[index * stride + _STATUS] & _USER:
            base = index * stride
            if words[base + _COUNT]:
                ready.append((base * 4 + words[base + _FIRST], words[base + _COUNT]))
            taken += 1
            index = (index + 1) % self._blocks
        self._next, self._blocks_held = index, taken
        at = index * stride
        idle = not words[at + _STATUS] & _USER and not words[at + _COUNT]
        if not ready:
            return Batch(seen_until=now if idle else 0)
        batch = self._frames.batch(ready)
        batch.seen_until = now if idle else int(batch.times[-1])
        return batch

    def release(self) -> None:
        """Hand the blocks of the last batch back to the kernel."""
        stride = self._block_size // 4
        index = (self._next - self._blocks_held) % self._blocks
        for _ in range(self._blocks_held):
            self._view[index * stride + _COUNT] = 0
            self._view[index * stride + _STATUS] = 0
            index = (index + 1) % self._blocks
        self._blocks_held = 0


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
