"""The two sides of a lesson: its words, and beside them the learner's own packets and calls in panes.

Here is where each stands, which pane is in front, and what of it may be seen; `screen.py` says what the
words are. Where it is narrow, the words stand above. What is lit and hidden is `lessons/pages/lights.py`.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from inspector.lessons.pages.compare import Compared
from inspector.lessons.pages.lights import lights
from inspector.lessons.pages.words import Word, word
from inspector.lessons.play.answers import is_number
from inspector.lessons.play.headless import field_paths
from inspector.lessons.play.player import Player
from inspector.model.language import language, tr
from inspector.model.packets import row_at
from inspector.tui.lessons.ladder_pane import SPEC as LADDER
from inspector.tui.lessons.ladder_pane import LessonLadderPane
from inspector.tui.lessons.page_list import NumberInput, PageList, StepNumber
from inspector.tui.messages import NOTHING, BackAsked, ByteChosen, PaneAsked, Selection, SelectionMade
from inspector.tui.panes.base import Pane, panes_in
from inspector.tui.panes.handshake import HandshakePane
from inspector.tui.panes.registry import PANES
from inspector.tui.terminal.turnstile import turnstile_of
from inspector.tui.widgets.base import WIDE, BaseScreen
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.tab_bar import TabBar, TabName
from inspector.tui.widgets.title_bar import TitleBar
from inspector.views.detail.tree import Detail, packet_tree

SPECS = (LADDER, *(spec for spec in PANES if spec.id not in ("ladder", "conversations")))
_LEAST_BELOW = 9         # lines that stay for the pane below the words: its tabs, two of its head, six of it


class TwoSides(BaseScreen):
    """Words and panes. A step is chosen, answered and played by `LessonScreen`."""

    PANE_BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "turn(-1)", "Pane before", show=False, id="lesson.pane-before"),
        Binding("right_square_bracket", "turn(1)", "Panes", id="lesson.pane-after",
                tooltip="The next pane beside the words"),
        Binding("o", "compare", "Compare", id="lesson.compare",
                tooltip="The run before the change and the one after it; tab goes into their lines"),
    ]

    player: Player
    language: str

    def __init__(self) -> None:
        super().__init__()
        self.selection = NOTHING
        self.front = LADDER.id
        self.comparing = False
        self._hinted = ""                  # the toast that says what is to be done

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with Container(id="lesson"):
            with Vertical(id="words"):
                yield PageList(id="page")
                yield StepNumber(id="number", compact=True, select_on_focus=False)
            with Vertical(id="beside"):
                yield TabBar(_tabs(), id="tabs-lesson")
                yield from (spec.pane(spec) for spec in SPECS)
                yield LineList(id="comparison")
        yield KeyLine()

    def word(self, name: Word) -> str:
        """A word of the frame, in the lesson's language."""
        return word(self.language, name)

    def hint_at(self, sentence: str, *, wrong: bool = False) -> None:
        """Say what is to be done, for as long as that is so: what is done then takes it away."""
        self.take_hint_back()
        self._hinted = sentence
        self.app.notify(sentence, severity="warning" if wrong else "information", timeout=4)

    def take_hint_back(self) -> None:
        if self._hinted:
            self.take_back(self._hinted)
        self._hinted = ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "scroll_words":
            return any(page.overflows for page in self.query(PageList))
        if action == "compare" and self.player.former is None:
            return False
        return super().check_action(action, parameters)

    def language_changed(self) -> None:
        super().language_changed()
        self.language = language()
        self.query_one("#tabs-lesson", TabBar).rename(_tabs())
        for pane in self.panes:
            if pane.trace is not None:
                pane.show_trace(pane.trace, follow=pane.follow)
        self.compare()

    # --- where what stands ---

    def place_sides(self) -> None:
        wide = self.app.size.width >= WIDE
        self.set_class(wide, "-beside")
        self.set_class(not wide, "-above")
        for pane in self.panes:
            pane.set_class(pane.id == self.front and not self.comparing, "-front")
        self.query_one("#comparison").display = self.comparing
        self.query_one("#tabs-lesson", TabBar).show("" if self.comparing else self.front, "", "", frozenset())

    @cached_property
    def panes(self) -> list[Pane]:
        """All of them, the one in front among them."""
        return panes_in(self)

    @property
    def pane(self) -> Pane:
        """The pane in front."""
        return next(pane for pane in self.panes if pane.id == self.front)

    def give_room(self, lines: int) -> None:
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

    def action_scroll_words(self, direction: int) -> None:
        self.query_one(PageList).scroll_page(direction)

    def show_number_line(self) -> None:
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

    def light(self) -> None:
        """Let the panes show what they may."""
        shown = lights(self.player)
        self.query_one("#beside").visible = shown.seen
        self.query_one(LessonLadderPane).light(
            shown.chosen, shown.hidden, veiled=shown.veiled, states_hidden=shown.states_hidden)

    # --- the panes ---

    def action_turn(self, step: int) -> None:
        names = [spec.id for spec in SPECS]
        self.bring(names[(names.index(self.front) + step) % len(names)])

    def bring(self, name: str) -> None:
        self.front, self.comparing = name, False
        self.place_sides()

    def action_to_words(self) -> None:
        self.query_one(PageList).focus()
        self.show_number_line()

    @on(PaneAsked)
    def _pane_asked(self, message: PaneAsked) -> None:
        message.stop()
        self.bring(message.pane)
        turnstile_of(self).after_refresh(self, self.pane.focus_inside)

    @on(BackAsked)
    def _back_asked(self, message: BackAsked) -> None:
        message.stop()
        if self.front != LADDER.id:
            self.bring(LADDER.id)
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

    def look(self) -> None:
        """Show what a step of kind look is about."""
        look, scene = self.player.step.look, self.player.scene
        if look is None or scene is None:
            return
        self.front = look.pane
        self.place_sides()
        if look.heading:
            self.query_one(HandshakePane).stand_at(look.heading)
        rows = look.packet.rows(scene.trace)
        if len(rows):
            row = row_at(rows, 0)
            path = field_paths(scene.trace, row).get(look.field, "") if look.field else ""
            field = Detail(packet_tree(scene.trace, row)).field(path) if path else None
            chosen = Selection(row=row, path=path, field=field)
            turnstile_of(self).after_refresh(self, self.choose, chosen)

    # --- two runs ---

    def action_compare(self) -> None:
        if self.player.former is None:
            return
        self.comparing = not self.comparing
        self.place_sides()
        self.compare()

    def compare(self) -> None:
        """The two runs as they are now, the first line that differs in what the step is about in sight."""
        player, lines = self.player, self.query_one("#comparison", LineList)
        if player.scene is None or player.former is None:
            lines.show(None)
            return
        made = Compared(player.former, player.scene, self.language, player.step.light)
        lines.show(made)
        turnstile_of(self).after_refresh(self, partial(lines.scroll_to_line, made.first, centre=True))


def _tabs() -> tuple[TabName, ...]:
    return tuple(TabName(spec.id, "", tr(spec.title), tr(spec.short or spec.title)) for spec in SPECS)
