"""What goes wrong in a UDP conversation: ICMP errors, and what the protocol of its datagrams says of them.

Columns tell which conversations may have something to say (`worth_judging`); only those are looked into.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inspector.model.numbers import UDP
from inspector.model.packets import rows_in
from inspector.protocols import REGISTRY
from inspector.protocols.api import SentRecord
from inspector.trace.application.packets import packet_records
from inspector.trace.flows.udp import UdpFlow, troubled_streams
from inspector.trace.index.index import Index
from inspector.trace.packets import Packets
from inspector.wire.findings import Finding

_JUDGED = [port for protocol in REGISTRY if protocol.packets is not None and protocol.packets.judge
           for port in protocol.packets.ports]


def worth_judging(index: Index) -> list[int]:
    """The UDP conversations of which an ICMP error tells, or whose protocol judges them; ascending."""
    streams = set(troubled_streams(index))
    first = np.asarray(index.streams[UDP].first_row, np.int64)
    known = np.isin(index.sport[first], _JUDGED) | np.isin(index.dport[first], _JUDGED)
    return sorted(streams | set(np.flatnonzero(known).tolist()))


def findings_of_datagrams(trace: Packets, flow: UdpFlow) -> list[Finding]:
    """The findings of one UDP conversation."""
    found = flow.findings()
    refused = any(one.id == "udp.port-unreachable" for one in found)      # that says why nothing answers
    sent: dict[str, list[SentRecord[object]]] = {}
    index = trace.index
    rows = flow.rows[index.protocol[flow.rows] == UDP]
    if np.isin(index.sport[rows[:1]], _JUDGED).any() or np.isin(index.dport[rows[:1]], _JUDGED).any():
        for row in rows_in(rows):
            for protocol, record in packet_records(trace, row):
                one = SentRecord(row, flow.direction(row), int(index.time_ns[row]), record)
                sent.setdefault(protocol.name, []).append(one)
    for protocol in REGISTRY:
        judge = protocol.packets.judge if protocol.packets is not None else None
        if judge is not None and protocol.name in sent:
            found += judge(sent[protocol.name], int(index.time_ns[-1]))
    return [replace(one, stream=flow.stream, carrier="udp") for one in found
            if not (refused and one.id.endswith(".no-answer"))]
