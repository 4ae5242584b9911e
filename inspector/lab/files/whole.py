"""Small files that are read and written whole: a reader sees the file of before or of after, never a part."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def read_whole(path: Path, most: int, *, follow: bool = True) -> bytes:
    """An ordinary file's bytes, `most` + 1 of them where it has more; OSError, also for what could block.

    Without `follow`, a symbolic link is no file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no ordinary file", str(path))
        return file.read(most + 1)


def write_whole(path: Path, text: str) -> None:
    """Put a file of this text, its owner's alone, in the place of the one that is there; OSError."""
    descriptor, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)
