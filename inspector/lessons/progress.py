"""How far a learner has come: one JSON object, `lessons.json` in the state folder, name -> what was done.

    {"handshake": {"step": 4, "steps": 9, "done": false, "right": 3, "asked": 4}}

A file that cannot be read is as if there were none; where none can be written, nothing is remembered.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from errno import EACCES
from pathlib import Path

from inspector.lab.files.folders import FolderError, state_folder
from inspector.lab.files.ownership import make_folder
from inspector.lab.files.whole import read_whole, write_whole

MOST = 256 * 1024          # bytes that are read


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one lesson. `step`: where one goes on, from 0; `right` of `asked` predictions were right."""

    step: int = 0
    steps: int = 0
    done: bool = False
    right: int = 0
    asked: int = 0


def _path() -> Path:
    return state_folder() / "lessons.json"


def _all() -> dict[str, object]:
    try:
        data = json.loads(read_whole(_path(), MOST).decode("utf-8"))
    except (FolderError, OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def of(name: str) -> Progress:
    """How far this lesson is done; nothing where it was not begun, or the file says nonsense."""
    data = _all().get(name)
    if not isinstance(data, dict):
        return Progress()
    numbers = {key: data.get(key, 0) for key in ("step", "steps", "right", "asked")}
    if not all(type(value) is int and 0 <= value < 1000 for value in numbers.values()):
        return Progress()
    return Progress(**numbers, done=data.get("done") is True)


def names() -> tuple[str, ...]:
    """The lessons that were begun, a stranger's among them."""
    return tuple(_all())


def keep(name: str, progress: Progress) -> None:
    """Remember it for the next time; a lesson that was done once stays done."""
    before = _all()
    done = progress.done or of(name).done
    _write(before | {name: asdict(progress) | {"done": done}})


def reset(name: str | None = None) -> tuple[str, ...]:
    """Forget one lesson, or all of them; which of them were begun. OSError where it cannot be written."""
    before = _all()
    gone = tuple(key for key in before if name in {None, key})
    if gone:
        _write({key: value for key, value in before.items() if key not in gone})
    if set(gone) & set(_all()):
        raise PermissionError(EACCES, os.strerror(EACCES), str(_path()))
    return gone


def _write(data: dict[str, object]) -> None:
    with contextlib.suppress(FolderError, OSError):
        path = _path()
        make_folder(path.parent)
        write_whole(path, json.dumps(data) + "\n")
