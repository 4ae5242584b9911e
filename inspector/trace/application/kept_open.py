"""Answers and the end of a connection: what nothing else ends, what never came, what was asked behind it.

    last answer that has no end as yet (`Decoder.endless`) ─> how long its server was silent ─> finding

Told where the client closed at last, or the capture went on in silence; nobody is accused of an end that the
capture may lack.

    requests without an answer ─> those that acknowledge the server's FIN (`sent_late`) ─> one finding for all

A relay in the path, or a server that reads on after shutdown(), takes these in silence: no reset need come.

    a reset, or bytes behind the end ─> what of a protocol they lost ─> a note, where nobody misses it
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.language import sentence
from inspector.model.numbers import ACK, FIN, RST
from inspector.model.packets import Row, row_at
from inspector.model.units import duration
from inspector.trace.application.answers import request_words
from inspector.trace.application.engine import Layer
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.index.packets import Packets
from inspector.wire.arrays import Bools, Int64s
from inspector.wire.findings import Finding
from inspector.wire.headers.read import CUT
from inspector.wire.tcp.findings import SLOW_ANSWER_NS
from inspector.wire.tcp.rules import ENDINGS, finding

_LATE_RULE = "tcp.sent-after-close"
_OPEN_NS = 2 * SLOW_ANSWER_NS      # of silence behind an answer on a connection that nobody has closed


def kept_open(trace: Packets, flow: TcpFlow, layers: list[Layer]) -> Finding | None:
    """That the server of the last answer keeps open what should end its body; None: nothing proves it."""
    own = [layer for layer in layers if not layer.beside]
    if not own or own[-1].streams[0] is not flow.streams[0]:      # (inside of TLS its own alert ends it)
        return None
    decoder = own[-1].decoder
    position = decoder.endless()
    if position is None or not all(stream.start_known for stream in flow.streams) or trace.dropped:
        return None
    server = 1 - decoder.client
    silence = _silence(trace, flow, server)
    if silence is None:
        return None
    last, closed, ns = silence
    found = decoder.kept_open(position, duration(ns), left=closed is not None)
    return None if found is None else found.at(flow.stream, (last,) if closed is None else (closed, last))


def _silence(trace: Packets, flow: TcpFlow, server: int) -> tuple[Row, Row | None, int] | None:
    """A server's last packet with bytes, its client's that closed (None: it did not), the time between."""
    index, rows = trace.index, flow.rows
    theirs: Bools = flow.directions(rows) == server
    flags = index.tcp_flags[rows]
    with_payload = np.flatnonzero(theirs & (index.payload_length[rows] > 0))
    closing = np.flatnonzero(flags & (FIN | RST))
    if not len(with_payload) or (index.status[rows] & CUT).any():
        return None
    closes = int(closing[0]) if len(closing) else len(rows)
    if closes < with_payload[-1] or _closes(trace, flow, rows, theirs, closes):
        return None
    mine = np.flatnonzero(~theirs[: closes + 1] & (flags[: closes + 1] & ACK != 0))
    if not len(mine) or not _has_all(trace, flow, server, row_at(rows, int(mine[-1]))):
        return None
    grants = mine[flags[mine] & RST == 0]
    if len(grants) and not index.window[rows[grants[-1]]]:
        return None                            # the client did not read
    last = row_at(rows, int(with_payload[-1]))
    until = trace.end_ns if closes == len(rows) else int(index.time_ns[rows[closes]])
    ns = until - int(index.time_ns[last])
    if ns < (_OPEN_NS if closes == len(rows) else SLOW_ANSWER_NS):
        return None
    return last, None if closes == len(rows) else row_at(rows, closes), ns


def _closes(trace: Packets, flow: TcpFlow, rows: Int64s, theirs: Bools, closes: int) -> bool:
    """Whether a server ended the connection by itself, and not since packet `closes` of them came."""
    if closes == len(rows):
        return False
    if theirs[closes]:
        return True
    index, end = trace.index, flow.streams[flow.direction(row_at(rows, closes))].end
    ends = rows[theirs & (index.tcp_flags[rows] & (FIN | RST) != 0)]
    if end is None:                        # it reset: nothing of the server's comes behind that
        return bool(len(ends))
    known = flow.streams[flow.direction(row_at(rows, closes))].offsets_of(index.ack[ends])
    return bool(((index.tcp_flags[ends] & ACK != 0) & (known <= end)).any())


def _has_all(trace: Packets, flow: TcpFlow, server: int, row: Row) -> bool:
    """Whether a client's packet acknowledges all of the answer and no FIN, and has room for more."""
    index, stream = trace.index, flow.streams[server]
    known = stream.offset_of(int(index.ack[row]))
    closes = int(index.tcp_flags[row]) & (FIN | RST)
    return known == stream.length and stream.contiguous == stream.length and bool(closes or index.window[row])


# --- requests behind the end -------------------------------------------------------------------------


