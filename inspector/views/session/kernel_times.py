"""Where in the kernels the bytes of a packet, or of a call, spent their time: by SO_TIMESTAMPING's marks.

Events of the trace -> marks of each socket, by the stream offset of their byte -> the moments of one message,
from send() to recv().
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from inspector.model.endpoint import join_endpoint
from inspector.model.language import marked, tr
from inspector.model.packets import Row
from inspector.model.records import Call
from inspector.model.units import duration

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_WORDS = {"scheduled": marked("queue of the device"), "sent": marked("device"),
          "received": marked("the peer's kernel"), "acknowledged": marked("acknowledged")}
_Column = tuple[list[int], list[int]]            # bytes ascending, and times
Ends = tuple[str, str]


class _Marks:
    """The marks of a trace, as far as they were read."""

    def __init__(self) -> None:
        self.read = 0
        self.columns: dict[tuple[Ends, str], _Column] = {}
        self.writes: dict[Ends, tuple[tuple[int, int, int], _Column]] = {}

    def update(self, trace: Trace) -> None:
        for event in trace.events[self.read :]:
            if event.kind == "kernel-time":
                fields = event.known
                ends, byte = (fields.get("local", ""), fields.get("peer", "")), fields.get("byte", "")
                if byte.isascii() and byte.isdigit() and len(byte) < 19:
                    bytes_, times = self.columns.setdefault((ends, fields.get("stage", "")), ([], []))
                    if not bytes_ or int(byte) > bytes_[-1]:
                        bytes_.append(int(byte))
                        times.append(event.time_ns)
        self.read = len(trace.events)


_known: WeakKeyDictionary[Trace, _Marks] = WeakKeyDictionary()


def _marks(trace: Trace) -> _Marks:
    known = _known.get(trace)
    if known is None or known.read > len(trace.events):
        known = _known[trace] = _Marks()
    known.update(trace)
    return known


def moments(trace: Trace, ends: Ends, byte: int) -> list[tuple[str, int]]:
    """What became of the byte at an offset of the stream between these ends: stages and times, by time."""
    columns, found = _marks(trace).columns, []
    for stage in _WORDS:
        own = ends if stage != "received" else (ends[1], ends[0])
        bytes_, times = columns.get((own, stage), ([], []))
        at = bisect_left(bytes_, byte)
        if at < len(bytes_):
            found.append((stage, times[at]))
    return sorted(found, key=lambda one: one[1])


def packet_times(trace: Trace, row: Row) -> str:
    """The way of a packet's bytes, from the call that wrote them on; "" where nothing is known of it."""
    span = _span(trace, row)
    return "" if span is None else _words(trace, *span)


def packet_delay(trace: Trace, row: Row) -> int | None:
    """Nanoseconds from the call that wrote a packet's bytes until they came in at the peer's kernel."""
    span = _span(trace, row)
    if span is None:
        return None
    begun = _written(trace, *span)
    came = dict(moments(trace, *span)).get("received")
    return None if begun is None or came is None else came - begun


def call_times(trace: Trace, call: Call) -> str:
    """The same of what a call wrote."""
    if not call.local or not call.peer or not _marks(trace).columns:
        return ""
    ends = call.local, call.peer
    places, stops = _writes(trace, ends)
    at = next((at for at, place in enumerate(places) if trace.calls[place] is call), None)
    return "" if at is None else _words(trace, ends, stops[at] - 1)


def _span(trace: Trace, row: Row) -> tuple[Ends, int] | None:
    """Sender and receiver of a TCP packet, and the offset of its last byte; None where it has none."""
    index = trace.index
    if not _marks(trace).columns or not index.payload_length[row]:
        return None
    flow = trace.flow(int(index.stream[row]))
    direction = flow.direction(row)
    ends = join_endpoint(*flow.a), join_endpoint(*flow.b)
    start = flow.streams[direction].offset_of(int(index.seq[row]))
    last = start + int(index.payload_length[row]) - 1
    return (ends if not direction else (ends[1], ends[0])), last


def _writes(trace: Trace, ends: Ends) -> _Column:
    """Places of the calls that wrote to a socket, and up to which offset of its stream each did."""
    marks, stamp = _marks(trace), (len(trace.calls), trace.index.count, len(trace.events))
    known = marks.writes.get(ends)
    if known is None or known[0] != stamp:
        places = [place for place, call in enumerate(trace.calls)
                  if (call.local, call.peer) == ends and not call.errno
                  and call.name.startswith(("send", "write")) and (call.result or 0) > 0]  # fmt: skip
        stops = list(accumulate(trace.calls[place].result or 0 for place in places))
        known = marks.writes[ends] = stamp, (places, stops)
    return known[1]


def _written(trace: Trace, ends: Ends, byte: int) -> int | None:
    """When the call began that wrote a byte."""
    places, stops = _writes(trace, ends)
    at = bisect_left(stops, byte + 1)
    return trace.calls[places[at]].time_ns if at < len(places) else None


def _words(trace: Trace, ends: Ends, byte: int) -> str:
    found, begun = moments(trace, ends, byte), _written(trace, ends, byte)
    if not found or begun is None:
        return ""
    texts = [f"{tr(_WORDS[stage])} +{duration(max(at - begun, 0))}" for stage, at in found]
    return f"send(), {', '.join(texts)}"
