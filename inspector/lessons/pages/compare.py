"""Two runs of a lesson beside each other, row by row: the same scenario with one knob turned.

Two scenes -> what happened in each, in order, named without numbers of the day -> aligned lines, marked with
`≠` where one run alone has it or it came out otherwise, `≈` where both have it in another size; of many alike
one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from inspector.lessons.asking.scene import Scene
from inspector.lessons.pages.words import row_words, word
from inspector.model.packets import Row, first_rows, rows_in
from inspector.trace.filter.filter import Filter
from inspector.views.conversations.compare.align import AlignedRow, aligned, same, settled
from inspector.views.conversations.compare.happenings import (
    Happening,
    call_detail,
    call_name,
    may_pass,
    step_name,
)
from inspector.views.ladder.calls import wakes_itself
from inspector.views.line.spans import Line, Span, Style, fit
from inspector.wire.text import escaped

_FOLDED = 4              # so many alike one after the other, and those in the middle become one line
_TITLES = 3              # lines above the rows


def happenings(scene: Scene, language: str, light: Filter | None = None) -> tuple[list[Happening], set[int]]:
    """Packets, and calls where they were entered, in the order of time; and which `light` lets through.

    What a ladder leaves out (`wakes_itself`) stands here neither: both are read beside each other.
    """
    index = scene.trace.index
    lit_rows, lit_calls = _lit(scene, light)
    found: list[tuple[int, int, bool, Happening]] = []
    numbers: dict[int, int] = {}             # of conversations, in the order of their first packets
    for row in first_rows(index.count):
        name = scene.row_name(row)
        style: Style = "data" if name.endswith(("data", "datagram")) else "syn"
        size, frame = int(index.payload_length[row]), int(index.cap_len[row])
        number = numbers.setdefault(int(index.stream[row]), len(numbers) + 1)
        which = f"#{number}" if number > 1 else ""
        # The same message on another connection is the same message; its SYN, ACK and FIN are others.
        found.append((int(index.time_ns[row]), 1, row in lit_rows, Happening(
            name.replace("datagram", "data") + ("" if size else which), f"{name} {size}",
            f"{which} ".rjust(2) + row_words(language, name, size), style, connection=number, frame=frame)))
    for place, call in enumerate(scene.trace.calls):
        if wakes_itself(call):
            continue
        outcome = call.errno or ("…" if call.result is None else str(call.result))
        side: Style = "client" if call.role == "client" else "server"
        found.append((call.time_ns, 0, place in lit_calls, Happening(
            call_name(call), call_detail(call),
            f"{word(language, 'client' if call.role == 'client' else 'server')}  "
            f"{escaped(call.name, 20)}() = {escaped(outcome, 20)}", side)))
    found.sort(key=lambda item: item[:2])
    return [one for *_, one in found], {place for place, item in enumerate(found) if item[2]}


def _lit(scene: Scene, light: Filter | None) -> tuple[set[Row], set[int]]:
    """The rows of packets and the places of calls that `light` lets through."""
    if light is None:
        return set(), set()
    if light.asks_calls:
        return set(), set(light.calls(scene.trace))
    return set(rows_in(light.rows(scene.trace))), set()


class Compared:
    """Both runs as lines: `count`, `line(i, width)`.

    `first`: the first row that is marked and that `light`, what the step is about, lets through in the run of
    now; without one the first that is marked, or 0.
    """

    def __init__(self, before: Scene, now: Scene, language: str, light: Filter | None = None) -> None:
        self._language = language
        one, (other, lit) = happenings(before, language)[0], happenings(now, language, light)
        self._sides = one, other
        names = [one.name for one in self._sides[0]], [one.name for one in self._sides[1]]
        rows = settled(aligned(names, step_name), names, may_pass)
        self._rows: list[tuple[str, AlignedRow] | int] = list(_folded([
            ("≠" if not same(row, names) else "" if self._alike(row) else "≈", row) for row in rows]))
        marked = [(place, row[1][1] in lit) for place, row in enumerate(self._rows)
                  if not isinstance(row, int) and row[0]]
        wanted = [place for place, is_lit in marked if is_lit] or [place for place, _ in marked]
        self.first = wanted[0] + _TITLES if wanted else 0

    @property
    def count(self) -> int:
        """How many lines there are."""
        return _TITLES + len(self._rows)

    def target(self, index: int) -> None:
        """A line leads nowhere: it stands for two runs."""

    def line(self, index: int, width: int) -> Line:
        """Line `index` in `width` cells."""
        room = max((width - 3) // 2, 10)
        language = self._language
        if index == 0:
            return (Span(fit(word(language, "compare"), width), "title"),)
        if index == 1:
            several = any(one.connection > 1 for side in self._sides for one in side)
            signs = [word(language, "signs"), *([word(language, "second")] if several else [])]
            return (Span(fit("   ".join(signs), width), "dim"),)
        if index == 2:
            return (Span(fit(word(language, "before"), room), "bold"), Span("   "),
                    Span(fit(word(language, "now"), room), "bold"))
        row = self._rows[index - _TITLES]
        if isinstance(row, int):
            return (Span(fit(f"  ⋯ {row} {word(language, 'alike')}", width), "dim"),)
        sign, places = row
        steps = [None if place is None else side[place]
                 for side, place in zip(self._sides, places, strict=True)]
        by_frame = sign == "≈" and len({one.detail for one in steps if one is not None}) == 1
        one, two = (self._cell(step, room, is_marked=bool(sign), by_frame=by_frame) for step in steps)
        return one, Span(f" {sign or ' '} ", "warning"), two

    def _cell(self, step: Happening | None, room: int, *, is_marked: bool, by_frame: bool) -> Span:
        """One side of a row; `by_frame`: the two differ in the size of their frames alone."""
        if step is None:
            return Span(fit("", room), "")
        more = f"  ({word(self._language, 'frame').format(size=step.frame)})" if by_frame else ""
        return Span(fit(step.text + more, room), step.style if is_marked else "dim")

    def _alike(self, row: AlignedRow) -> bool:
        steps = [side[place] for side, place in zip(self._sides, row, strict=True) if place is not None]
        return len({(step.detail, step.frame) for step in steps}) == 1


def _folded(rows: list[tuple[str, AlignedRow]]) -> Iterator[tuple[str, AlignedRow] | int]:
    """The rows; of many alike those beside a marked one, and how many there are between them."""
    groups = [(marked, list(group)) for marked, group in groupby(rows, lambda row: bool(row[0]))]
    for place, (marked, group) in enumerate(groups):
        if marked or len(group) < _FOLDED:
            yield from group
            continue
        head, tail = int(place > 0), int(place < len(groups) - 1)
        yield from group[:head]
        yield len(group) - head - tail
        yield from group[len(group) - tail :]
