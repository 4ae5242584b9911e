"""What the kernel held of each socket as flat JSON objects, one a sample, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import TYPE_CHECKING, Any

from inspector.trace.packet.dropped import counted

if TYPE_CHECKING:
    from inspector.model.records import KernelSample
    from inspector.trace.trace import Trace


def kernel(trace: Trace, chosen: object = None) -> Iterator[dict[str, Any]]:
    """One object a sample. `chosen`: a display filter asks packets and calls; no sample passes one."""
    all_of_them = merge(trace.kernel, trace.kernel_udp, trace.kernel_outside, key=lambda one: one.time_ns)
    return map(sample_object, all_of_them if chosen is None else ())


def sample_object(sample: KernelSample) -> dict[str, Any]:
    """The object of one sample; of a listener the queues are connections, of UDP memory, of others bytes."""
    found: dict[str, Any] = {"time_ns": sample.time_ns, "protocol": sample.protocol, "local": sample.local,
                             "state": sample.state}
    if not sample.peer.endswith(":0"):
        found["peer"] = sample.peer
    if sample.lab[0]:
        found["stands_for"] = sample.lab[0]
    if sample.pid is not None:
        found |= {"process": sample.process, "pid": sample.pid}
    if sample.state == "LISTEN":
        return found | {"backlog": sample.receive_queue, "backlog_max": sample.send_queue}
    found |= {"receive_queue": sample.unread, "send_queue": sample.unacknowledged}
    if sample.protocol == "udp" and sample.info:
        drops, most = counted(sample)
        return found | {"drops": drops, "receive_buffer": most}
    return found | {f"tcp_info.{name}": value for name, value in sample.info}
