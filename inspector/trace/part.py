"""A trace's file written anew: some of its packets, or all with the comments they have by now, as pcapng.

    blocks of the file ─> packets that are wanted, journal entries that belong, all else ─> pcapng

A pcapng's blocks are copied as they stand, so that whatever they say stays: interfaces, options, names of
addresses, secrets. A classic pcap has none; its packets are written by the index. Nothing is held but a piece
of the file.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from inspector.model.packets import Row, first_rows, rows_in
from inspector.wire import pcapng
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

Keeps = Callable[[dict[str, str]], bool]                 # by the fields of a journal entry
_PACKETS = frozenset({pcapng.ENHANCED_PACKET, pcapng.SIMPLE_PACKET, pcapng.PACKET})
_NOT_TO_COPY = 0x40000BAD                                # custom blocks that say so
_GATHERED = 1 << 20                                      # bytes that are given at once, about
_OWN_ORDER = "<" if sys.byteorder == "little" else ">"
_ANY_LENGTH = b"\xff" * 8                                # of a section, which is not what it was


def written(trace: Trace, rows: Int64s | None = None, keeps: Keeps | None = None) -> Iterator[bytes]:
    """The file of the packets `rows` (ascending; None: all), in pieces, with what was commented here.

    `keeps` says which journal entries go with them (None: all).
    """
    wanted = None if rows is None else frozenset(rows_in(rows))
    blocks = _copied(trace, wanted, keeps) if _is_pcapng(trace) else _made(trace, wanted)
    gathered, size = [], 0
    for block in blocks:
        gathered.append(block)
        size += len(block)
        if size >= _GATHERED:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _is_pcapng(trace: Trace) -> bool:
    head = next(trace.read_file(), b"")[:12]
    return pcapng.section_order(head) is not None


def _made(trace: Trace, wanted: frozenset[Row] | None) -> Iterator[bytes]:
    """Packets of a format that has no blocks."""
    yield pcapng.section_header()
    for interface in trace.interfaces:
        yield pcapng.interface_description(interface.link_type, interface.snaplen, interface.name)
    index = trace.index
    for row, frame in _frames(trace, first_rows(index.count) if wanted is None else sorted(wanted)):
        block = pcapng.enhanced_packet(frame, int(index.time_ns[row]), int(index.length[row]),
                                       index.interface_of(row))
        texts = trace.comments.changed.get(row)
        yield block if texts is None else _recommented(trace, _OWN_ORDER, block, row, texts)


def _frames(trace: Trace, rows: Iterable[Row]) -> Iterator[tuple[Row, bytes]]:
    """Packets in order, read from the file by itself: others may be asking the trace meanwhile."""
    data, base, pieces, index = b"", 0, trace.read_file(), trace.index
    for row in rows:
        start = int(index.offset[row])
        stop = start + int(index.cap_len[row])
        while base + len(data) < stop:
            piece = next(pieces, b"")
            if not piece:
                return
            skipped = min(max(start - base, 0), len(data))
            data, base = data[skipped:] + piece, base + skipped
        yield row, data[start - base : stop - base]


def _copied(trace: Trace, wanted: frozenset[Row] | None, keeps: Keeps | None) -> Iterator[bytes]:
    """The blocks of a pcapng that are wanted."""
    changed, rows = trace.comments.changed, iter(first_rows(trace.index.count))
    late, begun = trace.late_secrets, False
    for order, kind, block in _blocks(trace):
        if begun and late:
            yield pcapng.decryption_secrets(late)     # other readers look for secrets before packets alone
            late = b""
        begun = begun or kind == pcapng.SECTION_HEADER
        if kind in _PACKETS:
            row = next(rows, None)
            if row is None:
                return                                   # it was read no further
            if wanted is None or row in wanted:
                texts = changed.get(row)
                yield block if texts is None else _recommented(trace, order, block, row, texts)
        elif kind == pcapng.JOURNAL_EXPORT:
            if keeps is None or keeps(pcapng.parse_journal(block[8:-4])):
                yield block
        elif kind == pcapng.SECTION_HEADER and (wanted is not None or changed):
            yield block[:16] + _ANY_LENGTH + block[24:]
        elif wanted is None or kind != _NOT_TO_COPY:
            yield block


def _recommented(trace: Trace, order: str, block: bytes, row: Row, texts: tuple[str, ...]) -> bytes:
    return pcapng.recommented(block, order, texts, int(trace.index.cap_len[row]))


def _blocks(trace: Trace) -> Iterator[tuple[str, int, bytes]]:
    """Byte order, type and bytes of each block that stands whole in the file, as far as it was read."""
    order, data, at, base = "<", b"", 0, 0
    pieces = trace.read_file()
    packets, count, stop = 0, trace.index.count, trace.read_to
    while True:
        head = data[at : at + 12]
        if pcapng.section_order(head) is not None:
            order = pcapng.section_order(head) or order
        total = struct.unpack_from(order + "I", head, 4)[0] if len(head) == 12 else 12
        if not 12 <= total <= pcapng.MAX_BLOCK or total & 3:
            return
        if at + total > len(data):
            piece = next(pieces, b"")
            if not piece:
                return
            base, data, at = base + at, data[at:] + piece, 0
            continue
        kind = struct.unpack_from(order + "I", head)[0]
        if base + at >= stop and packets >= count:
            return
        yield order, kind, data[at : at + total]
        packets += kind in _PACKETS
        at += total

