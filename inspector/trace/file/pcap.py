"""pcap and pcapng files, walked a buffer at a time.

A `Format` is told which bytes stand in a buffer; it walks over the lengths of records or blocks, gives the
packets found as arrays (`Packets`) and everything else as values to its `Sink`, and says how far it came.
What cannot be right raises `DamageError` with the end of a sentence; what stands before it was given.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from inspector.trace.index.columns import Array
from inspector.wire import pcapng

MAX_FRAME = 256 * 1024          # larger frames are taken for damage, as other readers do,
LARGE_FRAMES = {231: 1 << 27, 249: 1 << 27, 279: 1 << 23}     # but for D-Bus, USBPcap and EBHSCR
_BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets of one walk: offsets in the buffer, lengths, times, numbers of interfaces."""

    starts: Array
    captured: Array
    lengths: Array
    time_ns: Array
    interface: Array

    def first(self, count: int) -> Packets:
        """The first `count` of them."""
        columns = (self.starts, self.captured, self.lengths, self.time_ns, self.interface)
        return Packets(*(column[:count] for column in columns))


class Sink(Protocol):
    """Who takes what a format finds, in order of the file."""

    def interface(self, interface: pcapng.Interface) -> int:
        """A new interface; its number in the whole trace."""

    def packets(self, packets: Packets) -> None:
        """Packets that follow those given before."""

    def journal(self, fields: dict[str, str], before: int) -> None:
        """A journal entry, after `before` packets of the present walk."""

    def statistics_block(self, interface: int, statistics: pcapng.Statistics) -> None:
        """Counts of an interface (its number in the trace)."""

    def names(self, names: dict[bytes, tuple[str, ...]]) -> None:
        """Names of addresses."""

    def comment(self, texts: tuple[str, ...], before: int | None) -> None:
        """Comments: on the packet after `before` packets of the present walk, or on the file."""


class DamageError(ValueError):
    """The file is damaged here; the text is the end of a sentence."""


class Format(Protocol):
    """How a file is laid out."""

    def walk(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        """Read all that stands whole in `buffer[start:stop]`; where the rest begins."""


def nanoseconds(ticks: Array, resolution: int, offset: int) -> Array:
    """Ticks of a pcapng interface (raw if_tsresol byte, if_tsoffset in seconds) as time since the epoch."""
    ticks = ticks.astype("u8")
    power = resolution & 0x7F
    if resolution & 0x80:
        if power > 63:
            return np.full(len(ticks), offset * _BILLION, "i8")
        seconds = ticks >> np.uint64(power)
        part = ticks & np.uint64((1 << power) - 1)
        drop = max(power - 34, 0)               # so that the product below stays in 64 bits
        part = (part >> np.uint64(drop)) * np.uint64(_BILLION) >> np.uint64(power - drop)
        result = (seconds * np.uint64(_BILLION) + part).astype("i8")
    elif power <= 9:
        result = (ticks * np.uint64(10 ** (9 - power))).astype("i8")
    elif power - 9 <= 19:
        result = (ticks // np.uint64(10 ** (power - 9))).astype("i8")
    else:
        result = np.zeros(len(ticks), "i8")
    return result + (((offset * _BILLION) + (1 << 63)) % (1 << 64) - (1 << 63))


class Pcap:
    """The classic format (draft-ietf-opsawg-pcap), micro- or nanoseconds, either byte order."""

    HEADER = 24

    def __init__(self, head: bytes, sink: Sink) -> None:
        magic = bytes(head[:4])
        order, kind = PCAP_MAGICS[magic]
        major, _, _, _, _, link_type = struct.unpack_from(order + "HHiIII", head, 4)
        if major != 2:
            raise DamageError(f"its pcap version is {major}, and only 2 was ever in use")
        self._record = struct.Struct(order + "8xI")
        self._size = 24 if kind == "modified" else 16
        self._field = order + "u4"
        self._scale = 1 if kind == "nano" else 1000
        self._limit = LARGE_FRAMES.get(link_type & 0x03FFFFFF, MAX_FRAME)
        sink.interface(pcapng.Interface(link_type & 0x03FFFFFF, resolution=9 if kind == "nano" else 6))

    def walk(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        """Records are a header with times and lengths, then the frame."""
        starts: list[int] = []
        append, unpack, size, last = starts.append, self._record.unpack_from, self._size, stop - self._size
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

    def _packets(self, buffer: bytearray, starts: Array) -> Packets:
        names = ("s", "f", "captured", "length")
        head = gather(buffer, starts, np.dtype([(name, self._field) for name in names]))
        time_ns = head["s"].astype("i8") * _BILLION + head["f"].astype("i8") * self._scale
        captured = head["captured"].astype("i8")
        zeros = np.zeros(len(starts), "i8")
        return Packets(starts + self._size, captured, head["length"].astype("i8"), time_ns, zeros)


PCAP_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", "micro"), b"\xa1\xb2\xc3\xd4": (">", "micro"),
    b"\x4d\x3c\xb2\xa1": ("<", "nano"), b"\xa1\xb2\x3c\x4d": (">", "nano"),
    b"\x34\xcd\xb2\xa1": ("<", "modified"), b"\xa1\xb2\xcd\x34": (">", "modified"),
}


def gather(buffer: bytearray, starts: Array, kind: np.dtype[np.void]) -> Array:
    """The structure that stands at each of `starts`."""
    size = kind.itemsize
    view = np.ndarray((max(len(buffer) - size + 1, 0),), np.dtype((np.void, size)), buffer, 0, (1,))
    return view[starts].view(kind)
