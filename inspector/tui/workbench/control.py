"""What the user does to a live session: send, pause, step, end, start again.

Keys become commands for the agent. The answer is never awaited: what came of it stands in the trace,
as everything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from inspector.model.commands import Command, Connect, Pause, Resume, Send, Start, Step, Stop, Wire
from inspector.model.language import tr
from inspector.model.spec import Role
from inspector.sessions.kinds import kind_of
from inspector.sessions.kinds.kind import Ending
from inspector.tui.widgets.composer import Composer, ComposerInput
from inspector.tui.widgets.prompt import MenuItem, MenuScreen
from inspector.tui.workbench.session import LiveSession
from inspector.tui.workbench.state import SessionState
from inspector.tui.workbench.steps import Steps
from inspector.views.session.at_rest import nothing_to_step

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

REST_SECONDS = 0.1       # an end that said it has no call to make has none; its threads may be on their way
STILL_SECONDS = 0.5      # ends that did not move for so long, and do not wait, are inside a call that blocks
BUSY_SECONDS = 3.0       # the same where one is in no call, and did not say that it has none to make


def ending_items(endings: Iterable[Ending]) -> list[MenuItem]:
    """Ways to end a session, with the keys of its menu; each gives its key."""
    return [MenuItem(ending.key, ending.name, ending.about, ending.key) for ending in endings]


class SessionControl(DOMNode):
    """Part of the workbench; a part of its own so that each stays small."""

    session: LiveSession | None
    trace: Trace | None
    state: SessionState
    paused: bool
    wants_again: bool
    steps: Steps
    moved_at: float                # when the ends moved last, or were told to, as `monotonic` counts
    looks_later: bool              # whether it will be looked again if the steps can be made
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
        self.moved_at = monotonic()            # what it makes an end do has not been told yet
        if self.waits_for_end(command):
            self.early.append(command)
        elif self.session is None or not self.session.send(command):
            self.app.notify("The session has ended; R starts it again, n another one.", severity="warning")

    def waits_for_end(self, command: Command) -> bool:
        """Whether who is to do it, an end or the wire's agent, has not been there yet, and will be."""
        if self.session is None or self.session.spec is None or self.session.is_over or self.state.ended:
            return False
        if isinstance(command, Wire):
            return self.session.is_starting    # it is for no end
        if isinstance(command, Send) and (command.to == "client" or self.session.spec.own_server):
            return command.to not in self.ends_seen
        return not self.ends_seen

    def ends_changed(self, state: SessionState) -> None:
        """The session stands otherwise: what waited for its ends is sent."""
        if not state.stands_as(self.state):
            self.moved_at = monotonic()
        self.state = state
        self.ends_seen = frozenset() if state.ended else self.ends_seen | state.running
        if state.ended:
            self.steps.dropped()
        early, self.early = self.early, []
        for command in early:
            self.send(command)
        self._step_on()

    def controllable(self) -> bool:
        """Whether the keys above mean something: there is a session whose ends are ours."""
        return self.session is not None and self.session.spec is not None

    @property
    def is_held(self) -> bool:
        """Whether the ends are held before their calls, as was asked for or as the trace tells."""
        return self.paused or bool(self.state.waiting)

    def action_pause(self) -> None:
        held = self.is_held
        self.steps.dropped()
        self.send(Resume() if held else Pause())
        self.state_wanted(paused=not held)

    def action_step(self) -> None:
        if self.state.ended or (self.session is not None and self.session.is_over):
            self.send(Step())              # a toast says that nobody is left
            return
        if self.is_held:
            self.steps.asked()
        else:
            self.steps.dropped()
            self._make_step()              # holds who runs
        self.state_wanted(paused=True)
        self.show_what_comes()
        self._step_on()

    def _make_step(self) -> None:
        self.send(Step())
        self.steps.made(self.state)

    def _step_on(self) -> None:
        """Make the next step, if it is due, or if the ends that would have to move first stand still."""
        if not self.steps.are_open(self.state) or not self.controllable() or self.waits_for_end(Step()):
            return
        quiet = monotonic() - self.moved_at
        still = self._stand_still(quiet)
        resting = self.state.idle if quiet >= REST_SECONDS else frozenset()
        if self.steps.are_due(self.state, resting) or (still and self.state.waiting):
            self._make_step()
        elif still:
            self.steps.dropped()
            self.app.notify(self._nothing_to_step())
        if self.steps.are_open(self.state) and not self.looks_later:
            self.looks_later = True
            quiet = monotonic() - self.moved_at
            limit = REST_SECONDS if quiet < REST_SECONDS else STILL_SECONDS
            self.set_timer(limit - quiet if quiet < limit else STILL_SECONDS, self._look_again)

    def _look_again(self) -> None:
        """Nothing may have come of a step since: no event tells that an end stands still."""
        self.looks_later = False
        self._step_on()

    def _stand_still(self, quiet: float) -> bool:
        """Whether the ends did not move for a while: they are in a call that blocks, or have none to make.

        `quiet`: seconds since they moved last, or were told to.
        """
        state, spec = self.state, None if self.session is None else self.session.spec
        both = spec is not None and spec.own_server
        if not self.ends_seen >= ({"client", "server"} if both else {"client"}):
            return False                       # the client begins when the server listens
        busy = not state.running <= state.waiting.keys() | state.idle | self.blocked_ends()
        return self.steps.are_taken(state) and quiet >= (BUSY_SECONDS if busy else STILL_SECONDS)

    def _nothing_to_step(self) -> str:
        """Why a step lets nobody go, and which keys make that otherwise."""
        spec, trace = None if self.session is None else self.session.spec, self.trace
        endings = () if spec is None else kind_of(spec).endings_of(spec)
        anew = {str(ending.command.to): (ending.key, tr(ending.name)) for ending in endings
                if isinstance(ending.command, Connect)}
        calls = () if trace is None else trace.calls
        held = trace is not None and bool(trace.fates.waiting)
        return nothing_to_step(calls, self.state.running, anew, held=held)

    def blocked_ends(self) -> set[str]:
        """Roles that are inside a system call, as far as the trace tells."""
        raise NotImplementedError

    def state_wanted(self, *, paused: bool) -> None:
        """Remember what was asked for; the trace tells what came of it."""
        raise NotImplementedError

    def show_what_comes(self) -> None:
        """Bring into sight what comes of a person's doing."""
        raise NotImplementedError

    def action_compose(self, role: Role) -> None:
        raise NotImplementedError

    def action_edit(self) -> None:
        raise NotImplementedError

    def action_end(self) -> None:
        spec = None if self.session is None else self.session.spec
        if spec is None:
            return
        endings = kind_of(spec).endings_of(spec)

        def chosen(key: str | None) -> None:
            for ending in endings:
                if ending.key == key:
                    self.send(ending.command)
                    self.show_what_comes()

        self.app.push_screen(MenuScreen("How should it go on, or end?", ending_items(endings)), chosen)

    def action_again(self) -> None:
        if self.session is not None and self.session.spec is not None:
            if self.state.ended:
                self.send(Start(self.session.spec))
            else:
                self.wants_again = True        # when the trace tells that the session has ended
                self.send(Stop())
            self.steps.dropped()
            self.state_wanted(paused=self.session.spec.paused)

    @on(Composer.Composed)
    def _composed(self, message: Composer.Composed) -> None:
        message.stop()
        self.send(message.command)
        if message.by_hand:
            self.show_what_comes()

    @on(ComposerInput.Left)
    def _composer_left(self, message: ComposerInput.Left) -> None:
        message.stop()
        self.action_show_pane("ladder")

    def action_show_pane(self, pane: str) -> None:
        raise NotImplementedError
