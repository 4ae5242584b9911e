"""What flows and applications need of a trace: the columns of its packets and the bytes of their frames.

`Trace` is one `Packets`; a test may make a smaller one. Whatever is written against this interface alone can
be used by `Trace` itself, since it does not import it.
"""

from __future__ import annotations

from typing import Protocol

from inspector.model.endpoint import Transport
from inspector.model.packets import Row
from inspector.trace.index.fates import Fates
from inspector.trace.index.index import Index
from inspector.wire.arrays import Int64s
from inspector.wire.keylog import KeyLog


class Packets(Protocol):
    """Packets by their rows, which count from 0 in order of the file."""

    @property
    def index(self) -> Index:
        """The columns of the packets; they grow while the capture runs."""

    @property
    def secrets(self) -> KeyLog:
        """Secrets of TLS sessions."""

    @property
    def fates(self) -> Fates:
        """What became of packets on a wire that somebody stood in."""

    @property
    def end_ns(self) -> int:
        """Up to when the capture is known to have gone on, nanoseconds since the epoch."""

    @property
    def dropped(self) -> int:
        """How many packets the capture is known to lack."""

    def frame(self, row: Row) -> bytes:
        """The captured bytes of a packet, from its link header on. IndexError: no such row."""

    def gather(self, rows: Int64s, positions: Int64s, lengths: Int64s) -> bytes:
        """Bytes of many packets joined: `lengths` bytes of each from `positions` of its frame on.

        Fewer where the file has become shorter.
        """

    def rows_of(self, protocol: Transport, stream: int) -> Int64s:
        """Rows of the packets of conversation `stream` of "tcp" or "udp", in order."""

    def link_type(self, row: Row) -> int:
        """The link type of a packet (model.numbers: LINK_ETHERNET, …)."""
