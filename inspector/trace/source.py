"""Where a trace's bytes come from: a file that may grow, or a spool that is filled step by step.

`open_source` tells by the first bytes whether a file is compressed (gzip RFC 1952, Zstandard RFC 8878).
What is compressed, or comes from standard input, goes in slices into a temporary file, so that frames
can be read again later; the reader sees bytes at offsets either way.
"""

from __future__ import annotations

import os
import select
import stat
import tempfile
import time
import zlib
from pathlib import Path
from typing import Protocol

import zstandard

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SLICE = 256 * 1024


class TraceError(Exception):
    """A trace cannot be read; the text is one sentence for the user."""


class Source(Protocol):
    """Bytes at offsets. `ended`: certainly nothing more will come; `problem`: why not, in one sentence."""

    ended: bool
    problem: str | None

    @property
    def all_there(self) -> bool:
        """Whether `advance` has made everything readable that is there now."""

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

    @property
    def all_there(self) -> bool:
        """A file's bytes can all be read at any time."""
        return True

    def advance(self, limit: int) -> int:
        """The file's size now; notes when the file was cut or replaced by another."""
        size = os.fstat(self._descriptor).st_size
        if size < self._size:
            self.problem = f"{self._path.name} became shorter while it was read; all up to then is shown."
            self.ended = True
            return self._size
        self._size = size
        return size

    def check(self) -> None:
        """Notice that the path now leads to another file."""
        try:
            here, there = os.fstat(self._descriptor), self._path.stat()
        except OSError:
            return                              # deleted: what is open can still be read
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            self.problem = f"{self._path.name} was replaced by another file; open it again to see that."
            self.ended = True

    def read(self, offset: int, into: memoryview) -> int:
        """Read bytes at `offset`."""
        return os.preadv(self._descriptor, [into], offset)

    def share(self) -> float:
        """All of a file is readable at once."""
        return 1.0

    def wait(self, seconds: float) -> None:
        """Wait a moment: a file does not tell when it grows."""
        time.sleep(min(seconds, 0.05))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class SpoolSource:
    """A stream that is written to a temporary file as far as it was asked for."""

    def __init__(self, stream: Stream) -> None:
        self.ended = False
        self.problem: str | None = None
        self._stream = stream
        self._spool = tempfile.TemporaryFile(prefix="inspector-")  # noqa: SIM115 - lives as long as the trace
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
                self._spool.write(data)
                self._spool.flush()
            except OSError as error:
                self.ended = True
                self.problem = f"The copy of {self._stream.name} cannot be written: {error.strerror}."
                break
            self._size += len(data)
        if self.ended and self.problem is None:
            self.problem = self._stream.problem
        return self._size

    def read(self, offset: int, into: memoryview) -> int:
        """Read bytes at `offset`."""
        return os.preadv(self._spool.fileno(), [into], offset)

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


class Stream:
    """Bytes in order from a descriptor, decompressed where their first bytes say so."""

    def __init__(self, descriptor: int, name: str, own: bool) -> None:
        self.name = name
        self.problem: str | None = None
        self._descriptor = descriptor
        self._own = own
        mode = os.fstat(descriptor).st_mode
        self._size = os.fstat(descriptor).st_size if stat.S_ISREG(mode) else 0
        self._taken = 0
        self._head = b""
        self._inflater: _Inflater | None = None
        self._told = False

    def take(self, limit: int) -> tuple[bytes, bool]:
        """Up to `limit` bytes and whether that was the end; no bytes when nothing has come yet."""
        if self._told:
            return self._more(limit)
        data, end = self._raw(4 - len(self._head))
        self._head += data
        if len(self._head) < 4 and not end:
            return b"", False
        self._told = True
        head, self._head = self._head, b""
        if head[:2] == GZIP_MAGIC or head == ZSTD_MAGIC:
            self._inflater = _Inflater(head)
            return self._more(limit)
        return head, end

    def _more(self, limit: int) -> tuple[bytes, bool]:
        if self._inflater is None:
            return self._raw(limit)
        while True:
            try:
                data, hungry = self._inflater.take(limit)
            except (zlib.error, zstandard.ZstdError):
                self.problem = f"The compressed data of {self.name} is damaged; all before that is shown."
                return b"", True
            if data or not hungry:
                return data, False
            raw, end = self._raw(_SLICE)
            self._inflater.feed(raw)
            if end and not raw:
                if not self._inflater.complete:
                    self.problem = f"The compressed data of {self.name} ends early; all before that is shown."
                return b"", True
            if not raw:
                return b"", False

    def _raw(self, limit: int) -> tuple[bytes, bool]:
        try:
            if not self._size and not select.select([self._descriptor], [], [], 0)[0]:
                return b"", False
            data = os.read(self._descriptor, limit)
        except BlockingIOError:
            return b"", False
        except OSError as error:
            self.problem = f"{self.name} cannot be read: {error.strerror}."
            return b"", True
        self._taken += len(data)
        return data, not data

    def share(self) -> float:
        """Which part of a file of known size was taken."""
        return self._taken / self._size if self._size else 0.0

    def wait(self, seconds: float) -> None:
        """Wait until there is something to take."""
        select.select([self._descriptor], [], [], seconds)

    def close(self) -> None:
        """Close the input, unless it is somebody else's."""
        if self._own:
            os.close(self._descriptor)


class _Inflater:
    """Decompresses gzip members or Zstandard frames, however many stand behind each other."""

    def __init__(self, head: bytes) -> None:
        self._gzip = head[:2] == GZIP_MAGIC
        self._input = head
        self._engine = self._start()
        self.complete = False

    def _start(self) -> object:
        if self._gzip:
            return zlib.decompressobj(wbits=31)
        return zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()

    def feed(self, data: bytes) -> None:
        """Give more compressed bytes."""
        self._input += data

    def take(self, limit: int) -> tuple[bytes, bool]:
        """Up to about `limit` bytes; whether more input is needed for more."""
        engine = self._engine
        if getattr(engine, "eof", False):
            rest = self._input or getattr(engine, "unused_data", b"")
            magic = GZIP_MAGIC if self._gzip else ZSTD_MAGIC
            if not rest.startswith(magic):      # what follows the last member is padding
                self._input = b"" if len(rest) >= 4 else rest
                return b"", True
            self._input, self._engine, self.complete = rest, self._start(), False
            engine = self._engine
        data, self._input = self._step(engine, limit)
        self.complete = bool(getattr(engine, "eof", False))
        if self.complete:
            self._input = getattr(engine, "unused_data", b"")
        return data, not self._input

    def _step(self, engine: object, limit: int) -> tuple[bytes, bytes]:
        if isinstance(engine, type(zlib.decompressobj())):
            return engine.decompress(self._input, limit), engine.unconsumed_tail
        # zstandard's object has no limit: a small piece of input keeps what one step inflates below 32 MB.
        piece, rest = self._input[:1024], self._input[1024:]
        return engine.decompress(piece), rest  # type: ignore[attr-defined]


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
