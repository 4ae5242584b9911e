"""What stands in place of a list that a filter leaves empty: how far it has looked, or that none passes."""

from __future__ import annotations

from inspector.model.units import amount
from inspector.wire.text import escaped

_MOST_TEXT = 200         # characters of a filter that are repeated


def looking_words(text: str, share: float, count: int, noun: str, decoded: float | None = None) -> str:
    """While it looks. `share`: of `count` things; `decoded`: of the conversation that it is at, if known."""
    within = "" if decoded is None else f"; {decoded:.0%} of the conversation that comes next is decoded"
    return (f"Still looking for {escaped(text, _MOST_TEXT)}: {share:.1%} of {amount(count, noun)} looked at"
            f"{within}. None is let through so far. Escape stops it.")


def none_words(text: str, count: int, noun: str, *, growing: bool = False) -> str:
    """When all was looked at. `growing`: there may be more to come."""
    return (f"No {noun} of {count:,}{' so far' if growing else ''} is let through by "
            f"{escaped(text, _MOST_TEXT)}. Escape shows all of them.")
