"""How a conversation opened and closed, step by step, in words and numbers.

Flow and application of a conversation -> `Document`: TCP's three-way handshake (RFC 9293 section 3.5) with
what each side announced, refused and unanswered attempts, the WebSocket upgrade with its proof, and the
close. Each line leads to its packet. UDP says plainly that it has none of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.endpoint import Transport, join_endpoint
from inspector.model.language import marked, sentence, tr
from inspector.model.numbers import ACK, RST, SYN
from inspector.model.packets import Row, packet_number, row_at, rows_in
from inspector.model.units import amount, duration
from inspector.views.conversation.close import describe_close, end_names
from inspector.views.conversation.upgrade import describe_upgrade
from inspector.views.ladder.ends import Conversation, conversation_ends, quoting_rows
from inspector.views.line.document import Document
from inspector.views.session.sockets import SocketTable
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.trace import Trace

_WORDS = {"complete": marked("complete"), "partial": marked("only a part of it was captured"),
          "refused": marked("refused"), "missing": marked("not captured")}


_FAST_OPEN = 34          # the option's number
_FIRST = 64              # packets among which SYNs are looked for


def handshake(trace: Trace, conversation: Conversation | tuple[Transport, int]) -> Document:
    """What there is to tell of this conversation's opening and close."""
    conversation = Conversation(*conversation)
    document = Document()
    if conversation.protocol == "udp":
        _describe_udp(document, trace, conversation)
        return document
    flow = trace.flow(conversation.stream)
    if not len(flow.rows):
        document.prose(tr("No packet of this conversation was captured."))
        return document
    _describe_opening(document, trace, flow)
    application = trace.application(conversation.stream)
    from inspector.protocols.http.decoder import HttpDecoder  # here: for the time of start-up

    http = application.decoder("http")
    if isinstance(http, HttpDecoder) and http.upgrade is not None:
        describe_upgrade(document, http.upgrade, application)
    describe_close(document, trace, flow)
    return document


def _describe_opening(document: Document, trace: Trace, flow: TcpFlow) -> None:
    kind, unseen = flow.handshake, flow.unseen
    name = tr("TCP simultaneous open") if flow.is_simultaneous else tr("TCP three-way handshake")
    document.heading(name, tr(_WORDS[kind]) + _round_trip(trace, flow))
    if unseen is not None:
        document.prose(tr("Seen from one side: not one packet of {end} is in the capture, though the other "
                          "end acknowledges what it sent. What state either is in cannot be known.",
                          end=escaped(join_endpoint(*(flow.a, flow.b)[unseen]))), "warning")
    if kind == "missing":
        document.prose(tr("The capture begins in the middle of this conversation: no SYN was seen. Sequence "
                          "numbers are counted from the first byte that was captured, and window scales are "
                          "unknown."))
        return
    index = trace.index
    start = int(index.time_ns[flow.handshake_rows[0]])
    for step, row in enumerate(_opening_rows(trace, flow), 1):
        flags = int(index.tcp_flags[row])
        after = tr("packet {number}", number=packet_number(row))
        after += f"   +{duration(int(index.time_ns[row]) - start)}"
        if flags & RST:
            _refused(document, flow, row, step, after)
        elif flags & SYN:
            _announced(document, trace, flow, row, step, after)
        else:
            _confirmed(document, trace, flow, row, step, after)
    if kind == "partial" and unseen is None:
        _unanswered(document, trace, flow)
    if kind == "complete":
        _agreed(document, trace, flow)


def _round_trip(trace: Trace, flow: TcpFlow) -> str:
    """How long the handshake took; no more than a bound where the capture lacks the ACK that ended it.

    Where a packet was sent again, and nothing tells which one was answered, there is no bound either.
    """
    if flow.handshake != "complete" or flow.initial_rtt_ns is None or flow.is_simultaneous:
        return ""
    if flow.rtt_ns is None:
        if flow.opened_again is not None:
            return "  " + tr("round trip unknown: {packet} was sent again", packet=flow.opened_again)
        time = duration(flow.initial_rtt_ns)
        if int(trace.index.payload_length[flow.handshake_rows[-1]]):
            return "  " + tr("round trip unknown, at most {time}: the first ACK came with data", time=time)
        return "  " + tr("round trip unknown, at most {time}: the ACK that ended it was not captured",
                         time=time)
    return "  " + tr("round trip {time}", time=duration(flow.rtt_ns))


def _opening_rows(trace: Trace, flow: TcpFlow) -> tuple[Row, ...]:
    """The handshake's packets, and SYNs that were sent again."""
    index = trace.index
    rows = flow.rows[:_FIRST]
    syns = rows[(index.tcp_flags[rows] & SYN) != 0].tolist()
    return tuple(sorted({*flow.handshake_rows, *syns}))


