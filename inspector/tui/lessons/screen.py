"""A lesson on the screen: its words at one side, the learner's own packets and calls at the other.

`Player` says what there is to read, to answer and to do; keys answer it (`answering.py`); `Runs` bring the
traces that it wants, the panes show them (`beside.py`); whenever a trace grew the player is asked again, and
what it gives goes to the agent.

    | inspector  What a socket is   step 3 of 10            ● live  3 packets |
    | Predict   3 / 10              | client pid 41     server pid 40         |
    | How many packets will …       | socket() = 3                            |   one of the panes, [ and ]
    |  1  three                     | connect(:9000) …   1 ── SYN ─────────▶  |
    | ▶2  none                      |   └ = 0            2 ◀────── SYN ACK ── |
    | 42_                           |                                         |   a line for numbers

Where it is narrow, the words stand above.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.binding import Binding, BindingType

from inspector.lab.errors import LabError
from inspector.lessons import progress
from inspector.lessons.asking.scene import TooMuchError
from inspector.lessons.classroom.notes import Notes
from inspector.lessons.classroom.notes import keep as keep_result
from inspector.lessons.format.model import Lesson
from inspector.lessons.pages.step_page import StepPage, step_page
from inspector.lessons.pages.words import Word
from inspector.lessons.play.player import Player
from inspector.model.language import recognised, tr
from inspector.sessions.kinds import kind_of
from inspector.tui.lessons.answering import Answering
from inspector.tui.lessons.beside import TwoSides
from inspector.tui.lessons.ladder_pane import SPEC as LADDER
from inspector.tui.lessons.page_list import PageList
from inspector.tui.lessons.run import Runs
from inspector.tui.messages import NOTHING, LessonsAsked, TraceGrew
from inspector.tui.terminal.turnstile import turnstile_of
from inspector.tui.widgets.base import may
from inspector.tui.widgets.title_bar import TitleBar, TitleFacts
from inspector.tui.workbench.feed import TraceFeed
from inspector.tui.workbench.save import ask_for_name
from inspector.views.ladder.current import current_conversation
from inspector.views.session.loss import loss_word
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


class LessonScreen(TwoSides, Answering):
    """One lesson. What is typed answers it; nothing happens before it was said what will."""

    LEGEND_TITLE = "Lesson"
    LEGEND = (
        "Read, say what will happen, then see it happen: both programs are real, and wait before each system "
        "call until you let it pass. **↑** **↓** or a digit choose an answer, **Enter** gives it, lets "
        "something happen, or goes on. Where things are put in order, the digits in their order do it, and "
        "**backspace** takes the last one back; **Enter** gives all of it.",
        "**PgUp** and **PgDn** scroll the words where they are more than fit.",
        "**i** gives a hint, each a degree more; **s** shows what was to be ordered or filled in. **←** and "
        "**→** go back and forth; what happened stays. **]** shows the next pane beside the words, **tab** "
        "goes into it, **o** compares two runs.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *Answering.ANSWER_BINDINGS,
        Binding("left", "back", "Back", id="lesson.back", tooltip="The step before; what happened stays"),
        Binding("right", "forth", "Forth", show=False, id="lesson.forth"),
        *TwoSides.PANE_BINDINGS,
        Binding("m", "map", "Map", id="lesson.map", tooltip="All lessons"),
        Binding("R", "again", "Again", show=False, id="lesson.again",
                tooltip="Play this lesson from its start"),
        Binding("ctrl+s", "save", "Save", show=False, id="lesson.save", tooltip="Keep the trace of this run"),
        Binding("escape", "to_words", "To the words", show=False, id="lesson.words"),
    ]

    def __init__(self, lesson: Lesson, language: str) -> None:
        super().__init__()
        self.lesson, self.language = lesson, language
        self.player = Player(lesson)
        self.notes = Notes(lesson)
        self.runs = Runs()
        self.feed: TraceFeed | None = None
        self.given = ()
        self.drawn: object = None         # what the page was drawn from,
        self._place_drawn = -1             # and the step
        self._starting = False
        self.early = False, None
        self.is_done = False               # it was gone through to its end, and left

    # --- what is seen ---

    def on_mount(self) -> None:
        if place := self.kept_place():
            self.player.resume_at(place)
            self.app.notify(self.word("resumed"), timeout=4)
        self.place_sides()
        self.draw()
        self.query_one(PageList).focus()
        self._bring_run()

    def kept_place(self) -> int:
        """The step where one goes on; 0 for the beginning."""
        kept = progress.of(self.lesson.name)
        return kept.step if kept.step < len(self.lesson.steps) and not kept.done else 0

    def on_resize(self, _event: events.Resize) -> None:
        self.place_sides()
        self.call_after_refresh(self._redraw)

    def language_changed(self) -> None:
        super().language_changed()
        self._redraw()

    def _redraw(self) -> None:
        self.drawn = None
        self.draw()

    def draw(self) -> None:
        """The page of the step, where something of it changed."""
        player, pages = self.player, self.query_one(PageList)
        width = pages.line_width
        record = player.record
        state = (player.place, record.phase, record.hints, record.revealed, record.tries, self.given, width,
                 tuple(record.values.items()), player.scene is None, player.catching_up, *self.more_drawn())
        if state == self.drawn or width < 12:
            return
        moved, self._place_drawn = self._place_drawn != player.place, player.place
        self.drawn = state
        if not player.catching_up:
            self.notes.look(player.step)
        page = self.made_page(width)
        pages.show_page(page, None if moved else pages.option)
        self.take_hint_back()
        self.show_number_line()
        self.light()
        self.give_room(page.count)
        turnstile_of(self).after_refresh(self, self._bring_into_sight, page, moved)    # in its new room
        self._update_title()
        self.call_after_refresh(self.refresh_bindings)     # whether the words scroll is known then

    def made_page(self, width: int) -> StepPage:
        """The step that is seen, in lines."""
        return step_page(self.player, self.language, width, self.given)

    def more_drawn(self) -> tuple[object, ...]:
        """What else the page is drawn from."""
        return ()

    def _bring_into_sight(self, page: StepPage, moved: bool) -> None:
        """Show of a step what is to be read now: its beginning, or what came last, from its first line on."""
        pages, record = self.query_one(PageList), self.player.record
        end = max(page.count - pages.size.height, 0)
        if pages.page is not page:
            return
        if moved:
            pages.scroll_to(y=0, animate=False)
        elif page.news:
            pages.scroll_to(y=min(page.news, end), animate=False)
        elif record.hints or self.given or record.judged is not None:
            pages.scroll_to(y=end, animate=False)

    def _update_title(self) -> None:
        trace, scene, session = self.runs.trace, self.player.scene, self.runs.session
        life = "starting" if scene is None or self.player.wants is not None else "paused"
        if scene is not None and any(event.kind == "session-ended" for event in scene.trace.events):
            life = "ended"
        name = f"{self.lesson.number}  " if self.lesson.number else ""
        self.query_one(TitleBar).show(TitleFacts(
            name + self.lesson.text(self.language).title, "", "", life,
            0 if trace is None else trace.index.count, 0 if trace is None else trace.statistics.dropped,
            loss_word(trace, None if session is None else session.spec)))

    # --- the run ---

    def _bring_run(self) -> None:
        """Start the session that the player wants, if it wants one."""
        if self.player.wants is not None and not self._starting:
            self._starting = True
            if self.feed is not None:
                self.feed.stop()
            self._start()

    @work(thread=True, group="lesson")
    def _start(self) -> None:
        from inspector.trace.trace import TraceError  # for the time of start-up: the page is read first

        wanted = self.player.wants
        assert wanted is not None
        if kind_of(wanted).starts_programs and not may(self.app, "programs"):
            sentence = tr("Programs of this machine are not started for visitors.")
            self.app.call_from_thread(self._failed, sentence)
            return
        try:
            trace = self.runs.start(wanted)
        except (LabError, TraceError, OSError) as error:
            self.app.call_from_thread(self._failed, str(error))
            return
        if trace is not None:
            self.app.call_from_thread(self._begun, trace)

    def _failed(self, sentence: str) -> None:
        if not self.is_leaving:
            self.app.notify(escaped(sentence), severity="error", timeout=30)
            self.action_map()

    def _begun(self, trace: Trace) -> None:
        self._starting = False
        if self.is_leaving:
            return
        self.selection = NOTHING
        for pane in self.panes:
            pane.show_trace(trace, follow=True)
        self.player.begin(trace)
        wake = None if self.runs.session is None else self.runs.session.wake_fd
        self.feed = TraceFeed(trace, self._report_growth, self._failed, self._ended, wake)
        self.feed.start()
        self.draw()
        (asked, option), self.early = self.early, (False, None)
        if asked:
            self.go_on(option)

    def _report_growth(self) -> None:
        self.post_message(TraceGrew())

    def _ended(self) -> None:
        """The agent has gone, as it does when a run is over; or it was killed, and nothing more happens."""
        session = self.runs.session
        if self.is_leaving or self._starting or session is None:
            return
        if session.alive:                        # its pipe is closed, it ends this moment
            self.set_timer(0.05, self._ended)
        elif session.failure:
            self.app.notify(tr("{failure} R plays this lesson from its start.",
                               failure=escaped(recognised(session.failure))), severity="error", timeout=30)
            self._update_title()

    @on(TraceGrew)
    def _trace_grew(self) -> None:
        trace = self.runs.trace
        if trace is None or self.feed is None or self._starting:
            return
        self.lead()
        conversation = current_conversation(trace, self.selection.row, None, stay=False, live=True)
        for pane in self.panes:
            pane.conversation = conversation
            pane.trace_grew()
        self.draw()
        self._update_title()
        self.feed.taken()

    def lead(self) -> None:
        """Ask the player, and do what it says."""
        before, resuming = self.player.record.phase, self.player.catching_up
        try:
            for command in self.player.advance():
                self.runs.send(command)
        except TooMuchError as error:
            self.app.notify(str(error), severity="error", timeout=10)
        self._bring_run()
        if resuming and not self.player.catching_up:
            self.look()
        if before == "running" and self.player.record.phase == "over":
            self.happened()

    def happened(self) -> None:
        self.given = ()
        if self.player.former is not None and self.player.step.change is not None:
            self.comparing = True
            self.place_sides()
            self.compare()
        self._keep()

    # --- back and forth ---

    def next_step(self) -> None:
        if self.player.is_last and self.player.place == self.player.reached:
            self._keep(done=True)
            self.is_done = True
            self.action_map()
            return
        self._moved(self.player.forth(), "locked")

    def action_forth(self) -> None:
        if self.player.is_last:
            self.hint_at(self.word("last-step"))
        else:
            self._moved(self.player.forth(), "locked")
            self.draw()

    def action_back(self) -> None:
        self._moved(self.player.back(), "first-step")
        self.draw()

    def _moved(self, moved: bool, why_not: Word) -> None:
        if not moved:
            self.hint_at(self.word(why_not))
            return
        self.given, self.comparing, self.front = (), False, LADDER.id
        self.place_sides()
        self._keep()
        self.look()

    def _keep(self, *, done: bool = False) -> None:
        if self.lesson.number:                  # a stranger's lesson has no place on the map
            right, asked = self.player.score
            place = 0 if done else self.player.reached
            progress.keep(self.lesson.name, progress.Progress(
                place, len(self.lesson.steps), done, right, asked))
        self.keep_result(done=done)

    def keep_result(self, *, done: bool = False) -> None:
        """Keep what was answered, for the learner and who teaches them."""
        if self.player.scene is not None and not self.player.catching_up:
            keep_result(self.notes.result(self.player, done=done))

    def action_again(self) -> None:
        if self._starting:
            return
        self._begin_again()
        self.player = Player(self.lesson)
        self.given, self.comparing, self.front = (), False, LADDER.id
        self.drawn, self._place_drawn = None, -1
        self.place_sides()
        self._bring_run()
        self.draw()

    def _begin_again(self) -> None:
        """One goes on at the beginning from now on; what was answered first stays."""
        self.keep_result()
        self.notes.begin_again()
        progress.reset(self.lesson.name)

    def action_map(self) -> None:
        self.post_message(LessonsAsked(None))

    def action_save(self) -> None:
        if self.runs.trace is not None:
            ask_for_name(self.app, self.runs.trace, saved=lambda path: self.app.notify(
                tr("The trace is saved as {path}.", path=escaped(str(path)))))

    async def on_unmount(self) -> None:
        self.keep_result()
        if self.feed is not None:
            self.feed.stop()
        await asyncio.to_thread(self.runs.close)
