"""What an endpoint is to send: one line under each margin of the ladder, in text, hex, or as a frame.

What is typed becomes a command for the agent (`Composed`); which call the endpoint waits before is
shown below while it is paused.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from inspector.model.commands import Send
from inspector.model.spec import Role
from inspector.sessions.kinds import REGISTRY
from inspector.sessions.kinds.kind import Kind
from inspector.tui.widgets.base import TextInput
from inspector.wire.text import escaped


class ComposerInput(TextInput):
    """The line itself. Escape goes back to the panes. Lines that are pasted are one message."""

    LINE_END: ClassVar[str] = "␊"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="composer.leave"),
        Binding("ctrl+t", "turn_form", "Text, hex …", id="composer.form"),
        Binding("up", "recall(-1)", "Sent before", show=False, id="composer.earlier"),
        Binding("down", "recall(1)", show=False, id="composer.later"),
    ]

    class Left(Message):
        """The user goes back to the panes."""

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._sent: list[str] = []
        self._place = 0
        self._draft = ""          # what was typed and not sent, while something older is shown

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def action_turn_form(self) -> None:
        if isinstance(self.parent, Horizontal) and isinstance(self.parent.parent, Composer):
            self.parent.parent.turn_form()

    def remember(self) -> None:
        """Keep what was sent, and begin a new line."""
        if self.value and self._sent[-1:] != [self.value]:
            self._sent.append(self.value)
        self._place = len(self._sent)
        self.value = self._draft = ""

    def action_recall(self, step: int) -> None:
        if self._place == len(self._sent):
            self._draft = self.value
        self._place = max(0, min(self._place + step, len(self._sent)))
        self.value = self._sent[self._place] if self._place < len(self._sent) else self._draft
        self.cursor_position = len(self.value)


class Composer(Vertical):
    """One end's line: its name, the text, the form it is sent in; and the call it waits before."""

    class Composed(Message):
        """The user wants this to be sent."""

        def __init__(self, command: Send) -> None:
            super().__init__()
            self.command = command

    def __init__(self, role: Role) -> None:
        super().__init__(id=f"composer-{role}", classes="composer")
        self.role: Role = role
        self._kind: Kind = REGISTRY[0]
        self._form = self._kind.forms[0]

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(Content(f"{self.role} ▸"), classes=f"who {self.role}")
            yield ComposerInput()
            yield Static(self._form.name, classes="form")
        yield Static("", classes="waiting")

    @property
    def input(self) -> ComposerInput:
        return self.query_one(ComposerInput)

    def show_kind(self, kind: Kind, *, there: bool = True) -> None:
        """What this end can send depends on the kind of session. `there`: the end exists."""
        self._kind, self._form = kind, kind.forms[0]
        self.set_class(not there, "-absent")
        self._show_form()

    def show_waiting(self, calls: tuple[str, ...]) -> None:
        """Show which call this end waits before; nothing where it runs freely."""
        text = f"‖ before {', '.join(escaped(call, 60) for call in calls)}" if calls else ""
        self.query_one(".waiting", Static).update(Content(text))
        self.set_class(bool(calls), "-waiting")

    def turn_form(self) -> None:
        """The next form: text, hex, …"""
        forms = self._kind.forms
        self._form = forms[(forms.index(self._form) + 1) % len(forms)]
        self._show_form()

    def _show_form(self) -> None:
        self.input.placeholder = self._form.hint_for(self.role)
        self.query_one(".form", Static).update(Content(self._form.name))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            message = self._form.read(event.value.replace(ComposerInput.LINE_END, "\n"))
        except ValueError as error:
            self.notify(str(error), severity="error")
            return
        self.input.remember()
        self.post_message(self.Composed(Send(message, self.role)))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()

    @on(events.Click, ".form")
    def _form_clicked(self) -> None:
        self.turn_form()
