"""The comments of a trace: those its file holds, and what a person makes of them while looking at it.

A mark is a comment as well, of the text `MARK`: pcapng knows no other way to keep it, and Wireshark shows it.
What was changed here is no part of the file until the trace is saved.
"""

from __future__ import annotations

from collections.abc import Mapping

from inspector.model.packets import Row
from inspector.wire.text import escaped

MARK = "marked"
LONGEST = (16 << 10) - 1         # characters of a comment: with four bytes each it fits into an option
_SHOWN = 64 << 10


class Comments:
    """Comments by packet. Texts are as they came; `shown` gives what can be shown."""

    def __init__(self) -> None:
        self.version = 0                                # counts the changes that were made here
        self._read: dict[Row, tuple[str, ...]] = {}
        self._changed: dict[Row, tuple[str, ...]] = {}

    def read(self, row: Row, texts: tuple[str, ...]) -> None:
        """What the file says of a packet."""
        if texts:
            self._read[row] = texts

    @property
    def changed(self) -> Mapping[Row, tuple[str, ...]]:
        """All comments of each packet of which they are not those of the file any more."""
        return self._changed

    @property
    def rows(self) -> frozenset[Row]:
        """The packets that have comments."""
        return frozenset(row for row in (*self._read, *self._changed) if self.of(row))

    def of(self, row: Row) -> tuple[str, ...]:
        """The comments of a packet, its mark among them."""
        found = self._changed.get(row)
        return self._read.get(row, ()) if found is None else found

    def shown(self, row: Row) -> list[str]:
        """The same, safe to show."""
        return [escaped(text, _SHOWN) for text in self.of(row)]

    def is_marked(self, row: Row) -> bool:
        """Whether it has a mark."""
        return MARK in self.of(row)

    def toggle_mark(self, row: Row) -> bool:
        """Mark a packet, or take its mark away; whether it has one now."""
        texts = self.of(row)
        marked = MARK in texts
        self._set(row, tuple(text for text in texts if text != MARK) if marked else (MARK, *texts))
        return not marked

    def own(self, row: Row) -> str:
        """The comment that `write` would take the place of: the last one, where it is one line."""
        texts = [text for text in self.of(row) if text != MARK]
        return texts[-1] if texts and "\n" not in texts[-1] else ""

    def write(self, row: Row, text: str) -> None:
        """Say something of a packet in place of what was said last; "" takes that away."""
        texts, before = list(self.of(row)), self.own(row)
        if before:
            del texts[len(texts) - 1 - texts[::-1].index(before)]
        self._set(row, tuple(texts) + ((text[:LONGEST],) if text else ()))

    def _set(self, row: Row, texts: tuple[str, ...]) -> None:
        self.version += 1
        self._changed[row] = texts
        if texts == self._read.get(row, ()):
            del self._changed[row]
