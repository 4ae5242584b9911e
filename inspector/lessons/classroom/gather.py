"""Results of many: files and folders -> learners, and a sentence for what is no results file.

A folder's own *.json and *.jsonl are read, no symbolic links and nothing below it. Sizes and numbers are
bounded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inspector.lab.files.folders import is_folder
from inspector.lab.files.whole import read_whole
from inspector.lessons.classroom.notes import MOST
from inspector.lessons.classroom.results import Learner, ResultsError, learner_of
from inspector.lessons.classroom.tallies import Tally, tally_of
from inspector.wire.text import escaped

MOST_FILES, MOST_LEARNERS = 1000, 5000
MOST_BYTES = 64 << 20                  # of all files


@dataclass(slots=True)
class Gathered:
    """Learners with the file that each came from, tallies, and what was wrong with other files."""

    learners: list[tuple[Learner, str]] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    room: int = MOST_BYTES

    def take(self, path: Path, *, follow: bool) -> None:
        """Read one file."""
        name = escaped(str(path), 200)
        try:
            data = read_whole(path, MOST, follow=follow)
            found, tallies = results_of(data)
        except OSError as error:
            self.faults.append(f"{name}: {error.strerror or error}.")
        except ResultsError as error:
            self.faults.append(f"{name}: {error}.")
        else:
            self.room -= len(data)
            if self.room < 0 or max(
                    len(self.learners) + len(found), len(self.tallies) + len(tallies)) > MOST_LEARNERS:
                self.faults.append(f"{name}: there are too many results to be read together.")
                return
            self.learners += [(one, escaped(path.name, 100)) for one in found]
            self.tallies += tallies


def gathered(paths: Iterable[Path]) -> Gathered:
    """All that these files and folders hold, in the order of their names."""
    all_of_them = Gathered()
    for path in paths:
        if not is_folder(path):
            all_of_them.take(path, follow=True)
            continue
        try:
            names = sorted(one.name for one in path.iterdir()
                           if one.suffix in (".json", ".jsonl") and not one.name.startswith("."))
        except OSError as error:
            all_of_them.faults.append(f"{escaped(str(path), 200)}: {error.strerror or error}.")
            continue
        for name in names[:MOST_FILES]:
            all_of_them.take(path / name, follow=False)
        if len(names) > MOST_FILES:
            all_of_them.faults.append(f"{escaped(str(path), 200)}: {len(names)} files, of which the first "
                                      f"{MOST_FILES} are read.")
    return all_of_them


def results_of(data: bytes) -> tuple[list[Learner], list[Tally]]:
    """One learner or tally, or one a line; ResultsError."""
    if len(data) > MOST:
        raise ResultsError(f"it is longer than {MOST >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
        try:
            values = [json.loads(text)]
        except json.JSONDecodeError:
            lines = [line for line in text.split("\n") if line.strip()]
            if not lines:
                raise
            values = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        raise ResultsError("it is no JSON") from None
    learners, tallies = [], []
    for value in values:
        if isinstance(value, dict) and "inspector_tally" in value:
            tallies.append(tally_of(value))
        else:
            learners.append(learner_of(value))
    return learners, tallies
