"""What the user does to a live session: send, pause, step, end, start again.

Keys become commands for the agent. The answer is never awaited: what came of it stands in the trace,
as everything else.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from inspector.model.commands import Command, Pause, Resume, Send, Start, Step, Stop, Wire
from inspector.model.spec import Role
from inspector.sessions.kinds import kind_of
from inspector.sessions.kinds.kind import Kind
from inspector.tui.widgets.composer import Composer, ComposerInput
from inspector.tui.widgets.prompt import MenuItem, MenuScreen
from inspector.tui.workbench.session import LiveSession
from inspector.tui.workbench.state import SessionState

STILL_SECONDS = 0.5      # after a step in which nothing moved it is said why


def ending_items(kind: Kind) -> list[MenuItem]:
    """The ways to end a session of this kind, with the keys of its menu; each gives its key."""
    return [MenuItem(ending.key, ending.name, ending.about, ending.key) for ending in kind.endings]


class SessionControl(DOMNode):
    """Part of the workbench; a part of its own so that each stays small."""

    session: LiveSession | None
    state: SessionState
    paused: bool
    wants_again: bool
    early: list[Command]           # asked for before the ends were there
    ends_seen: frozenset[str]      # roles whose processes have been there since the session began

    CONTROL_BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", id="session.pause",
                tooltip="Hold both ends before their next system call, or let them run on"),
        Binding("s", "step", "Step", id="session.step", tooltip="Let each waiting end make one system call"),
        Binding("c", "compose('client')", "Client says", id="session.say-client",
                tooltip="Type what the client sends"),
        Binding("v", "compose('server')", "Server says", id="session.say-server",
                tooltip="Type what the server sends"),
        Binding("E", "edit", "Edit, say again", show=False, id="session.edit",
                tooltip="Put what the chosen packet says into its sender's line, to be edited and sent"),
        Binding("x", "end", "Close…", id="session.end", tooltip="Close, half-close, abort, connect anew"),
        Binding("R", "again", "Again", show=False, id="session.again",
                tooltip="Start the same session once more"),
    ]
    CONTROL_ACTIONS: ClassVar[frozenset[str]] = frozenset(
        {"pause", "step", "compose", "edit", "end", "again"})

    def send(self, command: Command) -> None:
        """Hand a command to the agent, once there are ends to do it; a toast where nobody will be."""
        if self.waits_for_end(command):
            self.early.append(command)
        elif self.session is None or not self.session.send(command):
            self.app.notify("The session has ended; R starts it again, n another one.", severity="warning")

    def waits_for_end(self, command: Command) -> bool:
        """Whether the end that is to do it has not been there yet, and will be."""
        if self.session is None or self.session.spec is None or self.session.is_over or self.state.ended:
            return False
        if isinstance(command, Wire):
            return False                       # it is for no end
        if isinstance(command, Send) and (command.to == "client" or self.session.spec.own_server):
            return command.to not in self.ends_seen
        return not self.ends_seen

    def ends_changed(self, state: SessionState) -> None:
        """The session stands otherwise: what waited for its ends is sent."""
        self.state = state
        self.ends_seen = frozenset() if state.ended else self.ends_seen | state.running
        early, self.early = self.early, []
        for command in early:
            self.send(command)

    def controllable(self) -> bool:
        """Whether the keys above mean something: there is a session whose ends are ours."""
        return self.session is not None and self.session.spec is not None

    @property
    def is_held(self) -> bool:
        """Whether the ends are held before their calls, as was asked for or as the trace tells."""
        return self.paused or bool(self.state.waiting)

    def action_pause(self) -> None:
        held = self.is_held
        self.send(Resume() if held else Pause())
        self.state_wanted(paused=not held)

    def action_step(self) -> None:
        self.send(Step())
        if self.ends_seen and not self.state.waiting:
            self.set_timer(STILL_SECONDS, partial(self._notify_nothing_to_step, self.state))
        self.state_wanted(paused=True)

    def _notify_nothing_to_step(self, before: SessionState) -> None:
        """Nothing came of a step: every end is inside a call that blocks."""
        if self.state is before and not before.ended:
            self.app.notify("Nothing to step: each end is blocked in a call. c or v says something, "
                            "x closes or connects.")

    def state_wanted(self, *, paused: bool) -> None:
        """Remember what was asked for; the trace tells what came of it."""
        raise NotImplementedError

    def action_compose(self, role: Role) -> None:
        raise NotImplementedError

    def action_edit(self) -> None:
        raise NotImplementedError

    def action_end(self) -> None:
        spec = None if self.session is None else self.session.spec
        if spec is None:
            return
        kind = kind_of(spec)

        def chosen(key: str | None) -> None:
            for ending in kind.endings:
                if ending.key == key:
                    self.send(ending.command)

        self.app.push_screen(MenuScreen("How should it go on, or end?", ending_items(kind)), chosen)

    def action_again(self) -> None:
        if self.session is not None and self.session.spec is not None:
            if self.state.ended:
                self.send(Start(self.session.spec))
            else:
                self.wants_again = True        # when the trace tells that the session has ended
                self.send(Stop())
            self.state_wanted(paused=self.session.spec.paused)

    @on(Composer.Composed)
    def _composed(self, message: Composer.Composed) -> None:
        message.stop()
        self.send(message.command)

    @on(ComposerInput.Left)
    def _composer_left(self, message: ComposerInput.Left) -> None:
        message.stop()
        self.action_show_pane("ladder")

    def action_show_pane(self, pane: str) -> None:
        raise NotImplementedError
