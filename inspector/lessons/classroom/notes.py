"""The learner's own results: noted while a lesson is played, kept in one file, given a name, forgotten.

`results.json` in the state folder; of a visitor of `inspector serve --class` a file of the class's folder
(INSPECTOR_CLASS, INSPECTOR_SEAT). A file that cannot be read is as if there were none. Nothing is sent
anywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from inspector.lab.files.folders import FolderError, state_folder
from inspector.lab.files.ownership import make_folder
from inspector.lab.files.whole import read_whole, write_whole
from inspector.lessons.classroom.ballot import Ballot
from inspector.lessons.classroom.results import (
    LONGEST,
    Learner,
    LessonResult,
    ResultsError,
    StepResult,
    learner_of,
    named,
    object_of,
)
from inspector.lessons.format.model import Lesson, Step
from inspector.lessons.play.player import TRIES, Player, Record

MOST = 1 << 20             # bytes of a file of results
LONGEST_PAUSE = 300.0      # seconds: who does nothing for longer is counted as gone meanwhile


def own_file() -> Path:
    """The file of this learner; FolderError."""
    folder, seat = os.environ.get("INSPECTOR_CLASS"), os.environ.get("INSPECTOR_SEAT")
    return Path(folder, f"{seat}.json") if folder and seat else state_folder() / "results.json"


def own(file: Path | None = None) -> Learner | None:
    """What is kept of this learner (in `file`: of the one whose it is); None where nothing is."""
    try:
        return learner_of(json.loads(read_whole(file or own_file(), MOST).decode("utf-8")))
    except (FolderError, OSError, ValueError, RecursionError, ResultsError):
        return None


def _keep(learner: Learner, file: Path | None = None) -> None:
    path = file or own_file()
    make_folder(path.parent)
    write_whole(path, json.dumps(object_of(learner)) + "\n")


def give_name(name: str) -> None:
    """The learner's name from now on; FolderError, OSError where it cannot be kept."""
    _keep(replace(own() or Learner(), name=named(name)))


def keep(result: LessonResult, file: Path | None = None) -> None:
    """Keep what became of a lesson, which stays done once it was; where nothing can be written, nothing."""
    with contextlib.suppress(FolderError, OSError):
        learner = own(file) or Learner()
        others = tuple(one for one in learner.lessons if one.lesson != result.lesson)
        before = learner.lesson(result.lesson)
        if before is not None:                 # a vote may have been noted while the lesson was open
            result = replace(result, done=result.done or before.done,
                             answers=_both(before.answers, result.answers))
        _keep(replace(learner, lessons=(*others, result)), file)


def _both(before: tuple[StepResult, ...], now: tuple[StepResult, ...]) -> tuple[StepResult, ...]:
    """Steps of now, with first answers of before, and those of before alone."""
    old, new = {one.step: one for one in before}, {one.step: one for one in now}
    for name, one in new.items():
        first = old.get(name, one)
        if first.first:
            new[name] = replace(one, first=first.first, right=first.right, foreseen=first.foreseen)
    return tuple((old | new).values())


def note_vote(ballot: Ballot, answers: tuple[str, ...], file: Path | None = None) -> None:
    """A vote is an answer, in each round: the question's first one, where there was none before.

    `file`: of a learner who does not do it, since the browser was closed; where they did, nothing changes.
    """
    if not answers or not ballot.step:
        return
    learner = own(file) or Learner()
    lesson = learner.lesson(ballot.lesson) or LessonResult(ballot.lesson, _now(), ballot.steps)
    one = lesson.step(ballot.step) or StepResult(ballot.step)
    if file is not None and one.first:
        return
    if not one.first:
        first = answers[0]
        one = replace(one, first=(first,), right=first == ballot.truth,
                      foreseen="" if first == ballot.truth else ballot.foreseen.get(first, ""))
    one = replace(one, kind="predict", tries=one.tries + len(answers), over=True)
    keep(replace(lesson, answers=_both(lesson.answers, (one,))), file)


def forget(name: str | None = None) -> None:
    """Forget what became of a lesson, or of all; the name goes with the last. FolderError, OSError."""
    learner = own()
    if learner is None:
        return
    rest = tuple(one for one in learner.lessons if name not in (None, one.lesson))
    if rest:
        _keep(replace(learner, lessons=rest))
    else:
        own_file().unlink(missing_ok=True)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def key_of(lesson: Lesson) -> str:
    """The lesson's name in results: a stranger's is never taken for one of ours."""
    return lesson.name if lesson.number else f"./{named(lesson.folder.absolute().name)}"


class Notes:
    """Of one lesson that is open now; what was kept of it before is the beginning of it."""

    def __init__(self, lesson: Lesson, clock: Callable[[], float] = time.monotonic) -> None:
        self._lesson, self._clock = lesson, clock
        self._seen: dict[str, float] = {}              # seconds, by the step's id
        self._at: str | None = None
        self._since = clock()
        self.begin_again()

    def begin_again(self) -> None:
        """The lesson is played anew: first answers stay what they were."""
        learner = own()
        before = None if learner is None else learner.lesson(key_of(self._lesson))
        self._before = before or LessonResult(key_of(self._lesson), _now(), len(self._lesson.steps))
        self._seen.clear()

    def look(self, step: Step) -> None:
        """The learner did something, and has this step before them; the time until now was the last one's."""
        now = self._clock()
        if self._at is not None:
            spent = min(now - self._since, LONGEST_PAUSE)
            self._seen[self._at] = self._seen.get(self._at, 0.0) + spent
        self._at, self._since = step.id, now

    def result(self, player: Player, *, done: bool = False) -> LessonResult:
        """What has become of the lesson by now."""
        self.look(player.step)
        steps = zip(self._lesson.steps, player.records, strict=True)
        found = (self._step(step, record) for step, record in steps)
        return replace(self._before, steps=len(self._lesson.steps), done=done or self._before.done,
                       answers=tuple(one for one in found if one is not None))

    def _step(self, step: Step, record: Record) -> StepResult | None:
        before = self._before.step(step.id)
        if step.id not in self._seen:                  # it was not seen this time, or played again unasked
            return before
        one = before or StepResult(step.id, step.kind)
        if not one.first and record.first is not None:
            first = record.first
            given = tuple(part[:LONGEST] for part in first.given)      # a number may be typed at any length
            one = replace(one, first=given, right=first.all_right, foreseen=first.foreseen)
        return replace(
            one, kind=step.kind, tries=one.tries + record.tries, hints=max(one.hints, record.hints),
            shown=one.shown or (record.revealed and step.kind in (*TRIES, "explain")),
            over=one.over or record.phase in ("over", "read"),
            seconds=one.seconds + round(self._seen[step.id]))
