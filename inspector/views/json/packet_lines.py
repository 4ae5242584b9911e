"""Packets as JSON lines, many at a time: the same as `packets` gives as objects.

Rows, some thousands at a time -> those of conversations in which TCP has nothing to tell and that are plain
are printed from columns (`Calm` says what these lack: scales, first numbers, what a packet carries); all
others are told one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.model.numbers import ACK, TCP, flag_names
from inspector.trace.packet.calm import Calm
from inspector.trace.packet.info import mark_words
from inspector.trace.packet.protocol_names import KINDS
from inspector.views.json.packets import packet
from inspector.wire.arrays import Int64s
from inspector.wire.tcp.flags import REUSED_PORTS, names_of

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_TOGETHER = 1 << 12      # packets that are printed together,
_FEW = 1 << 10           # and those so few that columns are not worth while
_NAME = names_of(REUSED_PORTS)[0]
_REUSED = "", f"[{mark_words(_NAME)}] "                   # of a packet, and of one that has this mark
_ANALYSIS = "", f'"analysis": ["{_NAME}"], '
_encode: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=True).encode


def packet_lines(trace: Trace, rows: Int64s | None = None) -> Iterator[list[str]]:
    """One object a frame, in order of the file."""
    chosen = np.arange(trace.index.count) if rows is None else rows
    plain = trace.known.plain_conversations() if rows is None or len(rows) > _FEW else None
    calm = None if plain is None else Calm(trace, plain)
    ends = _ends_of(trace)
    for start in range(0, len(chosen), _TOGETHER):
        some = chosen[start : start + _TOGETHER]
        if calm is None:
            for row in some.tolist():
                yield [_encode(packet(trace, row))]
            continue
        fast = calm.look_at(some)
        lines = _lines(trace, calm, some[fast], ends)
        if fast.all():
            yield lines
            continue
        given = iter(lines)
        for row, known in zip(some.tolist(), fast.tolist(), strict=True):
            yield [next(given) if known else _encode(packet(trace, row))]


@lru_cache(1 << 12)
def _json(text: str) -> str:
    return _encode(text)[1:-1]


@lru_cache(512)
def _layers(kind: int, carried: tuple[str, ...]) -> str:
    return ":".join((*KINDS[kind], *carried))


@lru_cache(512)
def _flags(flags: int) -> str:
    return f"[{', '.join(flag_names(flags)) or '<None>'}]"


def _lines(trace: Trace, calm: Calm, rows: Int64s, ends: Callable[[int, int, int], str]) -> list[str]:
    """The lines of packets of calm conversations."""
    index = trace.index
    numbers = [f'{row + 1}, "wireshark.frame.number": {other}' for row, other in zip(
        rows.tolist(), index.wireshark_numbers(rows).tolist(), strict=True)
    ] if index.other_frames.count else (rows + 1).tolist()
    seq, ack, window = calm.relative(rows)
    columns = (
        seq, ack, window, *[column[rows] for column in (
            index.src, index.dst, index.time_ns, index.length, index.cap_len, index.stream, index.sport,
            index.dport, index.seq, index.ack, index.tcp_flags, index.window, index.payload_length)],
    )
    lines = []
    for number, kind, (text, names), again, first, acked, width, source, target, time, size, captured, \
            stream, sport, dport, raw, raw_ack, flags, shown, length in zip(
                numbers, calm.kinds(rows), calm.words(rows), calm.reused(rows),
                *[column.tolist() for column in columns], strict=True):
        if length:
            info = _json(text)
        else:
            acks = f" Ack={acked}" if flags & ACK else ""
            info = f"{_REUSED[again]}{sport} \\u2192 {dport} {_flags(flags)} Seq={first}{acks} Win={width} "
            info += f"Len=0{text}"
        lines.append(
            f'{{"frame.number": {number}, "frame.time_epoch_ns": {time}, "frame.len": {size}, '
            f'"frame.cap_len": {captured}, "frame.protocols": "{_layers(kind, names)}", '
            f'{ends(kind, source, target)}, "tcp.stream": {stream}, "tcp.srcport": {sport}, '
            f'"tcp.dstport": {dport}, "tcp.seq_raw": {raw}, "tcp.ack_raw": {raw_ack}, "tcp.flags": {flags}, '
            f'"tcp.window_size_value": {shown}, "tcp.len": {length}, {_ANALYSIS[again]}"info": "{info}"}}'
        )
    return lines


def _ends_of(trace: Trace) -> Callable[[int, int, int], str]:
    """What gives the addresses of a packet by its kind and their ids."""
    @lru_cache(1 << 14)
    def ends(kind: int, source: int, target: int) -> str:
        four, address = KINDS[kind][-2] == "ip", trace.index.address
        name, last = ("ip", f', "ip.proto": {TCP}') if four else ("ipv6", "")
        return f'"{name}.src": "{address(source)}", "{name}.dst": "{address(target)}"{last}'

    return ends
