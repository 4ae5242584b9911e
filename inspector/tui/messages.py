"""What panes, screens and the app tell each other: the one selection that rules all panes, and every message.

A pane never talks to another: it posts to the screen, which hands what was chosen to all panes. A message
that only says "look again" takes the place of an equal one that waits (`can_replace`): a hundred of them
are one look. `TraceGrew` needs more, since drawing comes after it is handled: see `workbench/feed.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from inspector.lessons.classroom.ballot import BallotBox
    from inspector.lessons.format.model import Lesson
    from inspector.model.packets import Instant, Row
    from inspector.model.spec import SessionSpec
    from inspector.views.ladder.ends import Conversation
    from inspector.wire.dissection.field import Field


@dataclass(frozen=True, slots=True)
class Selection:
    """What is chosen: a packet, or a system call, or a message; and within a packet a field or a byte.

    `row`: packet, 0-based. `call`: (pid, id) of a system call. `rows`: all packets that carry what was
    chosen (a message's), `row` among them. `path` and `field`: a field of the packet's detail, with the
    bytes and bits that hold it. `byte`: the byte of the frame that led to it. `at`: the moment of a call,
    `of` the conversation that it was made on.
    """

    row: Row | None = None
    call: tuple[int, int] | None = None
    rows: tuple[Row, ...] = ()
    path: str = ""
    field: Field | None = None
    byte: int | None = None
    at: Instant | None = None
    of: Conversation | None = None


NOTHING = Selection()


class SelectionMade(Message):
    """The user chose something in a pane."""

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self.selection = selection


class ByteChosen(Message):
    """The user chose a byte of the packet; the field that holds it is to be found."""

    def __init__(self, byte: int) -> None:
        super().__init__()
        self.byte = byte


class PaneAsked(Message):
    """The user wants to see this pane: by its tab, or (`opens`) because it has more of what is chosen."""

    def __init__(self, pane: str, *, opens: bool = False) -> None:
        super().__init__()
        self.pane, self.opens = pane, opens


class BackAsked(Message):
    """The user wants to go back to the pane from which another one was opened."""


class DecodedAnew(Message):
    """What is spoken was said by hand: every pane shows the trace anew."""


class StatusChanged(Message):
    """What a pane's tab says beside its name changed."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, StatusChanged)


class TraceGrew(Message):
    """The trace was read further; panes ask it for what is new. The feed waits until that was drawn."""


class FirstPictureDone(Message):
    """A screen shows what there was at first: what will be needed next may be imported now."""


class LessonsAsked(Message):
    """The user wants this lesson, or the map of all; in `language`, where one was asked for.

    `box`: the lessons are shown to a class, whose votes are counted there.
    """

    def __init__(self, lesson: Lesson | None, language: str = "", box: BallotBox | None = None) -> None:
        super().__init__()
        self.lesson, self.language, self.box = lesson, language, box


class LanguageAsked(Message):
    """The user wants the screens in the other language."""


class LauncherAsked(Message):
    """The user wants another session. `chosen`: the present one as it was described, to begin from."""

    def __init__(self, chosen: SessionSpec | None) -> None:
        super().__init__()
        self.chosen = chosen
