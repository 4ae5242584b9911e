"""An answer beside the truth: both are tuples of texts, the truth is asked of the trace once it happened.

predict: one id of a choice, row or state, or a number; order: the ids of the items; blank: a number each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.lessons.asking.functions import field_value
from inspector.lessons.asking.scene import Scene
from inspector.lessons.format.model import Step
from inspector.model.packets import Row, row_at

Answer = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of an answer. `right`: each part; `foreseen`: the id of a wrong answer that has words."""

    given: Answer
    truth: Answer
    right: tuple[bool, ...]
    foreseen: str = ""

    @property
    def all_right(self) -> bool:
        """Whether every part is."""
        return all(self.right)


def number_of(text: str) -> int | None:
    """A number as people type it, decimal or 0x…; None where it is none."""
    cleaned = text.strip().replace(",", "").replace("_", "").lower()
    digits, base = (cleaned[2:], 16) if cleaned.startswith("0x") else (cleaned, 10)
    if not digits or len(digits) > 20 or not all(letter in "0123456789abcdef"[:base] for letter in digits):
        return None
    return int(digits, base)


def truth_of(step: Step, scene: Scene) -> Answer | None:
    """What is true of the step now; None where the trace does not tell."""
    if step.kind == "order":
        times = [item.at.of(scene) for item in step.items]
        if any(time is None for time in times):
            return None
        order = sorted(range(len(times)), key=lambda place: int(times[place] or 0))
        return tuple(step.items[place].id for place in order)
    if step.kind == "blank":
        values = [blank_value(step, place, scene) for place in range(len(step.blanks))]
        return None if None in values else tuple(str(value) for value in values)
    if step.truth is not None:
        value = step.truth.of(scene)
        return None if value is None else (str(value),)
    return next(((one.id,) for one in step.choices if one.when is not None and one.when.holds(scene)), None)


def blank_row(step: Step, place: int, scene: Scene) -> Row | None:
    """The packet, by its row, of which a number is hidden."""
    rows = step.blanks[place].packet.rows(scene.trace)
    return row_at(rows, 0) if len(rows) else None


def blank_value(step: Step, place: int, scene: Scene) -> int | None:
    """The number that is hidden."""
    row = blank_row(step, place, scene)
    return None if row is None else field_value(scene, row, step.blanks[place].field)


def judge(step: Step, given: Answer, truth: Answer, scene: Scene) -> Judged:
    """Hold an answer against the truth."""
    right = tuple(_same(step, one, other) for one, other in zip(_long(given, truth), truth, strict=True))
    return Judged(given, truth, right, "" if all(right) else _foreseen(step, given, right, scene))


def _long(given: Sequence[str], truth: Sequence[str]) -> Sequence[str]:
    return [*given[: len(truth)], *[""] * (len(truth) - len(given))]


def next_blank(step: Step, given: Answer) -> int:
    """The place of the number that is to be filled in next, as many as there are where none is open."""
    return next((place for place in range(len(step.blanks)) if not "".join(given[place : place + 1])),
                len(step.blanks))


def filled_in(step: Step, given: Answer, text: str) -> Answer:
    """What was given so far, with `text` in the place that is next."""
    place = next_blank(step, given)
    return (*given[:place], text, *given[place + 1 :])


def what_stays(judged: Judged | None) -> Answer:
    """The parts of an answer that are right; the others are asked again."""
    if judged is None:
        return ()
    return tuple(one if right else "" for one, right in zip(judged.given, judged.right, strict=True))


def is_number(step: Step) -> bool:
    """Whether the parts of its answer are numbers."""
    return step.kind == "blank" or (step.kind == "predict" and step.ask == "number")


def _same(step: Step, given: str, truth: str) -> bool:
    if is_number(step):
        return number_of(given) is not None and number_of(given) == number_of(truth)
    return given == truth


def _foreseen(step: Step, given: Answer, right: Sequence[bool], scene: Scene) -> str:
    """The id of the first part that is wrong in a way that has words."""
    if step.choices:
        return given[0] if given else ""
    if step.kind == "order":
        return disorder_of(step, given)
    values = [(one, one.value.of(scene)) for one in step.wrongs]
    blanks = [blank.id for blank in step.blanks] or [""]
    wrong = [(blank, number_of(part)) for blank, part, is_right in zip(blanks, given, right, strict=False)
             if not is_right]
    return next((one.id for blank, number in wrong if number is not None for one, value in values
                 if value == number and (not one.blanks or blank in one.blanks)), "")


def disorder_of(step: Step, given: Answer) -> str:
    """The id of the first foreseen mistake in an order that was given, "" for none."""
    places = {item: place for place, item in enumerate(given)}
    return next((one.id for one in step.disorders if one.early in places and one.late in places
                 and places[one.early] < places[one.late]), "")
