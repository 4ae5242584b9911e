"""How the workbench is divided: the ladder's share of the height, the panes' beside it of the width.

Keys and the mouse move the two dividers -> `Sizes` -> the settings -> the next start. 0 means that
nobody has moved the divider: then the panes below the ladder have what they need, and it has all else.
"""

from __future__ import annotations

from typing import NamedTuple

from inspector.tui.files.settings import keep, kept

BELOW = 14                 # rows for the panes below the ladder, tabs included, unless somebody moved it
LEAST, MOST = 15, 85       # percent


class Sizes(NamedTuple):
    """Percent: of the height for the ladder, of the width for the panes beside it; 0: as it comes."""

    ladder: int = 0
    aside: int = 0

    def ladder_rows(self, rows: int) -> int:
        """The ladder's rows of `rows`."""
        if self.ladder:
            return round(rows * self.ladder / 100)
        return max(rows - BELOW, round(rows * 0.55))


def bounded(percent: float) -> int:
    """A share that leaves room on both sides of its divider."""
    return max(LEAST, min(round(percent), MOST))


def load_sizes() -> Sizes:
    """The sizes as they were left; as they come where there are none, or none that make sense."""
    data = kept()
    try:
        return Sizes(*(bounded(data[name]) if data.get(name) else 0 for name in Sizes._fields))
    except (ValueError, TypeError, OverflowError):
        return Sizes()


def save_sizes(sizes: Sizes) -> None:
    """Keep the sizes for the next start."""
    keep(**sizes._asdict())
