"""One question put to a class, in two rounds: what was answered, by raised hands and in browsers.

    before ──> first ──> talk ──> second ──> counted ──(it happens)──> told

In `first` each answers alone, in `talk` neighbours convince each other, in `second` each answers again. What
was answered is hidden while a round is open, and until it is asked for or both are over. `skip` goes to the
end at once: where nearly all were right, or nearly none, talking does not help.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from inspector.lessons.classroom.ballot import Ballot, State
from inspector.lessons.classroom.notes import key_of
from inspector.lessons.classroom.tallies import Round, rounds_of
from inspector.lessons.format.model import Lesson, Step
from inspector.lessons.format.page import filled
from inspector.lessons.pages.words import row_words
from inspector.lessons.play.player import Player

Stage = Literal["before", "first", "talk", "second", "counted", "told"]
_STAGES: tuple[Stage, ...] = get_args(Stage)
ROUNDS = (1, 2)
MOST_HANDS = 999


def option_words(lesson: Lesson, step: Step, language: str) -> dict[str, str]:
    """The options of a prediction in words; none where a number is asked for."""
    text = lesson.text(language).steps[step.id]
    if step.ask == "row":
        return {one.id: row_words(language, one.id) for one in step.choices}
    return {one.id: text.choices.get(one.id, one.id) for one in step.choices}


def wrong_words(player: Player, language: str) -> dict[str, str]:
    """What the lesson says to each wrong answer that it foresees, once it has happened."""
    feedback = player.lesson.text(language).steps[player.step.id].feedback
    return {choice: filled(feedback[name], player.record.values)
            for choice, name in foreseen(player).items() if name in feedback}


def foreseen(player: Player) -> dict[str, str]:
    """The wrong answers that the lesson foresees, with their ids in it, once it has happened."""
    step = player.step
    if step.ask != "number":
        return {one.id: one.id for one in step.choices}
    values = {} if player.scene is None else {one.id: one.value.of(player.scene) for one in step.wrongs}
    return {str(value): name for name, value in values.items() if value is not None}


@dataclass(slots=True)
class Poll:
    """`options`: what can be answered, none where it is any number. `there`: browsers that are there."""

    options: tuple[str, ...]
    stage: Stage = "before"
    shown: bool = False                    # what was answered was asked for before its time
    there: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    _second: bool = False                  # round 2 was opened
    _hands: dict[int, dict[str, int]] = field(default_factory=lambda: {one: {} for one in ROUNDS})
    _votes: dict[int, dict[str, int]] = field(default_factory=lambda: {one: {} for one in ROUNDS})

    @property
    def round(self) -> int:
        """The round that is open, or the last one that was."""
        return 2 if self._second else 1

    @property
    def is_open(self) -> bool:
        """Whether answers are taken."""
        return self.stage in ("first", "second")

    @property
    def results_seen(self) -> bool:
        """Whether it is seen what was answered."""
        return self.stage in ("counted", "told") or (self.shown and not self.is_open)

    @property
    def rounds(self) -> tuple[int, ...]:
        """The rounds in which somebody answered."""
        return tuple(one for one in ROUNDS if self._has(one))

    def _has(self, number: int) -> bool:
        return bool(self._hands[number] or self._votes[number])

    def go(self) -> None:
        """The next stage; the last one comes when it has happened."""
        if self.stage != "told":
            self.stage = _STAGES[min(_STAGES.index(self.stage) + 1, _STAGES.index("counted"))]
            self.shown = False
            self._second = self._second or self.stage == "second"

    def skip(self) -> None:
        """No more is answered."""
        if self.stage != "told":
            self.stage = "counted"

    def reveal(self) -> None:
        """It has happened."""
        self.stage = "told"

    def raise_hands(self, option: str, count: int) -> None:
        """So many raised their hands for this answer, in the round that is open."""
        if self.is_open and (option in self.options or not self.options):
            self._hands[self.round][option] = min(count, MOST_HANDS)

    def hands(self, option: str) -> int | None:
        """The hands that were counted for it in this round; None where none were."""
        return self._hands[self.round].get(option)

    def take(self, there: int, votes: Mapping[str, int]) -> bool:
        """What browsers say in the round that is open; whether it is news."""
        if not self.is_open:
            return False
        before = self.there, self._votes[self.round]
        self.there, self._votes[self.round] = there, dict(votes)
        return before != (there, dict(votes))

    def tally(self, number: int) -> dict[str, int]:
        """How often each answer was given in a round."""
        both = (self._hands[number], self._votes[number])
        return {option: sum(one.get(option, 0) for one in both)
                for option in dict.fromkeys((*self.options, *both[0], *both[1]))}

    @property
    def counted(self) -> tuple[Round, ...]:
        """What there is to keep of it."""
        return rounds_of([(self._hands[one], self._votes[one]) for one in ROUNDS])

    @property
    def mark(self) -> object:
        """What was answered by now, to be compared with later."""
        return [(self._hands[one].copy(), self._votes[one].copy()) for one in ROUNDS]

    @property
    def count(self) -> int:
        """Answers in the round that is open, or was last."""
        return sum(self.tally(self.round).values())

    def answers(self) -> tuple[str, ...]:
        """What there is to show: the options, or the numbers that were given, the most frequent first."""
        if self.options:
            return self.options
        sums: dict[str, int] = {}
        for number in ROUNDS:
            for option, count in self.tally(number).items():
                sums[option] = sums.get(option, 0) + count
        return tuple(sorted(sums, key=lambda one: (-sums[one], int(one))))

    def ballot(self, player: Player, language: str) -> Ballot:
        """What browsers are to show now; the step that is seen is this question's."""
        lesson, step, record = player.lesson, player.step, player.record
        text = lesson.text(language)
        state: State = "open" if self.is_open else "told" if self.stage == "told" else "closed"
        revealed = state == "told" and record.judged is not None
        return Ballot(
            self.id, self.round, state, text.title, filled(text.steps[step.id].body, record.values),
            tuple(option_words(lesson, step, language).items()), language,
            record.judged.truth[0] if revealed and record.judged is not None else "",
            wrong_words(player, language) if revealed else {}, foreseen(player) if revealed else {},
            key_of(lesson), step.id, len(lesson.steps))
