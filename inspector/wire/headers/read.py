"""Columns of a whole batch of frames at once: link, network and transport headers.

`read_headers` goes layer by layer over all frames of one link type: link headers and tags
(`link`), IPv4, IPv6 and ARP (`network`), TCP, UDP and ICMP (`transport`).
Frames that carry a tunnel go round again for what is inside. Any bytes give columns, never an error.
Plain ones, which most are, may be read before that by a compiled loop, and give the same.
"""

from __future__ import annotations

import numpy as np

from inspector.wire import compiled
from inspector.wire.arrays import Int64s, UInt8s
from inspector.wire.headers.batch import (
    BOGUS,
    CUT,
    DEEP,
    FRAGMENT,
    MALFORMED,
    NO_LAYER,
    NO_OFFSET,
    PADDING,
    PORTS,
    SHORT,
    UNSIZED,
    Batch,
    Beside,
    Fragments,
    Headers,
)
from inspector.wire.headers.link import link_layer
from inspector.wire.headers.network import network_layers

__all__ = [
    "BOGUS", "CUT", "DEEP", "FRAGMENT", "MALFORMED", "NO_LAYER", "NO_OFFSET", "PADDING", "PORTS", "SHORT",
    "UNSIZED", "Beside", "Fragments", "Headers", "read_headers",
]


def read_headers(data: UInt8s, starts: Int64s, captured: Int64s, lengths: Int64s, link_type: int) -> Headers:
    """Columns of the frames of `link_type` that stand at `starts` of `data`.

    `captured` bytes of each are there, `lengths` were on the wire. `data` must hold PADDING bytes more
    after the last frame's captured bytes.
    """
    headers = Headers.empty(len(starts))
    if compiled.loops is None:
        _read(headers, data, starts, captured, lengths, link_type)
        return headers
    left = _read_plain(headers, data, starts, captured, lengths, link_type)
    if len(left):
        part = Headers.empty(len(left))
        _read(part, data, starts[left], captured[left], lengths[left], link_type)
        headers.put(left, part)
    return headers


def _read_plain(
    headers: Headers, data: UInt8s, starts: Int64s, captured: Int64s, lengths: Int64s, link_type: int
) -> Int64s:
    """Read the frames that hold TCP or UDP in IP and nothing else; which ones are left."""
    count = len(starts)
    rows6, left, words6 = np.empty(count, "i8"), np.empty(count, "i8"), np.empty((count, 4), "u8")
    sixes, lefts = compiled.loops.plain_headers(
        data, link_type, (starts, captured, lengths), headers.columns(), (rows6,), (words6,), (left,))
    if sixes:
        headers.rows6.append(rows6[:sixes])
        headers.addresses6.append(words6[:sixes])
    return left[:lefts]


def _read(
    headers: Headers, data: UInt8s, starts: Int64s, captured: Int64s, lengths: Int64s, link_type: int
) -> None:
    batch = Batch(data, starts, captured, lengths)
    headers.status[captured < lengths] = CUT
    network_layers(batch, headers, link_layer(batch, link_type))
    for rows in batch.deep:
        headers.status[rows] |= DEEP
