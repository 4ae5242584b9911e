"""What was said by hand in earlier sessions, kind by kind, for the arrow keys of a composer.

A line that was sent -> the settings of this user -> the composer's line at the next start.
"""

from __future__ import annotations

from inspector.tui.files import settings

_LINES = 40                  # of each kind that are kept
_LONGEST = 300               # characters of a line that is kept


def sent(kind: str) -> list[str]:
    """What was said in sessions of a kind, the oldest first."""
    lines = _all().get(kind)
    return [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []


def keep(kind: str, lines: list[str]) -> None:
    """Keep the newest of the lines that were said in sessions of a kind."""
    short = [line for line in lines if len(line) <= _LONGEST]
    settings.keep(said=_all() | {kind: short[-_LINES:]})


def _all() -> dict[str, object]:
    found = settings.kept().get("said")
    return found if isinstance(found, dict) else {}
