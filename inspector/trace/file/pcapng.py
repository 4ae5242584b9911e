"""pcapng files, walked a buffer at a time: see format.py.

Packet blocks are only stepped over by their lengths and then read together, a section's at once, and given
at the end of the walk; the other blocks are read one by one, and cost no more where there are many of them.
Sections may differ in byte order; interfaces are counted through.
"""

from __future__ import annotations

import struct

import numpy as np

from inspector.trace.file.format import (
    LARGE_FRAMES,
    MAX_FRAME,
    DamageError,
    PacketBatch,
    Sink,
    gather,
    joined,
    nanoseconds,
)
from inspector.trace.index.columns import Growing
from inspector.wire import compiled, pcapng
from inspector.wire.arrays import Int64s, UInt32s, UInt64s


class _Interfaces:
    """The interfaces of a section as columns: their numbers in the trace, their clocks, their limits."""

    def __init__(self) -> None:
        self.number, self.limit = Growing(np.int64), Growing(np.int64)
        self.resolution, self.offset = Growing(np.uint8), Growing(np.int64)
        self.snaplen = 0                     # of the first one
        self._met = [(0, 0)]                 # packets stepped over when how many interfaces were known

    def __len__(self) -> int:
        return self.number.count

    def add(self, number: int, interface: pcapng.Interface, before: int) -> None:
        """One that is described after `before` packets that were not read yet."""
        if not len(self):
            self.snaplen = interface.snaplen
        self.number.extend(np.array([number]))
        self.limit.extend(np.array([LARGE_FRAMES.get(interface.link_type, MAX_FRAME)]))
        self.resolution.extend(np.array([interface.resolution]))
        self.offset.extend(np.array([interface.offset]))
        self._met.append((before, len(self)))

    def known_to(self, count: int) -> Int64s:
        """How many were described before each of the `count` packets that were not read yet."""
        before, known = np.array(self._met, "i8").T
        found: Int64s = known[np.searchsorted(before, np.arange(count), "right") - 1]
        self._met = [(0, len(self))]
        return found


