"""What the app remembers between runs: one JSON object, `layout.json` in the settings folder.

A change on the screen -> `keep` -> the file -> `kept` at the next start, where whoever reads a value checks
it. The theme, the language, the dividers and the panes stand in it. A file that cannot be read is as if there
were none; where none can be written, what was changed holds for this run.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from inspector.lab.files.folders import FolderError, settings_folder
from inspector.lab.files.ownership import make_folder
from inspector.lab.files.whole import write_whole
from inspector.model.language import LANGUAGES, asked_for, usual_language

MOST = 64 * 1024           # bytes that are read of a settings file


def settings_text(path: Path) -> str:
    """The text of a settings file. OSError where there is none, or no ordinary one, which could block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no ordinary file")
        return file.read(MOST).decode("utf-8")


def kept() -> dict[str, Any]:
    """Everything that is kept; the values are as they stand in the file, whoever wrote it."""
    try:
        data = json.loads(settings_text(_path()))
    except (FolderError, OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def kept_language() -> str:
    """The language of the screens: asked for now, else chosen in the app, else the locale's, else English."""
    chosen = asked_for() or kept().get("language")
    return chosen if isinstance(chosen, str) and chosen in LANGUAGES else usual_language()


def keep(**changes: Any) -> None:
    """Keep these values beside what is kept already."""
    before = kept()
    if not changes.items() <= before.items():
        with contextlib.suppress(FolderError, OSError):
            path = _path()
            make_folder(path.parent)
            text = json.dumps(before | changes) + "\n"
            path = path.resolve()              # a link to a file that is kept elsewhere stays one
            if path.is_file() or not path.exists():
                write_whole(path, text)


def _path() -> Path:
    return settings_folder() / "layout.json"
