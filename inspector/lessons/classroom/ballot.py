"""A vote between processes: the question goes out in one file, each answer comes back in one of its own.

    TeachScreen ── BallotBox.publish ──> votes/ballot.json ──> Seat.ballot ── VoteScreen
                <── BallotBox.votes ──── votes/SEAT.json <──── Seat.vote ────

The folder is one user's own; all the same, whatever stands in it is looked at before it is believed. Files
are looked at again and again (`LOOK` seconds), and read where they have changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

from inspector.lab.files.whole import read_whole, write_whole
from inspector.lessons.classroom.results import LONGEST
from inspector.lessons.play.answers import number_of
from inspector.wire.text import escaped

LOOK = 0.4
TALLIES = "tallies.jsonl"
FOLDER, _BALLOT, _LEAD = "votes", "ballot.json", "lead.lock"
_MOST, _MOST_VOTE, _MOST_SEATS = 1 << 20, 1024, 500            # bytes of files; seats
_LONGEST, _LONGEST_TEXT, _MOST_OPTIONS, _MOST_STEPS = 60, 8000, 24, 1000
_SEAT = re.compile(r"[A-Za-z0-9_-]{1,60}")
State = Literal["open", "closed", "told"]


class LedError(Exception):
    """Somebody else asks this class already; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One question. `options`: ids and words, none where a number is asked for; `round`: 1 or 2.

    `told`: it happened; `truth` is the right option or number then, `words` what is said to wrong ones, and
    `foreseen` their ids in the lesson. `lesson`, `step`: where it stands in results; `steps` that lesson has.
    """

    id: str
    round: int
    state: State
    title: str = ""
    question: str = ""
    options: tuple[tuple[str, str], ...] = ()
    language: str = "en"
    truth: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    foreseen: Mapping[str, str] = field(default_factory=dict)
    lesson: str = ""
    step: str = ""
    steps: int = 0

    @property
    def asks_number(self) -> bool:
        """Whether the answer is a number."""
        return not self.options

    def cleaned(self, choice: object) -> str | None:
        """A choice as it is counted; None where it is none of this ballot."""
        if not isinstance(choice, str):
            return None
        if self.asks_number:
            number = number_of(choice)
            return None if number is None else str(number)
        return choice if choice in dict(self.options) else None


class BallotBox:
    """The teacher's side. Without a folder nothing goes out, and hands alone are counted."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder / FOLDER
        self._lead: int | None = None
        self._read: dict[str, tuple[object, Any]] = {}     # what stood in each file, and when it was written
        self._counted: dict[int, dict[str, str]] = {}      # of one ballot, by round: who said what
        self._counts_for = ""

    def __enter__(self) -> Self:
        """Lead the class: one at a time. LedError, OSError."""
        if self._folder is not None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._lead = os.open(self._folder / _LEAD, flags, 0o600)
            try:
                fcntl.flock(self._lead, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._lead)
                raise LedError(
                    "Another 'inspector lesson teach' asks this class; it has to end first.") from None
            self.withdraw()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._lead is not None:
            self.withdraw()
            os.close(self._lead)

    @property
    def takes_votes(self) -> bool:
        """Whether browsers vote, too."""
        return self._folder is not None

    def publish(self, ballot: Ballot) -> None:
        """Show it to all who are there; OSError."""
        if self._folder is not None:
            data = {"id": ballot.id, "round": ballot.round, "state": ballot.state, "title": ballot.title,
                    "question": ballot.question, "options": ballot.options, "language": ballot.language,
                    "truth": ballot.truth, "words": dict(ballot.words), "foreseen": dict(ballot.foreseen),
                    "lesson": ballot.lesson, "step": ballot.step, "steps": ballot.steps}
            write_whole(self._folder / _BALLOT, json.dumps(data, ensure_ascii=False) + "\n")

    def withdraw(self) -> None:
        """There is no question any more."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / _BALLOT).unlink()

    def votes(self, ballot: Ballot) -> tuple[int, dict[str, int]]:
        """How many are there, and how often each choice was made in this round of this ballot."""
        counts: dict[str, int] = {}
        if ballot.id != self._counts_for:
            self._counts_for, self._counted = ballot.id, {}
        choices = self._counted[ballot.round] = {}
        seats = self._seats()
        for seat in seats:
            vote = self._vote(seat)
            if vote.get("ballot") == ballot.id and vote.get("round") == ballot.round:
                choice = ballot.cleaned(vote.get("choice"))
                if choice is not None:
                    counts[choice] = counts.get(choice, 0) + 1
                    choices[seat] = choice
        return len(seats), counts

    def counted(self, ballot: Ballot, *, left: bool) -> dict[str, tuple[str, ...]]:
        """What each seat said that was counted, round by round; `left`: of those alone who are not there."""
        if ballot.id != self._counts_for:
            return {}
        there = self._seats() if left else ()
        seats = dict.fromkeys(seat for number in sorted(self._counted) for seat in self._counted[number])
        return {seat: tuple(one[seat] for _, one in sorted(self._counted.items()) if seat in one)
                for seat in seats if seat not in there}

    @property
    def tallies(self) -> Path | None:
        """Where what was counted is kept; None without a folder."""
        return None if self._folder is None else self._folder.parent / TALLIES

    def results_of(self, seat: str) -> Path:
        """The file of this learner's results."""
        assert self._folder is not None
        return self._folder.parent / f"{seat}.json"

    def _seats(self) -> list[str]:
        if self._folder is None:
            return []
        with contextlib.suppress(OSError):
            names = [path.stem for path in self._folder.iterdir()
                     if path.suffix == ".json" and path.name != _BALLOT]
            return sorted(name for name in names if _SEAT.fullmatch(name))[:_MOST_SEATS]
        return []

    def _vote(self, seat: str) -> dict[str, Any]:
        assert self._folder is not None
        path = self._folder / f"{seat}.json"
        try:
            status = path.lstat()
            changed = status.st_mtime_ns, status.st_ino
            if self._read.get(seat, (0, None))[0] != changed:
                self._read[seat] = changed, _object(path, _MOST_VOTE)
        except (OSError, ValueError):
            return {}
        found = self._read[seat][1]
        return found if isinstance(found, dict) else {}


