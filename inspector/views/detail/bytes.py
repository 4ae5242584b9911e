"""Bytes as hex and as characters, by visible line, with marked ranges; and one field's bits.

Bytes and marks -> the lines that are seen, whatever the length. The way back: which byte stands at a
cell. Characters outside printable ASCII are dots, so nothing on the right side can do harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from inspector.views.detail.words import label_of, value_of
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.line.wrap import folded
from inspector.wire.dissection.field import Field

_DOT = "·"
_CHARACTERS = [chr(code) if 0x20 <= code < 0x7F else _DOT for code in range(256)]
_MOST_BITS = 64


class Mark(NamedTuple):
    """Bytes [start, stop) in a style. Of several marks on a byte, the last counts."""

    start: int
    stop: int
    style: Style = "marked"


class HexDump:
    """The lines of `data`, `per_line` bytes each; see `bytes_per_line` for what fits a width."""

    def __init__(self, data: bytes | memoryview, per_line: int = 16, marks: Sequence[Mark] = ()) -> None:
        self.data = data
        self.per_line = per_line
        self.marks = tuple(marks)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return -(-len(self.data) // self.per_line)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells: offset, hex, characters."""
        start = index * self.per_line
        piece = bytes(self.data[start : start + self.per_line])
        styles = self._styles(start, len(piece))
        digits = _digits(len(self.data))
        spans = [Span(f"{start:0{digits}x}  ", "number")]
        spans += _runs([f"{byte:02x}" for byte in piece], styles, self._gaps(len(piece)))
        missing = self.per_line - len(piece)
        spans.append(Span(" " * (missing * 3 + self._breaks(self.per_line) - self._breaks(len(piece)) + 2)))
        spans += _runs([_CHARACTERS[byte] for byte in piece], styles, [""] * len(piece))
        return _exactly(spans, width)

    def target(self, index: int) -> int:
        """The first byte of line `index`."""
        return index * self.per_line

    def index_of(self, byte: int) -> int | None:
        """The line that shows `byte`."""
        return byte // self.per_line if 0 <= byte < len(self.data) else None

    def byte_at(self, index: int, cell: int) -> int | None:
        """The byte that line `index` shows at `cell`, in hex or as a character; None beside them."""
        left = _digits(len(self.data)) + 2
        place = cell - left
        hex_cells = self.per_line * 3 - 1 + self._breaks(self.per_line)
        found: int | None = None
        if 0 <= place < hex_cells:
            for number in range(self.per_line):
                at = number * 3 + self._breaks(number + 1)
                if at <= place < at + 2 or (at <= place < at + 3 and number + 1 < self.per_line):
                    found = number
        else:
            number = place - hex_cells - 3
            found = number if 0 <= number < self.per_line else None
        byte = None if found is None else index * self.per_line + found
        return byte if byte is not None and byte < len(self.data) else None

    def _breaks(self, count: int) -> int:
        """Extra blanks within the first `count` bytes of a line: one after every eight."""
        return max(count - 1, 0) // 8

    def _gaps(self, count: int) -> list[str]:
        return ["  " if number % 8 == 7 and number + 1 < self.per_line else " " for number in range(count)]

    def _styles(self, start: int, count: int) -> list[Style]:
        styles: list[Style] = [""] * count
        for mark in self.marks:
            for place in range(max(mark.start - start, 0), min(mark.stop - start, count)):
                styles[place] = mark.style
        return styles


def bytes_per_line(width: int, size: int) -> int:
    """16, 8 or 4 bytes a line: what fits `width` cells for data of `size` bytes."""
    digits = _digits(size)
    for count in (16, 8):
        if digits + 2 + count * 3 + (count - 1) // 8 + 2 + count <= width:
            return count
    return 4


def bits_lines(data: bytes, field: Field, width: int) -> list[Line]:
    """The bits of a field's bytes, its own marked: `0001 0010`, then what they mean, on lines enough.

    Empty for fields without bytes in the frame; of more than 64 bits only what they mean is said.
    """
    piece = data[field.start : field.stop]
    if not piece:
        return []
    label, value = re.split("  ", label_of(field))[0], value_of(field)
    words = f"{label} = {value}" if value else label       # a message's value is what it says
    rows = _bits(piece, field, max((width + 1) // 10, 1)) if len(piece) * 8 <= _MOST_BITS else []
    used = sum(len(span.text) for span in rows[-1]) if rows else 0
    if rows and used + 3 + cell_width(words) <= width:
        rows[-1] += [Span(f"   {words}")]
    else:
        rows += [[Span(text)] for text in folded(words, width)]
    return [_exactly(_joined(spans), width) for spans in rows]


def _bits(piece: bytes, field: Field, per_row: int) -> list[list[Span]]:
    """Rows of `per_row` bytes as bits in groups of four."""
    first = field.bit_start or 0
    last = len(piece) * 8 if field.bit_stop is None else field.bit_stop
    rows: list[list[Span]] = []
    for place in range(len(piece) * 8):
        if place % (per_row * 8) == 0:
            rows.append([])
        elif place % 4 == 0:
            rows[-1].append(Span(" ", "marked" if first < place < last else ""))
        own = first <= place < last
        rows[-1].append(Span(str(piece[place // 8] >> (7 - place % 8) & 1), "marked" if own else "dim"))
    return rows


def _runs(texts: list[str], styles: list[Style], gaps: list[str]) -> list[Span]:
    """Texts with the gaps after them; a gap is marked when the bytes on both its sides are alike."""
    spans: list[Span] = []
    for place, text in enumerate(texts):
        spans.append(Span(text, styles[place]))
        alike = place + 1 < len(texts) and styles[place + 1] == styles[place]
        spans.append(Span(gaps[place], styles[place] if alike else ""))
    return _joined(spans)


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].style == span.style:
            joined[-1] = Span(joined[-1].text + span.text, span.style)
        elif span.text:
            joined.append(span)
    return joined


def _digits(size: int) -> int:
    return max(4, len(f"{max(size - 1, 0):x}"))


def _exactly(spans: Sequence[Span], width: int) -> Line:
    used, kept = 0, []
    for span in spans:
        text = span.text if used + cell_width(span.text) <= width else fit(span.text, width - used)
        if text:
            kept.append(Span(text, span.style))
        used += cell_width(text)
    if used < width:
        kept.append(Span(" " * (width - used)))
    return tuple(kept)
