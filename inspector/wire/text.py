"""The one function that makes text from the wire safe to show.

Payload, names and headers may hold escape sequences, control characters, bidirectional marks and
other invisible characters. All that is shown or exported as text passes through `escaped`; markup
is never parsed from its result (views hand over spans, not markup). `worded` joins such texts with words of
ours, which a view can say in another language.
"""

import unicodedata
from collections.abc import Iterable

from inspector.model.language import Sentence, sentence_as

_MOST_KNOWN = 1 << 14      # characters of which it is known how they are shown
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


def escaped(text: str | bytes, limit: int | None = None) -> str:
    """Return `text` on one line without anything a terminal, a table or a reader could trip over.

    C0 controls become their control pictures (U+2400 block), every other control, format, private,
    unassigned or surrogate character, and every space but the usual one, its escape (`\\x9b`, `\\u202e`);
    bytes are read as UTF-8 with invalid ones shown as `\\xNN`. With `limit`, at most that many characters,
    the last one `…` when something was cut.
    """
    if limit is not None:
        text = text[: limit * 4 + 4] if isinstance(text, bytes) else text[: limit + 1]
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if not (text.isascii() and text.isprintable()):
        text = text.translate(_ESCAPES)
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    return text


def worded(words: Iterable[str], limit: int | None = None, between: str = "  ") -> str:
    """`words` on one line, without empty ones, as `escaped`; a Sentence where one of them is.

    What stands in the places of a Sentence may be off the wire: it is escaped too.
    """
    kept = [word for word in words if word]
    text = escaped(between.join(kept), limit)
    if not any(isinstance(word, Sentence) for word in kept):
        return text
    parts: dict[str, object] = {}
    room = len(text)
    for place, word in enumerate(kept):
        shown = _safe(word) if isinstance(word, Sentence) else escaped(word, room)
        parts[f"part{place}"] = shown
        room -= len(shown) + len(between)
        if room <= 0:
            break
    return sentence_as(text, between.join(f"{{{name}}}" for name in parts), parts)


def _safe(made: Sentence) -> Sentence:
    if made.isascii() and made.isprintable():
        return made
    values = {name: _safe(one) if isinstance(one, Sentence) else escaped(one) if isinstance(one, str) else one
              for name, one in made.values.items()}
    return sentence_as(escaped(made), made.template, values)


def _escape_character(character: str) -> str:
    code = ord(character)
    if code in _PICTURES:
        return _PICTURES[code]
    if character == " ":
        return character
    if unicodedata.category(character) in _UNSAFE_CATEGORIES or _is_invisible(code):
        if code <= 0xFF:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    return character


class _Escapes(dict[int, str]):
    """Characters by their codes as they are shown, each found out once."""

    def __missing__(self, code: int) -> str:
        text = _escape_character(chr(code))
        if len(self) < _MOST_KNOWN:
            self[code] = text
        return text


_ESCAPES = _Escapes()


def _is_invisible(code: int) -> bool:
    # Variation selectors and combining grapheme joiner are marks (Mn) that change widths unseen.
    return code == 0x034F or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
