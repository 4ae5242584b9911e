"""What is chosen, handed on: as a command that sends it again, a part of the trace, a packet in Wireshark.

And what a person says of it: marks and comments, which are saved with the trace. Selection -> a pure view in
`views/handing/` -> the clipboard or a file, or one sentence that says why not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from inspector.model.language import recognised, tr
from inspector.model.packets import packet_number
from inspector.sessions import temporary
from inspector.tui.messages import Selection
from inspector.tui.panes.base import panes_in
from inspector.tui.panes.packets import PacketsPane
from inspector.tui.widgets.clipboard import copy
from inspector.tui.widgets.prompt import PromptScreen
from inspector.tui.workbench.save import Part
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ends import Conversation

_STARTS_WITHIN = 3.0         # seconds after which a program that was started is taken for running


class HandingOn(DOMNode):
    """Part of the workbench; a part of its own so that each stays small."""

    selection: Selection
    trace: Trace | None
    conversation: Conversation | None

    @property
    def trace_path(self) -> Path | None:
        """The trace's file, where it has one with a name."""
        raise NotImplementedError

    HANDING_BINDINGS: ClassVar[list[BindingType]] = [
        Binding("Y", "copy_command", "As curl", id="hand.command",
                tooltip="Copy the command that sends the chosen request again: curl, or websocat"),
        Binding("J", "copy_lines", "As JSON", show=False, id="hand.lines",
                tooltip="Copy this conversation's messages as JSON lines"),
        Binding("M", "mark", "Mark", id="hand.mark", tooltip="Mark the chosen packet, or take its mark away"),
        Binding("number_sign", "comment", "Comment", key_display="#", id="hand.comment",
                tooltip="Say something of the chosen packet; it is saved with the trace, for Wireshark too"),
        Binding("W", "wireshark", "Wireshark", id="hand.wireshark",
                tooltip="Open the trace in Wireshark, at the chosen packet"),
    ]

    def action_copy_command(self) -> None:
        """Copy what sends the chosen request again; a long body goes to a file beside it."""
        # here and below: for the time of start-up, since few hand anything on
        from inspector.views.handing.again import NothingToSendError, sent_again

        chosen = self.selection
        if self.trace is None or chosen.row is None:
            self.app.notify("Choose a request first: what sends it again is copied then.", timeout=3)
            return
        byte = chosen.byte if chosen.field is None else chosen.field.start
        try:
            again = sent_again(self.trace, chosen.row, byte)
            if again.body:
                path = self._keep_body(again.body)
                again = sent_again(self.trace, chosen.row, byte, body_file=path)
        except NothingToSendError as error:
            self.app.notify(str(error), severity="warning")
            return
        except OSError as error:
            sentence = tr("The body is too long for a command, and no file could be written for it: {why}.",
                          why=recognised(error.strerror or str(error)))
            self.app.notify(sentence, severity="error")
            return
        copy(self.app, again.command)
        for note in again.notes:
            self.app.notify(note, timeout=10)

    def chosen_parts(self) -> list[Part]:
        """What can be saved beside the whole: the conversation, what the filter shows, where that is less."""
        from inspector.views.handing.part import conversation_part, rows_part

        trace, conversation = self.trace, self.conversation
        if trace is None:
            return []
        found, count = [], trace.index.count
        if conversation is not None:
            name, stream = conversation
            mine = len(trace.rows_of(name, stream))
            if mine < count:
                size = tr("{flow}, {count:,} packets", flow=f"{name.upper()} {stream}", count=mine)
                found.append(Part("c", tr("This conversation"), size, f"-{name}-{stream}",
                                  lambda: conversation_part(trace, conversation)))
        rows = self.query_one(PacketsPane).filtered
        if rows is not None and len(rows) < count:
            found.append(Part("f", tr("What the filter shows"), tr("{count:,} packets", count=len(rows)),
                              "-part", lambda: rows_part(trace, rows)))
        return found

    # --- marks and comments ---

    def action_mark(self) -> None:
        """Mark the chosen packet, or take its mark away."""
        trace, row = self.trace, self.selection.row
        if trace is None or row is None:
            self.app.notify("Choose a packet first: it is marked then.", timeout=3)
            return
        marked = trace.comments.toggle_mark(row)
        self._commented()
        number = packet_number(row)
        self.app.notify(tr("Packet {number} is marked." if marked else
                           "Packet {number} is not marked any more.", number=number), timeout=2)

    def action_comment(self) -> None:
        """Ask for a comment on the chosen packet."""
        # The prompt comes whatever there is: what is typed after its key must not land elsewhere.
        trace, row = self.trace, self.selection.row

        def chosen(text: str | None) -> None:
            if text is not None and trace is not None and row is not None:
                trace.comments.write(row, text)
                self._commented()

        there = trace is not None and row is not None
        lacking = None if there else tr("Choose a packet first: escape leads back.")
        known = trace.comments.own(row) if trace is not None and row is not None else ""
        question = tr("A comment, and no packet is chosen") if row is None else (
            tr("Comment on packet {number}", number=packet_number(row)))
        hint = lacking or tr("saved with the trace (ctrl+s), Wireshark shows it too; empty: no comment")
        self.app.push_screen(PromptScreen(question, known, check=lambda _text: lacking, hint=hint), chosen)

    def _commented(self) -> None:
        for pane in panes_in(self):
            pane.comments_changed()

    # --- Wireshark ---

    def action_wireshark(self) -> None:
        """Start Wireshark on the trace's file, where there is one and it can be shown."""
        trace, row, path = self.trace, self.selection.row, self.trace_path
        program = shutil.which("wireshark")
        if trace is None:
            return
        if program is None:
            self.app.notify("Wireshark is not installed here (there is no program wireshark in PATH).",
                            severity="warning")
        elif not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            self.app.notify("Wireshark needs a desktop, and none is reached from here (DISPLAY is not set).",
                            severity="warning")
        elif path is None:
            self.app.notify("This trace has no file that Wireshark could open; ctrl+s makes one.",
                            severity="warning")
        else:
            if trace.comments.changed:
                self.app.notify("Marks and comments that are not saved are not in the file that it opens.")
            words = [] if row is None else ["-g", str(trace.index.wireshark_number(row))]
            self._run_wireshark([program, "-r", str(path), *words])

    @work(thread=True, group="wireshark")
    def _run_wireshark(self, words: list[str]) -> None:
        """Start it as a program of its own; tell where it ends at once."""
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True)
            status = process.wait(_STARTS_WITHIN)
        except subprocess.TimeoutExpired:
            return                                  # it runs, and goes on without us
        except OSError as error:
            sentence = tr("Wireshark could not be started: {why}.", why=recognised(error.strerror or ""))
        else:
            if not status:
                return
            sentence = tr("Wireshark ended at once, with status {status}.", status=status)
        self.app.call_from_thread(self.app.notify, sentence, severity="error")

    def action_copy_lines(self) -> None:
        """Copy the conversation as JSON lines."""
        from inspector.views.handing.lines import TooLongError, json_lines

        if self.trace is None or self.conversation is None:
            self.app.notify("There is no conversation yet: it is copied as JSON lines then.", timeout=3)
            return
        try:
            copy(self.app, json_lines(self.trace, self.conversation))
        except TooLongError as error:
            self.app.notify(str(error), severity="warning")

    def _keep_body(self, body: bytes) -> str:
        """Write a body to a file that only its owner reads; its path."""
        if getattr(self.app, "visitor", False):
            raise OSError(None, tr("this machine's files are not for visitors"))
        path = str(temporary.handed_on(body))
        self.app.notify(tr("The body is in {path}, which the command reads, for a day.", path=escaped(path)),
                        timeout=10)
        return path
