"""What became of one learner's answers, and its JSON: one object a learner, kept, handed in and read again.

    {"inspector_results": 1, "learner": "Ada", "lessons": [
      {"lesson": "handshake", "begun": "2026-03-02T08:15:00Z", "steps": 11, "done": true, "answers": [
        {"step": "isn", "kind": "predict", "first": ["zero"], "right": false, "foreseen": "zero", "tries": 1,
         "hints": 0, "shown": false, "over": true, "seconds": 31}]}]}

A file that a learner hands in may say anything: `learner_of` takes what is of this shape and of sane size,
and refuses the rest in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from inspector.wire.text import escaped

FORMAT = 1
ASKED = ("predict", "order", "blank")                 # kinds of steps that have an answer
LONGEST_NAME, LONGEST = 60, 80                        # characters of a name; of other texts
_MOST_PARTS, _MOST_LESSONS, _MOST_ANSWERS = 16, 200, 100
_MOST = 10_000_000                                    # of any number
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
Part = TypeVar("Part")


class ResultsError(Exception):
    """It holds no results; the text is one sentence, escaped."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step. `first`: the first answer, `right` whether it was, `foreseen` the wrong answer that it was.

    `tries`: answers in all; `shown`: the answer was looked at; `over`: it was done; `seconds`: in sight.
    """

    step: str
    kind: str = "tell"
    first: tuple[str, ...] = ()
    right: bool = False
    foreseen: str = ""
    tries: int = 0
    hints: int = 0
    shown: bool = False
    over: bool = False
    seconds: int = 0

    @property
    def answered(self) -> bool:
        """Whether there was something to answer, and it was answered."""
        return self.kind in ASKED and bool(self.first)


@dataclass(frozen=True, slots=True)
class LessonResult:
    """One lesson: when it was begun first, of how many steps, and those that were seen."""

    lesson: str
    begun: str
    steps: int
    done: bool = False
    answers: tuple[StepResult, ...] = ()

    @property
    def seconds(self) -> int:
        """How long its steps were seen."""
        return sum(one.seconds for one in self.answers)

    @property
    def asked(self) -> int:
        """Questions that were answered."""
        return sum(one.answered for one in self.answers)

    @property
    def right(self) -> int:
        """Those whose first answer was right."""
        return sum(one.answered and one.right for one in self.answers)

    def step(self, name: str) -> StepResult | None:
        """What became of this step."""
        return next((one for one in self.answers if one.step == name), None)


@dataclass(frozen=True, slots=True)
class Learner:
    """One learner; the name is "" where none was given."""

    name: str = ""
    lessons: tuple[LessonResult, ...] = ()

    def lesson(self, name: str) -> LessonResult | None:
        """What became of this lesson."""
        return next((one for one in self.lessons if one.lesson == name), None)


def named(text: str) -> str:
    """A learner's name as it is kept: one line, nothing invisible, not too long."""
    return escaped(" ".join(text.split()), LONGEST_NAME)


# --- as JSON ---


def object_of(learner: Learner) -> dict[str, Any]:
    """The JSON object of a learner; its sums are for people, and not read again."""
    return {"inspector_results": FORMAT, "learner": learner.name,
            "lessons": [_lesson_object(one) for one in learner.lessons]}


def _lesson_object(one: LessonResult) -> dict[str, Any]:
    return {"lesson": one.lesson, "begun": one.begun, "steps": one.steps, "done": one.done,
            "asked": one.asked, "right": one.right, "seconds": one.seconds,
            "answers": [_step_object(answer) for answer in one.answers]}


def _step_object(one: StepResult) -> dict[str, Any]:
    return {"step": one.step, "kind": one.kind, "first": list(one.first), "right": one.right,
            "foreseen": one.foreseen, "tries": one.tries, "hints": one.hints, "shown": one.shown,
            "over": one.over, "seconds": one.seconds}


def learner_of(data: object) -> Learner:
    """The learner that a JSON value describes; ResultsError."""
    if not isinstance(data, dict) or "inspector_results" not in data:
        raise ResultsError("it holds no results of lessons")
    if data["inspector_results"] != FORMAT:
        raise ResultsError(f"its results are not of format {FORMAT}, which is read here")
    take = Taker(data, "the learner")
    lessons = take.list_of("lessons", _MOST_LESSONS, _lesson_of)
    if len({one.lesson for one in lessons}) < len(lessons):
        raise ResultsError("it has a lesson twice")
    return Learner(take.text("learner", LONGEST_NAME), lessons)


def _lesson_of(data: object) -> LessonResult:
    take = Taker(data, "a lesson")
    answers = take.list_of("answers", _MOST_ANSWERS, _step_of)
    if len({one.step for one in answers}) < len(answers):
        raise ResultsError("a lesson of it has a step twice")
    return LessonResult(take.text("lesson"), take.time("begun"), take.number("steps"), take.flag("done"),
                        answers)


def _step_of(data: object) -> StepResult:
    take = Taker(data, "an answer")
    return StepResult(
        take.text("step"), take.text("kind"), take.list_of("first", _MOST_PARTS, _part), take.flag("right"),
        take.text("foreseen"), take.number("tries"), take.number("hints"), take.flag("shown"),
        take.flag("over"), take.number("seconds"))


def _part(data: object) -> str:
    return Taker({"first": data}, "an answer").text("first")


class Taker:
    """Takes values of the right kind from an object; ResultsError where one is not."""

    def __init__(self, data: object, what: str) -> None:
        if not isinstance(data, dict):
            raise ResultsError(f"{what} of it is no object")
        self._data, self._what = data, what

    def text(self, key: str, most: int = LONGEST) -> str:
        """A text that is not too long."""
        value = self._data.get(key)
        if not isinstance(value, str) or len(value) > most:
            raise ResultsError(f"{key} of {self._what} is no text of at most {most} characters")
        return value

    def number(self, key: str) -> int:
        """A number that is no negative one."""
        value = self._data.get(key)
        if type(value) is not int or not 0 <= value <= _MOST:
            raise ResultsError(f"{key} of {self._what} is no number from 0 to {_MOST}")
        return value

    def time(self, key: str) -> str:
        """A time in UTC."""
        value = self.text(key)
        if not _TIME.fullmatch(value):
            raise ResultsError(f"{key} of {self._what} is no time such as 2026-03-02T08:15:00Z")
        return value

    def counts(self, key: str, most: int) -> dict[str, Any]:
        """An object of at most so many keys."""
        value = self._data.get(key)
        if not isinstance(value, dict) or len(value) > most:
            raise ResultsError(f"{key} of {self._what} is no object of at most {most} keys")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._data.get(key)
        if not isinstance(value, bool):
            raise ResultsError(f"{key} of {self._what} is neither true nor false")
        return value

    def list_of(self, key: str, most: int, read: Callable[[object], Part]) -> tuple[Part, ...]:
        """A list, each part as it is read."""
        value = self._data.get(key)
        if not isinstance(value, list) or len(value) > most:
            raise ResultsError(f"{key} of {self._what} is no list of at most {most}")
        return tuple(read(one) for one in value)
