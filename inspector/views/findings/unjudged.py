"""What the capture lacks, in the words that stand above the findings and beside what is printed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.units import amount
from inspector.views.session.loss import loss_word

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def unjudged_words(trace: Trace) -> str:
    """`Not all can be judged: 60 packets dropped.`; "" where nothing is known to lack."""
    reasons = _lacking(trace)
    begins, times = trace.index.sections.values, trace.index.time_ns
    if (times[begins] < times[begins - 1]).any():
        reasons.append("its sections are not in order of time")
    if trace.truncated:
        reasons.append("the file is not whole")
    return f"Not all can be judged: {', '.join(reasons)}." if reasons else ""


def lacking_words(trace: Trace) -> str:
    """`The capture lacks something: 60 packets dropped.`; "" where nothing is known to lack.

    That the file is not whole has a sentence of its own (`Trace.truncated`).
    """
    reasons = _lacking(trace)
    return f"The capture lacks something: {', '.join(reasons)}." if reasons else ""


def _lacking(trace: Trace) -> list[str]:
    reasons = []
    if trace.statistics.dropped:
        reasons.append(f"{amount(trace.statistics.dropped, 'packet')} {loss_word(trace)}")
    if trace.cut:
        reasons.append(f"{amount(trace.cut, 'packet')} cut short")
    return reasons
