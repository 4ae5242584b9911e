"""Requests on a connection that their server had closed: no answer can come, whether or not a reset does.

    requests without an answer ─> those that acknowledge the server's FIN ─> one finding, in place of theirs

A relay in the path, or a server that reads on after shutdown(), takes them in silence.
"""

from __future__ import annotations

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.language import sentence
from inspector.model.numbers import ACK, FIN
from inspector.model.packets import Row, row_at
from inspector.model.units import duration
from inspector.trace.application.answers import request_words
from inspector.trace.application.engine import Layer
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.index.packets import Packets
from inspector.wire.findings import Finding
from inspector.wire.tcp.rules import finding

RULE = "tcp.sent-after-close"


def sent_late(trace: Packets, flow: TcpFlow, layers: list[Layer], of_tcp: list[Finding],
              own: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Findings of TCP and of protocols, with what a client asked of a server that was gone."""
    layer = next((one for one in reversed(layers) if one.protocol.pairs and not one.decoder.seals), None)
    if layer is None or layer.decoder.client is None or any(one.id == RULE for one in of_tcp) \
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
    one = finding(RULE, what, client, first.start, first.stop).at(flow.stream, (begun[0], fin))
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