def sent_late(trace: Packets, flow: TcpFlow, layers: list[Layer], of_tcp: list[Finding],
              own: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Findings of TCP and of protocols, with what a client asked of a server that was gone."""
    layer = next((one for one in reversed(layers) if one.protocol.pairs and not one.decoder.seals), None)
    if layer is None or layer.decoder.client is None or any(one.id == _LATE_RULE for one in of_tcp) \
            or not any(one.id in layer.decoder.cut_short for one in own):
        return of_tcp, own
    client, records = layer.decoder.client, layer.decoder.records
    closed = _closed(trace, flow, 1 - client)
    asked = [position for position in layer.decoder.unanswered() if records[position].direction == client]
    if closed is None or not asked:
        return of_tcp, own
    (fin, known), first = closed, records[asked[0]]
    begun = layer.streams[client].rows_at(np.array([first.start], np.int64))
    if not begun or begun[0] < known:
        return of_tcp, own
    times = trace.index.time_ns
    more = sentence(" ({count} more wait behind it)", count=len(asked) - 1) if len(asked) > 1 else ""
    what = sentence(
        "{client} sent {request} {waited} after {server} had closed the connection: no answer can "
        "come{more}.", client=join_endpoint(*(flow.a, flow.b)[client]),
        request=request_words(layer.decoder, asked[0]),
        waited=duration(int(times[begun[0]]) - int(times[fin])),
        server=join_endpoint(*(flow.a, flow.b)[1 - client]), more=more)
    one = finding(_LATE_RULE, what, client, first.start, first.stop).at(flow.stream, (begun[0], fin))
    rest = [it for it in own if not (it.id in layer.decoder.cut_short and it.direction == client
                                     and it.start >= first.start)]
    return [*of_tcp, one], rest


def _closed(trace: Packets, flow: TcpFlow, server: int) -> tuple[Row, Row] | None:
    """A server's FIN, and the first packet by which its client acknowledged that."""
    index, rows, stream = trace.index, flow.rows, flow.streams[server]
    if stream.end is None or stream.contiguous < stream.end:
        return None
    theirs = flow.directions(rows) == server
    fins = rows[theirs & (index.tcp_flags[rows] & FIN != 0)]
    acks = rows[~theirs & (index.tcp_flags[rows] & ACK != 0)]
    acks = acks[stream.offsets_of(index.ack[acks]) > stream.end]
    return (row_at(fins, 0), row_at(acks, 0)) if len(fins) and len(acks) else None


# --- words that nobody misses ------------------------------------------------------------------------


def unmissed(trace: Packets, flow: TcpFlow, layers: list[Layer], of_tcp: list[Finding]) -> list[Finding]:
    """Findings of TCP, of an end that lost nothing but words about the connection as notes that say so."""
    if not any(one.id in ENDINGS and one.severity == "warning" for one in of_tcp):
        return of_tcp
    found = _lost_alone(trace, flow, layers)
    if found is None:
        return of_tcp
    end, layer, position = found
    what = sentence(
        "{end} closed before {peer} had said its last: {words}.", end=join_endpoint(*(flow.a, flow.b)[end]),
        peer=join_endpoint(*(flow.b, flow.a)[end]),
        words=layer.decoder.summary(layer.decoder.records[position]))
    remedy = sentence("Nothing is missed: all requests had their whole answers.")
    return [replace(finding(one.id, what, one.direction, one.start, one.stop, instead=remedy),
                    severity="note").at(flow.stream, one.rows) if one.id in ENDINGS else one
            for one in of_tcp]


def unmissed_bytes(trace: Packets, flow: TcpFlow, layers: list[Layer]) -> int:
    """How many bytes at most an end may have left unread without losing anything."""
    found = _lost_alone(trace, flow, layers)
    if found is None:
        return 0
    end, layer, position = found
    first = min(layer.decoder.rows_of(layer.decoder.records[position]))
    rows = flow.rows[(flow.directions(flow.rows) != end) & (flow.rows >= first)]
    return int(trace.index.payload_length[rows].sum())


def _lost_alone(trace: Packets, flow: TcpFlow, layers: list[Layer]) -> tuple[int, Layer, int] | None:
    """Who reset, and the first of the other end's last records, if those alone can have been lost."""
    layer = next((one for one in reversed(layers) if one.protocol.pairs and not one.decoder.seals), None)
    index, rows = trace.index, flow.rows
    resets = rows[index.tcp_flags[rows] & RST != 0]
    if layer is None or not len(resets):
        return None
    end, records = flow.direction(row_at(resets, 0)), layer.decoder.records
    words = layer.decoder.closing_words(1 - end)
    mine = [position for position in words if records[position].direction != end]
    if not mine:
        return None
    first = layer.decoder.rows_of(records[mine[0]])
    before = layer.decoder.within(1 - end, 0, records[mine[0]].start)
    closing = row_at(rows[(flow.directions(rows) == end) & (index.tcp_flags[rows] & (FIN | RST) != 0)], 0)
    known = layer.decoder.rows_of(records[before[-1]]) if before else ()
    if not first or not known or max(known) >= closing or min(first) <= max(known):
        return None
    return end, layer, mine[0]
