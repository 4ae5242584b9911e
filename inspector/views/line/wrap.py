"""Text broken into lines of a number of cells: at spaces, and between wide characters, as Chinese is.

Chinese has no blanks to break at: a line may end after any of its characters, but none begins with a closing
sign, and none ends with an opening one.
"""

from __future__ import annotations

import re
import textwrap

from inspector.views.line.spans import cell_width, fit

_BETWEEN = re.compile(r"( {2,})")
_WORD = re.compile(r"(\s*)(\S+)")
NOT_FIRST = frozenset("，。、；：？！）」』”’》〉】…—·,.;:?!)]}%")
NOT_LAST = frozenset("（「『“‘《〈【([{")


def wrap(text: str, width: int, *, whole: bool = False) -> list[str]:
    """`text` on lines of at most `width` cells; words that are too long are cut with `…`.

    `whole`: such words go on in the next line instead, and blanks stay as they are.
    """
    lines: list[str] = []
    line = ""
    for blank, word in _words(text):
        longer = line + (blank if whole else blank[:1]) + word if line else word
        if cell_width(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while whole and cell_width(word) > width:
            head = _head(word, width)
            lines.append(head)
            word = word[len(head) :]
        line = word if cell_width(word) <= width else fit(word, width)
    return [*lines, line] if line else lines


def folded(text: str, width: int, *, hyphens: bool = True) -> list[str]:
    """The same, nothing cut, on lines of 8 cells at least; `hyphens`: a line may end after one."""
    width = max(width, 8)
    if cell_width(text) == len(text):
        return textwrap.wrap(text, width, break_on_hyphens=hyphens)
    return _by_groups(text, width) if _BETWEEN.search(text.lstrip()) else wrap(text, width, whole=True)


def _by_groups(text: str, width: int) -> list[str]:
    """Lines that end between groups, which two blanks or more part (label and value), where one fits.

    Chinese may be broken anywhere, and a label that is torn is another word.
    """
    first, *others = _BETWEEN.split(text)
    *lines, line = wrap(first, width, whole=True) or [""]
    for blank, group in zip(others[::2], others[1::2], strict=True):
        if cell_width(line + blank + group) <= width:
            line += blank + group
        elif group:
            lines += [line] if line else []
            *more, line = wrap(group, width, whole=True) or [""]
            lines += more
    return [*lines, line] if line else lines


def may_break(before: str, letter: str) -> bool:
    """Whether a line may end between two characters that are no blanks."""
    if letter in NOT_FIRST or before in NOT_LAST:
        return False
    return cell_width(before) > 1 or cell_width(letter) > 1


def _head(word: str, width: int) -> str:
    """What has room in `width` cells, one character at least."""
    used = 0
    for place, letter in enumerate(word):
        used += cell_width(letter)
        if used > width and place:
            return word[:place]
    return word


def _words(text: str) -> list[tuple[str, str]]:
    """What must not be broken, and the blanks before it."""
    found: list[tuple[str, str]] = []
    for match in _WORD.finditer(text):
        before, word = " " * len(match[1]), match[2]
        if cell_width(word) == len(word):
            found.append((before, word))
            continue
        start = 0
        for place in range(1, len(word) + 1):
            if place == len(word) or may_break(word[place - 1], word[place]):
                found.append(("" if start else before, word[start:place]))
                start = place
    return found
