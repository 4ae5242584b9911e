"""What packets are called that a capture could not keep: a trace -> the word beside their number.

It is one word from the first picture of a session to its last, whatever becomes of its packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.language import marked

if TYPE_CHECKING:
    from inspector.model.records import Event
    from inspector.model.spec import SessionSpec
    from inspector.trace.trace import Trace

_FIRST = 8               # events among which a session says that it starts


def loss_word(trace: Trace | None, spec: SessionSpec | None = None) -> str:
    """`dropped`, as tcpdump says; `missed` where there is a wire on which packets can be dropped on purpose.

    `spec`: the session that runs, known before its trace tells of it.
    """
    on_wire = spec is not None and spec.wiring is not None
    if trace is not None and not on_wire:
        on_wire = bool(trace.fates) or any(_is_on_wire(event) for event in trace.events[:_FIRST])
    return marked("missed") if on_wire else marked("dropped")


def _is_on_wire(event: Event) -> bool:
    return event.kind == "session-started" and event.session is not None and event.session.wiring is not None
