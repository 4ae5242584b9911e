"""A lesson on the screen: its words at one side, the learner's own packets and calls at the other.

`Player` says what there is to read, to answer and to do; keys answer it; `Runs` bring the traces that it
wants; whenever a trace grew the player is asked again, and what it gives goes to the agent.

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
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widgets import Input

from inspector.lab.errors import LabError
from inspector.lessons import progress
from inspector.lessons.asking.scene import TooMuchError
from inspector.lessons.classroom.notes import Notes
from inspector.lessons.classroom.notes import keep as keep_result
from inspector.lessons.format.model import Lesson
from inspector.lessons.pages.compare import Compared
from inspector.lessons.pages.step_page import StepPage, how_to_answer, next_blank, options_of, step_page
from inspector.lessons.pages.words import Word, word
from inspector.lessons.play.answers import Answer, blank_row, is_number, number_of
from inspector.lessons.play.headless import field_paths
from inspector.lessons.play.player import ASKED, TRIES, Player
from inspector.model.language import language, recognised, sentence, tr
from inspector.model.packets import row_at
from inspector.sessions.kinds import kind_of
from inspector.tui.lessons.ladder_pane import SPEC as LADDER
from inspector.tui.lessons.ladder_pane import LessonLadderPane
from inspector.tui.lessons.page_list import NumberInput, PageList
from inspector.tui.lessons.run import Runs
from inspector.tui.messages import (
    NOTHING,
    BackAsked,
    ByteChosen,
    LessonsAsked,
    PaneAsked,
    Selection,
    SelectionMade,
    TraceGrew,
)
from inspector.tui.panes.base import Pane
from inspector.tui.panes.handshake import HandshakePane
from inspector.tui.panes.registry import PANES
from inspector.tui.terminal.turnstile import turnstile_of
from inspector.tui.widgets.base import WIDE, BaseScreen, may
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.tab_bar import TabBar, TabName
from inspector.tui.widgets.title_bar import TitleBar, TitleFacts
from inspector.tui.workbench.feed import TraceFeed
from inspector.tui.workbench.save import ask_for_name
from inspector.views.detail.tree import Detail, packet_tree
from inspector.views.ladder.current import current_conversation
from inspector.views.session.loss import loss_word
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

SPECS = (LADDER, *(spec for spec in PANES if spec.id not in ("ladder", "conversations")))
_LEAST_BELOW = 9         # lines that stay for the pane below the words: its tabs, two of its head, six of it


class LessonScreen(BaseScreen):
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
        *(Binding(str(number), f"option({number})", sentence("Answer {number}", number=number), show=False,
                  id=f"lesson.option-{number}") for number in range(1, 10)),
        Binding("i", "hint", "Hint", id="lesson.hint", tooltip="One hint, and with the next press one more"),
        Binding("s", "give_up", "Show the answer", show=False, id="lesson.give-up"),
        Binding("left", "back", "Back", id="lesson.back", tooltip="The step before; what happened stays"),
        Binding("right", "forth", "Forth", show=False, id="lesson.forth"),
        Binding("backspace", "undo", "Take back", show=False, id="lesson.undo"),
        Binding("left_square_bracket", "turn(-1)", "Pane before", show=False, id="lesson.pane-before"),
        Binding("right_square_bracket", "turn(1)", "Panes", id="lesson.pane-after",
                tooltip="The next pane beside the words"),
        Binding("o", "compare", "Compare", id="lesson.compare",
                tooltip="The run before the change and the one after it; tab goes into their lines"),
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
        self.given: Answer = ()             # the part of an answer that was given so far
        self.selection = NOTHING
        self.front = LADDER.id
        self.comparing = False
        self._drawn: object = None         # what the page was drawn from,
        self._place_drawn = -1             # and the step
        self._hinted = ""                  # the toast that says what is to be done
        self._starting = False
        self._early: tuple[bool, str | None] = False, None     # Enter before there was a run, and on what
        self.is_done = False               # it was gone through to its end, and left

    # --- what is seen ---

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with Container(id="lesson"):
            with Vertical(id="words"):
                yield PageList(id="page")
                yield NumberInput(id="number", compact=True)
            with Vertical(id="beside"):
                yield TabBar(_tabs(), id="tabs-lesson")
                yield from (spec.pane(spec) for spec in SPECS)
                yield LineList(id="comparison")
        yield KeyLine()

    def on_mount(self) -> None:
        self.panes = list(self.query(Pane))
        if place := self.kept_place():
            self.player.resume_at(place)
            self.app.notify(self.word("resumed"), timeout=4)
        self._arrange()
        self._draw()
        self.query_one(PageList).focus()
        self._bring_run()

    def kept_place(self) -> int:
        """The step where one goes on; 0 for the beginning."""
        kept = progress.of(self.lesson.name)
        return kept.step if kept.step < len(self.lesson.steps) and not kept.done else 0

    def on_resize(self, _event: events.Resize) -> None:
        self._arrange()
        self.call_after_refresh(self._redraw)

    def language_changed(self) -> None:
        super().language_changed()
        self.language = language()
        self.query_one("#tabs-lesson", TabBar).rename(_tabs())
        for pane in self.panes:
            if pane.trace is not None:
                pane.show_trace(pane.trace, follow=pane.follow)
        self._compare()
        self._redraw()

    def _redraw(self) -> None:
        self._drawn = None
        self._draw()

    def word(self, name: Word) -> str:
        """A word of the frame, in the lesson's language."""
        return word(self.language, name)

    def _arrange(self) -> None:
        wide = self.app.size.width >= WIDE
        self.set_class(wide, "-beside")
        self.set_class(not wide, "-above")
        for pane in self.panes:
            pane.set_class(pane.id == self.front and not self.comparing, "-front")
        self.query_one("#comparison").display = self.comparing
        self.query_one("#tabs-lesson", TabBar).show("" if self.comparing else self.front, "", "", frozenset())

    @property
    def pane(self) -> Pane:
        """The pane in front."""
        return next(pane for pane in self.panes if pane.id == self.front)

    def _draw(self) -> None:
        """The page of the step, where something of it changed."""
        player, pages = self.player, self.query_one(PageList)
        width = pages.line_width
        record = player.record
        state = (player.place, record.phase, record.hints, record.revealed, record.tries, self.given, width,
                 tuple(record.values.items()), player.scene is None, player.catching_up, *self.more_drawn())
        if state == self._drawn or width < 12:
            return
        moved, self._place_drawn = self._place_drawn != player.place, player.place
        self._drawn = state
        if not player.catching_up:
            self.notes.look(player.step)
        page = self.made_page(width)
        pages.show_page(page, None if moved else pages.option)
        self._take_hint_back()
        self._show_number_line()
        self._light()
        self._give_room(page.count)
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

    def _hint_at(self, sentence: str, *, wrong: bool = False) -> None:
        """Say what is to be done, for as long as that is so: what is done then takes it away."""
        self._take_hint_back()
        self._hinted = sentence
        self.app.notify(sentence, severity="warning" if wrong else "information", timeout=4)

    def _take_hint_back(self) -> None:
        if self._hinted:
            self.take_back(self._hinted)
        self._hinted = ""

    def _give_room(self, lines: int) -> None:
        """Where the words stand above: as many lines as they need, as long as enough is left below."""
        words = self.query_one("#words")
        if self.has_class("-beside"):
            words.styles.height = None
            return
        room = self.app.size.height - 2                        # title and keys
        wanted = lines + self.query_one(NumberInput).display
        if not self.query_one("#beside").visible:
            words.styles.height = room                         # nothing is seen below
            return
        words.styles.height = min(wanted, max(room - self.least_below(), room // 2))

    def least_below(self) -> int:
        """Lines that stay for the pane below the words, however many they are."""
        return _LEAST_BELOW

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "scroll_words":
            return any(page.overflows for page in self.query(PageList))
        if action == "compare" and self.player.former is None:
            return False
        return super().check_action(action, parameters)

    def action_scroll_words(self, direction: int) -> None:
        self.query_one(PageList).scroll_page(direction)

    def _show_number_line(self) -> None:
        number = self.query_one(NumberInput)
        wanted = self.player.scene is not None and self.wants_number()
        if wanted != number.display:
            number.display = wanted
            number.clear()                 # what was begun for another step is no answer of this one
        number.placeholder = self.number_wanted()
        if wanted and not number.has_focus and self.pane not in (
            self.focused.ancestors if self.focused else ()):
            number.focus()
        elif not wanted and (number.has_focus or self.focused is None):
            self.query_one(PageList).focus()

    def wants_number(self) -> bool:
        """Whether the line for numbers is wanted now."""
        return is_number(self.player.step) and self.player.record.phase == "ask"

    def number_wanted(self) -> str:
        """What the line for numbers says while it is empty."""
        return self.word("number")

    def _light(self) -> None:
        step, scene = self.player.step, self.player.scene
        hidden: dict[int, frozenset[str]] = {}
        if scene is not None and self.player.record.phase == "ask":
            for place, blank in enumerate(step.blanks):
                row = blank_row(step, place, scene)
                judged = self.player.record.judged
                if row is not None and (judged is None or not judged.right[place]):
                    hidden[row] = hidden.get(row, frozenset()) | {blank.field}
        self.query_one("#beside").visible = not (          # it would tell the order that is asked for
            step.kind == "order" and self.player.record.phase == "ask")
        over = self.player.record.phase in ("over", "read")
        asked = self.player.record.phase == "ask" and step.kind == "predict" and not step.moves
        veiled = asked and step.change is None
        self.query_one(LessonLadderPane).light(
            step.light if over or veiled else None, hidden, veiled=veiled,
            states_hidden=veiled and step.ask == "state")

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

    def _compare(self) -> None:
        """The two runs as they are now, the first line that differs in what the step is about in sight."""
        player, lines = self.player, self.query_one("#comparison", LineList)
        if player.scene is None or player.former is None:
            lines.show(None)
            return
        made = Compared(player.former, player.scene, self.language, player.step.light)
        lines.show(made)
        turnstile_of(self).after_refresh(self, partial(lines.scroll_to_line, made.first, centre=True))

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
        self._draw()
        (asked, option), self._early = self._early, (False, None)
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
        self._lead()
        conversation = current_conversation(trace, self.selection.row, None, stay=False, live=True)
        for pane in self.panes:
            pane.conversation = conversation
            pane.trace_grew()
        self._draw()
        self._update_title()
        self.feed.taken()

    def _lead(self) -> None:
        """Ask the player, and do what it says."""
        before, resuming = self.player.record.phase, self.player.catching_up
        try:
            for command in self.player.advance():
                self.runs.send(command)
        except TooMuchError as error:
            self.app.notify(str(error), severity="error", timeout=10)
        self._bring_run()
        if resuming and not self.player.catching_up:
            self._look()
        if before == "running" and self.player.record.phase == "over":
            self._happened()

    def _happened(self) -> None:
        self.given = ()
        if self.player.former is not None and self.player.step.change is not None:
            self.comparing = True
            self._arrange()
            self._compare()
        self._keep()

    # --- answering ---

    @on(PageList.Answered)
    def _answered(self, message: PageList.Answered) -> None:
        message.stop()
        if self.player.scene is None and not self.player.catching_up:
            self._early = True, message.option         # its run starts; it is taken when it does
        elif not self.player.catching_up and self.player.record.phase != "running":
            self.go_on(message.option)

    def go_on(self, option: str | None) -> None:
        """Enter, on an option or on none: what the step waits for."""
        player, record = self.player, self.player.record
        if record.phase == "ask" and player.step.kind in ASKED:
            if player.step.kind == "order":
                self._order(option)
            elif option is None:
                self._show_how()
            else:
                self._give((option,))
        elif record.phase == "ready" and player.step.kind == "fix":
            if option is not None:
                player.act(option)
        elif record.phase == "ready":
            player.go()
        elif player.step.kind == "explain" and not record.revealed:
            player.reveal()
        else:
            self._next()
        self._lead()
        self._draw()

    def _show_how(self) -> None:
        """Say how a step of this kind is answered."""
        how = how_to_answer(self.player.step, self.given)
        self._hint_at(self.word(how[0] if self.player.step.kind in TRIES else "answer-first"))

    def _give(self, answer: Answer) -> None:
        player = self.player
        player.answer(answer)
        self._keep_result()
        self.given, judged = (), player.record.judged
        if player.step.kind == "blank" and player.record.phase == "ask" and judged is not None:
            # what is right stays; the others are asked again
            self.given = tuple(one if right else "" for one, right in zip(answer, judged.right, strict=True))
        self._drawn = (player.place,)
        if player.record.phase == "over":
            self._happened()

    def _order(self, option: str | None) -> None:
        """Enter in a step of order: the line at the cursor is next; all of it once all have places."""
        items = self.player.step.items
        if len(self.given) == len(items):
            self._give(self.given)
        elif option is not None and option not in self.given:
            self.given = (*self.given, option)
        elif self.given:
            self._hint_at(self.word("order-so-far").format(len(self.given), len(items)))
        else:
            self._show_how()

    @on(Input.Submitted)
    def _number_given(self, event: Input.Submitted) -> None:
        if not isinstance(event.input, NumberInput):
            return
        event.stop()
        if self.player.catching_up:
            event.input.clear()
            return
        text = event.value.strip()
        if self.takes(text):
            event.input.clear()
            self.take_number(text)
        else:
            self._hint_at(self.word("number-wrong"), wrong=True)

    def takes(self, text: str) -> bool:
        """Whether what was typed can be what is wanted."""
        return number_of(text) is not None

    def take_number(self, text: str) -> None:
        """A number was typed: it answers, or is a part of an answer."""
        step = self.player.step
        if step.kind != "blank":
            self._give((text,))
        else:
            place = next_blank(step, self.given)
            self.given = (*self.given[:place], text, *self.given[place + 1 :])
            if next_blank(step, self.given) == len(step.blanks):
                self._give(self.given)
        self._lead()
        self._draw()

    def action_option(self, number: int) -> None:
        page = self.query_one(PageList)
        if number <= len(options_of(self.player.step)):
            page.focus()
            page.choose_option(number)
            if self.player.step.kind == "order" and self.player.record.phase == "ask" and (
                    page.option not in (None, *self.given)):
                self._order(page.option)
                self._draw()

    def action_undo(self) -> None:
        if self.player.step.kind == "order":
            self.given = self.given[:-1]
            self._draw()

    def action_hint(self) -> None:
        hints = self.lesson.text(self.language).steps[self.player.step.id].hints
        if self.player.record.hints < len(hints):
            self.player.hint()
            self._draw()
        else:
            self._hint_at(self.word("no-hint"))

    def action_give_up(self) -> None:
        if self.player.step.kind in TRIES and self.player.record.phase == "ask":
            self.player.reveal(self.given)
            self._happened()
            self._draw()

    # --- back and forth ---

    def _next(self) -> None:
        if self.player.is_last and self.player.place == self.player.reached:
            self._keep(done=True)
            self.is_done = True
            self.action_map()
            return
        self._moved(self.player.forth(), "locked")

    def action_forth(self) -> None:
        if self.player.is_last:
            self._hint_at(self.word("last-step"))
        else:
            self._moved(self.player.forth(), "locked")
            self._draw()

    def action_back(self) -> None:
        self._moved(self.player.back(), "first-step")
        self._draw()

    def _moved(self, moved: bool, why_not: Word) -> None:
        if not moved:
            self._hint_at(self.word(why_not))
            return
        self.given, self.comparing, self.front = (), False, LADDER.id
        self._arrange()
        self._keep()
        self._look()

    def _keep(self, *, done: bool = False) -> None:
        asked = [one for one in self.player.records if one.judged is not None]
        right = sum(one.judged is not None and one.judged.all_right and one.tries == 1 for one in asked)
        place = 0 if done else self.player.reached
        if self.lesson.number:                  # a stranger's lesson has no place on the map
            progress.keep(self.lesson.name, progress.Progress(
                place, len(self.lesson.steps), done, right, len(asked)))
        self._keep_result(done=done)

    def _keep_result(self, *, done: bool = False) -> None:
        """Keep what was answered, for the learner and who teaches them."""
        if self.player.scene is not None and not self.player.catching_up:
            keep_result(self.notes.result(self.player, done=done))

    def _look(self) -> None:
        """Show what a step of kind look is about."""
        look, scene = self.player.step.look, self.player.scene
        if look is None or scene is None:
            return
        self.front = look.pane
        self._arrange()
        if look.heading:
            self.query_one(HandshakePane).stand_at(look.heading)
        rows = look.packet.rows(scene.trace)
        if len(rows):
            row = row_at(rows, 0)
            path = field_paths(scene.trace, row).get(look.field, "") if look.field else ""
            field = Detail(packet_tree(scene.trace, row)).field(path) if path else None
            chosen = Selection(row=row, path=path, field=field)
            turnstile_of(self).after_refresh(self, self.choose, chosen)

    def action_again(self) -> None:
        if self._starting:
            return
        self._begin_again()
        self.player = Player(self.lesson)
        self.given, self.comparing, self.front = (), False, LADDER.id
        self._drawn, self._place_drawn = None, -1
        self._arrange()
        self._bring_run()
        self._draw()

    def _begin_again(self) -> None:
        """One goes on at the beginning from now on; what was answered first stays."""
        self._keep_result()
        self.notes.begin_again()
        progress.reset(self.lesson.name)

    def action_map(self) -> None:
        self.post_message(LessonsAsked(None))

    def action_compare(self) -> None:
        if self.player.former is None:
            return
        self.comparing = not self.comparing
        self._arrange()
        self._compare()

    def action_save(self) -> None:
        if self.runs.trace is not None:
            ask_for_name(self.app, self.runs.trace, saved=lambda path: self.app.notify(
                tr("The trace is saved as {path}.", path=escaped(str(path)))))

    # --- the panes ---

    def action_turn(self, step: int) -> None:
        names = [spec.id for spec in SPECS]
        self._bring(names[(names.index(self.front) + step) % len(names)])

    def _bring(self, name: str) -> None:
        self.front, self.comparing = name, False
        self._arrange()

    def action_to_words(self) -> None:
        self.query_one(PageList).focus()
        self._show_number_line()

    @on(PaneAsked)
    def _pane_asked(self, message: PaneAsked) -> None:
        message.stop()
        self._bring(message.pane)
        turnstile_of(self).after_refresh(self, self.pane.focus_inside)

    @on(BackAsked)
    def _back_asked(self, message: BackAsked) -> None:
        message.stop()
        if self.front != LADDER.id:
            self._bring(LADDER.id)
        self.action_to_words()

    @on(SelectionMade)
    def _selection_made(self, message: SelectionMade) -> None:
        message.stop()
        self.choose(message.selection)

    @on(ByteChosen)
    def _byte_chosen(self, message: ByteChosen) -> None:
        message.stop()
        self.choose(Selection(row=self.selection.row, byte=message.byte))

    def choose(self, selection: Selection) -> None:
        """Show this selection in every pane."""
        self.selection = selection
        for pane in self.panes:
            pane.show_selection(selection)

    async def on_unmount(self) -> None:
        self._keep_result()
        if self.feed is not None:
            self.feed.stop()
        await asyncio.to_thread(self.runs.close)


def _tabs() -> tuple[TabName, ...]:
    return tuple(TabName(spec.id, "", tr(spec.title), tr(spec.short or spec.title)) for spec in SPECS)
