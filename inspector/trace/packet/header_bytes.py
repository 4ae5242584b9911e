"""What no column says of a packet's headers, since few need it: read from its bytes, one packet at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.numbers import LINK_ETHERNET
from inspector.model.packets import Row
from inspector.wire.headers.read import NO_LAYER, NO_OFFSET, PORTS, SHORT

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def hardware_ends(trace: Trace, row: Row) -> tuple[str, str]:
    """The Ethernet addresses of sender and receiver; "" where the packet has none."""
    frame = trace.frame(row)
    if trace.link_type(row) != LINK_ETHERNET or len(frame) < 12:
        return "", ""
    destination = "broadcast" if frame[:6] == b"\xff" * 6 else frame[:6].hex(":")
    return frame[6:12].hex(":"), destination


class HeaderBytes:
    """A packet's headers, where a column does not say all; the frame is fetched when it is needed."""

    def __init__(self, trace: Trace, row: Row) -> None:
        self._trace = trace
        self._row = row
        self._bytes: bytes | None = None

    def bytes(self) -> bytes:
        """The captured bytes."""
        if self._bytes is None:
            self._bytes = self._trace.frame(self._row)
        return self._bytes

    def ip_protocol(self) -> int | None:
        """The protocol field of the IPv4 header; None where it was not captured."""
        index, l3 = self._trace.index, int(self._trace.index.l3[self._row])
        protocol = int(index.protocol[self._row])
        if index.l4[self._row] == l3 + 20:
            return protocol
        frame = self.bytes()
        return frame[l3 + 9] if l3 != NO_LAYER and len(frame) > l3 + 9 else None

    def available(self) -> int:
        """Captured bytes of the datagram from its transport header on."""
        index, row = self._trace.index, self._row
        l3, l4 = int(index.l3[row]), int(index.l4[row])
        if l4 == NO_OFFSET:
            return 0
        available = int(index.cap_len[row]) - l4
        if not int(index.status[row]) & SHORT or l3 == NO_LAYER:
            return available
        head = self.bytes()[l3 : l3 + 6]
        four = int(index.network[row]) == 4
        total = int.from_bytes(head[2:4], "big") if four else 40 + int.from_bytes(head[4:6], "big")
        return min(available, l3 + total - l4) if total else available

    def has_ports(self) -> bool:
        """Whether the ports of TCP or UDP are there."""
        status = int(self._trace.index.status[self._row])
        return bool(status & PORTS) if status & SHORT else int(self._trace.index.l4[self._row]) != NO_OFFSET

    def data_offset(self) -> int:
        """The TCP header's length, as it says."""
        at = int(self._trace.index.l4[self._row]) + 12
        return (self.bytes()[at] >> 4) * 4
