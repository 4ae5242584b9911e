"""What the capture lacks of a TCP conversation's streams, and why: bytes, not packets.

Holes between segments, the rest of packets that a snapshot length cut, and at the end what the peer
acknowledged or a FIN counts though nobody captured it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.numbers import ACK
from inspector.protocols.api import Cut

if TYPE_CHECKING:
    from inspector.model.packets import Row
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.index.index import Index
    from inspector.trace.index.packets import Packets

LOOK_BACK = 1000        # packets at the end among which the last acknowledgment is looked for


class Missing(NamedTuple):
    """Bytes [start, stop) of a direction's stream; `cut`: a snapshot length took (some of) them."""

    start: int
    stop: int
    cut: bool = False

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.stop - self.start


def acknowledged(trace: Packets, flow: TcpFlow, direction: int) -> int:
    """The offset up to which the peer of a direction has said, last, that it has all bytes."""
    index, rows = trace.index, flow.rows[-LOOK_BACK:]
    answers = (flow.directions(rows) != direction) & (index.tcp_flags[rows] & ACK != 0)
    found = np.flatnonzero(answers)
    return flow.streams[direction].offset_of(int(index.ack[rows[found[-1]]])) if len(found) else 0


def cut_of(index: Index, row: Row, offset: int) -> Cut | None:
    """What the capture cut off a packet whose last byte that is there stands before `offset`."""
    snaplen = int(index.cap_len[row])
    if snaplen >= int(index.length[row]):
        return None                            # its headers promise more than was sent
    lacks = int(index.payload_length[row]) - max(snaplen - int(index.payload[row]), 0)
    return Cut(row, offset, offset + lacks, snaplen) if lacks > 0 else None


def sent(trace: Packets, flow: TcpFlow, direction: int) -> int:
    """The offset up to which bytes were sent for certain: captured, counted by a FIN, or acknowledged."""
    stream = flow.streams[direction]
    if stream.end is not None:
        return max(stream.length, stream.end)
    known = acknowledged(trace, flow, direction)
    # An acknowledgment counts a FIN too; of one that was not captured it is one byte.
    return known if known > stream.length + 1 else stream.length


def missing_from(trace: Packets, flow: TcpFlow, direction: int, offset: int) -> Missing | None:
    """The first bytes at or behind `offset` that the capture lacks; None where it has all that were sent."""
    stream = flow.streams[direction]
    gap = stream.gap_from(offset)
    if gap is not None:
        return Missing(gap.start, gap.end, gap.cut)
    start, stop = max(offset, stream.length), sent(trace, flow, direction)
    return Missing(start, stop) if start < stop else None


def missing_bytes(trace: Packets, flow: TcpFlow, direction: int) -> int:
    """How many bytes of a direction the capture lacks, as far as it can know."""
    stream = flow.streams[direction]
    return max(sent(trace, flow, direction) - stream.start - stream.captured, 0)
