"""What a conversation cost, as one column of the table above the comparison.

Rows of the conversation -> packets, bytes of headers and of payload, round trips, how long it took.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.language import marked, tr
from inspector.model.numbers import ACK, RST, SYN, TCP, UDP
from inspector.model.units import duration
from inspector.views.ladder.layout import LEFT

if TYPE_CHECKING:
    from inspector.views.ladder.ladder import Ladder


@dataclass(frozen=True, slots=True)
class Sums:
    """`headers` and `payload` in bytes; `payload` is what TCP, UDP or IP carried. `calls`: 0 where nobody
    watched them, since no packet is sent without one."""

    packets: int
    headers: int
    payload: int
    round_trips: int
    took_ns: int
    calls: int


def sums_of(ladder: Ladder) -> Sums:
    """The sums over all packets of a ladder's conversation."""
    index, rows, times = ladder.trace.index, ladder.side.rows, ladder.side.times
    payload = int(index.payload_length[rows].sum(dtype=np.int64))
    whole = int(index.length[rows].sum(dtype=np.int64))
    took = int(times[-1]) - int(times[0]) if len(times) else 0
    calls = sum(moment.part != "return" for moment in ladder.moments)
    return Sums(len(rows), whole - payload, payload, _round_trips(ladder), took, calls)


def _round_trips(ladder: Ladder) -> int:
    """How often the client asked (a SYN, data) and the server then sent: ACKs alone and closing are nothing.

    Who closes first is by chance, and nobody waits for it; a reset that refuses a SYN is an answer.
    """
    index, rows = ladder.trace.index, ladder.side.rows
    if not len(rows):
        return 0
    tcp, flags = index.protocol[rows] == TCP, index.tcp_flags[rows]
    is_opened = bool((flags & (SYN | ACK) == SYN | ACK).any())
    opens = (flags & (SYN if is_opened else SYN | RST)) != 0
    speaks = (tcp & (opens | (index.payload_length[rows] > 0))) | (index.protocol[rows] == UDP)
    as_first = (index.src[rows] == index.src[rows[0]]) & (index.sport[rows] == index.sport[rows[0]])
    from_client = (as_first == (ladder.side.direction(0) == LEFT))[speaks]
    return int(np.count_nonzero(from_client[:-1] & ~from_client[1:]))


def table(columns: list[Sums]) -> list[tuple[str, list[str]]]:
    """Title of each row, and its text for each conversation."""
    return [
        (marked("packets"), [f"{one.packets:,}" for one in columns]),
        (marked("bytes of headers"), [f"{one.headers:,}" for one in columns]),
        (marked("bytes of payload"), [f"{one.payload:,}" for one in columns]),
        (marked("round trips"), [f"{one.round_trips:,}" for one in columns]),
        (marked("time"), [duration(one.took_ns) for one in columns]),
        (marked("system calls"), [f"{one.calls:,}" if one.calls else tr("not watched") for one in columns]),
    ]


