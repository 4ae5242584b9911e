"""How long an answer was waited for, and with whom: the wire, the server's queue, or the server itself.

`Wait` of an answer (trace/application/answers.py) -> a sentence. Where the trace has the server's system
calls they tell when it read and when it wrote; else a round trip, as the handshake took it, is what the
wire had of the time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from inspector.model.endpoint import join_endpoint
from inspector.model.language import sentence, tr
from inspector.model.packets import packet_number
from inspector.model.units import duration

if TYPE_CHECKING:
    from inspector.trace.application.answers import Wait
    from inspector.trace.trace import Trace

_READING = ("read", "recv")
_WRITING = ("write", "send")
_EARLIER = 1000           # calls before the request among which the one is looked for that still blocked


def wait_text(trace: Trace, wait: Wait, stream: int) -> str:
    """One sentence: `840 ms after the request (packet 28), 838 ms of them in the server`."""
    rest = wait.whole_ns - wait.first_ns
    later = sentence("; its last byte {time} later", time=duration(rest)) if rest > 0 else ""
    return tr("{time} after the request (packet {number}){with_whom}{later}", time=duration(wait.first_ns),
              number=packet_number(wait.asked), with_whom=_with_whom(trace, wait, stream), later=later)


def _with_whom(trace: Trace, wait: Wait, stream: int) -> str:
    calls = _server_calls(trace, wait)
    if calls is not None:
        read, wrote = calls
        return sentence(": the server read it after {read}, and wrote {wrote} later", read=duration(read),
                        wrote=duration(wrote - read))
    trip = trace.flow(stream).rtt_ns
    if trip is None:
        return ""
    inside = max(wait.first_ns - trip, 0)
    return sentence(", {inside} of them in the server (a round trip takes {trip})", inside=duration(inside),
                    trip=duration(trip))


def _server_calls(trace: Trace, wait: Wait) -> tuple[int, int] | None:
    """When, in ns after the request, the server's read returned and its first write to this client began."""
    index = trace.index
    own, peer = (join_endpoint(index.address(int(address[wait.asked])), int(port[wait.asked]))
                 for address, port in ((index.dst, index.dport), (index.src, index.sport)))
    start, stop = (int(index.time_ns[row]) for row in (wait.asked, wait.began))
    calls = trace.calls
    first = bisect_left(calls, start, key=lambda call: call.time_ns)
    last = bisect_right(calls, stop, key=lambda call: call.time_ns)
    mine = [call for call in calls[max(first - _EARLIER, 0) : last]
            if call.local == own and call.peer == peer and (call.result or 0) > 0]
    read = next((call.end_ns for call in mine
                 if call.name.startswith(_READING) and start <= (call.end_ns or 0) <= stop), None)
    if read is None:
        return None
    wrote = next((call.time_ns for call in mine
                  if call.name.startswith(_WRITING) and read <= call.time_ns <= stop), None)
    return None if wrote is None else (read - start, wrote - start)
