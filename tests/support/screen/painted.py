"""What a person sees on a terminal: the cells, after all that was written so far.

A program paints what differs, in pieces of its own choice: a word on the screen need not stand as one in its
output. Bytes may come cut anywhere. Known is what the app, shells and bash's line editor write: text, moves
of the cursor, erasing, the alternate screen; colours and modes are passed over.
"""

from __future__ import annotations

import codecs
import re

from rich.cells import cell_len

_TOKEN = re.compile(
    r"\x1b\[(?P<arguments>[0-?]*)[ -/]*(?P<control>[@-~])"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\)"                     # titles, answers: nothing that is seen
    r"|\x1b[ -/]*[0-Z\\`-~]"
    r"|(?P<moving>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)", re.DOTALL)

_STEPS = {"A": (0, -1), "B": (0, 1), "C": (1, 0), "D": (-1, 0)}         # right and down


class Painted:
    """A screen of `size` (columns, lines)."""

    def __init__(self, size: tuple[int, int] = (80, 24)) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""                                    # the beginning of a sequence that goes on
        self._x = self._y = 0
        self._lines: list[list[str]] = []
        self.resize(*size)

    def resize(self, width: int, height: int) -> None:
        """The terminal has another size; who paints will paint anew."""
        self.width, self.height = width, height
        old, self._lines = self._lines, [[" "] * width for _ in range(height)]
        for new, line in zip(self._lines, old, strict=False):
            new[: len(line)] = line[:width]
        self._move(self._x, self._y)

    @property
    def text(self) -> str:
        """The lines, without what is blank at their ends."""
        return "\n".join("".join(line).rstrip() for line in self._lines)

    def feed(self, data: bytes) -> None:
        """What was written next."""
        written, at = self._rest + self._decoder.decode(data), 0
        while (token := _TOKEN.match(written, at)) is not None:
            at = token.end()
            if (text := token["text"]) is not None:
                self._put(text)
            elif (moving := token["moving"]) is not None:
                self._control(moving)
            elif (control := token["control"]) is not None:
                self._act(control, token["arguments"])
        self._rest = written[at:]

    def _put(self, text: str) -> None:
        for character in text:
            cells = cell_len(character)
            if not cells:
                continue
            if self._x + cells > self.width:
                self._x = 0
                self._line_feed()
            self._lines[self._y][self._x : self._x + cells] = [character, ""][:cells]
            self._x += cells                               # the next one wraps, if this was the last cell

    def _line_feed(self) -> None:
        if self._y == self.height - 1:
            self._lines = [*self._lines[1:], [" "] * self.width]
        else:
            self._y += 1

    def _control(self, character: str) -> None:
        if character == "\r":
            self._x = 0
        elif character == "\n":
            self._line_feed()
        elif character == "\b":
            self._move(self._x - 1, self._y)

    def _act(self, control: str, arguments: str) -> None:
        first, _, second = arguments.partition(";")
        count, other = (int(one) if one.isdecimal() else 0 for one in (first, second))
        x, y = self._x, self._y
        step = max(count, 1)
        if control in "Hf":
            self._move(max(other, 1) - 1, step - 1)
        elif control in "ABCD":
            right, down = _STEPS[control]
            self._move(x + step * right, y + step * down)
        elif control == "J":
            self._erase(range(0 if count else y + 1, y if count == 1 else self.height))
            self._erase_in_line(0 if count > 1 else count)
        elif control == "K":
            self._erase_in_line(count)
        elif control in "hl" and "?1049" in arguments:     # to the alternate screen, or back
            self._erase(range(self.height))

    def _erase(self, lines: range) -> None:
        for line in lines:
            self._lines[line] = [" "] * self.width

    def _erase_in_line(self, what: int) -> None:
        """0: from the cursor on, 1: up to it, 2: all."""
        start, stop = (self._x if what == 0 else 0), (self._x + 1 if what == 1 else self.width)
        self._lines[self._y][start:stop] = [" "] * (min(stop, self.width) - start)

    def _move(self, x: int, y: int) -> None:
        self._x, self._y = min(max(x, 0), self.width - 1), min(max(y, 0), self.height - 1)
