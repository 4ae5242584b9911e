"""A lesson on the projector: at each prediction the class votes in two rounds, then it happens.

    Enter: round 1 ─> it is closed ─> round 2 ─> what was answered ─> it happens, the truth beside the bars

Browsers vote through `BallotBox`, which is looked into as long as a round is open; hands are counted by the
teacher, in the line for numbers. What was counted is kept. The lesson is the class's: no progress
and no answers are kept as the teacher's own.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from inspector.lab.files.folders import FolderError
from inspector.lessons.classroom import tallies
from inspector.lessons.classroom.ballot import LOOK, Ballot, BallotBox
from inspector.lessons.classroom.notes import key_of, note_vote
from inspector.lessons.classroom.poll import Poll
from inspector.lessons.classroom.poll_page import poll_page
from inspector.lessons.classroom.tallies import Tally
from inspector.lessons.format.model import Lesson
from inspector.lessons.format.page import wrapped_spans
from inspector.lessons.pages.step_page import StepPage
from inspector.lessons.pages.words import Word
from inspector.lessons.play.answers import number_of
from inspector.lessons.play.player import TRIES
from inspector.model.language import recognised, tr
from inspector.tui.lessons.page_list import PageList
from inspector.tui.lessons.screen import LessonScreen
from inspector.views.line.spans import Span
from inspector.wire.text import escaped


class TeachScreen(LessonScreen):
    """One lesson, for a class."""

    LEGEND_TITLE = "Teaching"
    LEGEND = (
        "Before each thing happens, the class says what will. **Enter** opens round 1, in which each answers "
        "alone; closes it, and neighbours convince each other; opens and closes round 2; then shows what was "
        "answered; then it happens, and the truth stands beside the bars.",
        "Browsers of **inspector serve --class DIR** vote by themselves. For raised hands, **↑** **↓** "
        "choose an answer, then type their number and **Enter**; where a number is asked for, first the "
        "number that somebody calls, then the hands for it.",
        "**t** shows what was answered between the rounds, **h** lets it happen at once, **→** passes by a "
        "step. All else is as in a lesson.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "tally", "Show answers", id="teach.tally", tooltip="What was answered in round 1"),
        Binding("h", "happen", "Let it happen", id="teach.happen", tooltip="No more votes: it happens now"),
        Binding("up", "turn_option(-1)", "Answer before", show=False, id="teach.option-before"),
        Binding("down", "turn_option(1)", "Next answer", show=False, id="teach.option-after"),
    ]

    def __init__(self, lesson: Lesson, language: str, box: BallotBox) -> None:
        super().__init__(lesson, language)
        self.box = box
        self._polls: dict[int, Poll] = {}      # by the step's place
        self._called: str | None = None        # a number that was called, whose hands are counted next
        self._ballot: Ballot | None = None       # what was told last, while its answers can still be noted
        self._tallied: set[str] = set()        # votes whose counts are kept

    def on_mount(self) -> None:
        if self.box.takes_votes:
            self.set_interval(LOOK, self._look_into_box)

    def kept_place(self) -> int:
        return 0

    @property
    def poll(self) -> Poll | None:
        """The vote on the step that is seen; None where nothing is predicted, or it was passed by."""
        place, step, record = self.player.place, self.player.step, self.player.record
        if step.kind == "predict" and record.phase == "ask" and not self.player.catching_up:
            self._polls.setdefault(place, Poll(tuple(one.id for one in step.choices)))
        return self._polls.get(place)

    # --- what is seen ---

    def made_page(self, width: int) -> StepPage:
        poll = self.poll
        if poll is not None:
            return poll_page(self.player, poll, self.language, width)
        page = super().made_page(width)
        if self.player.step.kind in TRIES and self.player.record.phase == "ask":
            why = wrapped_spans([Span(self.word("poll-not-voted"), "dim")], max(width - 2, 12))
            page.lines += [(), *((Span(" "), *line) for line in why)]
        return page

    def more_drawn(self) -> tuple[object, ...]:
        poll = self.poll
        return () if poll is None else (poll.stage, poll.shown, poll.there, poll.mark, self._called)

    def least_below(self) -> int:
        """None while the class is asked: nothing happens there then."""
        return 0 if self.poll is not None and self.player.record.phase == "ask" else super().least_below()

    def wants_number(self) -> bool:
        poll = self.poll
        return super().wants_number() if poll is None else poll.is_open

    def number_wanted(self) -> str:
        poll = self.poll
        if poll is None:
            return super().number_wanted()
        if self._called is None and not poll.options:
            return self.word("hands-answer")
        return self.word("hands-for").format(self._called or self._numbered(self._target))

    @property
    def _target(self) -> str | None:
        """The option that hands are counted for."""
        return self._called or self.query_one(PageList).option

    def _numbered(self, option: str | None) -> str:
        """An option by its number on the page."""
        poll = self.poll
        return "?" if poll is None or option not in poll.options else str(poll.options.index(option) + 1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        poll = self.poll if self.is_mounted else None
        if action == "tally":
            return poll is not None and poll.stage == "talk"
        if action == "happen":
            return poll is not None and self.player.record.phase == "ask"
        if action == "hint" and poll is not None and poll.stage == "told":
            return False
        return super().check_action(action, parameters)

    # --- the vote ---

    def go_on(self, option: str | None) -> None:
        poll = self.poll
        if poll is None or self.player.record.phase != "ask":
            super().go_on(option)
        else:
            self._go_on(poll)

    def _go_on(self, poll: Poll) -> None:
        """The next stage of the vote; it happens after the last one."""
        if poll.stage == "counted":
            self.action_happen()
            return
        self._look_into_box()                  # what came at the last moment counts
        poll.go()
        self._called = None
        self._publish()
        self.draw()
        if poll.is_open and poll.options:
            self.query_one(PageList).choose_option(1)
            self.show_number_line()

    def action_happen(self) -> None:
        poll, player = self.poll, self.player
        if poll is None or player.scene is None or player.record.phase != "ask":
            return
        self._look_into_box()
        poll.skip()
        self._called = None
        player.answer(("",))                   # what happens is the same whatever was answered
        if self.player.record.judged is not None:      # it was asked of what had happened already
            self.happened()
        self.lead()
        self._publish()
        self.draw()

    def happened(self) -> None:
        poll = self.poll
        if poll is not None:
            poll.reveal()
            self._publish()
            self._ballot = poll.ballot(self.player, self.language)
            self._note_votes(left=True)
            self._keep_tally(poll)
        super().happened()

    def _note_votes(self, *, left: bool) -> None:
        """Have the answers of those who are not there any more, or `not left` of all, in their results.

        Who is there notes them by themselves when they are told; who loaded the page again forgot them.
        """
        if self._ballot is not None and self.box.takes_votes:
            for seat, answers in self.box.counted(self._ballot, left=left).items():
                note_vote(self._ballot, answers, self.box.results_of(seat))
        if not left:
            self._ballot = None

    def _keep_tally(self, poll: Poll) -> None:
        """Keep what was counted, once."""
        place = next(place for place, one in self._polls.items() if one is poll)
        if poll.id in self._tallied or not poll.counted:
            return
        self._tallied.add(poll.id)
        judged = self.player.records[place].judged
        truth = judged.truth[0] if judged is not None and poll.stage == "told" else ""
        tally = Tally(key_of(self.lesson), self.lesson.steps[place].id, tallies.now(), truth, poll.counted)
        try:
            tallies.keep(self.box.tallies or tallies.own_file(), tally)
        except (FolderError, OSError) as error:
            why = escaped(str(error), 200)
            self.app.notify(tr("What was counted cannot be kept: {why}.", why=why), severity="error")

    def action_tally(self) -> None:
        if self.poll is not None:
            self.poll.shown = not self.poll.shown
            self.draw()

    def _look_into_box(self) -> None:
        poll = self.poll
        if poll is not None and poll.is_open and self.box.takes_votes:
            there, votes = self.box.votes(poll.ballot(self.player, self.language))
            if poll.take(there, votes):
                self.draw()

    def _publish(self) -> None:
        """Have browsers show the question that is seen here, where there is one."""
        poll = self.poll
        try:
            if poll is None or poll.stage == "before":
                self.box.withdraw()
            else:
                self.box.publish(poll.ballot(self.player, self.language))
        except OSError as error:
            why = recognised(error.strerror or "")
            self.app.notify(tr("Browsers are not told: {why}.", why=why), severity="error")

    # --- raised hands ---

    def takes(self, text: str) -> bool:
        poll = self.poll
        return super().takes(text) or (text == "" and poll is not None and poll.is_open)

    def take_number(self, text: str) -> None:
        poll, number = self.poll, number_of(text)
        if poll is None or not poll.is_open:
            super().take_number(text)
            return
        if number is None:                     # Enter alone
            self._go_on(poll)
        elif not poll.options and self._called is None:
            self._called = str(number)
        elif self._target is not None:
            poll.raise_hands(self._target, number)
            self._called = None
            if poll.options:
                self.action_turn_option(1)
        self.draw()

    def action_turn_option(self, step: int) -> None:
        self.query_one(PageList).action_move(step)
        self.show_number_line()

    # --- back and forth; nothing of it is the teacher's own ---

    def action_forth(self) -> None:
        """The next step; what was not done yet is done unasked."""
        player = self.player
        if not player.is_last and player.scene is not None and player.record.phase in ("ask", "ready"):
            self._leave_question()
            self._polls.pop(player.place, None)
            player.resume_at(player.place + 1)
            self.lead()
            self._publish()
            self.draw()
        else:
            super().action_forth()

    def _moved(self, moved: bool, why_not: Word) -> None:
        if moved:
            self._leave_question()
        super()._moved(moved, why_not)
        self._called = None
        self._publish()

    def _leave_question(self) -> None:
        """Another step is seen from now on."""
        self._note_votes(left=False)
        for poll in self._polls.values():
            self._keep_tally(poll)

    def _keep(self, *, done: bool = False) -> None:
        """A class's lesson is not the teacher's own."""

    def keep_result(self, *, done: bool = False) -> None:
        """Nor are its answers."""

    def _begin_again(self) -> None:
        self._leave_question()
        self._polls.clear()
        self.box.withdraw()

    async def on_unmount(self) -> None:
        self._leave_question()
        self.box.withdraw()