class Seat:
    """A learner's side: `name` is one that the server gave out."""

    def __init__(self, folder: Path, name: str) -> None:
        self._ballot_file = folder / FOLDER / _BALLOT
        self._own = folder / FOLDER / f"{name}.json"
        self._seen: tuple[tuple[int, int], Ballot | None] | None = None
        self._content = ""                 # the file as it was written last
        self._choices: dict[tuple[str, int], str] = {}

    def ballot(self) -> Ballot | None:
        """The question that stands there now; None where there is none."""
        try:
            status = self._ballot_file.lstat()
        except OSError:
            return None
        mark = status.st_mtime_ns, status.st_ino
        if self._seen is None or self._seen[0] != mark:
            try:
                self._seen = mark, _ballot_of(_object(self._ballot_file, _MOST))
            except (OSError, ValueError):
                return None
        return self._seen[1]

    def be_there(self) -> None:
        """Be counted among those who are there; what was said stays said."""
        if not self._own.exists():
            with contextlib.suppress(OSError):
                write_whole(self._own, self._content or "{}\n")

    def vote(self, ballot: Ballot, choice: str) -> bool:
        """Say it, or say something else as long as the round is open; False where it is not."""
        cleaned = ballot.cleaned(choice)
        if ballot.state != "open" or cleaned is None:
            return False
        content = json.dumps({"ballot": ballot.id, "round": ballot.round, "choice": cleaned}) + "\n"
        try:
            write_whole(self._own, content)
        except OSError:
            return False
        self._content = content
        if all(name != ballot.id for name, _ in self._choices):
            self._choices.clear()              # of the question before
        self._choices[ballot.id, ballot.round] = cleaned
        return True

    def choice(self, ballot: Ballot) -> str | None:
        """What was said in this round; when all is over, in the last one in which something was."""
        last = self._choices.get((ballot.id, ballot.round))
        return last if ballot.state != "told" else last or self._choices.get((ballot.id, 1))

    def answers(self, ballot: Ballot) -> tuple[str, ...]:
        """What was said in each round in which something was."""
        rounds = (self._choices.get((ballot.id, number)) for number in (1, 2))
        return tuple(one for one in rounds if one is not None)

    def leave(self) -> None:
        """Be there no longer, and take the vote along."""
        self._own.unlink(missing_ok=True)


def _object(path: Path, most: int) -> Any:
    """The JSON in a small file; OSError, ValueError."""
    data = read_whole(path, most, follow=False)
    if len(data) > most:
        raise ValueError("it is too long")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is too deep") from None


def _ballot_of(data: Any) -> Ballot:
    """The ballot of a JSON object; ValueError."""
    if not isinstance(data, dict):
        raise ValueError("no object")
    options = data.get("options")
    words, foreseen, steps = data.get("words"), data.get("foreseen"), data.get("steps")
    if not isinstance(options, list) or len(options) > _MOST_OPTIONS:
        raise ValueError("no options")
    if not isinstance(words, dict) or not isinstance(foreseen, dict) or type(steps) is not int:
        raise ValueError("no words")
    pairs = []
    for one in options:
        if not isinstance(one, list) or len(one) != 2:
            raise ValueError("no option")
        pairs.append((_text(one[0], _LONGEST), _text(one[1])))
    if data.get("state") not in get_args(State) or data.get("round") not in (1, 2):
        raise ValueError("no state")
    return Ballot(
        _text(data.get("id"), _LONGEST), data["round"], data["state"], _text(data.get("title")),
        _text(data.get("question")), tuple(pairs), _text(data.get("language"), 8),
        _text(data.get("truth"), _LONGEST), {_text(key): _text(value) for key, value in words.items()},
        {_text(key, _LONGEST): _text(value, _LONGEST) for key, value in foreseen.items()},
        _text(data.get("lesson"), LONGEST), _text(data.get("step"), _LONGEST),
        min(max(steps, 0), _MOST_STEPS))


def _text(value: object, most: int = _LONGEST_TEXT) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError("no text")
    return "\n".join(map(escaped, value.split("\n")))
