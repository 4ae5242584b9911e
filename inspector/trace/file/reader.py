"""Reads a trace's file from its first byte to its last, in slices, as far as it stands there.

`Reader` brings source (bytes at offsets), format (pcap, pcapng) and sink together. It keeps its place
between two blocks, so a file that grows is read on from there, and tells what is left of one that is cut.
"""

from __future__ import annotations

import numpy as np

from inspector.trace.file.decompressed import is_compressed
from inspector.trace.file.format import DamageError, Format, Sink
from inspector.trace.file.pcap import PCAP_MAGICS, Pcap
from inspector.trace.file.pcapng import Pcapng
from inspector.trace.file.source import Source, TraceError
from inspector.wire import pcapng
from inspector.wire.headers.read import PADDING

FIRST_SLICE = 256 * 1024
SLICE = 512 * 1024
_LARGEST_SLICE = 1 << 28


class Reader:
    """Reads `source` into `sink`. `damage` is set where the file contradicts itself."""

    def __init__(self, source: Source, name: str, sink: Sink) -> None:
        self.source = source
        self.sink = sink
        self.offset = 0                        # everything before it was read
        self.size = 0                          # bytes that stand there now
        self.damage: str | None = None
        self.idle = False                      # the last step found nothing (whole) to read
        self._name = name
        self._format: Format | None = None
        self._buffer = bytearray(FIRST_SLICE + PADDING)
        self._least = 0                        # bytes to be read at once, where a slice holds no whole block

    @property
    def begun(self) -> bool:
        """Whether the file's header was there and told its format."""
        return self._format is not None

    def begin(self) -> bool:
        """Tell the format by the first bytes; False while too few are there. TraceError: it is no capture."""
        self.size = self.source.advance(FIRST_SLICE)
        head = bytearray(Pcap.HEADER)
        count = self.source.read(0, memoryview(head))
        magic, known = bytes(head[:4]), bytes(head[:count])
        if magic in PCAP_MAGICS and count == Pcap.HEADER:
            try:
                self._format = Pcap(bytes(head), self.sink)
            except DamageError as error:
                raise TraceError(f"{self._name} cannot be read: {error}.") from None
            self.offset = Pcap.HEADER
        elif pcapng.section_order(known) is not None:
            self._format = Pcapng()
        elif not _may_become_capture(known):
            raise TraceError(f"{self._name} is neither a pcap nor a pcapng file.")
        return self.begun

    def step(self, limit: int) -> bool:
        """Read at most `limit` bytes more (one slice of them); whether that was not all there is."""
        self.idle = self.damage is not None or self._format is None or not self._step(self._format, limit)
        return not self.idle

    def _step(self, format: Format, limit: int) -> bool:
        self.size = max(self.source.advance(limit), self.size if self.source.ended else 0)
        if self.source.full:
            self.size = self.offset
        rest = self.size - self.offset
        if rest <= 0:
            self._resize(FIRST_SLICE)          # nothing to do for now: the memory is worth more elsewhere
            return False
        if self._least > len(self._buffer) - PADDING:
            self._resize(self._least)
        wanted = min(rest, len(self._buffer) - PADDING, max(limit, FIRST_SLICE, self._least))
        count = self.source.read(self.offset, memoryview(self._buffer)[:wanted])
        sink = self.sink
        sink.data = np.frombuffer(self._buffer, "u1")
        sink.base = self.offset
        try:
            moved = format.walk(self._buffer, 0, count, sink)
        except DamageError as error:
            self.damage = str(error)
            return True
        self.offset += moved
        if moved:
            self._least = 0
            if count == len(self._buffer) - PADDING:
                self._resize(SLICE)
            return True
        more = wanted == count < rest and count < _LARGEST_SLICE
        self._least = 2 * count if more else self._least
        return more

    def _resize(self, size: int) -> None:
        """Take a buffer of another size (a block larger than the buffer needs one)."""
        if len(self._buffer) != size + PADDING:
            self.sink.data = np.zeros(0, "u1")
            self._buffer = bytearray(min(size, _LARGEST_SLICE) + PADDING)

    def rest_is_packet(self) -> bool:
        """Whether what is left at the end (`rest`) begins a packet rather than another block."""
        if isinstance(self._format, Pcap):
            return True
        head = bytearray(4)
        self.source.read(self.offset, memoryview(head))
        kinds = pcapng.ENHANCED_PACKET, pcapng.SIMPLE_PACKET, pcapng.PACKET
        return max(head) in kinds and sum(head) in kinds

    @property
    def rest(self) -> int:
        """Bytes that stand there but make no whole packet or block (yet)."""
        return max(self.size - self.offset, 0)


def begins_capture(head: bytes) -> bool:
    """Whether a file whose first bytes are these is a capture, or one that is compressed."""
    return head[:4] in {*PCAP_MAGICS, b"\x0a\x0d\x0d\x0a"} or is_compressed(head)


def _may_become_capture(head: bytes) -> bool:
    """Whether a file that begins with `head` (and has no more yet) may turn out to be one."""
    begins = [*PCAP_MAGICS, b"\x0a\x0d\x0d\x0a"]
    if len(head) < 4:
        return any(magic.startswith(head) for magic in begins)
    return head[:4] in begins and len(head) < (12 if head[:4] == begins[-1] else Pcap.HEADER)
