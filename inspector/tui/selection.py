"""The one selection that rules all panes, and the messages by which panes tell of it.

A pane never talks to another: it posts `SelectionMade`; the workbench hands the value to all panes.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message


@dataclass(frozen=True, slots=True)
class Selection:
    """What is chosen: a packet, or a system call, or a message, and within a packet a range of bytes.

    `row`: packet, 0-based. `call`: (pid, id) of a system call. `start`..`stop`: bytes of the frame,
    `bit_start`..`bit_stop`: bits counted from the first of those bytes. `rows`: all packets that carry
    what was chosen (a message's), `row` among them.
    """

    row: int | None = None
    call: tuple[int, int] | None = None
    stream: int | None = None
    message: int | None = None
    rows: tuple[int, ...] = ()
    start: int | None = None
    stop: int | None = None
    bit_start: int | None = None
    bit_stop: int | None = None

    @property
    def marks_bytes(self) -> bool:
        return self.start is not None and self.stop is not None


NOTHING = Selection()


class SelectionMade(Message):
    """The user chose something in a pane."""

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self.selection = selection


class DetailAsked(Message):
    """The user wants to see all of what is chosen (Enter, double click)."""


class TraceGrew(Message):
    """The trace was read further; panes ask it for what is new. One message a batch."""
