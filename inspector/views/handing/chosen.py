"""Which of the records that a packet carries is meant: the one with the chosen byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.packets import Row
from inspector.trace.application.application import Carried

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def holds(trace: Trace, stream: int, one: Carried, row: Row, byte: int) -> bool:
    """Whether a byte of the packet's frame is one of the record's, be it sealed there."""
    record = one.record
    start, stop = one.layer.streams[record.direction].wire(record.start, record.stop)
    pieces = trace.flow(stream).streams[record.direction].pieces(start, stop)
    return any(piece.row == row and piece.frame_offset <= byte < piece.frame_offset + piece.length
               for piece in pieces)
