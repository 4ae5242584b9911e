"""What listens on this machine as lines: address, process and what started it, since when, connections.

`Service`s, as they are now -> `ServiceLines`, which a list shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from inspector.model.records import Service
from inspector.views.line.spans import Line, Span, Style, fit
from inspector.wire.text import escaped

_TITLES = ("Address", "Connections", "Since", "Process  ← parents")
_WIDTHS = (24, 11, 8)


class ServiceLines:
    """`count`, `line(i, width)`, `target(i)`: the service on a line."""

    def __init__(self, services: Sequence[Service], now: float) -> None:
        """`now`: seconds since the epoch."""
        self.services, self.now = tuple(services), now

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.services)

    def target(self, index: int) -> Service:
        """The service on line `index`."""
        return self.services[index]

    def title(self, width: int) -> Line:
        """The titles above the lines."""
        styles: list[Style] = ["title" for _ in _TITLES]
        return _cells(_TITLES, styles, width)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        one = self.services[index]
        chain = escaped("  ← ".join(one.chain) or "another user's", 200)
        waiting = f"{one.connections}" + (f" +{one.backlog}" if one.backlog else "")
        since = "" if one.since is None else age(self.now - one.since)
        styles: tuple[Style, ...] = ("bold", "number", "dim", "" if one.chain else "dim")
        return _cells((escaped(one.address, 60), waiting, since, chain), styles, width)


def age(seconds: float) -> str:
    """`3 min`, `2 h`, `5 d`."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name}"
    return f"{max(int(seconds), 0)} s"


def _cells(texts: Sequence[str], styles: Sequence[Style], width: int) -> Line:
    *heads, last = texts
    spans = [Span(" ")]
    used = 1
    for place, (text, size) in enumerate(zip(heads, _WIDTHS, strict=True)):
        spans.append(Span(fit(text, size, align="left" if place == 0 else "right") + "  ", styles[place]))
        used += size + 2
    if used < width:
        spans.append(Span(fit(last, width - used), styles[-1]))
    return tuple(spans)
