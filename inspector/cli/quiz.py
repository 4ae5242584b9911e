"""A quiz in the terminal: questions on stdout, answers from stdin, each graded beside the truth.

File -> `Trace` -> `lessons/quiz.py` makes questions -> a question and an answer a turn -> how many were
right.
"""

from __future__ import annotations

import os
import shutil
import sys

from inspector.cli.errors import DONE, NO, UNREADABLE, CommandError
from inspector.cli.output import DEFAULT_WIDTH, write_text
from inspector.cli.waiting import announced_wait
from inspector.lessons.format.page import wrapped
from inspector.lessons.pages.words import word
from inspector.lessons.play.answers import number_of
from inspector.lessons.quiz import Question, picture, questions, shown
from inspector.model.language import use
from inspector.trace.trace import Trace, TraceError
from inspector.views.line.ansi import to_text, wants_colour
from inspector.views.line.spans import plain

MOST_COLUMNS = 120
_SHOW, _LEAVE = "s", "q"


class _LeftError(Exception):
    """Who was asked has left."""


def ask(file: str, count: int, seed: int | None, language: str) -> int:
    """Ask; the exit status: 0 when all that was answered was answered rightly, 1 when not."""
    try:
        with announced_wait(file):
            opened = Trace.open(file)
        with opened as trace:
            trace.finish()
            use(language)                     # the ladder speaks it, too
            found = questions(trace, count, language, seed)
            if not found:
                raise CommandError("There is no TCP conversation in it to ask about.", NO)
            asked, right = _ask_all(trace, found, language)
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    return DONE if asked and right == asked else NO


def _ask_all(trace: Trace, found: list[Question], language: str) -> tuple[int, int]:
    """Ask one after the other, as long as somebody answers; how many were answered, and how many rightly."""
    asked = right = 0
    _print(word(language, "quiz-how"))
    try:
        for number, one in enumerate(found, 1):
            right += _asked(trace, one, number, len(found), language)
            asked = number
    except (_LeftError, KeyboardInterrupt):
        write_text("")
    rest = len(found) - asked
    left_out = f", {rest} {word(language, 'left-out')}" if rest else ""
    write_text(f"{right} / {asked or len(found)} {word(language, 'score')}{left_out}")
    return asked, right


def _columns() -> int:
    columns = shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns if sys.stdout.isatty() else DEFAULT_WIDTH
    return max(min(columns, MOST_COLUMNS), 60)


def _print(text: str, indent: str = "") -> None:
    """Print a paragraph, broken between its words."""
    for line in wrapped(text, _columns() - len(indent)):
        write_text(indent + plain(line))


def _asked(trace: Trace, question: Question, number: int, count: int, language: str) -> bool:
    """Ask one; whether the answer was right."""
    colour = wants_colour(sys.stdout.isatty(), os.environ)
    write_text(f"— {word(language, 'question')} {number} / {count}")
    for line in picture(trace, question, _columns()):
        write_text(to_text(line, colour=colour))
    _print(question.text)
    for place, name in enumerate(question.choices, 1):
        write_text(f"  {place}  {shown(question, name, language)}")
    answer = _answer(question, language)
    passed = question.right(answer)
    if passed:
        write_text(f"✓ {word(language, 'right')}")
    else:
        truth = shown(question, question.truth, language) if question.choices else question.truth
        truth = word(language, "truth") + ("：" if language == "zh" else ": ") + truth
        between = "" if language == "zh" else " "
        write_text(f"✗ {word(language, 'wrong')}{between}{truth}" if answer else f"  {truth}")
    _print(question.note, "  ")
    write_text("")
    return passed


def _answer(question: Question, language: str) -> str:
    """What is answered; "" where the truth is to be shown. _LeftError where nobody answers any more."""
    while True:
        sys.stdout.write("> ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        answer = line.strip()
        if not sys.stdin.isatty():
            write_text(answer)
        if not line or answer.lower() == _LEAVE:
            raise _LeftError
        if answer.lower() == _SHOW:
            return ""
        value, choices = number_of(answer), len(question.choices)
        if value is not None and (not choices or 1 <= value <= choices):
            return answer
        _print(word(language, "quiz-choice").format(choices) if choices else word(language, "quiz-number"))
