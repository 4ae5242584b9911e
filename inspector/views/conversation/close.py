"""How a TCP connection ended, step by step: FIN and its acknowledgment in each direction, or RST.

Flow -> paragraphs of a `Document` (RFC 9293 section 3.6), each leading to its packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inspector.model.numbers import ACK, FIN, RST
from inspector.model.packets import Row, packet_number, row_at, rows_in
from inspector.views.line.document import Document
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.trace import Trace


def describe_close(document: Document, trace: Trace, flow: TcpFlow) -> None:
    """Add what is known of the connection's end; a sentence where it has none yet."""
    rows, flags = flow.rows, trace.index.tcp_flags[flow.rows]
    fins = _first_fins(flow, rows[(flags & FIN) != 0])
    resets = rows[(flags & RST) != 0]
    if flow.handshake == "refused":
        return
    if flow.left and len(fins) < 2 and not len(resets):
        document.heading("Close", f"{flow.left:,} packets of this conversation are not decoded yet")
        return
    if not fins and not len(resets):
        document.heading("Close", "not yet")
        document.prose("Neither side has closed its direction: no FIN and no RST was captured.")
        return
    kind = "by RST" if len(resets) and len(fins) < 2 else "orderly" if len(fins) == 2 else "half"
    document.heading("Close", kind)
    for number, row in enumerate(fins, 1):
        _describe_fin(document, trace, flow, row, number)
    if len(resets):
        _describe_reset(document, flow, row_at(resets, 0))
    elif len(fins) == 2:
        first = "client" if flow.direction(fins[0]) == flow.client else "server"
        document.prose(f"Both directions are closed. The {first}, which closed first, waits in TIME-WAIT "
                       "for a while, so that late packets cannot be taken for a new connection's.")
    else:
        document.prose("The other direction is still open: this is a half-closed connection, and data may "
                       "go on flowing that way.", "warning")


def _first_fins(flow: TcpFlow, rows: Int64s) -> list[Row]:
    """The first FIN of each direction, in order."""
    found: dict[int, Row] = {}
    for row in rows_in(rows):
        found.setdefault(flow.direction(row), row)
        if len(found) == 2:
            break
    return sorted(found.values())


def _describe_fin(document: Document, trace: Trace, flow: TcpFlow, row: Row, number: int) -> None:
    index = trace.index
    sender, receiver = _names(flow, row)
    seq, _ = flow.relative(row)
    last = seq + int(index.payload_length[row])
    document.prose(f"{number}  FIN   {sender} → {receiver}   packet {packet_number(row)}", "fin", row)
    call = "close() or shutdown()"
    document.prose(f"The {sender} has no more to say ({call}): its direction ends after {max(last - 1, 0)} "
                   f"bytes. The {receiver}'s recv() returns 0, the end of the stream.", row=row)
    answer = _acknowledged(trace, flow, row)
    if answer is not None:
        _, ack = flow.relative(answer)
        with_fin = int(index.tcp_flags[answer]) & FIN
        how = "together with its own FIN" if with_fin else "with an ACK of its own"
        if index.payload_length[answer] and not with_fin:
            how = "together with data that still flows the other way"
        document.fact("acknowledged", f"packet {packet_number(answer)}, ack {ack} = {last} + 1  ✓",
                      f"{how}; a FIN counts as one byte", "ok", answer)
    else:
        document.fact("acknowledged", "not seen", style="warning", row=row)


def _acknowledged(trace: Trace, flow: TcpFlow, row: Row) -> Row | None:
    """The first packet of the peer that acknowledges the FIN in packet `row`."""
    index = trace.index
    end = int(index.seq[row]) + int(index.payload_length[row]) + 1
    later = flow.rows[flow.rows > row]
    sender = (index.src[later] == index.src[row]) & (index.sport[later] == index.sport[row])
    acks = (index.ack[later].astype(np.int64) - end) & 0xFFFFFFFF
    good = later[~sender & ((index.tcp_flags[later] & ACK) != 0) & (acks < 0x80000000)]
    return row_at(good, 0) if len(good) else None


def _describe_reset(document: Document, flow: TcpFlow, row: Row) -> None:
    sender, receiver = _names(flow, row)
    document.prose(f"RST   {sender} → {receiver}   packet {packet_number(row)}", "rst", row)
    document.prose(f"The {sender} throws the connection away: nothing more is delivered, and the "
                   f"{receiver}'s next call fails with ECONNRESET (or EPIPE). It is sent when a program "
                   "ends with data unread, when SO_LINGER with time 0 asks for it, or when a packet comes "
                   "for a connection that no longer is.",
                   row=row)


def _names(flow: TcpFlow, row: Row) -> tuple[str, str]:
    sender = flow.direction(row)
    if flow.client is None:
        ports = flow.a[1], flow.b[1]
        return f"port {ports[sender]}", f"port {ports[1 - sender]}"
    return ("client", "server") if sender == flow.client else ("server", "client")
