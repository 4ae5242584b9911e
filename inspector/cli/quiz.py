"""A quiz in the terminal: questions on stdout, answers from stdin, each graded beside the truth."""

from __future__ import annotations

import os
import shutil
import sys

from inspector.cli.errors import DONE, NO, UNREADABLE, CommandError
from inspector.cli.output import DEFAULT_WIDTH, write_text
from inspector.lessons.pages.words import word
from inspector.lessons.quiz import Question, picture, questions, shown
from inspector.trace.trace import Trace, TraceError
from inspector.views.line.ansi import to_text, wants_colour

MOST_COLUMNS = 120


def ask(file: str, count: int, seed: int | None, language: str) -> int:
    """Ask; the exit status: 0 when every answer was right, 1 when not."""
    try:
        with Trace.open(file) as trace:
            trace.finish()
            found = questions(trace, count, language, seed)
            if not found:
                raise CommandError("There is no TCP or UDP conversation in it to ask about.", NO)
            right = sum(_asked(trace, one, number, len(found), language)
                        for number, one in enumerate(found, 1))
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    write_text(f"{right} / {len(found)} {word(language, 'score')}")
    return DONE if right == len(found) else NO


def _asked(trace: Trace, question: Question, number: int, count: int, language: str) -> bool:
    """Ask one; whether the answer was right."""
    colour = wants_colour(sys.stdout.isatty(), os.environ)
    columns = shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns if sys.stdout.isatty() else DEFAULT_WIDTH
    write_text(f"— {word(language, 'question')} {number} / {count}")
    for line in picture(trace, question, max(min(columns, MOST_COLUMNS), 60)):
        write_text(to_text(line, colour=colour))
    write_text(question.text)
    for place, name in enumerate(question.choices, 1):
        write_text(f"  {place}  {shown(question, name, language)}")
    sys.stdout.write("> ")
    sys.stdout.flush()
    answer = sys.stdin.readline().strip()
    if not sys.stdin.isatty():
        write_text(answer)
    passed = question.right(answer)
    if passed:
        write_text(f"✓ {word(language, 'right')}")
    else:
        truth = shown(question, question.truth, language) if question.choices else question.truth
        write_text(f"✗ {word(language, 'wrong')} {word(language, 'truth')}: {truth}")
    if question.note:
        write_text(f"  {question.note}")
    write_text("")
    return passed
