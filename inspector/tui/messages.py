"""The one selection that rules all panes, and the messages by which panes tell of it.

A pane never talks to another: it posts `SelectionMade`; the workbench hands the value to all panes.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from inspector.wire.dissection.field import Field


@dataclass(frozen=True, slots=True)
class Selection:
    """What is chosen: a packet, or a system call, or a message; and within a packet a field or a byte.

    `row`: packet, 0-based. `call`: (pid, id) of a system call. `rows`: all packets that carry what was
    chosen (a message's), `row` among them. `path` and `field`: a field of the packet's detail, with the
    bytes and bits that hold it. `byte`: the byte of the frame that led to it.
    """

    row: int | None = None
    call: tuple[int, int] | None = None
    rows: tuple[int, ...] = ()
    path: str = ""
    field: Field | None = None
    byte: int | None = None


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


class DetailAsked(Message):
    """The user wants to see all of what is chosen (Enter, double click)."""


class TraceGrew(Message):
    """The trace was read further; panes ask it for what is new. One message a batch."""
