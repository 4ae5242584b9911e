"""What is chosen, handed on: as the command that sends a request again, as a part of the trace to be saved.

Selection -> a pure view in `views/handing/` -> the clipboard or a file, or one sentence that says why not.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from inspector.tui.messages import Selection
from inspector.tui.panes.packets import PacketsPane
from inspector.tui.widgets.clipboard import copy
from inspector.tui.workbench.save import Part
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ends import Conversation


class HandingOn(DOMNode):
    """Part of the workbench; a part of its own so that each stays small."""

    selection: Selection
    trace: Trace | None
    conversation: Conversation | None

    HANDING_BINDINGS: ClassVar[list[BindingType]] = [
        Binding("Y", "copy_command", "As curl", id="hand.command",
                tooltip="Copy the command that sends the chosen request again: curl, or websocat"),
    ]

    def action_copy_command(self) -> None:
        """Copy what sends the chosen request again; a long body goes to a file beside it."""
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
            self.app.notify(f"The body is too long for a command, and no file could be written for it: "
                            f"{error.strerror or error}.", severity="error")
            return
        copy(self.app, again.command)
        for note in again.notes:
            self.app.notify(note, timeout=10)

    def parts(self) -> list[Part]:
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
                found.append(Part("c", "This conversation", f"{name.upper()} {stream}, {mine:,} packets",
                                  f"-{name}-{stream}", lambda: conversation_part(trace, conversation)))
        rows = self.query_one(PacketsPane).filtered
        if rows is not None and len(rows) < count:
            found.append(Part("f", "What the filter shows", f"{len(rows):,} packets", "-part",
                              lambda: rows_part(trace, rows)))
        return found

    def _keep_body(self, body: bytes) -> str:
        """Write a body to a file that only its owner reads; its path."""
        if getattr(self.app, "visitor", False):
            raise OSError(None, "this machine's files are not for visitors")
        descriptor, path = tempfile.mkstemp(prefix="inspector-body-", suffix=".bin")
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        self.app.notify(f"The body is in {escaped(path)}, which the command reads.", timeout=10)
        return path
