"""What a person types where a path is asked for: text -> Path, or one sentence that can be shown as it is."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from inspector.lab.files.folders import home, is_folder
from inspector.wire.text import escaped

SHOWN = 60                         # characters of a name in a sentence


class PathError(Exception):
    """No file can have this name, or be used so; the text is one sentence, escaped."""


def typed(text: str) -> Path:
    """The path that was typed, `~` and `~name` expanded; PathError where there is no such home."""
    if "\0" in text:
        raise PathError("A file's name has no NUL in it.")
    if not text.startswith("~"):
        return Path(text)
    user, _, rest = text[1:].partition("/")
    if not user:
        base = home()
        if base is None:
            raise PathError("There is no home folder here that ~ could mean.")
        return base / rest
    try:
        return Path(pwd.getpwnam(user).pw_dir, rest)
    except KeyError:
        raise PathError(f"There is no user {escaped(user, SHOWN)} whose home ~{escaped(user, SHOWN)} "
                        "could mean.") from None


def to_read(text: str) -> Path:
    """The path of a file that can be opened as a capture; PathError where it cannot."""
    path = typed(text)
    name = escaped(str(path), SHOWN)
    mode = _mode(path, "read")
    if mode is None:
        raise PathError(f"There is no file {name}.")
    if stat.S_ISDIR(mode):
        raise PathError(f"{name} is a directory.")
    if not stat.S_ISREG(mode):
        raise PathError(f"{name} is no ordinary file; 'inspector open FILE' reads pipes.")
    if not os.access(path, os.R_OK):
        raise PathError(f"{name} cannot be read: Permission denied.")
    return path


def no_capture(text: str) -> str | None:
    """Why nothing can be opened by what was typed; None where a file can be tried. The check of a prompt."""
    if not text:
        return "Type the file's name."
    try:
        to_read(text)
    except PathError as error:
        return str(error)
    return None


def to_write(text: str, suffixes: tuple[str, ...]) -> tuple[Path, bool]:
    """The path of a file to write, and whether it is there; PathError where nothing can be written there.

    It gets the first of `suffixes` where it has none of them.
    """
    path = typed(text)
    if is_folder(path):                    # as it was typed: a suffix would make another name of it
        raise PathError(f"{escaped(str(path), SHOWN)} is a directory.")
    if not path.name.lower().endswith(suffixes):
        path = path.parent / (path.name + suffixes[0])
    name = escaped(str(path), SHOWN)
    mode = _mode(path, "written")
    if mode is not None and stat.S_ISDIR(mode):
        raise PathError(f"{name} is a directory.")
    if mode is not None and not stat.S_ISREG(mode):
        raise PathError(f"{name} is no ordinary file; it is not overwritten.")
    if mode is None and not is_folder(path.parent):
        raise PathError(f"There is no folder {escaped(str(path.parent), SHOWN)}.")
    return path, mode is not None


def _mode(path: Path, use: str) -> int | None:
    """What kind of file is there; None where there is none."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise PathError(f"{escaped(str(path), SHOWN)} cannot be {use}: {why}.") from None
