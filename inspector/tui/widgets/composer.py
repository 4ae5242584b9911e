"""What an endpoint is told to say: one line under each margin of the ladder, in text, hex, or as a frame.

What is typed becomes a command for the agent (`Composed`); which call the endpoint waits before is
shown below while it is paused.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from inspector.model.spec import Kind, Role
from inspector.tui.widgets.base import TextInput
from inspector.wire.text import escaped

FORMS: dict[Kind, tuple[str, ...]] = {
    "tcp": ("text", "hex"),
    "udp": ("text", "hex"),
    "http": ("text",),
    "websocket": ("text", "binary", "ping", "fragments"),
}
HINTS = {
    "text": "type, then Enter",
    "hex": "bytes as hex: 68 65 6c 6c 6f",
    "binary": "bytes as hex: 00 ff 10",
    "ping": "what the ping carries",
    "fragments": "a text, sent in 3 frames",
}
HTTP_HINTS: dict[Role, str] = {
    "client": "GET /path   or   POST /path body",
    "server": "the server answers by itself",
}
FRAGMENTS = 3


def send_command(role: Role, form: str, text: str) -> dict[str, Any] | str:
    """The agent's command for what was typed, or one sentence that says what is wrong with it."""
    command: dict[str, Any] = {"do": "send", "to": role}
    if form in ("hex", "binary"):
        digits = re.sub(r"0x|[\s:,]", "", text)
        if not digits or len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]+", digits):
            return f"{escaped(text, 24) or 'Nothing'} is not hex: a byte is two digits, such as 68 65 6c."
        command["hex"] = digits.lower()
    else:
        command["text"] = text
    if form in ("binary", "ping"):
        command["opcode"] = form
    if form == "fragments":
        command |= {"opcode": "text", "fragments": FRAGMENTS}
    return command


class ComposerInput(TextInput):
    """The line itself. Escape goes back to the panes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="composer.leave"),
        Binding("ctrl+t", "turn_form", "Text, hex …", id="composer.form"),
        Binding("up", "recall(-1)", "Said before", show=False, id="composer.earlier"),
        Binding("down", "recall(1)", show=False, id="composer.later"),
    ]

    class Left(Message):
        """The user goes back to the panes."""

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._said: list[str] = []
        self._place = 0

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def action_turn_form(self) -> None:
        if isinstance(self.parent, Horizontal) and isinstance(self.parent.parent, Composer):
            self.parent.parent.turn_form()

    def remember(self) -> None:
        """Keep what was said, and begin a new line."""
        if self.value and self._said[-1:] != [self.value]:
            self._said.append(self.value)
        self._place = len(self._said)
        self.value = ""

    def action_recall(self, step: int) -> None:
        self._place = max(0, min(self._place + step, len(self._said)))
        self.value = self._said[self._place] if self._place < len(self._said) else ""
        self.cursor_position = len(self.value)


class Composer(Vertical):
    """One end's line: its name, the text, the form it is sent in; and the call it waits before."""

    class Composed(Message):
        """The user wants this to be sent."""

        def __init__(self, command: dict[str, Any]) -> None:
            super().__init__()
            self.command = command

    def __init__(self, role: Role) -> None:
        super().__init__(id=f"composer-{role}", classes="composer")
        self.role: Role = role
        self._kind: Kind = "tcp"
        self._form = "text"

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(Content(f"{self.role} ▸"), classes=f"who {self.role}")
            yield ComposerInput()
            yield Static("text", classes="form")
        yield Static("", classes="waiting")

    @property
    def input(self) -> ComposerInput:
        return self.query_one(ComposerInput)

    def show_kind(self, kind: Kind, *, there: bool = True) -> None:
        """What this end can say depends on the kind of session. `there`: the end exists."""
        self._kind, self._form = kind, "text"
        self.set_class(not there, "-absent")
        self._show_form()

    def show_waiting(self, calls: tuple[str, ...]) -> None:
        """Say which call this end waits before; nothing where it runs freely."""
        text = f"‖ before {', '.join(escaped(call, 60) for call in calls)}" if calls else ""
        self.query_one(".waiting", Static).update(Content(text))
        self.set_class(bool(calls), "-waiting")

    def turn_form(self) -> None:
        """The next form: text, hex, …"""
        forms = FORMS[self._kind]
        self._form = forms[(forms.index(self._form) + 1) % len(forms)]
        self._show_form()

    def _show_form(self) -> None:
        hint = HTTP_HINTS[self.role] if self._kind == "http" else HINTS[self._form]
        self.input.placeholder = hint
        self.query_one(".form", Static).update(Content(self._form))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        command = send_command(self.role, self._form, event.value)
        if isinstance(command, str):
            self.notify(command, severity="error")
            return
        self.input.remember()
        self.post_message(self.Composed(command))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()

    @on(events.Click, ".form")
    def _form_clicked(self) -> None:
        self.turn_form()
