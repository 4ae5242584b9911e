"""What a capture's format is: it walks over a buffer of the file and gives what it finds to a `Sink`.

A `Format` is told which bytes stand in a buffer; it walks over the lengths of records or blocks, gives the
packets found as arrays (`PacketBatch`) and everything else as values, and says how far it came. What cannot
be right raises `DamageError` with the end of a sentence; what stands before it was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from inspector.wire import pcapng
from inspector.wire.arrays import Int64s, Structs, UInt8s, UInt64s

MAX_FRAME = 256 * 1024          # larger frames are taken for damage, as other readers do,
LARGE_FRAMES = {231: 1 << 27, 249: 1 << 27, 279: 1 << 23}     # but for D-Bus, USBPcap and EBHSCR
BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PacketBatch:
    """Packets of one walk: offsets in the buffer, lengths, times, numbers of interfaces."""

    starts: Int64s
    captured: Int64s
    lengths: Int64s
    time_ns: Int64s
    interface: Int64s

    def first(self, count: int) -> PacketBatch:
        """The first `count` of them."""
        columns = (self.starts, self.captured, self.lengths, self.time_ns, self.interface)
        return PacketBatch(*(column[:count] for column in columns))


def joined(batches: list[PacketBatch]) -> PacketBatch:
    """Several batches as one."""
    if len(batches) == 1:
        return batches[0]
    names = ("starts", "captured", "lengths", "time_ns", "interface")
    return PacketBatch(*(np.concatenate([getattr(one, name) for one in batches]) for name in names))


class Sink(Protocol):
    """Who takes what a format finds, in order of the file.

    Before each walk `data` is set to the buffer, and `base` to the place of its first byte in the file.
    """

    data: UInt8s
    base: int

    def interface(self, interface: pcapng.Interface) -> int:
        """A new interface; its number in the whole trace."""

    def packets(self, packets: PacketBatch) -> None:
        """Packets that follow those given before."""

    def journal(self, fields: dict[str, str]) -> None:
        """A journal entry."""

    def section(self, before: int) -> None:
        """A section of the file begins, after `before` packets of the present walk."""

    def other_frame(self, before: int) -> None:
        """A block that is no packet and a frame to Wireshark, after `before` packets of the present walk."""

    def statistics_block(self, interface: int, statistics: pcapng.Statistics) -> None:
        """Counts of an interface (its number in the trace)."""

    def keylog(self, lines: bytes, waiting: int) -> None:
        """Secrets of TLS sessions, as lines of SSLKEYLOGFILE; `waiting`: packets before, not given yet."""

    def names(self, names: dict[bytes, tuple[str, ...]]) -> None:
        """Names of addresses."""

    def comment(self, texts: tuple[str, ...], before: int) -> None:
        """Comments on the packet after `before` packets of the present walk."""


class DamageError(ValueError):
    """The file is damaged here; the text is the end of a sentence."""


class Format(Protocol):
    """How a file is laid out."""

    def walk(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        """Read all that stands whole in `buffer[start:stop]`; where the rest begins."""


def nanoseconds(ticks: UInt64s, resolution: int, offset: Int64s) -> Int64s:
    """Ticks of pcapng interfaces (raw if_tsresol byte, if_tsoffset in seconds) as time since the epoch."""
    base: Int64s = offset * BILLION             # what is too large for 64 bits wraps, in silence
    power = resolution & 0x7F
    if resolution & 0x80:
        if power > 63:
            return base
        seconds = ticks >> np.uint64(power)
        part = ticks & np.uint64((1 << power) - 1)
        drop = max(power - 34, 0)               # so that the product below stays in 64 bits
        part = (part >> np.uint64(drop)) * np.uint64(BILLION) >> np.uint64(power - drop)
        result = (seconds * np.uint64(BILLION) + part).astype("i8")
    elif power <= 9:
        result = (ticks * np.uint64(10 ** (9 - power))).astype("i8")
    elif power - 9 <= 19:
        result = (ticks // np.uint64(10 ** (power - 9))).astype("i8")
    else:
        result = np.zeros(len(ticks), "i8")
    return result + base


def gather(buffer: bytearray, starts: Int64s, kind: np.dtype[np.void]) -> Structs:
    """The structure that stands at each of `starts`."""
    size = kind.itemsize
    view = np.ndarray((max(len(buffer) - size + 1, 0),), np.dtype((np.void, size)), buffer, 0, (1,))
    return view[starts].view(kind)
