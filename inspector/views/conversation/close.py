"""How a TCP connection ended, step by step: FIN and its acknowledgment in each direction, or RST.

Flow -> paragraphs of a `Document` (RFC 9293 section 3.6), each leading to its packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.language import Sentence, sentence, tr
from inspector.model.numbers import ACK, FIN, RST
from inspector.model.packets import Row, packet_number, row_at, rows_in
from inspector.model.units import amount
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
        document.heading(tr("Close"), tr("{count:,} packets of this conversation are not decoded yet",
                                         count=flow.left))
        return
    if not fins and not len(resets):
        document.heading(tr("Close"), tr("not yet"))
        document.prose(tr("Neither side has closed its direction: no FIN and no RST was captured."))
        return
    heard = [_acknowledged(trace, flow, row) for row in fins]
    reset = row_at(resets, 0) if len(resets) else None
    in_order = len(fins) == 2 and (reset is None or all(row is not None and row < reset for row in heard))
    kind = tr("orderly") if in_order else tr("half") if reset is None else tr("by RST")
    if in_order and reset is not None:
        kind = tr("orderly, a reset after it")
    document.heading(tr("Close"), kind)
    for number, row in enumerate(fins, 1):
        _describe_fin(document, trace, flow, row, heard[number - 1], number)
    if reset is not None:
        _describe_reset(document, trace, flow, reset, in_order=in_order)
    elif len(fins) == 2:
        first = sentence("client") if flow.direction(fins[0]) == flow.client else sentence("server")
        document.prose(tr("Both directions are closed. The {first}, which closed first, waits in TIME-WAIT "
                          "for a while, so that late packets cannot be taken for a new connection's.",
                          first=first))
    else:
        document.prose(tr("The other direction is still open: this is a half-closed connection, and data may "
                          "go on flowing that way."), "warning")


def _first_fins(flow: TcpFlow, rows: Int64s) -> list[Row]:
    """The first FIN of each direction, in order."""
    found: dict[int, Row] = {}
    for row in rows_in(rows):
        found.setdefault(flow.direction(row), row)
        if len(found) == 2:
            break
    return sorted(found.values())


def _describe_fin(document: Document, trace: Trace, flow: TcpFlow, row: Row, answer: Row | None,
                  number: int) -> None:
    index = trace.index
    sender, receiver = end_names(flow, row)
    seq, _ = flow.relative(row)
    last = seq + int(index.payload_length[row])
    packet = tr("packet {number}", number=packet_number(row))
    document.prose(f"{number}  FIN   {tr(sender)} → {tr(receiver)}   {packet}", "fin", row)
    size = amount(max(last - 1, 0), "byte")
    if not flow.streams[flow.direction(row)].start_known:
        size = sentence("{size}, counted from the first that was captured", size=size)
    document.prose(tr("The {sender} has no more to say (close() or shutdown()): its direction ends after "
                      "{size}. {heard}", sender=sender, size=size, heard=_heard(trace, flow, row, receiver,
                                                                                number)),
                   row=row)
    if answer is not None:
        _, ack = flow.relative(answer)
        with_fin = int(index.tcp_flags[answer]) & FIN
        how = sentence("together with its own FIN") if with_fin else sentence("with an ACK of its own")
        if index.payload_length[answer] and not with_fin:
            how = sentence("together with data that still flows the other way")
        packet = tr("packet {number}", number=packet_number(answer))
        document.fact(tr("acknowledged"), f"{packet}, ack {ack} = {last} + 1  ✓",
                      tr("{how}; a FIN counts as one byte", how=how), "ok", answer)
    else:
        document.fact(tr("acknowledged"), tr("not seen"), style="warning", row=row)


def _heard(trace: Trace, flow: TcpFlow, row: Row, receiver: Sentence, number: int) -> Sentence:
    """What the program at the other end hears of a FIN: it may have closed its socket before."""
    sender = flow.direction(row)
    ends = [join_endpoint(*flow.a), join_endpoint(*flow.b)]
    own = [call for call in trace.calls if (call.local, call.peer) == (ends[1 - sender], ends[sender])]
    receives = [call for call in own if call.name.startswith(("recv", "read"))]
    if any(call.result == 0 and not call.was_woken for call in receives):
        return sentence("The {receiver}'s recv() returns 0, the end of the stream.", receiver=receiver)
    if any(call.name == "close" and call.time_ns <= int(trace.index.time_ns[row]) for call in own):
        return sentence("No recv() of the {receiver} hears of it: its program had closed the socket.",
                        receiver=receiver)
    if number == 1 or any(call.end_ns is None for call in receives):
        return sentence("A recv() of the {receiver} returns 0 for it, the end of the stream.",
                        receiver=receiver)
    return sentence("A recv() of the {receiver} would return 0 for it, the end of the stream; after a "
                    "close() there is none.", receiver=receiver)


def _acknowledged(trace: Trace, flow: TcpFlow, row: Row) -> Row | None:
    """The first packet of the peer that acknowledges the FIN in packet `row`."""
    index = trace.index
    end = int(index.seq[row]) + int(index.payload_length[row]) + 1
    later = flow.rows[flow.rows > row]
    sender = (index.src[later] == index.src[row]) & (index.sport[later] == index.sport[row])
    acks = (index.ack[later].astype(np.int64) - end) & 0xFFFFFFFF
    good = later[~sender & ((index.tcp_flags[later] & ACK) != 0) & (acks < 0x80000000)]
    return row_at(good, 0) if len(good) else None


def _describe_reset(document: Document, trace: Trace, flow: TcpFlow, row: Row, *, in_order: bool) -> None:
    sender, receiver = end_names(flow, row)
    packet = tr("packet {number}", number=packet_number(row))
    document.prose(f"RST   {tr(sender)} → {tr(receiver)}   {packet}", "rst", row)
    reasons = sentence(
        "It is sent when a program ends with data unread, when SO_LINGER with time 0 asks for it, or when a "
        "packet comes for a connection that no longer is.")
    if in_order:
        document.prose(tr("Both ends had closed and heard of it: nothing is lost by this reset. {reasons}",
                          reasons=reasons), row=row)
        return
    lost = _unheard(trace, flow, row)
    if lost == 1:
        document.prose(tr("1 byte that the {receiver} sent was not acknowledged by the {sender} before, and "
                          "may never have been read.", receiver=receiver, sender=sender), "warning", row)
    elif lost:
        document.prose(tr("{count:,} bytes that the {receiver} sent were not acknowledged by the {sender} "
                          "before, and may never have been read.", count=lost, receiver=receiver,
                          sender=sender), "warning", row)
    document.prose(tr("The {sender} throws the connection away: nothing more is delivered, and where the "
                      "{receiver}'s program still has its socket, its next call fails with ECONNRESET (or "
                      "EPIPE). {reasons}", sender=sender, receiver=receiver, reasons=reasons), row=row)


def _unheard(trace: Trace, flow: TcpFlow, reset: Row) -> int:
    """How many bytes the other end had sent before a reset, and its sender had not acknowledged."""
    index, rows = trace.index, flow.rows[flow.rows <= reset]
    resets = (index.tcp_flags[rows] & RST) != 0
    own = flow.directions(rows) == flow.direction(reset)
    theirs = rows[~own & ~resets & (index.payload_length[rows] > 0)]
    heard = rows[own & ~resets & ((index.tcp_flags[rows] & ACK) != 0)]
    if not len(theirs) or not len(heard):
        return 0
    first = int(index.seq[row_at(theirs, 0)])
    ends = _after(index.seq[theirs].astype(np.int64) + index.payload_length[theirs], first)
    return max(int(ends.max()) - max(int(_after(index.ack[heard].astype(np.int64), first).max()), 0), 0)


def _after(numbers: Int64s, first: int) -> Int64s:
    """Sequence numbers as distances from `first`, from -2^31 on (RFC 9293 section 3.4)."""
    distances: Int64s = ((numbers - first + 0x80000000) & 0xFFFFFFFF) - 0x80000000
    return distances


def end_names(flow: TcpFlow, row: Row) -> tuple[Sentence, Sentence]:
    """Who sends packet `row` to whom, in words."""
    sender = flow.direction(row)
    if flow.client is None:
        ports = flow.a[1], flow.b[1]
        return (sentence("port {number}", number=ports[sender]),
                sentence("port {number}", number=ports[1 - sender]))
    ends = sentence("client"), sentence("server")
    return ends if sender == flow.client else ends[::-1]
