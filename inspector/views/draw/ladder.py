"""A ladder for drawing: all its lines at once, or as a Mermaid sequence diagram.

Trace and conversation -> `Ladder` -> lines of spans, or the text of a diagram that many wikis draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspector.model.language import translated
from inspector.model.packets import packet_number, row_at
from inspector.model.units import duration
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import packet_info
from inspector.views.ladder.header import named_ends
from inspector.views.ladder.ladder import Ladder
from inspector.views.ladder.layout import LEFT
from inspector.views.ladder.printed import LadderText

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ends import Conversation
    from inspector.views.ladder.layout import Moment
    from inspector.views.line.spans import Line

# What Mermaid reads as its own in a text: each stands as its number, as its manual says.
_SPECIAL = {ord(sign): f"#{ord(sign)};" for sign in "#;:<>{}%\"'"}


def ladder_lines(trace: Trace, width: int, conversation: Conversation | None = None) -> list[Line]:
    """Head, lines and foot in `width` cells."""
    text = LadderText(trace, width, conversation, whole=True)
    return text.update(None) + text.footer()


def ladder_mermaid(trace: Trace, conversation: Conversation | None = None) -> str:
    """The packets as arrows between the ends, system calls as notes beside their end, silences over both.

    Of several conversations an arrow says by ports whose it is, as a line of the ladder does.
    """
    ladder = Ladder(trace, conversation)
    left, right, _ = named_ends(ladder, None)
    head = ["sequenceDiagram", f"    participant L as {_safe(f'{left.name} {left.address}'.strip())}",
            f"    participant R as {_safe(f'{right.name} {right.address}'.strip())}"]  # fmt: skip
    return "\n".join([*head, *_steps(trace, ladder)]) + "\n"


def _steps(trace: Trace, ladder: Ladder) -> Iterator[str]:
    for index in range(ladder.layout_count):
        place = ladder.place(index)
        if place.gap_ns:
            yield f"    Note over L,R: {duration(place.gap_ns)}"
        for side, moment in (("left of L", place.left), ("right of R", place.right)):
            if moment is not None and ladder.moments[moment].part != "entry":
                yield f"    Note {side}: {_safe(_call(ladder, ladder.moments[moment]))}"
        if place.packet is not None:
            row = row_at(ladder.side.rows, place.packet)
            arrow = "L->>R" if ladder.side.direction(place.packet) == LEFT else "R->>L"
            info = _safe(translated(packet_info(trace, facts(trace, row), brief=True)))
            tag = f"{_safe(ladder.tag(row))} " if ladder.tag(row) else ""
            yield f"    {arrow}: {packet_number(row)} {tag}{info}"


def _call(ladder: Ladder, moment: Moment) -> str:
    """A call; of several programs at one end whose it is."""
    call = ladder.trace.calls[moment.call]
    outcome = call.errno or ("…" if call.result is None else call.result)
    owner = f"{call.role} {call.pid} " if len(ladder.programs[moment.side]) > 1 else ""
    return f"{owner}{call.name}({call.arguments}) = {outcome}"


def _safe(text: str) -> str:
    return text.translate(_SPECIAL) or "?"
