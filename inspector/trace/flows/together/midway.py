"""TCP conversations that began before the capture and go straight on, told by columns for all of them.

No SYN, FIN or RST, every packet the next of its end, nothing acknowledged that was not seen: such a one has
no handshake and no round trip of it, and both ends are ESTABLISHED once both have sent something new (see
wire/tcp/state.py), else unknown. What is spoken on it is found out as ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inspector.model.numbers import ACK, FIN, RST, SYN
from inspector.trace.flows.together.columns import FAR, Followed, TcpColumns
from inspector.trace.index.index import Index
from inspector.wire.arrays import Bools, Int64s


@dataclass(frozen=True, slots=True)
class Midway:
    """Such conversations: their numbers, ascending, and whether both ends have sent something new.

    `whole`: all payload was captured; `quiet`: nothing that goes wrong in TCP can be seen in it.
    """

    stream: Int64s
    proven: Bools
    whole: Bools
    quiet: Bools

    def at(self, stream: int) -> int:
        """The place of a conversation; -1: it is not of this kind."""
        at = int(np.searchsorted(self.stream, stream))
        return at if at < len(self.stream) and int(self.stream[at]) == stream else -1


def midway_ones(index: Index, columns: TcpColumns, follows: Followed, quiet: Bools) -> Midway:
    """The conversations of that kind; `quiet` tells of all conversations what it tells here."""
    good = ~columns.having(columns.flags & (SYN | FIN | RST) != 0) & columns.small()
    if good.any():
        good &= ~columns.having(~(_straight_on(columns, follows) & columns.readable(index)))
    proven = np.zeros(len(good), np.bool_)
    if good.any():
        news = (follows.own >= 0) & (columns.length > 0)
        proven = columns.having(news & columns.reverse) & columns.having(news & ~columns.reverse)
    return Midway(index.stream[columns.rows[columns.starts[good]]].astype("i8"), proven[good],
                  ~columns.cut(index)[good], quiet[good])


def _straight_on(columns: TcpColumns, follows: Followed) -> Bools:
    """Which packets are the next of their end, and acknowledge what the other end was seen to send.

    Before that end was seen, they acknowledge all up to its first byte.
    """
    own, other, end, left = follows
    count = len(own)
    first_of_b = columns.first(columns.reverse, columns.group, len(columns.starts))[columns.group]
    first = np.where(columns.reverse, columns.head, first_of_b)
    known = columns.ack - columns.seq[np.minimum(first, count - 1)]
    seen = np.where(other >= 0, (left < FAR) & (known < FAR), (first >= count) | (known == 0))
    fits: Bools = ((own < 0) | (columns.seq == end[own])) & (columns.flags & ACK != 0) & seen
    return fits
