"""Temporary folders of ours, which go when their owner ends, however that ends; files that go a day later.

`folder` makes one and holds a lock on it; `give_back` takes it away in order, `give_back_all` before the
process ends by force. What a killed process left has no lock any more: the next folder that is made sweeps it
up. `handed_on` makes a file that other programs read when we may have ended: it is swept up when it is old.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

PREFIXES = ("inspector-secrets-", "inspector-calls-", "inspector-lab-")
BODIES = "inspector-body-"     # begins the names of files that are handed on
_OLD = 86_400.0                # seconds for which these are left alone
_YOUNG = 60.0                  # seconds in which one may be made, and not locked yet
_held: dict[Path, int] = {}    # folders of this process, and the descriptors that lock them


def folder(prefix: str) -> Path:
    """A new folder that only this user can look into. OSError where there is none to be had."""
    assert prefix in PREFIXES
    sweep()
    path = Path(tempfile.mkdtemp(prefix=prefix))
    hold(path)
    return path


def handed_on(data: bytes) -> Path:
    """A new file with these bytes, for other programs of this user and a day. OSError where none can be."""
    sweep()
    descriptor, name = tempfile.mkstemp(prefix=BODIES, suffix=".bin")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def hold(path: Path) -> None:
    """Keep a folder from being swept up, while this process or another one that holds it lives."""
    with contextlib.suppress(OSError):           # a file system without locks
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        _held[path] = descriptor
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def give_back(path: Path) -> None:
    """Take a folder away with all that is in it."""
    shutil.rmtree(path, ignore_errors=True)
    descriptor = _held.pop(path, None)
    if descriptor is not None:
        os.close(descriptor)


def give_back_all() -> None:
    """The same for all that this process has, in whichever thread: it ends at once."""
    for path in list(_held):
        give_back(path)


def sweep() -> None:
    """Take away what processes of this user left that were ended by force."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIXES):
                _sweep_one(Path(entry.path))
            elif entry.name.startswith(BODIES):
                _sweep_file(entry)


def _sweep_file(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        own = status.st_uid == os.geteuid() and stat.S_ISREG(status.st_mode)
        if own and time.time() - status.st_mtime > _OLD:
            Path(entry.path).unlink()


def _sweep_one(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _YOUNG \
                and stat.S_IMODE(status.st_mode) == 0o700:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    except OSError:
        pass                                     # somebody holds it
    finally:
        os.close(descriptor)
