"""What a person types where a path is asked for: text -> Path, or one sentence that can be shown as it is.

To read: it is there, and may be a capture. To write: its folder is there, and whether something stands in its
place.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from inspector.lab.files.folders import home, is_folder
from inspector.model.language import marked, recognised, tr
from inspector.wire.text import escaped

SHOWN = 60                         # characters of a name in a sentence


class PathError(Exception):
    """No file can have this name, or be used so; the text is one sentence, escaped."""


def typed(text: str) -> Path:
    """The path that was typed, `~` and `~name` expanded; PathError where there is no such home."""
    if "\0" in text:
        raise PathError(tr("A file's name has no NUL in it."))
    if not text.startswith("~"):
        return Path(text)
    user, _, rest = text[1:].partition("/")
    if not user:
        base = home()
        if base is None:
            raise PathError(tr("There is no home folder here that ~ could mean."))
        return base / rest
    try:
        return Path(pwd.getpwnam(user).pw_dir, rest)
    except KeyError:
        raise PathError(tr("There is no user {user} whose home ~{user} could mean.",
                           user=escaped(user, SHOWN))) from None


def to_read(text: str) -> Path:
    """The path of a file that can be opened as a capture; PathError where it cannot."""
    path = typed(text)
    name = escaped(str(path), SHOWN)
    mode = _mode(path, marked("{name} cannot be read: {why}."))
    if mode is None:
        raise PathError(tr("There is no file {name}.", name=name))
    if stat.S_ISDIR(mode):
        raise PathError(tr("{name} is a directory.", name=name))
    if not stat.S_ISREG(mode):
        raise PathError(tr("{name} is no ordinary file; 'inspector open FILE' reads pipes.", name=name))
    if not os.access(path, os.R_OK):
        raise PathError(tr("{name} cannot be read: {why}.", name=name, why="Permission denied"))
    return path


def no_capture(text: str) -> str | None:
    """Why nothing can be opened by what was typed; None where a file can be tried. The check of a prompt."""
    if not text:
        return tr("Type the file's name.")
    try:
        to_read(text)
    except PathError as error:
        return str(error)
    return None


def is_capture(path: Path) -> bool:
    """Whether an ordinary file begins as a capture does: what a prompt suggests that asks for one."""
    from inspector.trace.file.reader import begins_capture  # here: the launcher loads no trace

    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return begins_capture(file.read(4))
    except (OSError, ValueError):
        return False


def to_write(text: str, suffixes: tuple[str, ...]) -> tuple[Path, bool]:
    """The path of a file to write, and whether it is there; PathError where nothing can be written there.

    It gets the first of `suffixes` where it has none of them.
    """
    path = typed(text)
    if is_folder(path):                    # as it was typed: a suffix would make another name of it
        raise PathError(tr("{name} is a directory.", name=escaped(str(path), SHOWN)))
    if not path.name.lower().endswith(suffixes):
        path = path.parent / (path.name + suffixes[0])
    name = escaped(str(path), SHOWN)
    mode = _mode(path, marked("{name} cannot be written: {why}."))
    if mode is not None and stat.S_ISDIR(mode):
        raise PathError(tr("{name} is a directory.", name=name))
    if mode is not None and not stat.S_ISREG(mode):
        raise PathError(tr("{name} is no ordinary file; it is not overwritten.", name=name))
    if mode is None and not is_folder(path.parent):
        raise PathError(tr("There is no folder {name}.", name=escaped(str(path.parent), SHOWN)))
    return path, mode is not None


def _mode(path: Path, problem: str) -> int | None:
    """What kind of file is there; None where there is none. `problem`: what is said where it is not told."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = recognised(error.strerror or "") if isinstance(error, OSError) else error
        raise PathError(tr(problem, name=escaped(str(path), SHOWN), why=why)) from None
