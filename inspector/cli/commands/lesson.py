"""`inspector lesson`: the lessons in the app, and without it: list, check, new, quiz, reset.

    inspector lesson NAME|DIR       the app on a lesson; without a name, on the map of them
    inspector lesson check --all    every step played headless in the lab, in both languages
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inspector.cli.errors import DONE, MISSING, NO, UNREADABLE, USAGE, CommandError
from inspector.cli.options.shared import INPUT, FileName
from inspector.cli.output import notice, write_line, write_text
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.lessons.format.faults import LessonError
    from inspector.lessons.format.model import Lesson

LANGUAGES = ("en", "zh")
LANG = click.option("--lang", type=click.Choice(LANGUAGES), help="The language; the locale's is usual.")


class Lessons(click.Group):
    """The group; a word that is no subcommand is a lesson's name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand, or the one that opens a lesson."""
        if args and self.get_command(ctx, args[0]) is None:
            return "open", _open, args
        return super().resolve_command(ctx, args)


@click.group("lesson", cls=Lessons, invoke_without_command=True, subcommand_metavar="[NAME|DIR]|COMMAND …")
@LANG
@click.pass_context
def command(context: click.Context, lang: str | None) -> int:
    """Lessons on real packets: say what will happen, let it happen, be shown that it did.

    With a lesson's NAME, or the folder of one, the app opens on it; alone, on the map of all lessons.
    """
    context.obj = lang
    if context.invoked_subcommand is not None:
        return DONE
    from inspector.cli.app import open_lessons  # here and below: help would wait for Textual

    return open_lessons(None, language(lang))


@click.command("open")
@click.argument("name")
@LANG
@click.pass_context
def _open(context: click.Context, name: str, lang: str | None) -> int:
    """Open one lesson."""
    from inspector.cli.app import open_lessons

    return open_lessons(_found(name), language(lang or context.obj))


def language(chosen: str | None) -> str:
    """The language that was asked for, else the locale's, else English."""
    from inspector.lessons.pages.words import usual_language

    return chosen or usual_language()


@command.command("list")
@LANG
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def list_lessons(context: click.Context, lang: str | None, as_json: bool) -> int:
    """List the lessons, what each rests on, and how far they are done."""
    from inspector.lessons import progress
    from inspector.lessons.library import lessons

    chosen = language(lang or context.obj)
    for lesson in lessons():
        words, done = lesson.text(chosen), progress.of(lesson.name)
        if as_json:
            write_line({"name": lesson.name, "number": lesson.number, "title": words.title,
                        "minutes": lesson.minutes, "prerequisites": list(lesson.prerequisites),
                        "concepts": list(lesson.concepts), "steps": len(lesson.steps), "step": done.step,
                        "done": done.done, "right": done.right, "asked": done.asked})
            continue
        sign = "✓" if done.done else "◐" if done.step else " "
        rests = f"  ← {', '.join(lesson.prerequisites)}" if lesson.prerequisites else ""
        head = f"{sign} {lesson.number:>2}  {lesson.name:<12} "
        write_text(f"{head}{words.title}  ({lesson.minutes} min){rests}")
    return DONE


@command.command("check")
@click.argument("names", nargs=-1, metavar="NAME|DIR ...")
@click.option("--all", "every", is_flag=True, help="All lessons that come with the program.")
@click.option("--words-only", is_flag=True, help="Read the files alone; play nothing.")
def check(names: tuple[str, ...], every: bool, words_only: bool) -> int:
    """Play each step with real packets: it must fail untouched, and pass when solved; else exit status 1.

    A file that is wrong is told by file, line and key, with exit status 4.
    """
    from inspector.lessons import library
    from inspector.lessons.format.faults import LessonError

    if every == bool(names):
        raise CommandError("Name lessons or folders to check, or --all.", USAGE)
    for name in names:                     # one that does not exist is told before an hour of playing
        _folder_of(name)
    status = DONE
    for name in library.names() if every else names:
        try:
            lesson = library.find(name)
        except LessonError as error:
            _print_faults(error)
            status = UNREADABLE
            continue
        if not words_only and (sentence := library.lacking(lesson)):
            write_text(f"- {lesson.name}  skipped: {sentence}")
            continue
        passed = words_only or _played(lesson)
        kinds = f"{len(lesson.steps)} steps, {', '.join(lesson.texts)}"
        write_text(f"{'✓' if passed else '✗'} {lesson.name}  {kinds}")
        status = status or (DONE if passed else NO)
    return status


def _played(lesson: Lesson) -> bool:
    from inspector.lab.errors import LabError
    from inspector.lessons.play.headless import proved

    count, right = 0, True
    try:
        for _, faults in proved(lesson):
            count += 1
            right = right and not faults
            for fault in faults:
                write_text(str(fault))
    except LabError as error:
        raise CommandError(error.sentence, MISSING, error.remedy) from error
    return right and count == len(lesson.steps)


def _found(name: str) -> Lesson:
    from inspector.lessons.format.faults import LessonError
    from inspector.lessons.format.loader import load

    try:
        return load(_folder_of(name))
    except LessonError as error:
        _print_faults(error)
        raise CommandError(f"{len(error.faults)} fault{'s' * (len(error.faults) > 1)}: this lesson cannot be "
                           "opened.", UNREADABLE) from error


def _folder_of(name: str) -> Path:
    from inspector.lessons.library import UnknownLessonError, folder_of

    try:
        return folder_of(name)
    except UnknownLessonError as error:
        raise CommandError(str(error), USAGE) from error


def _print_faults(error: LessonError) -> None:
    for fault in error.faults[:50]:
        notice(str(fault))


@command.command("reset")
@click.argument("name", required=False)
def reset(name: str | None) -> int:
    """Forget how far a lesson was done, or all of them."""
    from inspector.lessons import library, progress

    if name is not None and name not in {*library.names(), *progress.names()}:
        raise CommandError(str(library.UnknownLessonError(name)), USAGE)
    try:
        gone = progress.reset(name)
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}.", MISSING) from error
    if gone:
        were = "was" if len(gone) == 1 else "were"
        notice(f"It is forgotten how far {escaped(', '.join(gone), 400)} {were} done.")
    else:
        notice(f"There is nothing to forget: {'no lesson was' if name is None else f'{name} was not'} begun.")
    return DONE


@command.command("new")
@click.argument("folder", metavar="DIR", type=FileName())
def new(folder: str) -> int:
    """Write a small lesson into the new folder DIR, to begin from."""
    from inspector.lessons.library import write_example

    try:
        files = write_example(folder)
    except OSError as error:
        raise CommandError(f"{folder} cannot be made: {error.strerror}.", USAGE) from error
    for file in files:
        write_text(str(file))
    return DONE


@command.command("quiz")
@click.argument("trace", metavar="TRACE", type=INPUT)
@LANG
@click.option("--questions", type=click.IntRange(1, 50), default=8, show_default=True, help="How many.")
@click.option("--seed", type=int, default=None, help="The same questions again.")
@click.pass_context
def quiz(context: click.Context, /, trace: str, questions: int, seed: int | None, lang: str | None) -> int:
    """Ask about a trace, your own for instance: next packet, flags, numbers, states.

    Answers are read from standard input, a line each, and graded one by one: s shows the answer, q leaves
    with the result so far. Exit status 0 when all were right, 1 when not.
    """
    from inspector.cli.quiz import ask

    return ask(trace, questions, seed, language(lang or context.obj))
