"""What goes wrong in a UDP conversation: ICMP errors, and what the protocol of its datagrams says of them.

Columns tell which conversations may have something to say (`worth_judging`); only those are looked into.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.language import sentence
from inspector.model.numbers import LINK_ETHERNET, UDP
from inspector.model.packets import Row, row_at, rows_in
from inspector.model.units import amount, duration
from inspector.protocols import REGISTRY
from inspector.protocols.api import PacketReader, Pairing, SentRecord
from inspector.trace.application.packets import packet_records
from inspector.trace.flows.fragments import fragments_of, lost_after
from inspector.trace.flows.udp import UdpFlow, troubled_streams
from inspector.trace.index.index import Index
from inspector.trace.index.packets import Packets
from inspector.wire.findings import MOST_ROWS, Finding
from inspector.wire.headers.read import CUT, FRAGMENT
from inspector.wire.tcp.findings import SLOW_ANSWER_NS
from inspector.wire.tcp.rules import finding

_UNSURE = (".no-answer", ".wrong-id", ".one-direction")      # nothing of it is sure where packets may lack
_MOST_SLOW = 20                # answers of a conversation that are told
_MOST_FRAGMENTED = 1000        # datagrams out of fragments that are looked at in a conversation
WAIT_NS = 5_000_000_000        # after the last datagram in which an answer should have come

_JUDGED = [port for protocol in REGISTRY if protocol.packets is not None and protocol.packets.judge
           for port in protocol.packets.ports]


def worth_judging(index: Index) -> list[int]:
    """The UDP conversations of which an ICMP error tells, or whose protocol judges them; ascending."""
    streams = set(troubled_streams(index))
    first = np.asarray(index.streams[UDP].first_row, np.int64)
    known = np.isin(index.sport[first], _JUDGED) | np.isin(index.dport[first], _JUDGED)
    known |= ~index.streams[UDP].answered
    of_parts = (index.status[: index.count] & FRAGMENT != 0) & (index.protocol[: index.count] == UDP)
    if of_parts.any():
        parts = index.stream[: index.count][of_parts]
        streams.update(parts[parts >= 0].tolist())
    return sorted(streams | set(np.flatnonzero(known).tolist()))


def findings_of_datagrams(trace: Packets, flow: UdpFlow, *, lossless: bool = False) -> list[Finding]:
    """The findings of one UDP conversation; `lossless`: the capture is known to have dropped nothing."""
    found = flow.findings() + _incomplete(trace, flow)
    silence = no_answer(trace, flow) if lossless else None
    if silence is not None:
        found.append(silence)
    given_up = any(one.id == "answer.gave-up" for one in found)
    refused = any(one.id == "udp.port-unreachable" for one in found)      # that says why nothing answers
    sent: dict[str, list[SentRecord[object]]] = {}
    index = trace.index
    rows = flow.rows[index.protocol[flow.rows] == UDP]
    if np.isin(index.sport[rows[:1]], _JUDGED).any() or np.isin(index.dport[rows[:1]], _JUDGED).any():
        for row in rows_in(rows):
            sent_ns = int(index.time_ns[row])
            arrived = trace.fates.arrived_ns(row, sent_ns)
            if arrived is None and not flow.direction(row):   # waits on the wire, or lost there: unasked
                continue
            for protocol, record in packet_records(trace, row):
                one = SentRecord(row, flow.direction(row), arrived or sent_ns, record, _whole(trace, row))
                sent.setdefault(protocol.name, []).append(one)
    for protocol in REGISTRY:
        reader = protocol.packets
        if reader is not None and reader.judge is not None and protocol.name in sent:
            found += reader.judge(sent[protocol.name], trace.end_ns)
            if reader.pairing is not None and not given_up:
                found += _slow_answers(flow, reader, reader.pairing, sent[protocol.name])
    explained = any(one.id.endswith((*_UNSURE, ".malformed")) and one.id != "udp.no-answer" for one in found)
    unsure = refused or not lossless           # the answer may be what was dropped
    return [replace(one, stream=flow.stream, carrier="udp") for one in found
            if not (explained and one.id == "udp.no-answer")
            and not (unsure and one.id.endswith(_UNSURE))]


def _slow_answers(flow: UdpFlow, reader: PacketReader[Any], pairing: Pairing[Any],
                  sent: list[SentRecord[Any]]) -> list[Finding]:
    """Answers that came long after what they answer, from the first time on that it was asked."""
    asked, found = dict[object, SentRecord[Any]](), list[Finding]()
    for one in sent:
        identity = pairing.identity(one.record)
        if not pairing.answers(one.record):
            asked.setdefault(identity, one)
            continue
        question = asked.pop(identity, None)
        if question is None or one.time_ns - question.time_ns < SLOW_ANSWER_NS or len(found) == _MOST_SLOW:
            continue
        what = sentence(
            "{server} took {took} to begin its answer to {request}.",
            server=join_endpoint(*(flow.b if one.direction else flow.a)),
            took=duration(one.time_ns - question.time_ns), request=f'"{reader.info(question.record)}"')
        found.append(finding("answer.slow", what).at(-1, [one.row, question.row]))
    return found


def _incomplete(trace: Packets, flow: UdpFlow) -> list[Finding]:
    """Datagrams that came in fragments, of which some in the middle are not in the capture."""
    index, found = trace.index, []
    for row in rows_in(flow.rows[index.status[flow.rows] & FRAGMENT != 0][:_MOST_FRAGMENTED]):
        lost, datagram = lost_after(trace, row), fragments_of(trace, row)
        if lost is None or datagram is None:
            continue
        what = sentence(
            "Of the IP datagram {identification:#06x}, {length:,} bytes in fragments, what follows byte "
            "{count:,} lacks in the capture: a receiver that lacks it too drops all.",
            identification=datagram.identification, length=datagram.length, count=len(datagram.payload))
        found.append(finding("udp.lost-fragment", what).at(flow.stream, datagram.rows[:MOST_ROWS]))
    return found


def _whole(trace: Packets, row: Row) -> bool:
    """Whether the capture has all bytes of a datagram: not cut, and no fragment of it lacks."""
    status = int(trace.index.status[row])
    if status & CUT:
        return False
    if not status & FRAGMENT:
        return True
    datagram = fragments_of(trace, row)
    return datagram is not None and datagram.complete and not any(
        int(trace.index.status[other]) & CUT for other in datagram.rows)


def no_answer(trace: Packets, flow: UdpFlow) -> Finding | None:
    """That nothing came back, where the capture would have seen it: it went on for long enough.

    Not of what goes to a group, which asks nobody in particular, nor where an ICMP error says why.
    """
    index, rows = trace.index, flow.rows
    if index.streams[UDP].answered[flow.stream] or flow.errors or flow.a == flow.b:
        return None
    arrived = [(row, came) for row, sent in zip(rows_in(rows), index.time_ns[rows].tolist(), strict=True)
               if (came := trace.fates.arrived_ns(row, sent)) is not None] if trace.fates else None
    if arrived == []:                          # all of it waits on the wire, or was lost there
        return None
    if arrived is not None:
        rows = np.array([row for row, _ in arrived], np.int64)
    last_ns = int(index.time_ns[rows[-1]]) if arrived is None else max(came for _, came in arrived)
    seconds = (trace.end_ns - last_ns) / 1e9
    address = ip_address(flow.b[0].partition("%")[0])
    row = row_at(rows, 0)
    group = trace.link_type(row) == LINK_ETHERNET and trace.frame(row)[:1] > b"" and trace.frame(row)[0] & 1
    if seconds * 1e9 < WAIT_NS or group or address.is_multicast or str(address) == "255.255.255.255":
        return None
    count = amount(len(rows), "datagram")
    what = sentence(
        "{count} went to {b}, and nothing came back in the {seconds:.1f} s that the capture went on.",
        count=count, b=join_endpoint(*flow.b), seconds=seconds)
    return finding("udp.no-answer", what).at(flow.stream, rows_in(rows))
