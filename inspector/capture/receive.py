"""The simple source: `recvmsg` from a packet socket with a large buffer, where the kernel gives no ring.

Each turn receives up to a few thousand frames into one buffer that is used again, each already between
the head and tail of its Enhanced Packet Block. Kernel time by SO_TIMESTAMPNS, length by PACKET_AUXDATA.
"""

from __future__ import annotations

import socket
import struct
import time

import numpy as np

from inspector.capture.batch import Batch
from inspector.capture.packet_socket import SOL_PACKET, PacketSource, bind
from inspector.wire.pcapng import ENHANCED_PACKET

_BUFFER = 8 * 1024 * 1024
_MOST_FRAMES = 4096
_RECEIVE_BUFFER = 64 * 1024 * 1024
_LARGEST = 262_144
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE, _PACKET_AUXDATA = 35, 33, 8
_ANCILLARY = 256
_HEAD = struct.Struct("=7I")
_TAIL = struct.Struct("=I")


class Receiver(PacketSource):
    """A source of batches (see `batch.Source`) by one system call a frame."""

    def __init__(self, packet_socket: socket.socket, interface: str = "lo") -> None:
        super().__init__(packet_socket)
        packet_socket.setblocking(False)
        packet_socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        packet_socket.setsockopt(SOL_PACKET, _PACKET_AUXDATA, 1)
        try:
            packet_socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except OSError:                                    # needs CAP_NET_ADMIN; else up to rmem_max
            packet_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._address = np.frombuffer(self._buffer, np.uint8).ctypes.data
        bind(packet_socket, interface)

    def read(self) -> Batch:
        """What is there, up to a buffer full."""
        now = time.time_ns()
        at, idle, cut = 0, False, 0
        times: list[int] = []
        places: list[tuple[int, int]] = []
        while len(times) < _MOST_FRAMES and at + _LARGEST + 64 < _BUFFER:
            start = at + _HEAD.size
            try:
                size, ancillary, _, _ = self._socket.recvmsg_into(
                    [self._view[start : start + _LARGEST]], _ANCILLARY
                )
            except (BlockingIOError, InterruptedError):
                idle = True
                break
            stamp, length = _ancillary(ancillary, size)
            cut += length > size
            padding = -size & 3
            total = size + padding + 32
            _HEAD.pack_into(
                self._buffer, at, ENHANCED_PACKET, total, 0, stamp >> 32, stamp & 0xFFFFFFFF, size, length
            )
            self._buffer[start + size : start + size + padding] = bytes(padding)
            _TAIL.pack_into(self._buffer, at + total - 4, total)
            times.append(stamp)
            places.append((self._address + at, total))
            at += total
        if not times:
            return Batch(seen_until=now if idle else 0)
        return Batch(
            np.array(times, np.int64), np.array(places, np.uint64), seen_until=now if idle else times[-1],
            cut=cut,
        )

    def release(self) -> None:
        """The buffer is used again by the next `read`."""


def _ancillary(messages: list[tuple[int, int, bytes]], size: int) -> tuple[int, int]:
    """Time in nanoseconds and length on the wire."""
    stamp, length = 0, size
    for level, kind, data in messages:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack_from("=qq", data)
            stamp = seconds * 1_000_000_000 + nanoseconds
        elif level == SOL_PACKET and kind == _PACKET_AUXDATA and len(data) >= 8:
            length = struct.unpack_from("=II", data)[1]
    return stamp or time.time_ns(), length
