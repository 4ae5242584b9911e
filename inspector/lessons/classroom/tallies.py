"""What a class answered, counted: raised hands and browsers, in both rounds of each question.

`Poll`, when it is told or passed by -> one JSON object, a line of `tallies.jsonl` (in the folder of the
class, else in the teacher's state folder) -> `lesson results`. Nobody's name stands in it.

    {"inspector_tally": 1, "lesson": "handshake", "step": "isn", "asked": "2026-03-02T08:15:00Z",
     "truth": "any", "rounds": [{"hands": {"zero": 17, "any": 29}, "browsers": {}},
                                {"hands": {"zero": 3, "any": 42}, "browsers": {}}]}
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.lab.files.folders import FolderError, state_folder
from inspector.lab.files.ownership import create_file, make_folder
from inspector.lab.files.whole import read_whole, write_whole
from inspector.lessons.classroom.ballot import TALLIES
from inspector.lessons.classroom.notes import MOST
from inspector.lessons.classroom.results import LONGEST, ResultsError, Taker
from inspector.wire.text import escaped

FORMAT = 1
_MOST_ANSWERS = 100
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Round:
    """How often each answer was given: by raised hands, and in browsers."""

    hands: Counts
    browsers: Counts

    def of(self, answer: str) -> int:
        """How often this one was."""
        return self.hands.get(answer, 0) + self.browsers.get(answer, 0)

    @property
    def count(self) -> int:
        """All answers."""
        return sum(self.hands.values()) + sum(self.browsers.values())


@dataclass(frozen=True, slots=True)
class Tally:
    """One question that was put to a class; `truth` is "" where it was passed by before it happened."""

    lesson: str
    step: str
    asked: str
    truth: str
    rounds: tuple[Round, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers that were given, the most frequent first, and the right one."""
        sums: dict[str, int] = {self.truth: 0} if self.truth else {}
        for one in self.rounds:
            for answer in (*one.hands, *one.browsers):
                sums[answer] = sum(each.of(answer) for each in self.rounds)
        return tuple(sorted(sums, key=lambda answer: -sums[answer]))


def own_file() -> Path:
    """Where tallies are kept without a class's folder; FolderError."""
    return state_folder() / TALLIES


def keep(file: Path, tally: Tally) -> None:
    """Add one; OSError, FolderError. A file that has grown too long to be read together takes no more."""
    line = json.dumps(object_of(tally)) + "\n"
    make_folder(file.parent.absolute())
    descriptor = create_file(file).descriptor
    try:
        if os.fstat(descriptor).st_size + len(line) > MOST:
            raise OSError(0, f"{TALLIES} is full")
        os.lseek(descriptor, 0, os.SEEK_END)
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def own() -> list[Tally]:
    """Those of the teacher's own file; none where it cannot be read."""
    found: list[Tally] = []
    with contextlib.suppress(FolderError, OSError, UnicodeDecodeError):
        for line in read_whole(own_file(), MOST).decode("utf-8").splitlines():
            with contextlib.suppress(ValueError, RecursionError, ResultsError):
                found.append(tally_of(json.loads(line)))
    return found


def forget(name: str | None = None) -> tuple[str, ...]:
    """Forget those of one lesson, or all; the lessons that there were. FolderError, OSError."""
    there = own()
    gone = tuple(dict.fromkeys(one.lesson for one in there if name in (None, one.lesson)))
    rest = [json.dumps(object_of(one)) + "\n" for one in there if one.lesson not in gone]
    if gone and rest:
        write_whole(own_file(), "".join(rest))
    elif gone:
        own_file().unlink(missing_ok=True)
    return gone


def now() -> str:
    """The time as results have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def object_of(tally: Tally) -> dict[str, Any]:
    """Its JSON object."""
    return {"inspector_tally": FORMAT, "lesson": tally.lesson, "step": tally.step, "asked": tally.asked,
            "truth": tally.truth,
            "rounds": [{"hands": dict(one.hands), "browsers": dict(one.browsers)} for one in tally.rounds]}


def tally_of(data: object) -> Tally:
    """The tally that a JSON value describes; ResultsError."""
    take = Taker(data, "a tally")
    if take.number("inspector_tally") != FORMAT:
        raise ResultsError(f"its tallies are not of format {FORMAT}, which is read here")
    return Tally(take.text("lesson"), take.text("step"), take.time("asked"), take.text("truth"),
                 take.list_of("rounds", 2, _round_of))


def _round_of(data: object) -> Round:
    take = Taker(data, "a round")
    return Round(_counts(take, "hands"), _counts(take, "browsers"))


def _counts(take: Taker, key: str) -> dict[str, int]:
    counts = take.counts(key, _MOST_ANSWERS)
    answer = Taker(counts, "a count")
    for name in counts:
        if len(name) > LONGEST:
            raise ResultsError(f"an answer of a tally is longer than {LONGEST} characters")
    return {escaped(name): answer.number(name) for name in counts}


def rounds_of(rounds: Sequence[tuple[Counts, Counts]]) -> tuple[Round, ...]:
    """Rounds of counts by hands and by browsers, without those after which nothing was answered."""
    found = [Round({name: count for name, count in hands.items() if count},
                   {name: count for name, count in votes.items() if count}) for hands, votes in rounds]
    while found and not found[-1].count:
        found.pop()
    return tuple(found)
