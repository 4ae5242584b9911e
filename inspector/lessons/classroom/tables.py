"""Results as tables: CSV for a spreadsheet, lines for a person. Names and answers are strangers' words.

A cell of CSV that a spreadsheet would take for a formula begins with an apostrophe, which makes it a text.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from inspector.lessons.classroom.results import ASKED, Learner, StepResult
from inspector.lessons.classroom.tallies import Tally
from inspector.lessons.format.model import Lesson
from inspector.lessons.format.page import styled
from inspector.lessons.pages.words import row_words, word
from inspector.model.language import marked, tr
from inspector.views.line.spans import fit
from inspector.wire.text import escaped

LESSON_COLUMNS = ("learner", "lesson", "begun", "done", "steps", "asked", "right", "tries", "hints", "shown",
                  "seconds", "wrong", "file")
STEP_COLUMNS = ("learner", "lesson", "step", "kind", "first", "right", "foreseen", "tries", "hints", "shown",
                "over", "seconds", "file")
_MOST_ANSWERS = 24                             # answers of one question
_WIDTHS = (20, 14, 5, 11, 6, 6, 10)             # cells of a learner's columns, the first _TEXTS of words
_TEXTS = 3
_FORMULA = frozenset("=+-@＝＋－＠")
Found = Sequence[tuple[Learner, str]]          # with the names of their files


def called(learner: Learner, file: str) -> str:
    """What a learner is called: by the file's name where none was given."""
    return learner.name or file.rpartition(".")[0] or file or "?"


