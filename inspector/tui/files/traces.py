"""Where traces are kept: one file a session in the user's state folder, the last few of them.

A session's trace is a file from its first packet on, so nothing is lost when the screen dies; where none
can be kept it stands in a file without a name, and the session goes on. "Save" is a copy under a name of
the user's choosing. One that holds a person's marks and comments is that person's: it never makes room.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from inspector.lab.files.folders import FolderError, traces_folder
from inspector.lab.files.ownership import give_like
from inspector.model.language import marked, tr
from inspector.trace.file.scratch import path_of, scratch
from inspector.tui.files.paths import to_write

KEPT = 20                          # traces,
KEPT_BYTES = 2_000_000_000         # bytes of all of them,
KEPT_DAYS = 30                     # and days since they were written, at most
SUFFIX = ".pcapng"
CAPTURE_SUFFIXES = (".pcapng", ".pcap", ".cap")
_WRITTEN_IN = stat.S_ISVTX         # a person wrote into this file: the bit means nothing else on a file
_PART = ".part"                    # ends the name of a file that is being written,
_HALF = 3600.0                     # and has not been for long, after so many seconds
_AGES = (                          # of one, of several, the unit's seconds
    (marked("{count} day ago"), marked("{count} days ago"), 86400),
    (marked("{count} h ago"), marked("{count} h ago"), 3600),
    (marked("{count} min ago"), marked("{count} min ago"), 60),
)


class KeptTrace(NamedTuple):
    """A trace of an earlier session: its file, what it shows, its size in bytes, when it was last written."""

    path: Path
    label: str
    size: int
    modified: float
    commented: bool = False        # a person marked packets in it, or wrote of them

    @property
    def age(self) -> str:
        """How long ago, in the largest unit that fits: "just now", "5 min ago", "3 days ago"."""
        seconds = max(time.time() - self.modified, 0)
        for one, many, length in _AGES:
            if seconds >= length:
                count = int(seconds // length)
                return tr(one if count == 1 else many, count=count)
        return tr("just now")


class NewTrace(NamedTuple):
    """The file of a trace that begins, open as `descriptor`; `problem`: why it is not kept, else ""."""

    path: Path                     # its name, or a path that leads to it while it is open
    descriptor: int
    problem: str
    ours: bool = True              # it was made here: one that stayed empty is removed

    @property
    def held(self) -> Path:
        """A path that opens it whatever becomes of its name."""
        return path_of(self.descriptor)

    def close(self) -> Path | None:
        """It is written: where it is kept from now on."""
        size = os.fstat(self.descriptor).st_size
        os.close(self.descriptor)
        if self.problem:
            return None
        if not size and self.ours:
            with contextlib.suppress(OSError):
                self.path.unlink()
        return self.path if size else None


def begin(label: str) -> NewTrace:
    """A file for the trace of a session that begins now; older ones make room for it."""
    try:
        path, descriptor = _create(traces_folder(), label)
    except (FolderError, OSError) as error:
        return nameless(str(error))
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH)             # `prune` leaves it alone while it is open
    prune(KEPT - 1)                                        # with this one they are as many as said
    return NewTrace(path, descriptor, "")


def nameless(why: str = "It is not to be kept.") -> NewTrace:
    """A trace that is gone when it is closed."""
    with scratch() as file:
        descriptor = os.dup(file.fileno())
    return NewTrace(path_of(descriptor), descriptor, why)


def chosen(file: Path, name: str) -> NewTrace:
    """A trace that goes to an open file of the user's choosing, which people know by `name`."""
    return NewTrace(Path(name), os.open(file, os.O_WRONLY | os.O_CLOEXEC), "", ours=False)