def _announced(document: Document, trace: Trace, flow: TcpFlow, row: Row, step: int, after: str) -> None:
    index = trace.index
    sender, receiver = end_names(flow, row)
    number, flags = int(index.seq[row]), int(index.tcp_flags[row])
    name = "SYN ACK" if flags & ACK else "SYN"
    document.heading(f"{step}  {name}   {tr(sender)} → {tr(receiver)}", after, "syn", row)
    again = "tcp.analysis.retransmission" in flow.analysis(row)
    if flags & ACK and flow.is_simultaneous:
        other = (sentence("its own SYN") if flow.a == flow.b else
                 sentence("the {receiver}'s SYN", receiver=receiver))
        document.prose(tr("The {sender} had sent SYN too: it says it again, now with the ACK of {other}.",
                          sender=sender, other=other), row=row)
        if flow.a != flow.b:
            _acknowledges(document, trace, flow, row)
        return
    if again and _is_answered(trace, flow, row):
        document.prose(tr("The {receiver} had answered it already: this goes to a SYN that came again.",
                          receiver=receiver), "warning", row)
        return
    if again:
        document.prose(tr("No answer had come, so the {sender} says it again.", sender=sender), "warning",
                       row)
        return
    if flags & ACK:
        document.prose(tr("The {sender} agrees: it confirms the {receiver}'s number and names its own.",
                          sender=sender, receiver=receiver), row=row)
        _acknowledges(document, trace, flow, row)
    else:
        document.prose(tr("The {sender} wants a connection and names the number from which it will count its "
                          "bytes. It is chosen at random, so that nobody else can guess it.", sender=sender),
                       row=row)
    document.fact(tr("initial sequence number"), str(number), tr("shown as 0 where numbers are relative"),
                  row=row)
    size = int(index.payload_length[row])
    if size:
        document.fact(tr("data"), tr(amount(size, "byte")),
                      tr("already in the SYN: TCP Fast Open (RFC 7413)"), row=row)
    _options(document, trace, flow, row)


def _is_answered(trace: Trace, flow: TcpFlow, row: Row) -> bool:
    """Whether what a SYN or SYN ACK that came again says had been acknowledged when it was sent."""
    index, now = trace.index, int(trace.index.time_ns[row])
    before = flow.rows[flow.rows < row][:_FIRST]
    acks = before[(index.tcp_flags[before] & ACK != 0) & (flow.directions(before) != flow.direction(row))
                  & (index.ack[before] == ((int(index.seq[row]) + 1) & 0xFFFFFFFF))]
    came = (trace.fates.arrived_ns(one, int(index.time_ns[one])) for one in rows_in(acks))
    return any(one is not None and one <= now for one in came)


def _acknowledges(document: Document, trace: Trace, flow: TcpFlow, row: Row) -> None:
    """The acknowledgment number, and whether it is the peer's initial number plus one."""
    ack = int(trace.index.ack[row])
    base = flow.base(1 - flow.direction(row))
    if base is None:
        document.fact(tr("acknowledges"), str(ack), row=row)
        return
    expected = (base + 1) & 0xFFFFFFFF
    size = _size_of_syn(trace, flow, 1 - flow.direction(row))
    if size and ack == (expected + size) & 0xFFFFFFFF:
        sum_text = f"{ack} = {base & 0xFFFFFFFF} + 1 + {size}  ✓"
        document.fact(tr("acknowledges"), sum_text, tr("the SYN and its data: Fast Open"), "ok", row)
    elif ack == expected:
        sum_text = f"{ack} = {base & 0xFFFFFFFF} + 1  ✓"
        document.fact(tr("acknowledges"), sum_text, tr("a SYN counts as one byte"), "ok", row)
    else:
        document.fact(tr("acknowledges"), f"{ack}  ✗", tr("{number} was expected", number=expected), "error",
                      row)


def _size_of_syn(trace: Trace, flow: TcpFlow, direction: int) -> int:
    """How many bytes an end's SYN carried."""
    index = trace.index
    return max((int(index.payload_length[row]) for row in _opening_rows(trace, flow)
                if int(index.tcp_flags[row]) & SYN and flow.direction(row) == direction), default=0)


def _options(document: Document, trace: Trace, flow: TcpFlow, row: Row) -> None:
    """What a SYN announces in its window and options."""
    options = flow.options(row)
    window = tr("{size} bytes", size=int(trace.index.window[row]))
    document.fact(tr("window"), window, tr("never scaled in a SYN"), row=row)
    if options.mss is not None:
        largest = tr("{size} bytes", size=options.mss)
        document.fact(tr("largest segment (MSS)"), largest, tr("that it wants to receive"), row=row)
    if options.scale is not None:
        times = 1 << min(options.scale, 14)
        note = tr("its later windows count × {times}", times=times)
        document.fact(tr("window scale"), f"{options.scale}", note, row=row)
    if options.sack_permitted:
        document.fact(tr("SACK permitted"), tr("yes"), tr("losses may be told one by one (RFC 2018)"),
                      row=row)
    if options.timestamp is not None:
        note = tr("to measure round trips (RFC 7323)")
        document.fact(tr("timestamps"), str(options.timestamp), note, row=row)
    for option in options.options:
        if option.kind == _FAST_OPEN:
            value = option.data.hex() or tr("asked for")
            document.fact(tr("Fast Open cookie"), value, tr("to send data with the next SYN (RFC 7413)"),
                          row=row)
    if options.broken:
        document.fact(tr("broken option"), escaped(options.broken, 200), style="error", row=row)


