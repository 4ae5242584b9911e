"""A file without a name, for what is gone when the program ends, however it ends."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path


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
