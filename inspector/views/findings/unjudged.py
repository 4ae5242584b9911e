"""What cannot be judged, since the capture lacks it: the words that stand above the findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.units import amount

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def unjudged_words(trace: Trace) -> str:
    """`Not all can be judged: 60 packets dropped by the capture.`; "" where nothing is known to lack."""
    index, reasons = trace.index, []
    dropped, cut = trace.statistics.dropped, int((index.cap_len < index.length).sum())
    if dropped:
        reasons.append(f"{amount(dropped, 'packet')} dropped by the capture")
    if cut:
        reasons.append(f"{amount(cut, 'packet')} cut by the snapshot length")
    if trace.truncated:
        reasons.append("the file is not whole")
    return f"Not all can be judged: {', '.join(reasons)}." if reasons else ""
