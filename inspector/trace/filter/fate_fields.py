"""Fields of packets on a wire that somebody stood in: what became of one, and who decided it.

`wire.fate` (held, passed, dropped, doubled, put off, delayed, swapped, overtaken, lost, overflowed,
under way, arrived); who decided, `wire.by` (you, rule, chance, rate); `wire.lost`: it never arrived.
Wireshark has no such packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inspector.model.packets import Row
from inspector.trace.filter.field import DeepField, Value, anywhere

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def _fate(trace: Trace, row: Row) -> Sequence[Value]:
    fate = trace.fates.of(row)
    return [fate.fate] if fate else []


def _by(trace: Trace, row: Row) -> Sequence[Value]:
    fate = trace.fates.of(row)
    return [fate.by] if fate and fate.by else []


def _lost(trace: Trace, row: Row) -> Sequence[Value]:
    fate = trace.fates.of(row)
    return [1] if fate and fate.is_lost else []


FATES: dict[str, DeepField] = {
    "wire.fate": DeepField("text", _fate, anywhere),
    "wire.by": DeepField("text", _by, anywhere),
    "wire.lost": DeepField("protocol", _lost, anywhere),
}
