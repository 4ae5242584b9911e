"""What the user does to the wire between the ends: pass, drop, double, delay, swap a packet that it holds.

Keys become commands for the agent, which mean the chosen packet where that is held, else the one that waits
longest. What came of it stands in the trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from inspector.model.commands import Command, Wire, WireAct
from inspector.model.packets import Row
from inspector.model.wiring import LONGEST_WAITING
from inspector.tui.messages import Selection
from inspector.tui.workbench.session import LiveSession

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


class WireControl(DOMNode):
    """Part of the workbench; a part of its own so that each stays small."""

    selection: Selection
    session: LiveSession | None
    trace: Trace | None

    WIRE_BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "wire('pass')", "Pass", id="wire.pass", tooltip="Let the packet that is held pass"),
        Binding("d", "wire('drop')", "Drop", id="wire.drop", tooltip="Drop the packet that is held"),
        Binding("b", "wire('double')", "Double", id="wire.double",
                tooltip="Let the packet that is held arrive twice"),
        Binding("t", "wire('delay')", "Delay", id="wire.delay",
                tooltip="Let the packet that is held arrive a second later"),
        Binding("u", "wire('swap')", "Swap", id="wire.swap",
                tooltip="Put the packet that is held behind the next one of the same end"),
        Binding("P", "hold", "Hold/pass all", id="wire.hold",
                tooltip="Let all packets pass, or hold each one again"),
    ]
    WIRE_ACTIONS: ClassVar[frozenset[str]] = frozenset({"wire", "hold"})

    @property
    def on_a_wire(self) -> bool:
        """Whether there is a session of ours, and its ends talk over a wire."""
        spec = None if self.session is None else self.session.spec
        return spec is not None and spec.wiring is not None

    def send(self, command: Command) -> None:
        raise NotImplementedError

    def action_wire(self, act: WireAct) -> None:
        """Do something with a packet that is held, and bring it into sight."""
        chosen, row = LONGEST_WAITING, self.selection.row
        fates = None if self.trace is None else self.trace.fates
        fate = None if fates is None or row is None else fates.of(row)
        if fate is not None and fate.fate == "held":
            chosen = fate.number
        if fates is not None and (meant := fates.meant(row)) is not None:
            self.show_held(meant, last=len(fates.waiting) == 1)
        self.send(Wire(act, chosen))

    def show_held(self, row: Row, *, last: bool) -> None:
        """Bring a packet into sight of which something becomes now; `last`: no other one waits."""
        raise NotImplementedError

    def action_hold(self) -> None:
        """Let every packet pass from now on, or hold each again."""
        fates = None if self.trace is None else self.trace.fates
        spec = None if self.session is None else self.session.spec
        asked = spec is not None and spec.wire == "held"       # while the session starts, as it was asked for
        holds = fates.holds if fates is not None and fates.begun else asked
        self.send(Wire("open" if holds else "hold"))
        self.app.notify("All packets pass; P holds them again." if holds else
                        "Each packet waits now; p lets it pass, d drops it.", timeout=3)
