"""From bytes of a stream to the packet that brought them, and to bytes of that packet's frame.

What follow stream, messages and findings give as `target`: everything a selection needs, so that one choice
can be marked in every pane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inspector.model.packets import Row
from inspector.protocols.api import MessageNumber

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_ROWS = 256            # packets that one target names at most


class StreamPlace(NamedTuple):
    """A place in a conversation. `row` is where to look (None: nowhere), `rows` all packets that carry it.

    [start, stop) are bytes of the frame of packet `row`, [bit_start, bit_stop) bits counted from the first
    of them. `direction` and [first, last) are the same place as bytes of that direction's stream. `message`
    is the number of a message, `frame` of a record (from 1), where the place is one.
    """

    row: Row | None = None
    rows: tuple[Row, ...] = ()
    start: int | None = None
    stop: int | None = None
    bit_start: int | None = None
    bit_stop: int | None = None
    stream: int | None = None
    direction: int = 0
    first: int = 0
    last: int = 0
    frame: int | None = None
    message: MessageNumber | None = None


def place_of(
    trace: Trace, stream: int, direction: int, first: int, last: int,
    bits: tuple[int | None, int | None] = (None, None),
) -> StreamPlace:
    """The place of bytes [first, last) of a direction's stream; without a row where none brought them."""
    found = StreamPlace(stream=stream, direction=direction, first=first, last=last)
    rows: dict[Row, None] = {}
    segments = trace.index.reassembly.segments
    for piece in trace.flow(stream).streams[direction].pieces(first, last):
        if not rows and piece.row in segments:
            found = found._replace(row=piece.row)        # its bytes stand in several frames
        elif not rows:
            found = found._replace(
                row=piece.row, start=piece.frame_offset, stop=piece.frame_offset + piece.length,
                bit_start=bits[0], bit_stop=bits[1])
        rows[piece.row] = None
        if len(rows) >= _ROWS:
            break
    return found._replace(rows=tuple(rows))
