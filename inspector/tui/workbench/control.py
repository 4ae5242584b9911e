"""What the user does to a live session: say, pause, step, end, start again.

Keys become commands for the agent. The answer is never awaited: what came of it stands in the trace,
as everything else.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from inspector.model.spec import Kind
from inspector.tui.widgets.composer import Composer, ComposerInput
from inspector.tui.widgets.prompt import MenuItem, MenuScreen
from inspector.tui.workbench.session import LiveSession
from inspector.tui.workbench.state import SessionState

ENDINGS: dict[str, dict[str, Any]] = {
    "close-client": {"do": "close", "to": "client"},
    "close-server": {"do": "close", "to": "server"},
    "half-client": {"do": "half-close", "to": "client"},
    "half-server": {"do": "half-close", "to": "server"},
    "abort-client": {"do": "abort", "to": "client"},
    "abort-server": {"do": "abort", "to": "server"},
    "connect": {"do": "connect", "to": "client"},
    "reopen": {"do": "connect", "to": "server"},
}


def ending_items(kind: Kind) -> list[MenuItem]:
    """The ways to end a session of this kind, with the keys of its menu."""
    if kind == "udp":
        return [
            MenuItem("c", "Close the client", "nothing is sent: UDP has no goodbye", "close-client"),
            MenuItem("v", "Close the server", "the next datagram meets nobody: ICMP", "close-server"),
            MenuItem("n", "Client, open anew", "when it is closed: another socket", "connect"),
            MenuItem("N", "Server, open anew", "when it is closed: bound to its port again", "reopen"),
        ]
    goodbye = "close frame, then FIN" if kind == "websocket" else "FIN, and the other end answers"
    return [
        MenuItem("c", "Close from the client", goodbye, "close-client"),
        MenuItem("v", "Close from the server", goodbye, "close-server"),
        MenuItem("h", "Half-close, client", "shutdown(): it says no more, but listens", "half-client"),
        MenuItem("H", "Half-close, server", "shutdown() from the other side", "half-server"),
        MenuItem("a", "Abort, client", "RST: no goodbye, data may be lost", "abort-client"),
        MenuItem("A", "Abort, server", "RST from the other side", "abort-server"),
        MenuItem("n", "Connect anew", "when it has closed: a new socket, a new handshake", "connect"),
    ]


class SessionControl(DOMNode):
    """Part of the workbench; a part of its own so that each stays small."""

    session: LiveSession | None
    state: SessionState
    paused: bool
    wants_again: bool

    CONTROL_BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", id="session.pause",
                tooltip="Hold both ends before their next system call, or let them run on"),
        Binding("s", "step", "Step", id="session.step", tooltip="Let each waiting end make one system call"),
        Binding("c", "say('client')", "Client says", id="session.say-client",
                tooltip="Type what the client sends"),
        Binding("v", "say('server')", "Server says", id="session.say-server",
                tooltip="Type what the server sends"),
        Binding("x", "end", "Close…", id="session.end", tooltip="Close, half-close, abort, connect anew"),
        Binding("R", "again", "Again", show=False, id="session.again",
                tooltip="Start the same session once more"),
    ]
    CONTROL_ACTIONS: ClassVar[frozenset[str]] = frozenset({"pause", "step", "say", "end", "again"})

    def tell(self, **command: Any) -> None:
        """Hand a command to the agent; a toast where nobody is there to take it."""
        if self.session is None or not self.session.tell(command):
            self.app.notify("The session has ended; R starts it again, n another one.", severity="warning")

    def controllable(self) -> bool:
        """Whether the keys above mean something: there is a session whose ends are ours."""
        return self.session is not None and self.session.spec is not None

    @property
    def is_held(self) -> bool:
        """Whether the ends are held before their calls, as was asked for or as the trace tells."""
        return self.paused or bool(self.state.waiting)

    def action_pause(self) -> None:
        held = self.is_held
        self.tell(do="resume" if held else "pause", to="both")
        self.state_wanted(paused=not held)

    def action_step(self) -> None:
        self.tell(do="step", to="both")
        self.state_wanted(paused=True)

    def state_wanted(self, *, paused: bool) -> None:
        """Remember what was asked for; the trace tells what came of it."""
        raise NotImplementedError

    def action_say(self, role: str) -> None:
        raise NotImplementedError

    def action_end(self) -> None:
        spec = None if self.session is None else self.session.spec
        if spec is None:
            return

        def chosen(ending: str | None) -> None:
            if ending is not None:
                self.tell(**ENDINGS[ending])

        self.app.push_screen(MenuScreen("How should it go on, or end?", ending_items(spec.kind)), chosen)

    def action_again(self) -> None:
        if self.session is not None and self.session.spec is not None:
            if self.state.ended:
                self.tell(do="start", session=self.session.spec.to_json())
            else:
                self.wants_again = True        # when the trace tells that the session has ended
                self.tell(do="stop")
            self.state_wanted(paused=self.session.spec.paused)

    @on(Composer.Composed)
    def _composed(self, message: Composer.Composed) -> None:
        message.stop()
        self.tell(**message.command)

    @on(ComposerInput.Left)
    def _composer_left(self, message: ComposerInput.Left) -> None:
        message.stop()
        self.action_show_pane("ladder")

    def action_show_pane(self, pane: str) -> None:
        raise NotImplementedError
