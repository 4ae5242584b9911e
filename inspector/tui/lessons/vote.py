"""The learner's side of a vote, in a browser: the teacher's question, and an answer to it by key.

`show` brings what the teacher asks now; an answer goes to `Seat`, and can be changed while the round is open.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from inspector.lab.files.folders import FolderError
from inspector.lessons.classroom import notes
from inspector.lessons.classroom.ballot import Ballot, Seat
from inspector.lessons.classroom.vote_page import vote_page
from inspector.lessons.pages.words import Word, word
from inspector.model.language import language, marked, sentence
from inspector.tui.lessons.page_list import NumberInput, PageList
from inspector.tui.messages import FirstPictureDone, LauncherAsked, LessonsAsked
from inspector.tui.widgets.base import BaseScreen
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.painter import Head
from inspector.tui.widgets.prompt import PromptScreen
from inspector.views.line.spans import Line, Span


class _VoteList(PageList):
    """The lines of a question; Enter is for what can be chosen."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "activate" and (self.page is None or not self.page.options):
            return False
        return super().check_action(action, parameters)


class VoteScreen(BaseScreen):
    """One question at a time."""

    LEGEND_TITLE = "Vote"
    LEGEND = (
        "What your teacher asks stands here. **↑** **↓** or a digit choose an answer, **Enter** gives it; as "
        "long as the round is open you may give another one. First each answers alone, then, after talking, "
        "again. What it was you see when it has happened.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"option({number})", sentence("Answer {number}", number=number), show=False,
                  id=f"vote.option-{number}") for number in range(1, 10)),
        Binding("L", "lessons", "Lessons", id="vote.lessons", tooltip="Lessons of your own, meanwhile"),
        Binding("n", "launcher", "Launcher", id="vote.launcher"),
    ]

    def __init__(self, seat: Seat, language: str) -> None:
        super().__init__()
        self.seat, self.language = seat, language
        self.ballot: Ballot | None = None
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        yield Head(self._title, classes="over-list")
        with Vertical(id="vote"):
            yield _VoteList(id="page")
            yield NumberInput(id="number", compact=True)
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(PageList).focus()
        self.show(self.seat.ballot())
        if notes.own() is None:
            self._ask_name()
        self.call_after_refresh(self.post_message, FirstPictureDone())

    def _title(self, width: int) -> list[Line]:
        title = "" if self.ballot is None else self.ballot.title
        return [(Span(" "), Span("inspector", "key"), Span("   "), Span(title, "bold")), ()]

    def word(self, name: Word) -> str:
        """A word in the language of the class."""
        return word(self.language if self.ballot is None else self.ballot.language, name)

    def _ask_name(self) -> None:
        """Ask once; who says nothing has no name."""

        def given(name: str | None) -> None:
            try:
                notes.give_name(name or "")
            except (FolderError, OSError) as error:
                self.app.notify(str(error), severity="error")

        self.app.push_screen(PromptScreen(self.word("name-asked"), hint=self.word("name-hint")), given)

    # --- what is seen ---

    def show(self, ballot: Ballot | None) -> None:
        """This is asked now. Where the screen is only being put there, `on_mount` shows it."""
        self.ballot = ballot
        if not self.query(PageList):
            return
        pages, number = self.query_one(PageList), self.query_one(NumberInput)
        width = pages.line_width
        choice = None if ballot is None else self.seat.choice(ballot)
        state = (ballot, choice, width)
        if state == self._drawn or width < 12:
            return
        before, self._drawn = self._drawn, state
        same = isinstance(before, tuple) and before[0] is not None and ballot is not None and (
            before[0].id == ballot.id)
        pages.show_page(vote_page(ballot, choice, self.language, width), pages.option if same else choice)
        if not same:
            pages.scroll_to(y=0, animate=False)
        self.query_one(Head).again()
        asks_number = ballot is not None and ballot.asks_number and ballot.state == "open"
        number.display, number.placeholder = asks_number, self.word("number")
        if asks_number or number.has_focus:
            (number if asks_number else pages).focus()
        self.call_after_refresh(self.refresh_bindings)

    def language_changed(self) -> None:
        super().language_changed()
        self.language, self._drawn = language(), None
        self.show(self.ballot)

    def on_resize(self, _event: events.Resize) -> None:
        self.call_after_refresh(lambda: self.show(self.ballot))

    def key_name(self, binding: Binding) -> str:
        return marked("Answer") if binding.id == "lesson.go" else super().key_name(binding)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "scroll_words":
            return any(page.overflows for page in self.query(PageList))
        return super().check_action(action, parameters)

    def action_scroll_words(self, direction: int) -> None:
        self.query_one(PageList).scroll_page(direction)

    # --- answering ---

    def action_option(self, number: int) -> None:
        if not self.query_one(PageList).choose_option(number):
            self._choose_first()

    @on(PageList.Answered)
    def _answered(self, message: PageList.Answered) -> None:
        message.stop()
        if message.option is not None:
            self._vote(message.option)
        else:
            self._choose_first()

    def _choose_first(self) -> None:
        """Say what is to be done, where something is asked."""
        if self.ballot is not None and self.ballot.state == "open" and not self.ballot.asks_number:
            self.app.notify(self.word("vote-open"), severity="warning", timeout=4)

    @on(Input.Submitted)
    def _number_given(self, event: Input.Submitted) -> None:
        event.stop()
        if self.ballot is None or self.ballot.cleaned(event.value.strip()) is None:
            self.app.notify(self.word("number-wrong"), severity="warning", timeout=4)
            return
        self._vote(event.value.strip())
        event.input.clear()

    def _vote(self, choice: str) -> None:
        if self.ballot is not None and not self.seat.vote(self.ballot, choice):
            self.app.notify(self.word("vote-lost"), severity="warning", timeout=4)
        self.show(self.seat.ballot())

    def action_lessons(self) -> None:
        self.post_message(LessonsAsked(None))

    def action_launcher(self) -> None:
        self.post_message(LauncherAsked(None))
