"""Packets that a file holds twice: in a section that was put behind another one, of the same capture.

A section of a pcapng is a capture of its own (`cat a.pcapng b.pcapng`). What stands in a later one at the
very same time with the very same bytes was sent once: it is no retransmission, whatever its numbers say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inspector.model.packets import Row, row_at, rows_in
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.index.packets import Packets


def copies(trace: Packets, rows: Int64s, since: int = 0) -> dict[Row, Row]:
    """Of a conversation's packets (ascending) from place `since` on those that stand in an earlier section.

    Each with the row of the first one.
    """
    index = trace.index
    begins = index.sections.values
    if not len(begins) or not len(rows) or rows[-1] < begins[0]:
        return {}
    section = np.searchsorted(begins, rows, "right")
    later = np.flatnonzero(section[since:] > section[0]) + since
    times = index.time_ns[rows]
    found: dict[Row, Row] = {}
    for place in later[np.isin(times[later], times[: int(later[-1])])].tolist() if len(later) else ():
        row = row_at(rows, place)
        earlier = rows[:place][(times[:place] == times[place]) & (section[:place] < section[place])]
        frame = trace.frame(row)
        same = next((one for one in rows_in(earlier) if trace.frame(one) == frame), None)
        if same is not None:
            found[row] = found.get(same, same)
    return found


def out_of_order(trace: Packets, rows: Int64s) -> bool:
    """Whether a later section tells of a conversation what was before: its order is not that of the file."""
    index = trace.index
    if not len(index.sections.values):
        return False
    places = np.unique(np.searchsorted(rows, index.sections.values))
    places = places[(places > 0) & (places < len(rows))]
    return bool((index.time_ns[rows[places]] < index.time_ns[rows[places - 1]]).any())
