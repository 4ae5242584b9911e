"""Conversations side by side, over the workbench; Escape leads back, Enter shows all of a line.

Conversations that were marked, and those of other captures -> views/conversations/compare -> a list of lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from inspector.model.language import marked, tr
from inspector.trace.trace import TraceError
from inspector.tui.files import traces
from inspector.tui.files.paths import is_capture, no_capture, typed
from inspector.tui.pace import REST_SECONDS, WORK_SECONDS
from inspector.tui.widgets.base import BaseModal, may
from inspector.tui.widgets.clipboard import copy
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.prompt import MenuItem, MenuScreen, PromptScreen
from inspector.tui.widgets.whole import WholeScreen
from inspector.views.conversations.compare.compare import FEWEST, MOST_COLUMNS, Comparison, Side, side_of
from inspector.views.line.spans import plain
from inspector.wire.text import escaped

TITLE = marked("Conversations side by side")
UNFINISHED = marked("Conversations side by side (as far as decoded)")
_LOOK = 0.2                # seconds between two looks whether all is decoded
_OFFERED = 6                # sessions before this one that can be chosen by a key
_COPIED = 160              # cells that the lines have in the clipboard


class CompareScreen(BaseModal[None]):
    """The comparison as it stood when it was opened; where it is of one, it asks for another capture first.

    `path`: the file of the trace that it stands over, which is not offered.
    """

    LEGEND_TITLE = "Compare"
    LEGEND = (
        "A column for each conversation: who they are, what each cost, then its steps, packets and system "
        "calls, those that match in one line. **≠** stands before a step that is not at this place in all "
        "of them, **≈** before one that is in all with another size, protocol or call; what has no sign is "
        "the same.",
        "**bytes of headers** are all but what TCP, UDP or IP carried. **round trips**: how often the client "
        "sent something (a SYN, data, a datagram) and the server then did; what only acknowledges or closes "
        "(FIN, RST) counts as nothing, a RST that refuses a SYN as its answer.",
        "**Enter** shows all of a line, **o** puts another capture, or a session before this one, beside "
        "these, four at most; **y** copies all. In Conversations **=** marks what is compared.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "app.help", "Help", key_display="?", id="compare.help"),
        Binding("escape,equals_sign,q", "dismiss", "Back", key_display="esc", id="compare.back"),
        Binding("o", "open", "With a file", id="compare.open",
                tooltip="Beside these, the conversation of another capture"),
        Binding("y", "copy", "Copy all", id="compare.copy"),
    ]

    def __init__(self, sides: Sequence[Side], path: Path | None = None) -> None:
        super().__init__()
        self._sides, self._path = list(sides), path
        self._comparison = Comparison(self._sides)     # what is shown, once it is made
        self._next = self._comparison                  # what is made now
        self._opened_here: list[Side] = []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether it can be done now."""
        return may(self.app, action)

    def compose(self) -> ComposeResult:
        with Vertical(id="compare") as frame:
            frame.border_title = tr(TITLE)
            yield LineList(id="compared")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(LineList).focus()
        self._compare()
        if len(self._sides) < FEWEST:
            self.action_open()

    def on_unmount(self) -> None:
        for side in self._opened_here:
            side.trace.close()

    def _compare(self) -> None:
        """Make the comparison, in turns; again once all that it is of was decoded."""
        self._next = Comparison(self._sides)
        self._turn(self._next, [side for side in self._sides if side.wants()])

    def _turn(self, making: Comparison, lacking: Sequence[Side]) -> None:
        if making is not self._next:
            return                                     # another side came meanwhile
        if not making.advance(WORK_SECONDS):
            self.set_timer(REST_SECONDS, partial(self._turn, making, lacking))
            return
        self._comparison = making
        lines = self.query_one(LineList)
        cursor = lines.cursor
        lines.show(making, cursor if cursor is not None and cursor < making.count else None)
        self.query_one("#compare").border_title = tr(UNFINISHED if lacking else TITLE)
        if lacking:
            self._look(making, lacking)

    def _look(self, made: Comparison, lacking: Sequence[Side]) -> None:
        """Ask for what was not decoded; who was whole once is not asked for again: memory has a bound."""
        if made is not self._next:
            return
        lacking = [side for side in lacking if side.wants()]
        if lacking:
            self.set_timer(_LOOK, partial(self._look, made, lacking))
        else:
            self._again()

    def _again(self) -> None:
        self._next = Comparison(self._sides)
        self._turn(self._next, [])

    @on(LineList.LineOpened)
    def _opened(self, message: LineList.LineOpened) -> None:
        message.stop()
        text = self._comparison.whole(message.index)
        if text:
            self.app.push_screen(WholeScreen(text, text))

    def action_open(self) -> None:
        """Ask for another capture: one of the sessions before, or a file."""
        if len(self._sides) == MOST_COLUMNS:
            self.app.notify(tr("{most} are compared at most.", most=MOST_COLUMNS), timeout=4)
            return
        before = [one for one in traces.kept() if one.path != self._path][:_OFFERED]
        items = [MenuItem(str(number), escaped(one.label, 20), f"{one.age}, {traces.human_size(one.size)}",
                          str(number)) for number, one in enumerate(before, start=1)]

        def chosen(answer: str | None) -> None:
            if answer in (None, "o"):
                self._ask_for_file() if answer else self._give_up()
            else:
                self._read(before[int(answer or 1) - 1].path)

        if items:
            self.app.push_screen(MenuScreen("Compare with which session, or capture?", [
                *items, MenuItem("o", "Another file", "any pcap or pcapng", "o")]), chosen)
        else:
            self._ask_for_file()

    def _ask_for_file(self) -> None:
        def chosen(text: str | None) -> None:
            if text:
                self._read(typed(text))
            else:
                self._give_up()

        self.app.push_screen(PromptScreen("Compare with which capture?", check=no_capture, paths=is_capture,
                                          hint="pcap or pcapng; → takes what is suggested"), chosen)

    def _give_up(self) -> None:
        """Nothing was chosen: one alone is no comparison."""
        if len(self._sides) < FEWEST:
            self.dismiss()

    @work(thread=True, group="compare")
    def _read(self, path: Path) -> None:
        """Open a capture, and find its conversation; no key waits for it."""
        try:
            side = side_of(path)
            Comparison([side]).finish()                # it is decoded here, and no turn of the loop is
        except (TraceError, OSError) as error:
            self.app.call_from_thread(self._failed, escaped(str(error)))
        else:
            self.app.call_from_thread(self._add, side)

    def _failed(self, sentence: str) -> None:
        if not self.is_leaving:
            self.app.notify(sentence, severity="error", timeout=10)
            self._give_up()

    def _add(self, side: Side) -> None:
        if self.is_leaving or len(self._sides) == MOST_COLUMNS:
            side.trace.close()
            return
        self._opened_here.append(side)
        here = "" if self._path is None else escaped(self._path.name, 60)
        self._sides = [one if one.name else one._replace(name=here) for one in self._sides] + [side]
        self._compare()

    def action_copy(self) -> None:
        made = self._comparison
        copy(self.app, "\n".join(plain(made.line(index, _COPIED)).rstrip() for index in range(made.count)))
