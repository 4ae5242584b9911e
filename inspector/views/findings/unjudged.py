"""What the capture lacks, in the words that stand above the findings and beside what is printed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.language import tr
from inspector.model.units import amount
from inspector.views.session.loss import loss_word
from inspector.views.session.outside import outside_peers

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def unjudged_words(trace: Trace) -> str:
    """`Not all can be judged: 60 packets dropped.`; "" where nothing is known to lack."""
    reasons = _lacking(trace)
    begins, times = trace.index.sections.values, trace.index.time_ns
    if (times[begins] < times[begins - 1]).any():
        reasons.append(tr("its sections are not in order of time"))
    if trace.truncated:
        reasons.append(tr("the file is not whole"))
    return tr("Not all can be judged: {reasons}.", reasons=tr(", ").join(reasons)) if reasons else ""


def outside_words(trace: Trace) -> str:
    """Whose own sockets nobody looked at, since a relay stands for them; "" where there is none."""
    names = dict.fromkeys(map(str, outside_peers(trace).values()))
    if not names:
        return ""
    some = tr(", ").join([*list(names)[:3], *([tr("others")] if len(names) > 3 else [])])
    return tr("Of {some}, outside of the lab, the relay's sockets are seen, not their own.", some=some)


def lacking_words(trace: Trace) -> str:
    """`The capture lacks something: 60 packets dropped.`; "" where nothing is known to lack.

    That the file is not whole has a sentence of its own (`Trace.truncated`).
    """
    reasons = _lacking(trace)
    return tr("The capture lacks something: {reasons}.", reasons=tr(", ").join(reasons)) if reasons else ""


def _lacking(trace: Trace) -> list[str]:
    reasons = []
    if trace.statistics.dropped:
        lost = amount(trace.statistics.dropped, "packet")
        reasons.append(tr("{packets} {lost}", packets=lost, lost=tr(loss_word(trace))))
    if trace.cut:
        reasons.append(tr("{packets} cut short", packets=amount(trace.cut, "packet")))
    if trace.spoilt:
        reasons.append(tr("{records} of a session damaged", records=amount(trace.spoilt, "record")))
    return reasons
