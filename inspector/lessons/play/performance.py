"""Moves on their way: what is to be sent to the agent now, and whether all of it has happened.

It is asked again whenever the trace grew and never waits, so that a screen and a test can lead it alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from inspector.lessons.asking.functions import Expression
from inspector.lessons.asking.scene import Scene
from inspector.lessons.format.moves import Let, Move, OnWire
from inspector.model.commands import Command, Step, Wire
from inspector.model.wiring import WireNumber


class Performance:
    """One step's moves; `done` once `until` holds after the last of them."""

    def __init__(self, moves: Sequence[Move], until: Expression | None) -> None:
        self._moves = list(moves)
        self._until = until
        self._done_on_wire: set[WireNumber] = set()      # packets there of which the trace tells only now
        self._stepped: int | None = None       # calls of that end that had passed when it was stepped
        self.done = False

    def advance(self, scene: Scene) -> list[Command]:
        """What is to be sent to the agent now, the scene being up to date."""
        commands: list[Command] = []
        while self._moves:
            move = self._moves[0]
            if isinstance(move, OnWire):
                number = self._on_wire(move, scene)
                if number is None:
                    return commands
                commands.append(Wire(move.act, number))
                self._moves.pop(0)
                continue
            if not isinstance(move, Let):
                commands.append(move)
                self._moves.pop(0)
                continue
            passed = scene.held.let[move.role]
            if self._stepped is not None:
                if len(passed) <= self._stepped:
                    return commands
                if passed[self._stepped] == move.call:
                    self._moves.pop(0)
                self._stepped = None
                continue
            if scene.held.waiting[move.role]:
                self._stepped = len(passed)
                commands.append(Step(move.role))
            return commands
        self.done = not commands and (self._until is None or self._until.holds(scene))
        return commands

    def _on_wire(self, move: OnWire, scene: Scene) -> WireNumber | None:
        """The number of the packet that the move means; None where none waits yet."""
        waiting = (fate.number for fate in scene.trace.fates.waiting if fate.sender == move.role)
        number = next((one for one in waiting if one not in self._done_on_wire), None)
        if number is not None:
            self._done_on_wire.add(number)
        return number
