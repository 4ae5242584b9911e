"""Where a trace's bytes come from: a file that may grow, or a spool that is filled step by step.

`open_source` tells by the first bytes whether a file is compressed (gzip RFC 1952, Zstandard RFC 8878).
What is compressed, or comes from standard input, goes in slices into a temporary file, so that frames
can be read again later; the reader sees bytes at offsets either way.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Protocol

from inspector.trace.file.decompressed import GZIP_MAGIC, ZSTD_MAGIC, Stream
from inspector.trace.file.scratch import scratch
from inspector.wire.text import escaped

_SLICE = 256 * 1024
_SAMPLE = 16                    # octets by which a file is known again
_WRITING_NS = 1_000_000_000     # who wrote in the last second may be in the middle of a packet


class TraceError(Exception):
    """A trace cannot be read; the text is one sentence for the user."""


class Source(Protocol):
    """Bytes at offsets. `ended`: certainly nothing more will come; `problem`: why not, in one sentence."""

    ended: bool
    problem: str | None

    @property
    def all_there(self) -> bool:
        """Whether `advance` has made everything readable that is there now."""

    @property
    def settled(self) -> bool:
        """Whether nobody seems to be writing at this moment."""

    def advance(self, limit: int) -> int:
        """Make up to about `limit` more bytes readable; the number of bytes readable now."""

    def read(self, offset: int, into: memoryview) -> int:
        """Read bytes at `offset`; how many there were."""

    def share(self) -> float:
        """Which part of everything is readable now, 0 to 1."""

    def wait(self, seconds: float) -> None:
        """Wait until more may be readable, at most `seconds`."""

    def check(self) -> None:
        """Notice whether the source became another one."""

    def close(self) -> None:
        """Give everything back."""


class FileSource:
    """A plain file, followed by its path: other processes may append to it."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.ended = False
        self.problem: str | None = None
        self._descriptor = descriptor
        self._path = path
        self._size = 0
        self._written = -1                      # when the file was written last, as far as was looked
        self._known: dict[int, bytes] = {}      # some octets of what was read: its first and its last ones
        self._newest = 0                        # where the last ones stand
        self._foreign = False                   # other octets stand there now than those that were read

    @property
    def all_there(self) -> bool:
        """A file's bytes can all be read at any time."""
        return True

    def advance(self, limit: int) -> int:
        """The file's size now; notes when the file was cut or replaced by another."""
        self._look()
        return self._size

    def _look(self) -> None:
        """Notice what was written: more at the end, less than there was, or something else over it."""
        status = os.fstat(self._descriptor)
        if self.ended or (status.st_mtime_ns == self._written and status.st_size == self._size):
            return
        self._written = status.st_mtime_ns
        name = escaped(self._path.name)
        if any(os.pread(self._descriptor, len(old), at) != old[: max(status.st_size - at, 0)]
               for at, old in self._known.items()):
            self.problem = f"{name} was overwritten while it was read; open it again to see what it holds."
            self.ended = self._foreign = True
        elif status.st_size < self._size:
            self.problem = f"{name} became shorter while it was read; all up to then is shown."
            self.ended = True
        else:
            self._size = status.st_size

    def check(self) -> None:
        """Notice that the path now leads to another file."""
        self._look()
        try:
            here, there = os.fstat(self._descriptor), self._path.stat()
        except OSError:
            return                              # deleted: what is open can still be read
        if not self.ended and (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            name = escaped(self._path.name)
            self.problem = f"{name} was replaced by another file; open it again to see that."
            self.ended = True

    def read(self, offset: int, into: memoryview) -> int:
        """Read bytes at `offset`; none of a file in which others stand now than those that were read."""
        self._look()
        if self._foreign:
            return 0
        count = os.preadv(self._descriptor, [into], offset)
        self._remember(offset, into[:count])
        return count

    def _remember(self, offset: int, data: memoryview) -> None:
        """Keep the first octets of the file, and the last ones that were read of it."""
        place = offset + len(data) - _SAMPLE
        if place <= self._newest or len(data) < _SAMPLE:
            return
        if offset == 0:
            self._known[0] = bytes(data[:_SAMPLE])
        if self._newest:
            del self._known[self._newest]
        self._newest = place
        self._known[place] = bytes(data[-_SAMPLE:])

    @property
    def settled(self) -> bool:
        """Whether nothing was written for a while, so that nobody is likely to write on."""
        return not 0 <= time.time_ns() - os.fstat(self._descriptor).st_mtime_ns < _WRITING_NS

    def share(self) -> float:
        """All of a file is readable at once."""
        return 1.0

    def wait(self, seconds: float) -> None:
        """Wait a moment: a file does not tell when it grows."""
        time.sleep(min(seconds, 0.05))

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SpoolSource:
    """A stream that is written to a temporary file as far as it was asked for."""

    def __init__(self, stream: Stream) -> None:
        self.ended = False
        self.problem: str | None = None
        self._stream = stream
        self._spool = scratch()
        self._size = 0

    @property
    def all_there(self) -> bool:
        """Only at its end is a stream all there."""
        return self.ended

    def advance(self, limit: int) -> int:
        """Take what comes, up to about `limit` bytes; never waits for more than has come."""
        goal = self._size + limit
        while not self.ended and self._size < goal:
            data, self.ended = self._stream.take(min(_SLICE, goal - self._size))
            if not data:
                break
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._spool.write(rest) :]
            except OSError as error:
                self.ended = True
                self.problem = _no_copy(self._stream.name, error)
                break
            self._size += len(data)
        if self.ended and self.problem is None:
            self.problem = self._stream.problem
        return self._size

    def read(self, offset: int, into: memoryview) -> int:
        """Read bytes at `offset`."""
        return os.preadv(self._spool.fileno(), [into], offset)

    @property
    def settled(self) -> bool:
        """Where a stream ends, it ends."""
        return True

    def check(self) -> None:
        """A spool is nobody else's."""

    def share(self) -> float:
        """Which part of the input has been taken."""
        return 1.0 if self.ended else self._stream.share()

    def wait(self, seconds: float) -> None:
        """Wait until more may have come, or the time is over."""
        if not self.ended:
            self._stream.wait(seconds)

    def close(self) -> None:
        """Close input and spool."""
        self._stream.close()
        self._spool.close()


def _no_copy(name: str, error: OSError) -> str:
    """The culprit is the folder, not the capture."""
    try:
        folder = tempfile.gettempdir()
    except OSError:
        folder = "the temporary folder"
    return (f"{escaped(name)} is read through a temporary copy, and {escaped(folder)} does not take it: "
            f"{error.strerror}. TMPDIR names another folder.")


def open_source(path: str | Path) -> Source:
    """The bytes of the file at `path`, or of standard input for `-`; TraceError where it cannot be read."""
    if str(path) == "-":
        return SpoolSource(Stream(0, "standard input", own=False))
    file = Path(path)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise TraceError(f"There is no file {file}.") from None
    except OSError as error:
        raise TraceError(f"{file} cannot be read: {error.strerror}.") from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        os.close(descriptor)
        raise TraceError(f"{file} is a directory, not a capture.")
    if not stat.S_ISREG(mode):
        return SpoolSource(Stream(descriptor, file.name, own=True))
    head = os.pread(descriptor, 4, 0)
    if head[:2] == GZIP_MAGIC or head == ZSTD_MAGIC:
        return SpoolSource(Stream(descriptor, file.name, own=True))
    return FileSource(descriptor, file)
