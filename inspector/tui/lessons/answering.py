"""How a lesson is answered: Enter, digits, letters and the line for numbers become the player's answers.

What was given of an answer so far (an order, numbers one after the other) is kept here until it is whole.
What comes of it is the player's; `draw` shows it.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.widgets import Input

from inspector.lessons.format.model import Lesson
from inspector.lessons.pages.step_page import how_to_answer, options_of
from inspector.lessons.pages.words import Word
from inspector.lessons.play.answers import Answer, filled_in, next_blank, number_of, what_stays
from inspector.lessons.play.player import ASKED, TRIES, Player
from inspector.model.language import sentence
from inspector.tui.lessons.page_list import NumberInput, PageList


class Answering(DOMNode):
    """Part of a lesson's screen; a part of its own so that each stays small."""

    ANSWER_BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"option({number})", sentence("Answer {number}", number=number), show=False,
                  id=f"lesson.option-{number}") for number in range(10)),
        Binding("i", "hint", "Hint", id="lesson.hint", tooltip="One hint, and with the next press one more"),
        Binding("s", "give_up", "Show the answer", show=False, id="lesson.give-up"),
        Binding("backspace", "undo", "Take back", show=False, id="lesson.undo"),
    ]

    lesson: Lesson
    language: str
    player: Player
    given: Answer                           # the part of an answer that was given so far
    early: tuple[bool, str | None]          # Enter before there was a run, and on what

    def word(self, name: Word) -> str:
        raise NotImplementedError

    def hint_at(self, sentence: str, *, wrong: bool = False) -> None:
        raise NotImplementedError

    def draw(self) -> None:
        raise NotImplementedError

    def lead(self) -> None:
        raise NotImplementedError

    def happened(self) -> None:
        raise NotImplementedError

    def next_step(self) -> None:
        raise NotImplementedError

    def keep_result(self, *, done: bool = False) -> None:
        raise NotImplementedError

    @on(PageList.Answered)
    def _answered(self, message: PageList.Answered) -> None:
        message.stop()
        if self.player.scene is None and not self.player.catching_up:
            self.early = True, message.option         # its run starts; it is taken when it does
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
            self.next_step()
        self.lead()
        self.draw()

    def _show_how(self) -> None:
        """Say how a step of this kind is answered."""
        how = how_to_answer(self.player.step, self.given)
        if (line := self.query_one(NumberInput)).display:
            line.focus()
        self.hint_at(self.word(how[0] if self.player.step.kind in TRIES else "answer-first"))

    def _give(self, answer: Answer) -> None:
        player = self.player
        player.answer(answer)
        self.keep_result()
        asked_again = player.step.kind == "blank" and player.record.phase == "ask"
        self.given = what_stays(player.record.judged) if asked_again else ()
        if player.record.phase == "over":
            self.happened()

    def _order(self, option: str | None) -> None:
        """Enter in a step of order: the line at the cursor is next; all of it once all have places."""
        items = self.player.step.items
        if len(self.given) == len(items):
            self._give(self.given)
        elif option is not None and option not in self.given:
            self.given = (*self.given, option)
        elif self.given:
            self.hint_at(self.word("order-so-far").format(len(self.given), len(items)))
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
            self.hint_at(self.word("number-wrong"), wrong=True)

    def takes(self, text: str) -> bool:
        """Whether what was typed can be what is wanted."""
        return number_of(text) is not None

    def take_number(self, text: str) -> None:
        """A number was typed: it answers, or is a part of an answer."""
        step = self.player.step
        if step.kind != "blank":
            self._give((text,))
        else:
            self.given = filled_in(step, self.given, text)
            if next_blank(step, self.given) == len(step.blanks):
                self._give(self.given)
        self.lead()
        self.draw()

    def action_option(self, number: int) -> None:
        page, line = self.query_one(PageList), self.query_one(NumberInput)
        if line.display:                                # left by Escape: a digit is meant for it
            line.focus()
            line.insert_text_at_cursor(str(number))
        elif 0 < number <= len(options_of(self.player.step)):
            page.focus()
            page.choose_option(number)
            if self.player.step.kind == "order" and self.player.record.phase == "ask" and (
                    page.option not in (None, *self.given)):
                self._order(page.option)
                self.draw()

    def action_undo(self) -> None:
        if self.player.step.kind == "order":
            self.given = self.given[:-1]
            self.draw()

    def action_hint(self) -> None:
        hints = self.lesson.text(self.language).steps[self.player.step.id].hints
        if self.player.record.hints < len(hints):
            self.player.hint()
            self.draw()
        else:
            self.hint_at(self.word("no-hint"))

    def action_give_up(self) -> None:
        if self.player.step.kind in TRIES and self.player.record.phase == "ask":
            self.player.reveal(self.given)
            self.happened()
            self.draw()
