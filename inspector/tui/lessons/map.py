"""The map of lessons: what there is, what each rests on, how far it is done; Enter opens one."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from inspector.lab.files.folders import FolderError
from inspector.lessons import progress
from inspector.lessons.classroom import notes
from inspector.lessons.library import lessons
from inspector.lessons.pages.map_lines import MapLines
from inspector.lessons.pages.words import word
from inspector.model.language import language
from inspector.tui.messages import FirstPictureDone, LanguageAsked, LauncherAsked, LessonsAsked
from inspector.tui.widgets.base import BaseScreen
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.views.line.spans import Line, Span


class LessonMapScreen(BaseScreen):
    """All lessons."""

    LEGEND_TITLE = "Lessons"
    LEGEND = (
        "Each lesson takes five to ten minutes: you say what will happen, let it happen between two real "
        "programs, and compare. **Enter** opens one where you left it; **l** changes the language.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "language", "English/中文", id="lessons.language"),
        Binding("R", "forget", "Begin anew", id="lessons.forget",
                tooltip="Forget how far this lesson was done, and the answers"),
        Binding("n,escape", "launcher", "Launcher", key_display="n", id="lessons.launcher"),
    ]

    def __init__(self, language: str, chosen: str = "", *, goes_on: bool = False) -> None:
        """`chosen`: the lesson one comes from; `goes_on`: it is done, and the next one is wanted."""
        super().__init__()
        self.language = language
        self.lessons = lessons()
        self._chosen, self._goes_on = chosen, goes_on

    def compose(self) -> ComposeResult:
        yield Head(self._title, classes="over-list")
        yield LineList(id="lessons")
        yield KeyLine()

    def on_mount(self) -> None:
        names = [lesson.name for lesson in self.lessons]
        place = names.index(self._chosen) if self._chosen in names else None
        self._show(self._first_undone(place or 0) if place is None or self._goes_on else place)
        self.query_one(LineList).focus()
        self.call_after_refresh(self.post_message, FirstPictureDone())

    def _first_undone(self, place: int) -> int:
        """The first lesson that is not done, from `place` on; then of all; `place` where all are done."""
        undone = [number for number, one in enumerate(self.lessons) if not progress.of(one.name).done]
        return next((number for number in undone if number >= place), undone[0] if undone else place)

    def _show(self, cursor: int | None) -> None:
        done = {lesson.name: progress.of(lesson.name) for lesson in self.lessons}
        lines = self.query_one(LineList)
        lines.show(MapLines(self.lessons, done, self.language), cursor)
        self.query_one(Head).again()

    def _title(self, width: int) -> list[Line]:
        brand = (Span(" "), Span("inspector", "key"), Span("   "), Span(word(self.language, "map"), "bold"))
        return [brand, (Span(" " + word(self.language, "map-hint"), "dim"),), ()]

    @on(LineList.LineOpened)
    def _opened(self, message: LineList.LineOpened) -> None:
        message.stop()
        self.post_message(LessonsAsked(self.lessons[message.index]))

    def action_language(self) -> None:
        self.post_message(LanguageAsked())

    def language_changed(self) -> None:
        super().language_changed()
        self.language = language()
        self._show(self.query_one(LineList).cursor)

    def action_forget(self) -> None:
        cursor = self.query_one(LineList).cursor
        if cursor is not None:
            progress.reset(self.lessons[cursor].name)
            with contextlib.suppress(FolderError, OSError):        # then nothing can be kept here
                notes.forget(self.lessons[cursor].name)
            self._show(cursor)

    def action_launcher(self) -> None:
        self.post_message(LauncherAsked(None))