def csv_line(cells: Iterable[object]) -> str:
    """One line of CSV, without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = escaped(str(value))
    return "'" + text if text.lstrip()[:1] in _FORMULA and text.strip() else text


def lesson_rows(found: Found) -> Iterator[tuple[object, ...]]:
    """A row a learner and lesson."""
    for learner, file in found:
        for one in learner.lessons:
            answers = [answer for answer in one.answers if answer.kind in ASKED]
            wrong = "; ".join(f"{answer.step}={_wrong_answer(answer)}" for answer in answers
                              if answer.answered and not answer.right)
            yield (called(learner, file), one.lesson, one.begun, one.done, one.steps, one.asked, one.right,
                   sum(answer.tries for answer in answers), sum(answer.hints for answer in one.answers),
                   sum(answer.shown for answer in answers), one.seconds, wrong, file)


def step_rows(found: Found) -> Iterator[tuple[object, ...]]:
    """A row a learner and question."""
    for learner, file in found:
        for lesson in learner.lessons:
            for one in lesson.answers:
                if one.kind in ASKED:
                    yield (called(learner, file), lesson.lesson, one.step, one.kind, " ".join(one.first),
                           one.right if one.first else "", one.foreseen, one.tries, one.hints, one.shown,
                           one.over, one.seconds, file)


def _wrong_answer(one: StepResult) -> str:
    return one.foreseen or " ".join(one.first)


# --- for a person ---


def class_lines(found: Found, lessons: Sequence[Lesson], language: str, width: int) -> Iterator[str]:
    """Who did what, a line a learner and lesson; then the questions, and who was wrong about them and how."""
    known = {lesson.name: lesson for lesson in lessons}
    yield _row(tr("learner"), tr("lesson"), tr("done"), tr("right first"), tr("tries"), tr("hints"),
               tr("time"))
    for name, lesson, _, done, _, asked, right, tries, hints, _, seconds, _, _ in lesson_rows(found):
        yield _row(escaped(str(name)), _named(str(lesson), known, language), tr("yes") if done else tr("no"),
                   tr("{right} of {asked}", right=right, asked=asked), str(tries), str(hints),
                   _time(int(str(seconds))))
    answers = _by_question(found)
    for one in sorted(answers, key=lambda name: (known[name].number if name in known else 1000, name)):
        yield from _questions(one, answers[one], known.get(one), language, width)


def _row(*cells: str) -> str:
    return " ".join(fit(cell, width, align="left" if place < _TEXTS else "right")
                    for place, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True)))


def _named(name: str, lessons: Mapping[str, Lesson], language: str) -> str:
    """A lesson by its title; in English by the name that commands take, which says the same."""
    known = lessons.get(name)
    return escaped(name, 60) if known is None or language == "en" else known.text(language).title


def _by_question(found: Found) -> dict[str, dict[str, list[StepResult]]]:
    """All answers, by lesson and step: one walk, however many names a hostile file makes up."""
    answers: dict[str, dict[str, list[StepResult]]] = {}
    for learner, _ in found:
        for lesson in learner.lessons:
            steps = answers.setdefault(lesson.lesson, {})
            for one in lesson.answers:
                if one.answered:
                    steps.setdefault(one.step, []).append(one)
    return answers


def _time(seconds: int) -> str:
    """A class's browsers count no time."""
    if not seconds:
        return "-"
    return tr("{minutes}:{seconds:02} min", minutes=seconds // 60, seconds=seconds % 60)


def _questions(
    name: str, asked: Mapping[str, Sequence[StepResult]], lesson: Lesson | None, language: str, width: int
) -> Iterator[str]:
    """What was asked in one lesson, in its order, and the wrong answers that were given first."""
    order = {} if lesson is None else {step.id: place for place, step in enumerate(lesson.steps)}
    for step in sorted(asked, key=lambda one: order.get(one, len(order))):
        answers = asked[step]
        wrong = [one for one in answers if not one.right]
        if not wrong:
            continue
        yield ""
        title = escaped(name, 60) if lesson is None else _named(name, {name: lesson}, language)
        yield tr("{lesson}, {step}: {right} of {all} right at the first try", lesson=title,
                 step=escaped(step, 60), right=len(answers) - len(wrong), all=len(answers))
        for (parts, foreseen), count in Counter((one.first, one.foreseen) for one in wrong).most_common(8):
            words = _words(lesson, step, parts, foreseen, language)
            yield fit(f"  {count:>3} × {words}", width).rstrip()


def tally_lines(
    tallies: Sequence[Tally], lessons: Sequence[Lesson], language: str, width: int
) -> Iterator[str]:
    """Each question that was put to a class, and how often each answer was given, alone and after talking."""
    known = {lesson.name: lesson for lesson in lessons}
    for tally in tallies:
        counts = tr(" alone, then ").join(f"{one.count}" for one in tally.rounds)
        template = (marked("{lesson}, {step}: put to a class {time} UTC, {counts} after talking")
                    if len(tally.rounds) > 1 else
                    marked("{lesson}, {step}: put to a class {time} UTC, {counts} alone"))
        yield ""
        yield tr(template, lesson=_named(tally.lesson, known, language), step=escaped(tally.step, 60),
                 time=f"{tally.asked[:10]} {tally.asked[11:16]}", counts=counts)
        for answer in tally.answers[:_MOST_ANSWERS]:
            shares = " → ".join(f"{one.of(answer):>3} {one.of(answer) / max(one.count, 1):>4.0%}"
                                for one in tally.rounds)
            words = _words(known.get(tally.lesson), tally.step, (answer,), "", language)
            yield fit(f"  {'✓' if answer == tally.truth else ' '} {shares}  {words}", width).rstrip()


def _words(lesson: Lesson | None, step: str, parts: Sequence[str], foreseen: str, language: str) -> str:
    """A wrong answer as the learner saw it, and what the lesson says to it."""
    known = None if lesson is None else next((one for one in lesson.steps if one.id == step), None)
    plain = escaped(", ".join(part or word(language, "left-out") for part in parts), 60)
    if lesson is None or known is None:
        return plain
    text = lesson.text(language).steps[step]
    if known.kind == "predict" and known.ask == "row" and parts[0] in {one.id for one in known.choices}:
        shown = row_words(language, parts[0])
    else:
        options = text.items if known.kind == "order" else text.choices
        shown = ", ".join(_bare(options[part]) if part in options else escaped(part, 60) for part in parts)
    feedback = text.feedback.get(foreseen, "")
    return tr("{answer}: {feedback}", answer=shown, feedback=_bare(feedback)) if feedback else shown or plain


def _bare(text: str) -> str:
    return " ".join("".join(span.text for span in styled(text)).split())
