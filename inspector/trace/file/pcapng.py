"""pcapng files, walked a buffer at a time: see format.py.

Runs of packet blocks are only stepped over by their lengths and then read together; the other blocks,
which are few, are read one by one. Sections may differ in byte order; interfaces are counted through.
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
    nanoseconds,
)
from inspector.trace.index.columns import Array
from inspector.wire import pcapng


class Pcapng:
    """The next generation format, all sections and interfaces of it."""

    def __init__(self) -> None:
        self._order = "<"
        self._interfaces: list[tuple[int, pcapng.Interface]] = []      # of this section: number in the trace
        self._starts: list[int] = []

    def walk(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        """Blocks begin and end with their length."""
        try:
            return self._walk(buffer, start, stop, sink)
        except (pcapng.BlockError, struct.error) as error:
            raise DamageError(str(error)) from None
        finally:
            self._flush(buffer, sink)

    def _walk(self, buffer: bytearray, start: int, stop: int, sink: Sink) -> int:
        starts = self._starts
        append, unpack, last = starts.append, struct.Struct(self._order + "II").unpack_from, stop - 12
        while start <= last:              # the one loop over all packets: lengths are checked afterwards
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
            comments = pcapng.parse_section(body, order)
            self._interfaces = []
            sink.comment(comments, None)
        elif kind == pcapng.INTERFACE_DESCRIPTION:
            self._flush(buffer, sink)
            interface = pcapng.parse_interface(body, order)
            self._interfaces.append((sink.interface(interface), interface))
            sink.comment(interface.comments, None)
        elif kind == pcapng.JOURNAL_EXPORT:
            sink.journal(pcapng.parse_journal(body), len(self._starts))
        elif kind == pcapng.INTERFACE_STATISTICS:
            statistics = pcapng.parse_statistics(body, order)
            if statistics.interface < len(self._interfaces):
                sink.statistics_block(self._interfaces[statistics.interface][0], statistics)
                sink.comment(statistics.comments, None)
        elif kind == pcapng.NAME_RESOLUTION:
            sink.names(pcapng.parse_names(body, order))

    def _flush(self, buffer: bytearray, sink: Sink) -> None:
        """Give the packets stepped over so far."""
        if not self._starts:
            return
        starts = np.array(self._starts, "i8")
        self._starts.clear()
        packets, damage = self._packets(buffer, starts)
        self._packet_comments(buffer, starts[: len(packets.starts)], packets, sink)
        if len(packets.starts):
            sink.packets(packets)
        if damage:
            raise DamageError(damage)

    def _packets(self, buffer: bytearray, starts: Array) -> tuple[PacketBatch, str]:
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
            snaplen = self._interfaces[0][1].snaplen if self._interfaces else 0
            whole = np.minimum(lengths[simple], snaplen) if snaplen else lengths[simple]
            captured[simple] = np.minimum(whole, room[simple])
        tails = np.minimum(starts + total, len(buffer)) - 4
        trailing = gather(buffer, tails, np.dtype([("total", self._order + "u4")]))["total"]
        limits = [LARGE_FRAMES.get(interface.link_type, MAX_FRAME) for _, interface in self._interfaces]
        known = local < len(self._interfaces)
        limit = np.array([*limits, 0], "i8")[np.where(known, local, len(limits))]
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

    def _by_interface(self, local: Array, ticks: Array, kind: Array) -> tuple[Array, Array]:
        """Numbers of interfaces in the trace, and times in nanoseconds."""
        numbers, time_ns = np.zeros(len(local), "i8"), np.zeros(len(local), "i8")
        for i in np.unique(local).tolist():
            number, interface = self._interfaces[i]
            mine = local == i
            numbers[mine] = number
            time_ns[mine] = nanoseconds(ticks[mine], interface.resolution, interface.offset)
        time_ns[kind == pcapng.SIMPLE_PACKET] = 0       # they have no time
        return numbers, time_ns

    def _packet_comments(self, buffer: bytearray, starts: Array, packets: PacketBatch, sink: Sink) -> None:
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
                sink.comment(tuple(value.decode("utf-8", "backslashreplace") for value in found), i)
