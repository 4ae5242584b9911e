"""The ladder's lines, what is chosen marked where it stands: a packet in the middle, a call in a margin."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from inspector.model.packets import Row
from inspector.tui.widgets.line_list import LineList
from inspector.views.ladder.ladder import Ladder, Target


class LadderList(LineList):
    """A list whose lines hold up to three things that can be chosen: a call, a packet, a call."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "side(-1)", "To the left", show=False, id="ladder.left"),
        Binding("right,l", "side(1)", "To the right", show=False, id="ladder.right"),
    ]

    SIGN: ClassVar[str] = ""           # it stands in a blank of the picture, where it moves nothing

    class SideChosen(Message):
        """Another thing on the line of the cursor was chosen."""

        def __init__(self, target: Target) -> None:
            super().__init__()
            self.target = target

    def __init__(self, *, id: str, hint: str = "") -> None:
        super().__init__(id=id, follow=True, hint=hint)
        self.target = Target()

    @property
    def ladder(self) -> Ladder | None:
        return self.provider if isinstance(self.provider, Ladder) else None

    def mark(self, target: Target, rows: tuple[Row, ...], *, go: bool = True) -> None:
        """Mark what was chosen, and the other packets that belong to it; `go`: and bring it into sight."""
        if self.ladder is None:
            return
        lines = set(self.ladder.lines_of(target))
        for row in rows:
            lines.update(self.ladder.lines_of(Target(row=row)))
        if target != self.target:
            self.target = target
            self.again()
        here = self.cursor in lines and self.cursor is not None
        self.choose(self.cursor if here else self.ladder.index_of(target), frozenset(lines), go=go)

    def action_side(self, step: int) -> None:
        if self.ladder is None or self.cursor is None:
            return
        width = self.scrollable_content_region.width
        found = []
        for target in self.ladder.targets(self.cursor):
            cells = self.ladder.cells_of(self.cursor, target, width)
            if cells is not None:
                found.append((cells[0], target))
        places = [target for _, target in sorted(found, key=lambda item: item[0])]
        if self.target in places:
            place = places.index(self.target) + step
            if 0 <= place < len(places):
                self.post_message(self.SideChosen(places[place]))
        elif places:
            self.post_message(self.SideChosen(places[0 if step > 0 else -1]))

    def draw_line(self, y: int) -> Strip:
        index, width = round(self.scroll_y) + y, self.scrollable_content_region.width
        strip = super().draw_line(y)
        ladder = self.ladder
        if ladder is None or index >= self.count or (index != self.cursor and index not in self.also):
            return strip
        cells = ladder.cells_of(index, self.target, width)
        if cells is None or self.unseen:
            return strip
        line = ladder.line(index, width)
        strong = self.paint(line, width, "line--cursor" if self.has_focus else "line--cursor-blurred")
        faint = self.paint(line, width, "line--also")
        start, stop = cells
        parts = [faint.crop(0, start), strong.crop(start, stop), faint.crop(stop, width)]
        if index != self.cursor:
            return Strip.join(parts)
        if parts[1].text.startswith(" "):
            parts[1] = Strip.join([_signed(parts[1].crop(0, 1)), parts[1].crop(1)])
        elif parts[0].text.endswith(" "):
            parts[0] = Strip.join([parts[0].crop(0, start - 1), _signed(parts[0].crop(start - 1))])
        return Strip.join(parts)


def _signed(blank: Strip) -> Strip:
    return Strip([Segment(LineList.SIGN, style) for _, style, _ in blank])