class Pcapng:
    """The next generation format, all sections and interfaces of it."""

    def __init__(self) -> None:
        self._order = "<"
        self._interfaces = _Interfaces()               # of this section
        self._starts: list[int] = []                   # of its packets that were stepped over
        self._read: list[PacketBatch] = []             # what was read of sections before it
        self._waiting = 0                              # packets in all of these

    def walk(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        """Blocks begin and end with their length."""
        try:
            return self._walk(buffer, start, stop, sink)
        except (pcapng.BlockError, struct.error) as error:
            raise DamageError(str(error)) from None
        finally:
            try:
                self._flush(buffer, sink)
            finally:
                batches, self._read, self._waiting = self._read, [], 0
                if batches:
                    sink.packets(joined(batches))

    def _walk(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        starts = self._starts
        append, unpack, last = starts.append, struct.Struct(self._order + "II").unpack_from, stop - 12
        places = None if compiled.loops is None else np.empty(max(stop - start, 0) // 32 + 1, "i8")
        while start <= last:              # the one loop over all packets: lengths are checked afterwards
            if places is not None:        # those that follow each other and are whole, at once
                big = self._order == ">"
                count, start = compiled.loops.pcapng_packets(buffer, start, stop, big, (places,))
                starts += places[:count].tolist()
                if start > last:
                    break
            kind, total = unpack(buffer, start)
            if kind == pcapng.ENHANCED_PACKET and total >= 32:
                append(start)
                start += total
                continue
            if kind == pcapng.SECTION_HEADER and self._turn(bytes(buffer[start : start + 12]), buffer, sink):
                unpack = struct.Struct(self._order + "II").unpack_from
            block = pcapng.block_at(memoryview(buffer)[:stop], start, self._order)
            if block is None:
                break
            self._block(buffer, block, sink)
            start = block.end
        if start > stop:                  # the last packet's block is not whole, or its length is wrong
            start = starts.pop()
            self._flush(buffer, sink)
            pcapng.block_at(memoryview(buffer)[:stop], start, self._order)
        return start

    def _turn(self, head: bytes, buffer: bytearray, sink: Sink) -> bool:
        """Take the byte order of a section that begins; whether it is another one."""
        order = pcapng.section_order(head)
        if order is None:
            raise DamageError("a section header has no byte order")
        if order == self._order:
            return False
        self._flush(buffer, sink)
        self._order = order
        return True

    def _block(self, buffer: bytearray, block: pcapng.Block, sink: Sink) -> None:
        body = bytes(buffer[block.body : block.body_end])
        order, kind = self._order, block.type
        if kind in (pcapng.PACKET, pcapng.SIMPLE_PACKET, pcapng.ENHANCED_PACKET):
            if len(body) < (4 if kind == pcapng.SIMPLE_PACKET else 20):
                raise DamageError("a packet block is too short")
            self._starts.append(block.start)
        elif kind == pcapng.SECTION_HEADER:
            self._flush(buffer, sink)
            pcapng.check_section(body, order)
            self._interfaces = _Interfaces()
            sink.section(self._waiting)
        elif kind == pcapng.INTERFACE_DESCRIPTION:
            interface = pcapng.parse_interface(body, order)
            self._interfaces.add(sink.interface(interface), interface, len(self._starts))
        elif kind == pcapng.JOURNAL_EXPORT:
            sink.other_frame(self._waiting + len(self._starts))
            sink.journal(pcapng.parse_journal(body))
        elif kind in pcapng.CUSTOM:
            sink.other_frame(self._waiting + len(self._starts))
        elif kind == pcapng.INTERFACE_STATISTICS:
            statistics = pcapng.parse_statistics(body, order)
            if statistics.interface < len(self._interfaces):
                sink.statistics_block(int(self._interfaces.number.values[statistics.interface]), statistics)
        elif kind == pcapng.DECRYPTION_SECRETS:
            sink.keylog(pcapng.parse_secrets(body, order), self._waiting + len(self._starts))
        elif kind == pcapng.NAME_RESOLUTION:
            sink.names(pcapng.parse_names(body, order))

    def _flush(self, buffer: bytearray, sink: Sink) -> None:
        """Read the packets stepped over so far; they are given at the end of the walk."""
        if not self._starts:
            return
        starts = np.array(self._starts, "i8")
        self._starts.clear()
        packets, damage = self._packets(buffer, starts)
        self._packet_comments(buffer, starts[: len(packets.starts)], packets, sink)
        if len(packets.starts):
            self._read.append(packets)
            self._waiting += len(packets.starts)
        if damage:
            raise DamageError(damage)

    def _packets(self, buffer: bytearray, starts: Int64s) -> tuple[PacketBatch, str]:
        names = ("kind", "total", "interface", "high", "low", "captured", "length")
        head = gather(buffer, starts, np.dtype([(name, self._order + "u4") for name in names]))
        kind, total = head["kind"], head["total"].astype("i8")
        local = head["interface"].astype("i8")
        captured, lengths = head["captured"].astype("i8"), head["length"].astype("i8")
        ticks = head["high"].astype("u8") << np.uint64(32) | head["low"]
        begins, room = starts + 28, total - 32
        if (kind != pcapng.ENHANCED_PACKET).any():
            old, simple = kind == pcapng.PACKET, kind == pcapng.SIMPLE_PACKET
            # The obsolete block has its interface in the first two bytes and a drop count behind it.
            halves = local[old] if self._order == "<" else local[old] >> 16
            local[old] = halves & 0xFFFF
            lengths[simple], local[simple], ticks[simple] = local[simple], 0, 0
            begins[simple], room[simple] = starts[simple] + 12, total[simple] - 16
            snaplen = self._interfaces.snaplen
            whole = np.minimum(lengths[simple], snaplen) if snaplen else lengths[simple]
            captured[simple] = np.minimum(whole, room[simple])
        tails = np.minimum(starts + total, len(buffer)) - 4
        trailing = gather(buffer, tails, np.dtype([("total", self._order + "u4")]))["total"]
        known = local < self._interfaces.known_to(len(starts))
        limit = np.append(self._interfaces.limit.values, 0)[np.where(known, local, -1)]
        wrong = [
            ((trailing != total) | (total & 3 != 0), "a block's two lengths differ"),
            (~known, "a packet names an interface that was not described"),
            (captured > room, "a packet is longer than its block"),
            (captured > limit, "a packet is longer than packets can be"),
        ]
        cut, damage = len(starts), ""
        for mask, text in wrong:
            if mask[:cut].any():
                cut, damage = int(np.argmax(mask)), text
        numbers, time_ns = self._by_interface(local[:cut], ticks[:cut], kind[:cut])
        return PacketBatch(begins[:cut], captured[:cut], lengths[:cut], time_ns, numbers), damage

    def _by_interface(self, local: Int64s, ticks: UInt64s, kind: UInt32s) -> tuple[Int64s, Int64s]:
        """Numbers of interfaces in the trace, and times in nanoseconds."""
        interfaces, time_ns = self._interfaces, np.zeros(len(local), "i8")
        if not len(local):
            return time_ns, time_ns
        resolution, offset = interfaces.resolution.values[local], interfaces.offset.values[local]
        for one in np.unique(resolution).tolist():
            mine = resolution == one
            time_ns[mine] = nanoseconds(ticks[mine], one, offset[mine])
        time_ns[kind == pcapng.SIMPLE_PACKET] = 0       # they have no time
        return interfaces.number.values[local], time_ns

    def _packet_comments(self, buffer: bytearray, starts: Int64s, packets: PacketBatch, sink: Sink) -> None:
        """Comments of the packets that have options."""
        after = packets.starts + packets.captured + (-packets.captured % 4)
        ends = starts + gather(buffer, starts + 4, np.dtype([("t", self._order + "u4")]))["t"] - 4
        for i in np.flatnonzero(ends >= after + 4).tolist():
            try:
                options = pcapng.parse_options(bytes(buffer[int(after[i]) : int(ends[i])]), 0, self._order)
            except pcapng.BlockError:
                continue
            found = [value for code, value in options if code == pcapng.OPT_COMMENT]
            if found:
                texts = tuple(value.decode("utf-8", "backslashreplace") for value in found)
                sink.comment(texts, self._waiting + i)
