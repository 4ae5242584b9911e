"""`inspector lesson`: the lessons in the app, and without it: list, check, new, quiz, results, reset.

    inspector lesson NAME|DIR       the app on a lesson; without a name, on the map of them
    inspector lesson check --all    every step played headless in the lab, in both languages
    inspector lesson teach NAME     the same on a projector: the class votes before anything happens
    inspector lesson results DIR    what became of the answers of a class
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inspector.cli.errors import DONE, MISSING, NO, UNREADABLE, USAGE, CommandError, unwritable
from inspector.cli.options.shared import INPUT, FileName
from inspector.cli.output import notice, write_line, write_text
from inspector.model.language import LANGUAGES, use
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.lessons.classroom.gather import Gathered
    from inspector.lessons.format.faults import LessonError
    from inspector.lessons.format.model import Lesson

LANG = click.option("--lang", type=click.Choice(LANGUAGES),
                    help="The language; else the app's, else the locale's.")
NAME = click.option("--name", "learner", metavar="TEXT", help="Your name in your results, kept from now on.")


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
@NAME
@click.pass_context
def command(context: click.Context, lang: str | None, learner: str | None) -> int:
    """Lessons on real packets: say what will happen, let it happen, be shown that it did.

    With a lesson's NAME, or the folder of one, the app opens on it; alone, on the map of all lessons.
    """
    context.obj = lang
    _take_name(learner)
    if context.invoked_subcommand is not None:
        return DONE
    from inspector.cli.app import open_lessons  # here and below: help would wait for Textual

    return open_lessons(None, language(lang))


@click.command("open")
@click.argument("name")
@LANG
@NAME
@click.pass_context
def _open(context: click.Context, name: str, lang: str | None, learner: str | None) -> int:
    """Open one lesson."""
    from inspector.cli.app import open_lessons

    lesson = _found(name)
    _take_name(learner)
    return open_lessons(lesson, language(lang or context.obj))


def _take_name(name: str | None) -> None:
    """Keep the learner's name, where one was given."""
    if name is None:
        return
    from inspector.lab.files.folders import FolderError
    from inspector.lessons.classroom import notes

    try:
        notes.give_name(name)
    except FolderError as error:
        raise CommandError(str(error), MISSING, error.remedy) from error
    except OSError as error:
        raise CommandError(f"Your name cannot be kept: {error.strerror}.", MISSING) from error


def language(chosen: str | None) -> str:
    """The language that was asked for, else the app's, else the locale's, else English."""
    from inspector.tui.files.settings import kept_language

    return chosen or kept_language()


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
    """Forget how far a lesson was done and what was answered, or all of it."""
    from inspector.lab.files.folders import FolderError
    from inspector.lessons import library, progress
    from inspector.lessons.classroom import notes, tallies

    learner = notes.own()
    answered = () if learner is None else tuple(one.lesson for one in learner.lessons)
    answered += tuple(dict.fromkeys(one.lesson for one in tallies.own() if one.lesson not in answered))
    if name is not None and name not in {*library.names(), *progress.names(), *answered}:
        raise CommandError(str(library.UnknownLessonError(name)), USAGE)
    try:
        gone = progress.reset(name)
        gone += tuple(one for one in answered if name in (None, one) and one not in gone)
        with contextlib.suppress(FolderError):           # then nothing was kept
            notes.forget(name)
            tallies.forget(name)
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
        raise unwritable(folder, error, "made") from error
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
    with the result so far. Exit status 0 when all that were answered were right, 1 when not, or none was.
    """
    from inspector.cli.quiz import ask

    return ask(trace, questions, seed, language(lang or context.obj))


@command.command("results")
@click.argument("sources", nargs=-1, metavar="[FILE|DIR ...]", type=FileName())
@click.option("--json", "form", flag_value="json", help="One JSON object a line, one a learner.")
@click.option("--csv", "form", flag_value="csv", help="A table: a line a learner and lesson.")
@click.option("--steps", is_flag=True, help="With --csv, a line a learner and question.")
@LANG
@NAME
@click.pass_context
def results(context: click.Context, /, sources: tuple[str, ...], form: str | None, steps: bool,
            lang: str | None, learner: str | None) -> int:
    """Show what became of the answers: your own, or those in files and folders of a class.

    What was counted in front of a class (lesson teach) follows, round by round. What --json prints of your
    own is what you hand in. A folder's *.json and *.jsonl are read; what is no
    results file is told and left out, with exit status 4.
    """
    from inspector.lessons.classroom import tables, tallies
    from inspector.lessons.classroom.results import object_of

    if steps and form != "csv":
        raise CommandError("--steps goes with --csv.", USAGE)
    _take_name(learner)
    found = _gathered(sources)
    if form == "json":
        for one, _ in found.learners:
            write_line(object_of(one))
        for tally in found.tallies:
            write_line(tallies.object_of(tally))
    elif form == "csv":
        write_text(tables.csv_line(tables.STEP_COLUMNS if steps else tables.LESSON_COLUMNS))
        for row in (tables.step_rows if steps else tables.lesson_rows)(found.learners):
            write_text(tables.csv_line(row))
    elif found.learners or found.tallies:
        _write_results(found, language(lang or context.obj))
    for fault in found.faults:
        notice(fault)
    if not (found.learners or found.tallies or found.faults):
        notice("There are no results: no lesson was begun." if not sources else "There are no results there.")
    return UNREADABLE if found.faults else DONE


def _gathered(sources: tuple[str, ...]) -> Gathered:
    from inspector.lessons.classroom import notes, tallies
    from inspector.lessons.classroom.gather import Gathered, gathered

    if sources:
        return gathered(map(Path, sources))
    own = notes.own()
    return Gathered([] if own is None else [(own, "")], tallies.own())


def _write_results(found: Gathered, chosen: str) -> None:
    from inspector.cli.output import line_width
    from inspector.lessons.classroom.tables import class_lines, tally_lines
    from inspector.lessons.library import lessons

    use(chosen)
    known = lessons()
    lines = [*class_lines(found.learners, known, chosen, line_width())] if found.learners else []
    for line in (*lines, *tally_lines(found.tallies, known, chosen, line_width())):
        if line or lines:
            write_text(line)
            lines = [line]


@command.command("teach")
@click.argument("name", required=False, metavar="[NAME|DIR]")
@click.option("--class", "folder", metavar="DIR", type=FileName(),
              help="Take votes from the browsers of 'inspector serve --class DIR', too.")
@LANG
@click.pass_context
def teach(context: click.Context, name: str | None, folder: str | None, lang: str | None) -> int:
    """Show a lesson to a class: before each thing happens, the class votes on what will.

    Votes are taken in two rounds, first alone, then after talking with a neighbour. Hands are counted by you,
    browsers by themselves. What was answered is shown when you say so, then it happens.
    """
    from inspector.cli.app import teach_lessons

    return teach_lessons(None if name is None else _found(name), language(lang or context.obj), folder)
