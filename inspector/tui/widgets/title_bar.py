"""The title line: what is seen, where it runs, whether it lives, how many packets and how many were lost.

Painted as one line: that its numbers grow never moves anything else.
"""

from __future__ import annotations

from typing import NamedTuple

from textual.strip import Strip

from inspector.model.language import marked, tr
from inspector.tui.widgets.painter import Painter
from inspector.views.line.spans import Span, Style, cell_width, fit

_PLACES = {"lab": marked("lab"), "host": marked("host")}


class TitleFacts(NamedTuple):
    """What the line says. `progress`: share of the file that is indexed, 0..1."""

    name: str = ""
    place: str = ""                # lab, host
    address: str = ""
    life: str = "starting"         # one of _SIGNS; `tr` says it
    packets: int = 0
    dropped: int | None = 0        # packets that the capture could not keep; None: nobody counted them
    loss: str = marked("dropped")  # what they are called
    progress: float = 1.0
    cut: int = 0                   # packets of which the beginning alone was captured
    behind: int = 0                # packets that were captured and do not stand in the picture yet


_SIGNS: dict[str, tuple[str, Style]] = {
    marked("live"): ("●", "ok"), marked("paused"): ("‖", "warning"), marked("ended"): ("■", "dim"),
    marked("starting"): ("○", "warning"), marked("file"): ("▤", "dim"), marked("followed"): ("●", "ok"),
    marked("writer ended"): ("■", "dim"),
}
_BAR = 12
LEAST_BEHIND = 1000                # what comes between two pictures of a busy wire is no delay


class TitleBar(Painter):
    """One line, always there."""

    DEFAULT_CSS = "TitleBar { height: 1; dock: top; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self.facts = TitleFacts()

    def show(self, facts: TitleFacts) -> None:
        """Say it."""
        if facts != self.facts:
            self.facts = facts
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        right = title_right(self.facts)
        room = max(width - sum(cell_width(span.text) for span in right) - 2, 0)
        left, used = [], 0
        for span in title_left(self.facts):
            text = span.text if used + cell_width(span.text) <= room else fit(span.text, room - used)
            left.append(Span(text, span.style))
            used += cell_width(text)
        return self.paint((*left, Span(" " * (room + 1 - used)), *right, Span(" ")), width)


def title_left(facts: TitleFacts) -> list[Span]:
    """Who we are, and what is seen."""
    spans = [Span(" "), Span("inspector", "key"), Span("   "), Span(facts.name, "bold")]
    place = tr(_PLACES.get(facts.place, facts.place))
    spans += [Span(f"  {part}", "dim") for part in (place, facts.address) if part]
    return spans


def title_right(facts: TitleFacts) -> list[Span]:
    """How it stands."""
    sign, style = _SIGNS[facts.life]
    words = tr(facts.life)
    life = Span(f"{sign} {words}", style)
    if facts.progress < 1:
        done = round(facts.progress * _BAR)
        life = Span(f"{tr('reading')} {'━' * done}{'╌' * (_BAR - done)} {facts.progress:4.0%}", "warning")
    if facts.behind >= LEAST_BEHIND:
        behind = tr("{life}, {count:,} packets behind", life=words, count=facts.behind)
        life = Span(f"{sign} {behind}", "warning")
    packets = tr("{count:,} packet" if facts.packets == 1 else "{count:,} packets", count=facts.packets)
    loss = [] if facts.dropped is None else [
        Span(f"   {facts.dropped:,} {tr(facts.loss)}", "error" if facts.dropped else "dim")]
    cut = [Span(f"   {tr('{count:,} cut', count=facts.cut)}", "warning")] if facts.cut else []
    return [life, Span(f"   {packets}"), *loss, *cut]
