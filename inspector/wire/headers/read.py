"""Columns of a whole batch of frames at once: link, network and transport headers.

`read_headers` goes layer by layer over all frames of one link type: link headers and tags
(`link`), IPv4, IPv6 and ARP (`network`), TCP, UDP and ICMP (`transport`).
Frames that carry a tunnel go round again for what is inside. Any bytes give columns, never an error.
"""

from __future__ import annotations

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
    batch = Batch(data, starts, captured, lengths)
    headers = Headers.empty(len(starts))
    headers.status[captured < lengths] = CUT
    network_layers(batch, headers, link_layer(batch, link_type))
    for rows in batch.deep:
        headers.status[rows] |= DEEP
    return headers
