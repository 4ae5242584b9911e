"""A layer's header as the RFCs draw it: 32 bits a row, each field a box with its name and its value.

Fields with their bits (wire/dissection) -> boxes of one row each -> lines of box-drawing characters. A bit is
two cells wide; flags of one bit have their names upright, as in RFC 9293 section 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from inspector.model.language import tr
from inspector.views.detail.words import label_of, value_of
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.line.wrap import wrap
from inspector.wire.dissection.field import Field

BITS, CELL = 32, 2                 # bits a row; cells a bit
_NAMED = 16                        # bits in which a name and a value have room, on several lines
_UPRIGHT = 4                       # letters of an upright name
_RESERVED = "Rsrvd", "Rsv"          # as RFC 9293 §3.1 writes it where there is little room; upright
_WORDS = re.compile(r"(\d+) bytes  \((\d+) words\)")     # a length whose bits count words of four bytes
_BYTES = re.compile(r"(?:[0-9a-f]{2} )+[0-9a-f]{2}")
_WHOLE_ROWS = 4                    # an IPv6 address; a longer field, such as data, has its first and last


class Box(NamedTuple):
    """A field's part in one row: bits [start, stop) of it, what stands there, and which field it is."""

    start: int
    stop: int
    name: str
    value: str
    field: int                     # its number; parts of one field have the same
    continued: bool                # name and value stand in a part before it

    @property
    def width(self) -> int:
        """Cells inside."""
        return (self.stop - self.start) * CELL - 1

    @property
    def upright(self) -> bool:
        """Whether it is a single bit, whose name has no room but from top to bottom."""
        return self.stop - self.start == 1


def header_diagram(layer: Field) -> list[Line]:
    """The layer's header; a line of its name, the bits' numbers, then the boxes."""
    base = layer.start
    boxes = list(_boxes([_bits(field, base) for field in _leaves(layer) if field.start >= base]))
    rows = _rows(boxes)
    if not rows:
        return []
    lines: list[Line] = [(Span(label_of(layer), "title"),), (Span(_ruler(), "dim"),)]
    above: Sequence[Box] = ()
    last = -1
    for number, row in rows:
        lines.append((Span(_border(above, row, skipped=number > last + 1), "dim"),))
        lines += _content(row, above)
        above, last = row, number
    lines.append((Span(_border(above, ()), "dim"),))
    return lines


def _leaves(layer: Field) -> Iterator[Field]:
    """The fields of the header that stand in its bytes; flags bit by bit."""
    for field in layer.children:
        single = [child for child in field.children if child.bit_start is not None]
        if field.bit_start is not None and single and len(single) == len(field.children):
            yield from single
        elif field.start < field.stop:
            yield field


class _Bits(NamedTuple):
    start: int                     # from the first bit of the layer
    stop: int
    name: str
    value: str


def _bits(field: Field, base: int) -> _Bits:
    first, last = (field.start - base) * 8, (field.stop - base) * 8
    if field.bit_start is not None and field.bit_stop is not None:
        first, last = first + field.bit_start, first + field.bit_stop
    single = last - first == 1
    value = {"set": "1", "not set": "0"}.get(field.value, value_of(field))
    if match := _WORDS.fullmatch(field.value):
        size = tr("{size} bytes", size=match[1])
        value = f"{match[2]}  ({size})"
    if field.label.lower() == "reserved" and last - first < 5:
        return _Bits(first, last, _RESERVED[single], value[:1] if single else value)
    if single:
        return _Bits(first, last, field.label.split(" ")[0], value[:1])
    return _Bits(first, last, label_of(field), value)


def _boxes(fields: Sequence[_Bits]) -> Iterator[tuple[int, Box]]:
    """Row and box of each part of each field; a second view of the same bits is left out."""
    covered = 0
    for number, field in enumerate(sorted(fields, key=lambda one: (one.start, -one.stop))):
        if field.start >= covered:
            covered = field.stop
            yield from _parts(field, number)