def _create(folder: Path, label: str) -> tuple[Path, int]:
    """A name not used so far, and a descriptor of the new file of this name."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for attempt in range(1000):
            name = f"{stamp}{f'.{attempt}' if attempt else ''}_{label}{SUFFIX}"
            with contextlib.suppress(FileExistsError):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                made = os.open(name, flags, 0o600, dir_fd=parent)
                give_like(made, parent)
                return folder / name, made
    finally:
        os.close(parent)
    raise FileExistsError(f"{folder} already holds a thousand traces of this second.")


def kept() -> list[KeptTrace]:
    """The traces that are kept, the newest first; empty ones are left out, and all where none can be."""
    return [trace for trace in _all() if trace.size]


def problem() -> str:
    """Why no traces can be kept, in one sentence; "" where they can."""
    try:
        traces_folder()
    except FolderError as error:
        return str(error)
    return ""


def _all() -> list[KeptTrace]:
    found = []
    with contextlib.suppress(FolderError, OSError):
        for path in traces_folder().glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                label = path.name.removesuffix(SUFFIX).rpartition("_")[2]
                commented = bool(status.st_mode & _WRITTEN_IN)
                found.append(KeptTrace(path, label, status.st_size, status.st_mtime, commented))
    return sorted(found, key=lambda trace: trace.modified, reverse=True)


def prune(keep: int = KEPT, size: int = KEPT_BYTES, days: float = KEPT_DAYS) -> None:
    """Remove the oldest traces until so many, so large, so old ones are left; and empty ones of yesterday.

    Those that a session still writes, here or in another terminal, stay; and those with comments, which are
    not counted.
    """
    now, count, total = time.time(), 0, 0
    _sweep_halves(now)
    for trace in _all():
        if trace.commented:
            continue
        count += bool(trace.size)
        total += trace.size
        age = (now - trace.modified) / 86400
        if count > keep or (total > size and count > 1) or age > (days if trace.size else 1):
            with contextlib.suppress(OSError), trace.path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                trace.path.unlink()


def _sweep_halves(now: float) -> None:
    """Remove what was half written when its process was ended by force."""
    with contextlib.suppress(FolderError, OSError):
        for path in traces_folder().glob(f".*{_PART}"):
            with contextlib.suppress(OSError):
                if now - path.lstat().st_mtime > _HALF:
                    path.unlink()


def save(parts: Iterable[bytes], name: str, *, overwrite: bool = False) -> Path:
    """Write a trace's `bytes` to `name` (`~` is expanded, `.pcapng` added where no capture suffix stands).

    Raises FileExistsError where the name is taken and `overwrite` is not asked for, PathError where nothing
    can have this name, OSError otherwise. The file appears whole or not at all, readable by its owner alone.
    """
    target, there = to_write(name, CAPTURE_SUFFIXES)
    if there and not overwrite:
        raise FileExistsError(f"{target} exists already.")
    # A name nobody can foretell, and a file that was not there: no link is followed, and it is ours alone.
    descriptor, partial = tempfile.mkstemp(prefix=".", suffix=_PART, dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as copy:
            copy.writelines(parts)
        Path(partial).replace(target)
    finally:
        Path(partial).unlink(missing_ok=True)
    return target


def is_kept(path: Path) -> bool:
    """Whether a file is one of the kept traces, which are ours to write."""
    with contextlib.suppress(FolderError, OSError):
        return path.resolve().parent == traces_folder().resolve()
    return False


def rewrite(path: Path, parts: Iterable[bytes], *, commented: bool = False) -> None:
    """Write a trace that is ours anew; it appears whole or not at all. `commented`: from now on a person's.

    OSError where it cannot be, BlockingIOError where a session still writes it, here or elsewhere.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return
    with path.open("rb") as there:
        fcntl.flock(there, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mode = stat.S_IMODE(status.st_mode) & ~_WRITTEN_IN
        _replace(path, parts, mode | (_WRITTEN_IN if commented else 0))


def _replace(path: Path, parts: Iterable[bytes], mode: int) -> None:
    descriptor, partial = tempfile.mkstemp(prefix=".", suffix=_PART, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as copy:
            copy.writelines(parts)
            os.fchmod(copy.fileno(), mode)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)


def human_size(count: float) -> str:
    """Bytes for people: 812 B, 14 kB, 2.1 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
