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
from textual.timer import Timer
from textual.widgets import Input, Static

from inspector.model.commands import Send
from inspector.model.language import tr
from inspector.model.spec import MAX_SECONDS, Role
from inspector.sessions.kinds import REGISTRY
from inspector.sessions.kinds.kind import Form, Kind
from inspector.tui.files import history
from inspector.tui.widgets.base import TextInput
from inspector.tui.widgets.prompt import PromptScreen
from inspector.views.line.spans import cell_width
from inspector.wire.text import escaped

LEAST_SECONDS = 0.01
CONTROLS = {0x2400 + code: code for code in range(0x20)} | {0x2421: 0x7F}       # by their pictures


class ComposerInput(TextInput):
    """The line itself. Escape goes back to the panes. Lines that are pasted are one message.

    The picture of a control character is sent as that character.
    """

    LINE_END: ClassVar[str] = "␊"
    TAB: ClassVar[str] = "␉"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Send", id="composer.send"),
        Binding("escape", "leave", "Back", id="composer.leave"),
        Binding("ctrl+t", "turn_form", "Text, hex …", id="composer.form"),
        Binding("ctrl+r", "repeat", "Repeat …", id="composer.repeat",
                tooltip="Say it again and again, at an interval; the same key ends that"),
        Binding("up", "recall(-1)", "Sent before", show=False, id="composer.earlier"),
        Binding("down", "recall(1)", show=False, id="composer.later"),
    ]

    class Left(Message):
        """The user goes back to the panes."""

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)
        self._sent: list[str] = []
        self._place = 0
        self._draft = ""          # what was typed and not sent, while something older is shown

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def action_turn_form(self) -> None:
        if isinstance(self.parent, Horizontal) and isinstance(self.parent.parent, Composer):
            self.parent.parent.turn_form()

    def action_repeat(self) -> None:
        if isinstance(self.parent, Horizontal) and isinstance(self.parent.parent, Composer):
            self.parent.parent.ask_to_repeat()

    def show_sent(self, texts: list[str]) -> None:
        """What was said in earlier sessions, the oldest first."""
        self._sent, self._place = list(texts), len(texts)

    @property
    def sent(self) -> list[str]:
        """What was sent, the newest last."""
        return self._sent

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
        """The user wants this to be sent; `by_hand`: now, and not as one of those that are repeated."""

        def __init__(self, command: Send, *, by_hand: bool = False) -> None:
            super().__init__()
            self.command, self.by_hand = command, by_hand

    def __init__(self, role: Role) -> None:
        super().__init__(id=f"composer-{role}", classes="composer")
        self.role: Role = role
        self._kind: Kind = REGISTRY[0]
        self._form = self._kind.forms[0]
        self.repeats: Timer | None = None
        self._every = ""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(Content(f"{tr(self.role)} ▸"), classes=f"who {self.role}")
            yield ComposerInput()
            yield Static(tr(self._form.name), classes="form")
        yield Static("", classes="waiting")

    @property
    def input(self) -> ComposerInput:
        return self.query_one(ComposerInput)

    def show_kind(self, kind: Kind, *, there: bool = True) -> None:
        """What this end can send depends on the kind of session. `there`: the end exists."""
        if kind is not self._kind or not self.input.sent:
            self.input.show_sent([] if getattr(self.app, "visitor", False) else history.sent(kind.name))
        self.stop_repeating()
        self._kind, self._form = kind, kind.forms[0]
        self.set_class(not there, "-absent")
        self._show_form()

    def on_resize(self) -> None:
        """The line in which something is typed is the longer one."""
        self.call_after_refresh(self._show_form)

    def language_changed(self) -> None:
        """What stands there is to be said in another language now."""
        self.query_one(".who", Static).update(Content(f"{tr(self.role)} ▸"))
        self._show_form()

    def show_waiting(self, calls: tuple[str, ...]) -> None:
        """Show which call this end waits before; nothing where it runs freely."""
        text = tr("‖ before {calls}", calls=", ".join(escaped(call, 60) for call in calls)) if calls else ""
        self.query_one(".waiting", Static).update(Content(text))
        self.set_class(bool(calls), "-waiting")

    def show_typed(self, form: Form, text: str) -> None:
        """Put a text into the line, to be edited and sent in this form."""
        self._form = form
        self._show_form()
        self.input.value = ComposerInput.pictured(text)
        self.input.cursor_position = len(self.input.value)

    # --- again and again ---

    def ask_to_repeat(self) -> None:
        """Ask how often the line is to be said; where it is repeated, end that."""
        if self.repeats is not None:
            self.stop_repeating()
            return
        text = self.input.value or (self.input.sent[-1] if self.input.sent else "")
        command = self._command(text)
        if command is None:
            return

        def chosen(seconds: str | None) -> None:
            if seconds is not None:
                self._repeat(command, float(seconds))

        hint = tr("{least:g} to {most}; ctrl+r again ends it", least=LEAST_SECONDS, most=MAX_SECONDS)
        self.app.push_screen(
            PromptScreen("Say it every how many seconds?", "1", check=_check_seconds, hint=hint), chosen)

    def _repeat(self, command: Send, seconds: float) -> None:
        self.stop_repeating()
        self.repeats = self.set_interval(seconds, lambda: self.post_message(self.Composed(command)))
        self._every = tr("every {seconds:g} s", seconds=seconds)
        self.post_message(self.Composed(command, by_hand=True))
        self._show_form()

    def stop_repeating(self) -> None:
        """Nothing is said by itself any more."""
        if self.repeats is not None:
            self.repeats.stop()
            self.repeats, self._every = None, ""
            self._show_form()

    def turn_form(self) -> None:
        """The next form: text, hex, …"""
        forms = self._kind.forms
        self._form = forms[(forms.index(self._form) + 1) % len(forms)]
        self._show_form()

    def _show_form(self) -> None:
        hint, wide = tr(self._form.hint_for(self.role)), tr(self._form.wide_hint)
        if self.role == "client" and 0 < cell_width(wide) < self.input.size.width:
            hint = wide
        room = self.input.size.width                     # 0 before it was laid out
        self.input.placeholder = hint if not room or cell_width(hint) <= room else ""
        self.query_one(".form", Static).update(Content(self._every or tr(self._form.name)))

    def _command(self, text: str) -> Send | None:
        """What sends a text; None, and a toast, where it cannot be sent in this form."""
        try:
            message = self._form.read(text.translate(CONTROLS))
            if self.role == "client":
                self._kind.check_typed(message)
            return Send(message, self.role)
        except ValueError as error:
            self.notify(str(error), severity="error")
            return None

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        command = self._command(event.value)
        if command is None:
            return
        self.input.remember()
        if not getattr(self.app, "visitor", False):
            history.keep(self._kind.name, self.input.sent)
        self.post_message(self.Composed(command, by_hand=True))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()

    @on(events.Click, ".form")
    def _form_clicked(self) -> None:
        self.turn_form()


def _check_seconds(text: str) -> str | None:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if LEAST_SECONDS <= seconds <= MAX_SECONDS:
        return None
    return tr("{text} is no number of seconds from {least:g} to {most}.",
              text=escaped(text, 20) or tr("Nothing"), least=LEAST_SECONDS, most=MAX_SECONDS)
