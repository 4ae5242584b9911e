"""Resets with bytes unread: how many and whose, where calls or the kernel's samples tell it.

A finding of TCP that an end reset the connection -> what that end's program had read by then (its calls), or
what waited in its receive queue when the kernel was last asked -> the same finding with the number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.model.endpoint import join_endpoint
from inspector.model.language import marked, sentence
from inspector.model.numbers import ACK, RST
from inspector.model.packets import Row, row_at
from inspector.model.units import amount, duration
from inspector.wire.findings import Finding
from inspector.wire.tcp.rules import finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.records import Call, KernelSample
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.index.packets import Packets

RESETS = frozenset({"tcp.reset-with-unread-data", "tcp.reset-after-data"})
_READS = ("recv", "read")
_INSTEAD = marked("Read all that came, then close(): with bytes unread it resets, and the peer may lose what "
                  "is on its way to it.")
_OLD_NS = 2_000_000_000          # a look at the queue that is older says little of its moment


def with_unread(trace: Packets, flow: TcpFlow, calls: Sequence[Call], samples: Sequence[KernelSample],
                found: list[Finding]) -> list[Finding]:
    """The findings, of a reset with the number of bytes that its end had not read, where that is known."""
    if not any(one.id in RESETS for one in found) or not (calls or samples):
        return found
    index, rows = trace.index, flow.rows
    reset = row_at(rows[index.tcp_flags[rows] & RST != 0], 0)
    words = _by_calls(trace, flow, calls, reset) or _by_samples(trace, flow, samples, reset)
    if not words:
        return found
    known = finding("tcp.reset-with-unread-data", words, instead=_INSTEAD)
    return [replace(known, stream=one.stream, rows=one.rows, more_rows=one.more_rows) if one.id in RESETS
            else one for one in found]


def _ends(flow: TcpFlow, reset: Row) -> tuple[str, str]:
    """The address of the end that reset, and of the other one."""
    both = join_endpoint(*flow.a), join_endpoint(*flow.b)
    return both if flow.direction(reset) == 0 else both[::-1]


def _by_calls(trace: Packets, flow: TcpFlow, calls: Sequence[Call], reset: Row) -> str:
    """What came and no call had taken, where the end's calls are told."""
    own, peer = _ends(flow, reset)
    mine = [call for call in calls if call.local == own and call.peer == peer]
    direction = 1 - flow.direction(reset)                  # of the bytes that it should have read
    stream = flow.streams[direction]
    if not mine or not stream.start_known:
        return ""
    read = sum(call.result or 0 for call in mine if call.name.startswith(_READS) and not call.errno
               and (call.result or 0) > 0)
    index, rows = trace.index, flow.rows
    acks = rows[(flow.directions(rows) != direction) & (index.tcp_flags[rows] & ACK != 0) & (rows <= reset)]
    came = int(stream.offsets_of(index.ack[acks]).max(initial=0)) if len(acks) else 0
    left = min(came, stream.length) - read
    if left <= 0:
        return ""
    return sentence("{owner} closed {end} with {size} unread.", owner=f"{mine[-1].role} {mine[-1].pid}",
                    end=own, size=amount(left, "byte"))


def _by_samples(trace: Packets, flow: TcpFlow, samples: Sequence[KernelSample], reset: Row) -> str:
    """What waited in the end's receive queue when the kernel was asked last before it."""
    own, peer = _ends(flow, reset)
    moment = int(trace.index.time_ns[reset])
    last = next((one for one in reversed(samples) if one.local == own and one.peer == peer
                 and one.state != "gone" and one.time_ns <= moment), None)
    if last is None or not last.unread or moment - last.time_ns > _OLD_NS:
        return ""
    if not last.process:
        return sentence(
            "{end} was closed with bytes unread: {size} waited in its receive queue {ago} before.",
            end=own, size=amount(last.unread, "byte"), ago=duration(moment - last.time_ns))
    owner = f"{last.process} {last.pid}"
    return sentence(
        "{owner} closed {end} with bytes unread: {size} waited in its receive queue {ago} before.",
        owner=owner, end=own, size=amount(last.unread, "byte"), ago=duration(moment - last.time_ns))
