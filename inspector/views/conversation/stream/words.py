"""What follow stream says where it cannot show all: sent that are missing, messages without an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.language import sentence, tr
from inspector.model.units import amount

if TYPE_CHECKING:
    from inspector.trace.flows.missing import Missing
    from inspector.trace.trace import Trace
    from inspector.views.conversation.stream.decoded import Unit


def missing_words(trace: Trace, lost: Missing, behind: bool = False) -> str:
    """`1,448 bytes missing: cut off by the snapshot length`; `behind`: all that was captured."""
    if lost.cut:
        why = sentence("cut off by the snapshot length")
    elif trace.statistics.dropped:
        why = sentence("the capture dropped packets")
    elif behind:
        why = sentence("the other end has acknowledged them, the capture lacks them")
    else:
        why = sentence("the capture lacks them")
    return tr("{size} missing: {why}", size=amount(lost.size, "byte"), why=why)


def unended_words(trace: Trace, stream: int, unit: Unit) -> str:
    """Why a message has no end."""
    flow, decoder = trace.flow(stream), trace.application(stream).layers[unit.layer].decoder
    sent = flow.streams[unit.direction]
    if unit.stop >= sent.length and (sent.end is not None or "CLOSED" in flow.state):
        return tr("the connection ended before the rest of this message")
    if unit.message not in (decoder.under_way(0), decoder.under_way(1)):
        return tr("this message has no end")
    grows = trace.following or not trace.complete
    return tr("not ended yet") if grows else tr("not ended when the capture did")
