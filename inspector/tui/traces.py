"""Where the app keeps traces: one file a session in the user's state directory, the last few kept.

A session's trace is a file from its first packet on, so nothing is lost when the screen dies;
"save" is a copy under a name of the user's choosing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

KEPT = 20
SUFFIX = ".pcapng"
CAPTURE_SUFFIXES = (".pcapng", ".pcap", ".cap")


@dataclass(frozen=True, slots=True)
class KeptTrace:
    """A trace of an earlier session: its file, what it shows, its size in bytes, when it was last written."""

    path: Path
    label: str
    size: int
    modified: float

    @property
    def age(self) -> str:
        """How long ago, in the largest unit that fits: "just now", "5 min ago", "3 days ago"."""
        seconds = max(time.time() - self.modified, 0)
        for name, length in (("day", 86400), ("h", 3600), ("min", 60)):
            if seconds >= length:
                count = int(seconds // length)
                return f"{count} {name}{'s' if name == 'day' and count > 1 else ''} ago"
        return "just now"


def directory() -> Path:
    """The directory of kept traces, made where it was missing, readable by its owner alone."""
    from platformdirs import user_state_path

    path = user_state_path("inspector", appauthor=False) / "traces"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def new_path(label: str) -> Path:
    """A name not used so far for the trace of a session that begins now."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    for attempt in range(1000):
        path = directory() / f"{stamp}{f'.{attempt}' if attempt else ''}_{label}{SUFFIX}"
        with contextlib.suppress(FileExistsError):
            path.touch(mode=0o600, exist_ok=False)
            return path
    raise FileExistsError(f"{directory()} already holds a thousand traces of this second.")


def kept() -> list[KeptTrace]:
    """The traces that are kept, the newest first; empty ones are left out."""
    found = []
    for path in directory().glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            status = path.stat()
            if status.st_size:
                label = path.name.removesuffix(SUFFIX).rpartition("_")[2]
                found.append(KeptTrace(path, label, status.st_size, status.st_mtime))
    return sorted(found, key=lambda trace: trace.modified, reverse=True)


def prune(keep: int = KEPT) -> None:
    """Remove all but the newest `keep` traces, and empty ones older than a day."""
    for trace in kept()[keep:]:
        with contextlib.suppress(OSError):
            trace.path.unlink()
    for path in directory().glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            status = path.stat()
            if not status.st_size and time.time() - status.st_mtime > 86400:
                path.unlink()


def save(trace: Path, name: str, *, overwrite: bool = False) -> Path:
    """Copy a trace to `name` (`~` is expanded, `.pcapng` added where no capture suffix stands).

    Raises FileExistsError where the name is taken and `overwrite` is not asked for, OSError otherwise.
    The copy appears whole or not at all, readable by its owner alone as the trace is.
    """
    target = Path(name).expanduser()
    if not target.name.lower().endswith(CAPTURE_SUFFIXES):
        target = target.with_name(target.name + SUFFIX)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a directory.")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists already.")
    # A name nobody can foretell, and a file that was not there: no link is followed, and it is ours alone.
    descriptor, partial = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as copy, trace.open("rb") as original:
            shutil.copyfileobj(original, copy, 1 << 20)
        Path(partial).replace(target)
    finally:
        Path(partial).unlink(missing_ok=True)
    return target


def human_size(count: float) -> str:
    """Bytes for people: 812 B, 14 kB, 2.1 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
