"""The classic pcap format (draft-ietf-opsawg-pcap), walked a buffer at a time.

The file's header -> byte order and units of time -> records of a buffer -> places, times, lengths as columns
for the index.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from inspector.trace.file.format import (
    BILLION,
    LARGE_FRAMES,
    MAX_FRAME,
    DamageError,
    PacketBatch,
    Sink,
    gather,
)
from inspector.wire import compiled, pcapng
from inspector.wire.arrays import Int64s


class Pcap:
    """The classic format (draft-ietf-opsawg-pcap), micro- or nanoseconds, either byte order."""

    HEADER = 24

    def __init__(self, head: bytes, sink: Sink) -> None:
        magic = bytes(head[:4])
        order, kind = PCAP_MAGICS[magic]
        major, minor, _, _, _, link_type = struct.unpack_from(order + "HHiIII", head, 4)
        if major != 2:
            raise DamageError(f"its pcap version is {major}, and only 2 was ever in use")
        # Up to 2.2 the two lengths stood the other way round, and 2.3 was written in both ways: the lesser
        # one counts the bytes that are there.
        self._lengths = ("length", "captured") if minor < 3 else ("captured", "length")
        self._order_of_lengths = LENGTH_FIRST if minor < 3 else LESSER if minor == 3 else CAPTURED_FIRST
        plain = struct.Struct(order + ("12xI" if minor < 3 else "8xI")).unpack_from
        self._length_at: Callable[[bytearray, int], tuple[int, ...]] = _lesser(order) if minor == 3 else plain
        self._sort = minor == 3
        self._size = 24 if kind == "modified" else 16
        self._field = order + "u4"
        self._scale = 1 if kind == "nano" else 1000
        self._limit = LARGE_FRAMES.get(link_type & 0x03FFFFFF, MAX_FRAME)
        sink.interface(pcapng.Interface(link_type & 0x03FFFFFF, resolution=9 if kind == "nano" else 6))

    def walk(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        """Records are a header with times and lengths, then the frame."""
        if compiled.loops is not None:
            return self._looped(buffer, start, stop, sink)
        starts: list[int] = []
        append, unpack, size, last = starts.append, self._length_at, self._size, stop - self._size
        while start <= last:              # the one loop over all packets: nothing is checked in it
            append(start)
            start += unpack(buffer, start)[0] + size
        too_long = 0
        if start > stop:                  # the last one is not whole, or its length is wrong
            start = starts.pop()
            too_long = unpack(buffer, start)[0]
        if starts:
            packets = self._packets(buffer, np.array(starts, "i8"))
            wrong = packets.captured > self._limit
            if wrong.any():
                count = int(np.argmax(wrong))
                too_long = int(packets.captured[count])
                packets = packets.first(count)
            sink.packets(packets)
        if too_long > self._limit:
            raise DamageError(f"a packet claims to be {too_long} bytes long")
        return start

    def _looped(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        """The same by the compiled loop, which ends before what is not whole or too long."""
        room = max(stop - start, 0) // self._size + 1
        columns = np.empty((4, room), "i8")
        starts, captured, length, time_ns = columns
        count, start = compiled.loops.pcap_records(
            buffer, start, stop, self._size, self._field[0] == ">", self._scale, self._order_of_lengths,
            self._limit, (starts, captured, length, time_ns))
        if count:
            sink.packets(PacketBatch(starts[:count], captured[:count], length[:count], time_ns[:count],
                                     np.zeros(count, "i8")))
        if start <= stop - self._size and (too_long := self._length_at(buffer, start)[0]) > self._limit:
            raise DamageError(f"a packet claims to be {too_long} bytes long")
        return start

    def _packets(self, buffer: bytearray, starts: Int64s) -> PacketBatch:
        names = ("s", "f", *self._lengths)
        head = gather(buffer, starts, np.dtype([(name, self._field) for name in names]))
        time_ns = head["s"].astype("i8") * BILLION + head["f"].astype("i8") * self._scale
        captured, length = head["captured"].astype("i8"), head["length"].astype("i8")
        if self._sort:
            captured, length = np.minimum(captured, length), np.maximum(captured, length)
        return PacketBatch(starts + self._size, captured, length, time_ns, np.zeros(len(starts), "i8"))


def _lesser(order: str) -> Callable[[bytearray, int], tuple[int]]:
    """Reads the lesser one of a record's two lengths."""
    both = struct.Struct(order + "8xII").unpack_from
    return lambda buffer, start: (min(both(buffer, start)),)


CAPTURED_FIRST, LENGTH_FIRST, LESSER = range(3)      # which of a record's lengths counts what is there
PCAP_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", "micro"), b"\xa1\xb2\xc3\xd4": (">", "micro"),
    b"\x4d\x3c\xb2\xa1": ("<", "nano"), b"\xa1\xb2\x3c\x4d": (">", "nano"),
    b"\x34\xcd\xb2\xa1": ("<", "modified"), b"\xa1\xb2\xcd\x34": (">", "modified"),
}
