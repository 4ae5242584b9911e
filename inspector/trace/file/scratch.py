"""A file without a name, for what is gone when the program ends, however it ends."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from inspector.wire.text import escaped

_full: dict[tuple[int, int], str] = {}       # device and inode of a file that took no more: why


def scratch() -> io.FileIO:
    """An empty file to write and read, unbuffered; in memory where no temporary folder can be written."""
    try:
        return tempfile.TemporaryFile(buffering=0, prefix="inspector-")
    except OSError:
        return io.FileIO(os.memfd_create("inspector"), "r+")


def is_nameless(path: Path) -> bool:
    """Whether it is the path of a descriptor, which tells people nothing."""
    return path.parent == Path("/proc/self/fd")


def path_of(descriptor: int) -> Path:
    """A path that opens the same file again, while it is open here."""
    return Path(f"/proc/self/fd/{descriptor}")


def no_copy(name: str, error: OSError) -> str:
    """Why a capture's temporary copy ends: the culprit is the folder, not the capture."""
    try:
        folder = tempfile.gettempdir()
    except OSError:
        folder = "the temporary folder"
    return (f"{escaped(name)} is read through a temporary copy, and {escaped(folder)} does not take it: "
            f"{error.strerror}. TMPDIR names another folder.")


def took_no_more(descriptor: int, why: str) -> None:
    """Note of a file of ours that not all could be written to it, for whoever reads it."""
    _full[_identity(descriptor)] = why


def why_no_more(descriptor: int) -> str | None:
    """Why not all that was to be written to the file is in it, one sentence; None where all is."""
    return _full.get(_identity(descriptor)) if _full else None


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
