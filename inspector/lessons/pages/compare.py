"""Two runs of a lesson beside each other, row by row: the same scenario with one knob turned.

Two scenes -> what happened in each, in order, named without numbers of the day -> aligned lines, what differs
marked with `≠`.
"""

from __future__ import annotations

from typing import NamedTuple

from inspector.lessons.asking.scene import Scene
from inspector.lessons.pages.words import row_words, word
from inspector.model.packets import first_rows
from inspector.views.conversations.compare.align import aligned, same
from inspector.views.conversations.compare.happenings import call_name
from inspector.views.line.spans import Line, Span, Style, fit
from inspector.wire.text import escaped


class Happening(NamedTuple):
    """A packet or a call. `name` is what is compared; `text` what is shown."""

    name: str
    text: str
    style: Style


def happenings(scene: Scene, language: str) -> list[Happening]:
    """Packets, and calls where they were entered, in the order of time."""
    index = scene.trace.index
    found: list[tuple[int, int, Happening]] = []
    for row in first_rows(index.count):
        name = scene.row_name(row)
        style: Style = "data" if name.endswith(("data", "datagram")) else "syn"
        found.append((int(index.time_ns[row]), 1, Happening(name, "  " + row_words(language, name), style)))
    for call in scene.trace.calls:
        outcome = call.errno or ("…" if call.result is None else str(call.result))
        side: Style = "client" if call.role == "client" else "server"
        found.append((call.time_ns, 0, Happening(
            call_name(call), f"{word(language, 'client' if call.role == 'client' else 'server')}  "
                  f"{escaped(call.name, 20)}() = {escaped(outcome, 20)}", side)))
    return [one for _, _, one in sorted(found, key=lambda item: item[:2])]


def compared(before: Scene, now: Scene, language: str, width: int) -> list[Line]:
    """Both, in columns of half the width; lines that only one has, or that differ, have a sign."""
    room = max((width - 3) // 2, 10)
    left, right = happenings(before, language), happenings(now, language)
    lines: list[Line] = [
        (Span(fit(word(language, "compare"), width), "title"),),
        (Span(fit(word(language, "before"), room), "bold"), Span("   "), Span(word(language, "now"), "bold")),
    ]
    names = [one.name for one in left], [one.name for one in right]
    for row in aligned(names):
        one, two = (None if place is None else side[place]
                    for place, side in zip(row, (left, right), strict=True))
        lines.append(_line(one, two, room, differs=not same(row, names)))
    return lines


def _line(one: Happening | None, two: Happening | None, room: int, *, differs: bool) -> Line:
    def cell(happening: Happening | None) -> Span:
        if happening is None:
            return Span(" " * room)
        return Span(fit(happening.text, room), happening.style if differs else "dim")

    return cell(one), Span(" ≠ " if differs else "   ", "warning"), cell(two)
