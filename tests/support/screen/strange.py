"""A made-up language, in which what a catalogue holds is written in Greek letters: anything else is seen.

A text that passed no door, or that has no translation, stays in Latin letters, each of which can be told
however the line is cut; names and data off the wire stay as they are.
"""

from __future__ import annotations

import re

from inspector.model import language

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_GREEK = "αβγδεζηθικλμνξοπρστυφχψωϊϋ"
_OTHERS = str.maketrans(_LETTERS + _LETTERS.upper(), _GREEK + _GREEK.upper())
_PLACES = re.compile(r"(\{[^{}]*\}|\*\*)")
_WORD = re.compile(r"[A-Za-z]{3,}")


def look_up(_language: str, text: str) -> str:
    """Stands for `language._look_up`: a text of the catalogues in the made-up language, another as it is."""
    if not _known(text):
        return text
    return "".join(part if place % 2 else part.translate(_OTHERS)
                   for place, part in enumerate(_PLACES.split(text)))


def latin(text: str) -> list[str]:
    """The words in it that are in no made-up language."""
    return _WORD.findall(text)


def _known(text: str) -> bool:
    return any(text in getattr(one, "_catalog", {}) for one in language._catalogues("zh"))
