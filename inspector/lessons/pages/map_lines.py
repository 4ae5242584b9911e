"""The map of lessons as lines: number, title, minutes, how far it is done, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inspector.lessons.format.model import Lesson
from inspector.lessons.pages.words import word
from inspector.lessons.progress import Progress
from inspector.views.line.spans import Line, Span, Style, cell_width, fit

_BAR = 8


class MapLines:
    """One line a lesson."""

    def __init__(self, lessons: Sequence[Lesson], done: Mapping[str, Progress], language: str) -> None:
        self._lessons, self._done, self._language = lessons, done, language
        self._numbers = {lesson.name: lesson.number for lesson in lessons}

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._lessons)

    def target(self, index: int) -> str:
        """The lesson's name."""
        return self._lessons[index].name

    def line(self, index: int, width: int) -> Line:
        """Line `index` in `width` cells."""
        lesson = self._lessons[index]
        done = self._done.get(lesson.name, Progress())
        sign, style = self._sign(done)
        rests = [str(self._numbers.get(name, name)) for name in lesson.prerequisites]
        behind = f"{lesson.minutes:>3} {word(self._language, 'minutes')}  {fit(sign, _BAR)}"
        if rests and width >= 70:
            behind += f"  {word(self._language, 'rests')} {', '.join(rests)}"
        room = max(width - 6 - 26 - 10, 20)
        return (Span(f" {lesson.number:>2}  ", "number"),
                Span(fit(lesson.text(self._language).title, min(room, 48)), "bold"),
                Span("  "), Span(fit(behind, max(width - min(room, 48) - 7, cell_width(sign))), style))

    def _sign(self, done: Progress) -> tuple[str, Style]:
        if done.done:
            return "✓ " + word(self._language, "done"), "ok"
        if done.step and done.steps:
            filled = round(done.step / done.steps * _BAR)
            return "━" * filled + "╌" * (_BAR - filled), "warning"
        return "", "dim"