def _confirmed(document: Document, trace: Trace, flow: TcpFlow, row: Row, step: int, after: str) -> None:
    sender, receiver = end_names(flow, row)
    document.heading(f"{step}  ACK   {tr(sender)} → {tr(receiver)}", after, "syn", row)
    document.prose(tr("The {sender} confirms the {receiver}'s number. Both sides are ESTABLISHED; data may "
                      "flow.", sender=sender, receiver=receiver), row=row)
    _acknowledges(document, trace, flow, row)
    size = int(trace.index.payload_length[row])
    if size:
        document.fact(tr("data"), tr(amount(size, "byte")), tr("already with the acknowledgment"), row=row)


def _refused(document: Document, flow: TcpFlow, row: Row, step: int, after: str) -> None:
    sender, receiver = end_names(flow, row)
    document.heading(f"{step}  RST   {tr(sender)} → {tr(receiver)}", after, "rst", row)
    port = (flow.a, flow.b)[flow.direction(row)][1]
    document.prose(tr("Refused: no program listens on port {port}. The kernel of that machine answers by "
                      "itself, and the client's connect() fails with ECONNREFUSED. Start the server first, "
                      "or look at the address and the port that it is bound to.", port=port), "rst", row)


def _unanswered(document: Document, trace: Trace, flow: TcpFlow) -> None:
    """A SYN without answer, or an opening of which a part is not there."""
    index, rows = trace.index, flow.rows
    syns = rows[(index.tcp_flags[rows[:64]] & (SYN | ACK)) == SYN] if len(rows) <= 64 else rows[:0]
    if len(syns) == len(rows):
        waited = duration(int(index.time_ns[syns[-1]]) - int(index.time_ns[syns[0]]))
        tries = (sentence("{count} times over {time}", count=len(syns), time=waited) if len(syns) > 1 else
                 sentence("once"))
        document.prose(tr("Nobody answers: the SYN was sent {tries}. A firewall drops it, or no machine has "
                          "this address. connect() waits, and ends with ETIMEDOUT.", tries=tries),
                       "warning", row_at(syns, -1))
    else:
        document.prose(tr("The rest of the handshake is not in this capture (or has not come yet)."),
                       "warning")


def _agreed(document: Document, trace: Trace, flow: TcpFlow) -> None:
    """What holds for the connection: an option counts only where both sides sent it."""
    index = trace.index
    syns = [row for row in flow.handshake_rows if int(index.tcp_flags[row]) & SYN]
    if len(syns) != 2:
        return
    first, second = (flow.options(row) for row in syns)
    names = [(tr("window scaling"), first.scale is not None and second.scale is not None),
             ("SACK", first.sack_permitted and second.sack_permitted),
             (tr("timestamps"), first.timestamp is not None and second.timestamp is not None)]
    in_use = tr(", ").join(name for name, both in names if both) or tr("none")
    document.heading(tr("Agreed"))
    document.fact(tr("options in use"), in_use, tr("each counts only where both sides sent it"))
    if first.mss is not None and second.mss is not None:
        smaller = tr("{size} bytes", size=min(first.mss, second.mss))
        document.fact(tr("segments carry at most"), smaller, tr("the smaller MSS, less options"))


def _describe_udp(document: Document, trace: Trace, conversation: Conversation) -> None:
    rows = trace.rows_of("udp", conversation.stream)
    ends = conversation_ends(trace, conversation, SocketTable())
    document.heading(tr("UDP has no handshake"), f"{escaped(ends.client)} → {escaped(ends.server)}")
    document.prose(tr("Nothing is agreed before data flows, and nothing is said at the end. The first "
                      "datagram already carries data. Whether it arrives, in which order, and whether "
                      "anybody listens, is for the programs to find out. connect() on a UDP socket sends "
                      "nothing: it only remembers the peer."))
    if len(rows):
        first = row_at(rows, 0)
        size = int(trace.index.payload_length[first])
        value = tr("packet {number}, {size}", number=packet_number(first), size=amount(size, "byte"))
        document.fact(tr("first datagram"), value, row=first)
        document.fact(tr("datagrams"), str(len(rows)))
    errors = quoting_rows(trace, conversation)
    if len(errors):
        document.prose(tr("An ICMP error came back: at that port nobody listens, and the kernel says so. "
                          "The next call on the connected socket fails with ECONNREFUSED."),
                       "icmp", row_at(errors, 0))
