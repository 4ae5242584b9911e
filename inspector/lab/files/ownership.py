"""Files and folders that are made here, and whose they are: under sudo they are given to who called it.

Only what a call made itself is given away, by its descriptor, and in a folder in which the caller could have
made it: never what stood there, nothing at the end of a symbolic link, or behind one into root's folders.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

HANDED_ON = 0o666        # a picture or report: who may read it the umask says, and no capture is like that


class TakenError(FileExistsError):
    """A file of that name has contents, and is not to be overwritten."""


class Created(NamedTuple):
    """A file open for writing; `made`: it was not there before."""

    descriptor: int
    made: bool


def create_file(path: Path, *, overwrite: bool = True, mode: int = 0o600) -> Created:
    """Open a file for writing, made readable by its owner alone where it is missing; nothing is cut yet.

    `mode`: of the new file, less what the umask takes; `HANDED_ON` for what is made to be handed on.
    Without `overwrite`, TakenError for a file with contents. OSError where it cannot be: ENXIO for a pipe
    that nobody reads.
    """
    flags = os.O_WRONLY | os.O_CLOEXEC
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        made = os.open(path.name or ".", flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder)
        if _may_write_in(folder):
            _give(made)
    except FileExistsError:
        there = os.open(path, flags | os.O_NONBLOCK)       # a pipe without a reader is no reason to wait
        status = os.fstat(there)
        if stat.S_ISREG(status.st_mode) and status.st_size and not overwrite:
            os.close(there)
            raise TakenError(f"{path} exists already.") from None
        os.set_blocking(there, True)
        return Created(there, made=False)
    finally:
        os.close(folder)
    return Created(made, made=True)


def write_created(path: Path, created: Created, data: bytes) -> None:
    """Write all of a file that was created; one that was not there before goes again where it has no room."""
    try:
        with os.fdopen(created.descriptor, "wb") as file:
            file.write(data)
    except OSError:
        if created.made:
            path.unlink(missing_ok=True)
        raise


def make_folder(path: Path) -> None:
    """Make an absolute path's folders where they are missing, for their owner alone; OSError where not.

    Under sudo a new folder within one of the caller's own is the caller's.
    """
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.parts[1:]:
            there = _step_into(part, here)
            os.close(here)
            here = there
    finally:
        os.close(here)


def _step_into(part: str, parent: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        os.mkdir(part, 0o700, dir_fd=parent)
    except FileExistsError:
        return os.open(part, flags, dir_fd=parent)
    except OSError as error:               # a parent that is read-only, though the folder is there
        with contextlib.suppress(FileNotFoundError):
            return os.open(part, flags, dir_fd=parent)
        raise error from None
    made = os.open(part, flags | os.O_NOFOLLOW, dir_fd=parent)
    with os.scandir(made) as entries:
        if next(entries, None) is None:    # else somebody put another folder there in between
            give_like(made, parent)
    return made


def called_by() -> int | None:
    """The user who called sudo, or pkexec; None where nobody did."""
    named = os.environ.get("SUDO_UID") or os.environ.get("PKEXEC_UID") or ""
    return int(named) if named.isascii() and named.isdigit() else None


def under_sudo() -> bool:
    """Whether root is somebody who called sudo (or pkexec)."""
    return os.geteuid() == 0 and called_by() not in (None, 0)


def give_like(made: int, folder: int) -> None:
    """Give what was made in a folder to who called sudo, where the folder is theirs (both: descriptors)."""
    caller = _caller()
    if caller is not None and os.fstat(folder).st_uid == caller[0]:
        _give(made)


def _may_write_in(folder: int) -> bool:
    """Whether who called sudo could have made a file in a folder (a descriptor), by its owner and mode."""
    caller = _caller()
    if caller is None:
        return False
    status = os.fstat(folder)
    if status.st_uid == caller[0]:
        return bool(status.st_mode & stat.S_IWUSR)
    if status.st_gid == caller[1]:
        return bool(status.st_mode & stat.S_IWGRP)
    return bool(status.st_mode & stat.S_IWOTH)


def _give(made: int) -> None:
    caller = _caller()
    if caller is not None:
        with contextlib.suppress(OSError):
            os.fchown(made, *caller)


def _caller() -> tuple[int, int] | None:
    """Who called sudo, as user and group (-1: unknown); None where nobody did."""
    if os.geteuid() != 0:
        return None
    try:
        return int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1"))
    except (KeyError, ValueError):
        return None
