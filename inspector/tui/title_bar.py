"""The title line: what is seen, where it runs, whether it lives, how many packets and how many were lost."""

from __future__ import annotations

from typing import NamedTuple

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static


class TitleFacts(NamedTuple):
    """What the line says. `progress`: share of the file that is indexed, 0..1."""

    name: str = ""
    place: str = ""
    address: str = ""
    life: str = "starting"         # starting, live, paused, ended, file
    packets: int = 0
    dropped: int = 0
    progress: float = 1.0


_SIGNS = {"live": ("●", "$text-success"), "paused": ("‖", "$text-warning"), "ended": ("■", "$foreground 60%"),
          "file": ("▤", "$foreground 60%"), "starting": ("○", "$text-warning")}
_BAR = 12


class TitleBar(Horizontal):
    """One line, always there."""

    def compose(self) -> ComposeResult:
        yield Static("", id="title-left")
        yield Static("", id="title-right")

    def show(self, facts: TitleFacts) -> None:
        """Say it."""
        sign, colour = _SIGNS[facts.life]
        left = [("inspector", "bold $text-accent"), ("   ", ""), (facts.name, "bold")]
        left += [(f"  {part}", "$foreground 70%") for part in (facts.place, facts.address) if part]
        self.query_one("#title-left", Static).update(Content.assemble(*left))
        counts = f"{facts.packets:,} packet{'' if facts.packets == 1 else 's'}"
        lost = (f"   {facts.dropped:,} dropped", "bold $text-error" if facts.dropped else "$foreground 60%")
        life = (f"{sign} {facts.life}", colour)
        if facts.progress < 1:
            done = round(facts.progress * _BAR)
            life = (f"reading {'━' * done}{'╌' * (_BAR - done)} {facts.progress:4.0%}", "$text-warning")
        self.query_one("#title-right", Static).update(Content.assemble(life, ("   ", ""), counts, lost))
