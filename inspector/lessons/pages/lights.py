"""What the ladder beside the words may show of a step: lit up, veiled or hidden, so that no answer is told.

Player -> `Lights`; the screen hands them on. A number that is asked for stays hidden until it was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inspector.lessons.play.answers import blank_row
from inspector.lessons.play.player import Player
from inspector.model.packets import Row

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter


class Lights(NamedTuple):
    """Of one step. `seen`: whether the panes are; `chosen`: what is lit; `hidden`: fields, by their row.

    `veiled`: what would be lit is asked for, so its numbers are hidden; `states_hidden`: TCP states too.
    """

    seen: bool
    chosen: Filter | None
    hidden: dict[Row, frozenset[str]]
    veiled: bool
    states_hidden: bool


def lights(player: Player) -> Lights:
    """Those of the step that is seen, as it stands."""
    step, record = player.step, player.record
    asked = record.phase == "ask"
    veiled = asked and step.kind == "predict" and not step.moves and step.change is None
    return Lights(
        seen=not (asked and step.kind == "order"),          # the panes would tell the order
        chosen=step.light if veiled or record.phase in ("over", "read") else None,
        hidden=_asked_for(player) if asked else {},
        veiled=veiled, states_hidden=veiled and step.ask == "state")


def _asked_for(player: Player) -> dict[Row, frozenset[str]]:
    """The numbers that are to be filled in and were not found yet."""
    hidden: dict[Row, frozenset[str]] = {}
    judged = player.record.judged
    for place, blank in enumerate(player.step.blanks):
        row = None if player.scene is None else blank_row(player.step, place, player.scene)
        if row is not None and (judged is None or not judged.right[place]):
            hidden[row] = hidden.get(row, frozenset()) | {blank.field}
    return hidden
