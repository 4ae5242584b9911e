"""Round trip and throughput of a conversation as one line of eight-step bars.

Columns of the index and the flow's round trips -> one value a cell, by time -> a `Line`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.language import tr
from inspector.model.units import duration
from inspector.views.line.spans import Line, Span, Style, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.trace.trace import Trace

BARS = " ▁▂▃▄▅▆▇█"
_LABEL = 13
_VALUE = 14
_RATES_FROM = 10_000     # bytes that say something of a rate: a few in one cell of time are none


def sparkline(values: Sequence[float], top: float | None = None) -> str:
    """One bar a value, the highest (or `top`) is full; what is above 0 is never blank."""
    top = max(values, default=0.0) if top is None else top
    if top <= 0:
        return " " * len(values)
    steps = len(BARS) - 1
    return "".join(BARS[min(max(round(v / top * steps), 1), steps)] if v > 0 else " " for v in values)


def throughput(trace: Trace, stream: int, direction: int, cells: int) -> tuple[NDArray[np.float64], float]:
    """(payload bytes in each of `cells` equal spans of time, length of a span in seconds)."""
    rows = trace.rows_of("tcp", stream)
    index = trace.index
    if not len(rows) or cells <= 0:
        return np.zeros(max(cells, 0)), 0.0
    times = index.time_ns[rows]
    begin, span = int(times.min()), max(int(times.max()) - int(times.min()), 1)
    own = (index.src[rows] == index.src[rows[0]]) & (index.sport[rows] == index.sport[rows[0]])
    chosen = own if direction == 0 else ~own
    place = np.minimum((times[chosen] - begin) * cells // span, cells - 1)
    sums = np.bincount(place, weights=index.payload_length[rows][chosen], minlength=cells)
    return sums.astype(np.float64), span / cells / 1e9


def round_trips(trace: Trace, stream: int, cells: int) -> NDArray[np.float64]:
    """The longest round trip (nanoseconds) seen in each of `cells` equal spans of time, 0 where none was."""
    rows, rtt = trace.flow(stream).round_trips()
    found = np.zeros(max(cells, 0))
    every = trace.rows_of("tcp", stream)
    if not len(rows) or not len(every) or cells <= 0:
        return found
    times = trace.index.time_ns
    begin = int(times[every].min())
    span = max(int(times[every].max()) - begin, 1)
    place = np.minimum((times[rows] - begin) * cells // span, cells - 1)
    np.maximum.at(found, place, rtt)
    return found


def throughput_line(trace: Trace, stream: int, direction: int, width: int) -> Line:
    """A label, the bars of one direction's payload, and the highest rate; of a few bytes their number."""
    client = direction == trace.client(stream)
    cells = max(width - _LABEL - _VALUE, 0)
    sums, seconds = throughput(trace, stream, direction, cells)
    peak = float(sums.max()) / seconds if len(sums) and seconds > 0 else 0.0
    style: Style = "client" if client else "server"
    label = tr("client sends") if client else tr("server sends")
    most = float(sums.sum())
    text = (tr("top {value}", value=rate_text(peak)) if most >= _RATES_FROM else
            tr("{count:,.0f} bytes", count=most))
    return _line(label, sparkline(sums.tolist()), text, style, width)


def round_trip_line(trace: Trace, stream: int, width: int) -> Line:
    """A label, the bars from data to its acknowledgment, and the longest; a delayed ACK waits on purpose."""
    cells = max(width - _LABEL - _VALUE, 0)
    values = round_trips(trace, stream, cells)
    longest = float(values.max()) if len(values) else 0.0
    text = tr("top {value}", value=duration(round(longest))) if longest else tr("none seen")
    return _line(tr("data to ACK"), sparkline(values.tolist()), text, "ack", width)


def sparklines(trace: Trace, stream: int, width: int) -> tuple[Line, ...]:
    """Throughput of both directions (the client's first) and the round trips of a TCP conversation."""
    first = trace.client(stream)
    return (
        throughput_line(trace, stream, first, width),
        throughput_line(trace, stream, 1 - first, width),
        round_trip_line(trace, stream, width),
    )


def _line(label: str, bars: str, value: str, style: Style, width: int) -> Line:
    text = fit(value, _VALUE, align="right")
    line = (Span(fit(label, _LABEL), "dim"), Span(bars, style), Span(text, "number"))
    if width >= _LABEL + _VALUE:
        return line
    return (Span(fit(f"{label} {value}", width), "dim"),)


def rate_text(rate: float) -> str:
    """Bytes a second with a decimal unit: "1.5 MB/s"."""
    for unit in ("B/s", "kB/s", "MB/s"):
        if rate < 999.5:
            return f"{rate:.3g} {unit}"
        rate /= 1000
    return f"{rate:.3g} GB/s"