def _parts(field: _Bits, number: int) -> Iterator[tuple[int, Box]]:
    first, last = field.start // BITS, (field.stop - 1) // BITS
    spans = [(row, max(field.start - row * BITS, 0), min(field.stop - row * BITS, BITS))
             for row in range(first, last + 1)]  # fmt: skip
    size = ""
    if len(spans) > _WHOLE_ROWS:
        in_bytes = tr("{size} bytes", size=(field.stop - field.start) // 8)
        spans, size = [spans[0], spans[-1]], f"  ({in_bytes})"
        size = "" if field.value.endswith(tr("bytes")) else size
    # The first part says what it is where that fits, as in RFC 6455 §5.2, else the widest.
    wide = max(stop - start for _, start, stop in spans)
    room = min(cell_width(field.value) // CELL + 1, wide)
    chosen = next(span for span in spans if span[2] - span[1] >= max(room, min(_NAMED, wide)))
    for span in spans:
        row, start, stop = span
        name = field.name + (size if span == chosen else "")
        yield row, Box(start, stop, name, field.value if span == chosen else "", number, span > chosen)


def _rows(boxes: Sequence[tuple[int, Box]]) -> list[tuple[int, list[Box]]]:
    found: dict[int, list[Box]] = {}
    for row, box in boxes:
        found.setdefault(row, []).append(box)
    return sorted(found.items())


def _ruler() -> str:
    tens = "".join(f"{bit // 10 if bit % 10 == 0 else ' ':<{CELL}}" for bit in range(BITS))
    return " " + tens.rstrip()


def _edges(row: Sequence[Box]) -> set[int]:
    return {place * CELL for box in row for place in (box.start, box.stop)}


def _border(above: Sequence[Box], below: Sequence[Box], skipped: bool = False) -> str:
    """The line between two rows; open where a field goes on below itself, broken where rows are left out."""
    up, down = _edges(above), _edges(below)
    open_ = {
        cell for box in below for over in above if box.field == over.field
        for cell in range(max(box.start, over.start) * CELL + 1, min(box.stop, over.stop) * CELL)
    }
    reach = max(up | down)
    cells = []
    for cell in range(reach + 1):
        left, right = cell > 0 and cell - 1 not in open_, cell < reach and cell + 1 not in open_
        cells.append(" " if cell in open_ else _JOINTS[cell in up, cell in down, left, right])
    if open_ and skipped:                    # rows are left out: the margins of the field are broken
        for cell in (min(open_) - 1, max(open_) + 1):
            cells[cell] = {"│": "╎"}.get(cells[cell], cells[cell])
    elif len(open_) == reach - 1:            # one field above and below: the margins count its rows
        cells[0], cells[-1] = "├┤"
    return "".join(cells)


# (a box's edge above, below, a line to the left, to the right) -> the character that joins them
_JOINTS = {
    (up, down, left, right): character
    for (up, down), row in {
        (False, False): " ╶╴─", (False, True): "╷┌┐┬", (True, False): "╵└┘┴", (True, True): "│├┤┼",
    }.items()
    for (left, right), character in zip(product((False, True), repeat=2), row, strict=True)
}


def _content(row: Sequence[Box], above: Sequence[Box]) -> list[Line]:
    """The lines inside one row's boxes."""
    texts = [_texts(box, above) for box in row]
    height = max(len(lines) for lines in texts)
    found = []
    for place in range(height):
        spans: list[Span] = [Span(" " * (row[0].start * CELL))] if row[0].start else []
        for box, lines in zip(row, texts, strict=True):
            # Names stand below each other at the bottom, uprights begin at the top.
            at = place if box.upright else place - (height - len(lines))
            text, style = lines[at] if 0 <= at < len(lines) else ("", "")
            spans += [Span("│", "dim"), Span(fit(text, box.width, align="centre"), style)]
        found.append((*spans, Span("│", "dim")))
    return found


def _texts(box: Box, above: Sequence[Box]) -> list[tuple[str, Style]]:
    """The lines of a box: its name, on several where it must be, and its value below."""
    if box.upright:
        name = box.name.ljust(_UPRIGHT)[:_UPRIGHT]
        letters: list[tuple[str, Style]] = [(letter, "name") for letter in name]
        return [*letters, (box.value, "bold" if box.value == "1" else "dim")]
    if box.continued:
        own = [over for over in above if over.field == box.field]
        if any(over.start < box.stop and box.start < over.stop for over in own):
            return [("", "dim")]
        short = tr("(continued)")
        named = f"{box.name} {short}"
        return [(named if cell_width(named) <= box.width else short, "dim")]
    value = next((text for text in _shorter(box.value) if cell_width(text) <= box.width), box.value)
    names: list[tuple[str, Style]] = [(text, "name") for text in wrap(box.name, box.width)]
    return [*names, (value, "bold")] if box.value else names


def _shorter(value: str) -> tuple[str, ...]:
    """The value, without what explains it, and its first word: a narrow box shows what fits.

    Of bytes the first ones, with a sign that there are more: one byte alone would be read as all.
    """
    if _BYTES.match(value):
        return (value,)
    return value, value.partition("  ")[0], value.split(" ")[0]
