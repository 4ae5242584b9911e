"""Where a trace's bytes come from: a file that may grow, or a spool that is filled step by step.

`open_source` tells by the first bytes whether a file is compressed (gzip RFC 1952, Zstandard RFC 8878).
What is compressed, or comes from standard input, goes in slices into a temporary file, so that frames
can be read again later; the reader sees bytes at offsets either way. Files are followed, compressed or not.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Protocol

from inspector.trace.file.decompressed import Stream, is_compressed
from inspector.trace.file.plain import FileSource, Writer
from inspector.trace.file.scratch import no_copy, scratch
from inspector.trace.file.supply import FileSupply, PipeSupply
from inspector.trace.limits import chosen
from inspector.wire.text import escaped

_SLICE = 256 * 1024


class TraceError(Exception):
    """A trace cannot be read; the text is one sentence for the user."""


class Source(Protocol):
    """Bytes at offsets. `ended`: certainly nothing more will come; `problem`: why not, in one sentence.

    `full`: what has come and was not read so far is not to be read.
    """

    ended: bool
    full: bool
    problem: str | None

    @property
    def cut(self) -> str | None:
        """One sentence where what is there now ends within compressed data."""

    @property
    def all_there(self) -> bool:
        """Whether `advance` has made everything readable that is there now."""

    @property
    def settled(self) -> bool:
        """Whether nobody seems to be writing at this moment."""

    @property
    def writer(self) -> Writer:
        """Who writes it, as far as was noticed."""

    def advance(self, limit: int) -> int:
        """Make up to about `limit` more bytes readable; the number of bytes readable now."""

    def read(self, offset: int, into: memoryview) -> int:
        """Read bytes at `offset`; how many there were."""

    def read_each(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """So many bytes at each of `offsets`, fewer where there are fewer: quicker than many a `read`."""

    def held(self, packets: int) -> None:
        """Hear how many packets were found so far."""

    def share(self) -> float:
        """Which part of everything is readable now, 0 to 1."""

    def wait(self, seconds: float) -> None:
        """Wait until more may be readable, at most `seconds`."""

    def check(self) -> None:
        """Notice whether the source became another one."""

    def close(self) -> None:
        """Give everything back."""


class SpoolSource:
    """A stream that is written to a temporary file as far as it was asked for, or as its limit allows."""

    def __init__(self, stream: Stream) -> None:
        self._limits = chosen()
        self.ended = self.full = False
        self.problem: str | None = None
        self._stream = stream
        self._supply = stream.supply
        self._spool = scratch()
        self._size = 0

    @property
    def all_there(self) -> bool:
        """A file's stream is all there as far as the file goes, a pipe's only at its end."""
        return self.ended or (self._supply.pauses and self._stream.dry)

    @property
    def cut(self) -> str | None:
        """Whether the stream ends within compressed data."""
        return self._stream.cut

    @property
    def settled(self) -> bool:
        """Where a pipe ends, it ends; a file may be written on."""
        return self._supply.settled

    @property
    def writer(self) -> Writer:
        """Who writes what it is read from."""
        return self._supply.writer

    def advance(self, limit: int) -> int:
        """Take what comes, up to about `limit` bytes; never waits for more than has come."""
        goal = self._size + limit
        while not self.ended and self._size < goal:
            data = self._stream.take(min(_SLICE, goal - self._size))
            self.ended = self._stream.ended
            if not data:
                break
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._spool.write(rest) :]
            except OSError as error:
                self.ended = True
                self.problem = no_copy(self._supply.name, error)
                break
            self._size += len(data)
            self._hold_to_limit()
        self.problem = self.problem or self._stream.problem
        return self._size

    def _hold_to_limit(self) -> None:
        limit = self._limits.of_capture(self._stream.taken)
        if self._stream.unpacks and self._size > limit:
            self.ended = True
            self.problem = (f"{escaped(self._supply.name)} unpacks to more than {limit:,} bytes;"
                            " all before that is shown, and --unpack SIZE reads on.")

    def held(self, packets: int) -> None:
        """End where there are more packets than captures of this size have."""
        limit = self._limits.packets_of_capture(self._stream.taken)
        if self._stream.unpacks and limit is not None and packets > limit and self.problem is None:
            self.ended = self.full = True
            self.problem = (f"{escaped(self._supply.name)} unpacks to more than {limit:,} packets;"
                            f" the first {packets:,} are shown, and --unpack SIZE reads on.")

    def read(self, offset: int, into: memoryview) -> int:
        """Read bytes at `offset`."""
        return os.preadv(self._spool.fileno(), [into], offset)

    def read_each(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Read bytes at many offsets."""
        return list(map(os.pread, repeat(self._spool.fileno()), sizes, offsets))

    def check(self) -> None:
        """The spool is nobody else's, but its file may be."""
        if not self.ended:
            self._supply.check()

    def share(self) -> float:
        """Which part of the input has been taken."""
        return 1.0 if self.all_there else self._supply.share()

    def wait(self, seconds: float) -> None:
        """Wait until more may have come, or the time is over."""
        if not self.ended:
            self._supply.wait(seconds)

    def close(self) -> None:
        """Close input and spool."""
        self._supply.close()
        self._spool.close()


def open_source(path: str | Path) -> Source:
    """The bytes of the file at `path`, or of standard input for `-`; TraceError where it cannot be read."""
    if str(path) == "-":
        return SpoolSource(Stream(PipeSupply(0, "standard input", own=False)))
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
        return SpoolSource(Stream(PipeSupply(descriptor, file.name, own=True)))
    try:
        start = os.pread(descriptor, 4, 0)
    except OSError as error:                    # a disk that fails, another process' memory
        os.close(descriptor)
        raise TraceError(f"{file} cannot be read: {error.strerror}.") from None
    plain = FileSource(descriptor, file)
    if is_compressed(start):
        return SpoolSource(Stream(FileSupply(plain, file.name)))
    return plain
