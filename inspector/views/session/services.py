"""What listens on this machine as lines: address, process and what started it, since when, connections.

`Service`s, as they are now -> `ServiceLines`, which a list shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from inspector.model.language import marked, tr
from inspector.model.records import Service
from inspector.views.line.spans import Line, Span, Style, fit
from inspector.wire.text import escaped

_TITLES = (marked("Address"), marked("Proto"), marked("Connections"), marked("Since"), marked("Container"),
           marked("Process  ← parents"))
_WIDTHS = (24, 5, 11, 8, 14)
_NARROW, _NARROW_WIDTHS = 88, (16, 5, 11, 6, 9)    # cells of a line in which the process has little room
_CONTAINER = 4               # the column that is there where a service has one


class ServiceLines:
    """`count`, `line(i, width)`, `target(i)`: the service on a line."""

    def __init__(self, services: Sequence[Service], now: float) -> None:
        """`now`: seconds since the epoch."""
        self.services, self.now = tuple(services), now
        some = any(one.container or one.elsewhere for one in self.services)
        self._columns = tuple(n for n in range(len(_TITLES)) if some or n != _CONTAINER)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.services)

    def target(self, index: int) -> Service:
        """The service on line `index`."""
        return self.services[index]

    def title(self, width: int) -> Line:
        """The titles above the lines."""
        return self._cells([tr(title) for title in _TITLES], ["title"] * len(_TITLES), width)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        one = self.services[index]
        chain = escaped("  ← ".join(one.chain) or tr("another user's"), 200)
        waiting = f"{one.connections}" + (f" +{one.backlog}" if one.backlog else "")
        waiting = waiting if one.protocol == "tcp" else ""
        since = "" if one.since is None else age(self.now - one.since)
        where = one.container or (tr("elsewhere") if one.elsewhere else "")
        styles: tuple[Style, ...] = ("bold", "dim", "number", "dim", "" if one.container else "dim",
                                     "" if one.chain else "dim")
        texts = escaped(one.address, 60), one.protocol, waiting, since, escaped(where, 40), chain
        return self._cells(texts, styles, width)

    def _cells(self, texts: Sequence[str], styles: Sequence[Style], width: int) -> Line:
        *heads, last = self._columns
        widths = _WIDTHS if width >= _NARROW else _NARROW_WIDTHS
        spans = [Span(" ")]
        used = 1
        for place in heads:
            align: Literal["left", "right"] = "left" if place in (0, 1, _CONTAINER) else "right"
            spans.append(Span(fit(texts[place], widths[place], align=align) + "  ", styles[place]))
            used += widths[place] + 2
        if used < width:
            spans.append(Span(fit(texts[last], width - used), styles[last]))
        return tuple(spans)


def age(seconds: float) -> str:
    """`3 min`, `2 h`, `5 d`."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name}"
    return f"{max(int(seconds), 0)} s"

