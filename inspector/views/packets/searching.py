"""What stands in place of a list that a filter leaves empty: how far it has looked, or that none passes."""

from __future__ import annotations

from inspector.model.language import marked, sentence, tr
from inspector.model.units import amount
from inspector.wire.text import escaped

_MOST_TEXT = 200         # characters of a filter that are repeated
_NONE = {
    "packet": marked("No packet of {count:,}{so_far} is let through by {text}. Escape shows all of them."),
    "message": marked('No message of {count:,}{so_far} contains "{text}". Escape shows all of them.'),
    "conversation": marked(
        "No conversation of {count:,}{so_far} is let through by {text}. Escape shows all of them."),
}


def looking_words(text: str, share: float, count: int, noun: str, decoded: float | None = None) -> str:
    """While it looks. `share`: of `count` things; `decoded`: of the conversation that it is at, if known."""
    within = "" if decoded is None else sentence(
        "; {part:.0%} of the conversation that comes next is decoded", part=decoded)
    return tr("Still looking for {text}: {share:.1%} of {things} looked at{within}. None is let through so "
              "far. Escape stops it.", text=escaped(text, _MOST_TEXT), share=share, things=amount(count,
                                                                                                  noun),
              within=within)


def none_words(text: str, count: int, noun: str, *, growing: bool = False, lacking: str = "") -> str:
    """When all was looked at. `growing`: there may be more to come; `lacking`: what the capture lacks."""
    shown, so_far = escaped(text, _MOST_TEXT), sentence(" so far") if growing else ""
    words = tr(_NONE[noun], count=count, so_far=so_far, text=shown)
    return tr("{words} {lacking}", words=words, lacking=lacking) if lacking else words
