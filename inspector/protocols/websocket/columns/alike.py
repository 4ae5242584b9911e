"""Runs of frames that are wrong in the same way, one after the other: a client that never masks, say.

After some of them nothing is new: `session` counts the others together, and they are entered as columns, like
plain ones. Only whole text and binary messages of a few bytes make runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from inspector.protocols.websocket.columns.columns import Columns
from inspector.protocols.websocket.frame import BINARY, TEXT
from inspector.wire.arrays import Bools

LEAST = 64               # frames of a run; in fewer each may be looked at
_SMALL = 125             # bytes of a payload with the shortest form of length


def runs(columns: Columns, plain: Bools) -> Iterator[tuple[int, int]]:
    """The runs [first, last) of at least LEAST frames that are not plain, and differ in nothing but text."""
    whole = (columns.first & 0x8F == 0x80 | TEXT) | (columns.first & 0x8F == 0x80 | BINARY)
    fits = ~plain & whole & (columns.length <= _SMALL) & (columns.header <= 6)
    if np.count_nonzero(fits) < LEAST:
        return
    stops = columns.start + columns.header + columns.length
    same = fits[1:] & fits[:-1] & (columns.start[1:] == stops[:-1])
    for column in (columns.direction, columns.first, columns.header, columns.length, columns.key):
        same &= column[1:] == column[:-1]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
    for first, last in edges.reshape(-1, 2).tolist():
        if last + 1 - first >= LEAST:
            yield first, last + 1


def all_ascii(data: bytes, first: int, header: int, length: int, count: int) -> bool:
    """Whether all payloads of `count` frames alike are ASCII; the first begins at `first` of `data`."""
    size = header + length
    frames = np.frombuffer(data, np.uint8, count * size, first).reshape(count, size)
    payloads = frames[:, header:]
    if header == 6:
        key = np.resize(frames[0, 2:6], length)
        return not ((payloads ^ key) & 0x80).any()
    return not (payloads & 0x80).any()
