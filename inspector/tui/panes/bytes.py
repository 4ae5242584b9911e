"""The bytes of the chosen packet, the chosen field marked, and its bits below.

views/detail/bytes.py makes the lines; a byte that is chosen here finds its field (`ByteChosen`).
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip

from inspector.model.language import marked
from inspector.model.packets import Row
from inspector.tui.messages import ByteChosen
from inspector.tui.panes.base import ListPane, PaneSpec, squeezed
from inspector.tui.widgets.clipboard import copy
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.tui.widgets.whole import WholeScreen
from inspector.views.detail.bytes import HexDump, Mark, bits_lines, bytes_per_line
from inspector.views.line.spans import Line

HINT = marked("The bytes of the packet that is chosen stand here; a system call has none.")
GONE = marked("The file does not hold this packet's bytes any more.")
NONE_CAPTURED = marked("No byte of this packet was captured.")


class HexList(LineList):
    """A list of bytes with a cursor on one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "Byte before", show=False, id="bytes.left"),
        Binding("right,l", "step(1)", "Next byte", show=False, id="bytes.right"),
        Binding("up,k", "step_line(-1)", "Line above", show=False, id="bytes.up"),
        Binding("down,j", "step_line(1)", "Line below", show=False, id="bytes.down"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, hint=HINT, awaits=False)
        self.byte: int | None = None

    @property
    def dump(self) -> HexDump | None:
        return self.provider if isinstance(self.provider, HexDump) else None

    def show_bytes(self, dump: HexDump | None, byte: int | None) -> None:
        """Other bytes, or other marks; the first marked byte comes into sight."""
        top = self.scroll_y
        same = dump is not None and self.dump is not None and dump.data == self.dump.data
        self.byte = byte
        self.show(dump)
        if not same:
            self.scroll_to(y=0, animate=False, immediate=True)
        elif self.scroll_y != top:
            self.scroll_to(y=top, animate=False, immediate=True)
        sought = byte
        if sought is None and dump is not None and dump.marks:
            sought = dump.marks[0].start
        index = dump.index_of(sought) if dump is not None and sought is not None else None
        if index is not None:
            self.scroll_to_line(index)

    def action_step(self, step: int) -> None:
        self._go(0 if self.byte is None else self.byte + step)

    def action_step_line(self, step: int) -> None:
        if self.dump is not None:
            self._go(0 if self.byte is None else self.byte + step * self.dump.per_line)

    def action_page(self, direction: int) -> None:
        self.action_step_line(direction * max(self.size.height - 1, 1))

    def action_top(self) -> None:
        self._go(0)

    def action_end(self) -> None:
        self._go(len(self.dump.data) - 1 if self.dump is not None else 0)

    def _go(self, byte: int) -> None:
        if self.dump is not None and self.dump.count:
            self.post_message(ByteChosen(max(0, min(byte, len(self.dump.data) - 1))))

    async def _on_click(self, event: events.Click) -> None:
        index = round(self.scroll_y) + event.y
        here = self.dump is not None and index < self.count
        byte = self.dump.byte_at(index, event.x - len(self.SIGN)) if self.dump is not None and here else None
        if byte is not None:
            self._go(byte)

    def paint(self, line: Line, width: int, beneath: str = "") -> Strip:
        return super().paint(line, width)

    def draw_line(self, y: int) -> Strip:
        strip, dump, index = super().draw_line(y), self.dump, round(self.scroll_y) + y
        if dump is None or self.byte is None or dump.index_of(self.byte) != index:
            return strip
        cells = [cell for cell in range(strip.cell_length)
                 if dump.byte_at(index, cell - len(self.SIGN)) == self.byte]
        focused = self.has_focus
        strong = RichStyle(reverse=focused, underline=not focused, bold=True)
        for cell in cells:
            before, own, after = strip.divide([cell, cell + 1, strip.cell_length])
            if own.text.strip():
                own = Strip([Segment(text, (style or RichStyle()) + strong) for text, style, _ in own])
            strip = Strip.join([before, own, after])
        return strip


class BytesPane(ListPane):
    """The packet as it stood on the wire."""

    LEGEND = (
        "The chosen packet's bytes: offset, hex, and as characters. The field that is chosen in the detail "
        "is marked; its bits stand below. Move with the arrows, or click: the field that holds the byte is "
        "found.",
    )

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._row: Row | None = None
        self._frame = b""

    def compose(self) -> ComposeResult:
        yield HexList(id="bytes-list")
        yield Head(self._bits, id="bits")

    @property
    def lines(self) -> HexList:
        return self.query_one(HexList)

    def _bits(self, width: int) -> list[Line]:
        field = self.selection.field
        return bits_lines(self._frame, field, width) if field is not None and self._frame else []

    def reset(self) -> None:
        self._row, self._frame = None, b""
        self.lines.show_bytes(None, None)

    def on_resize(self) -> None:
        self.call_after_refresh(self.update_selection)

    def update_trace(self) -> None:
        """Bytes are of what is chosen: a trace that grows changes nothing of them."""

    def update_selection(self) -> None:
        if self.trace is None:
            return
        row, field = self.selection.row, self.selection.field
        if row != self._row:
            self._row, self._frame = row, self.trace.frame(row) if row is not None else b""
        self.query_one(Head).again()
        if not self._frame:
            self.lines.show_bytes(None, None)
            if row is not None:
                self.hint(GONE if self.trace.index.cap_len[row] else NONE_CAPTURED)
            return
        width = self.lines.line_width
        marks = [Mark(field.start, field.stop)] if field is not None and field.stop > field.start else []
        dump = HexDump(self._frame, bytes_per_line(width, len(self._frame)), marks)
        self.lines.show_bytes(dump, self.selection.byte)

    def whole(self, index: int) -> str:
        field = self.selection.field
        about = ""
        if field is not None:
            about = f"{squeezed(field.label)} = {field.value}" if field.value else squeezed(field.label)
        return f"{about}\n\n{self.copied(index)}".strip()

    def copied(self, index: int) -> str:
        """The bytes of the chosen field in hex, or the byte at the cursor, or the whole frame."""
        field, byte = self.selection.field, self.selection.byte
        if field is not None and field.stop > field.start:
            return self._frame[field.start : field.stop].hex(" ")
        return self._frame.hex(" ") if byte is None else self._frame[byte : byte + 1].hex()

    def action_read(self) -> None:
        if self._frame:
            self.app.push_screen(WholeScreen(self.whole(0), self.copied(0)))

    def action_copy(self) -> None:
        if self._frame:
            copy(self.app, self.copied(0))

    def opened(self, index: int) -> None:
        """Nothing is to be seen in more detail than a byte."""


SPEC = PaneSpec("bytes", "9", "Bytes", "aside", BytesPane)
