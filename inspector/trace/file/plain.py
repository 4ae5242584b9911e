"""A plain file that other processes may append to: its bytes at offsets, followed by its path.

Some bytes of what was read are kept, and a sum of its beginning, so that a file that was cut, overwritten or
replaced is known for it. Whether somebody writes is seen by its growth, and by a lease: the kernel gives one
for reading only while nobody has the file open for writing.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
import zlib
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Literal

from inspector.trace.file.scratch import is_nameless, why_no_more
from inspector.wire.text import escaped

_SAMPLE = 16                    # bytes by which a file is known again
_SUMMED = 64 << 20              # bytes of the beginning that are summed up: some 30 ms
_PIECE = 1 << 20
_WRITING_NS = 1_000_000_000     # who wrote in the last second may be in the middle of a packet

Writer = Literal["unknown", "writes", "ended"]      # who writes it: nobody known, somebody, nobody any more


class FileSource:
    """A plain file, followed by its path: other processes may append to it."""

    cut = None                                  # nothing stands in it but what is read
    full = False                                # each packet has its bytes in the file

    def __init__(self, descriptor: int, path: Path) -> None:
        self.ended = False
        self.problem: str | None = None
        self._descriptor = descriptor
        self._path = path
        self._size = 0
        self._written = -1                      # when the file was written last, as far as was looked
        self._known: dict[int, bytes] = {}      # some bytes of what was read: its first and its last ones
        self._newest = 0                        # where the last ones stand
        self._sum, self._summed = 0, 0          # CRC-32 of so many bytes of the beginning
        self._foreign = False                   # other bytes stand there now than those that were read
        self.writer: Writer = "unknown"         # as of the last `check`
        self._grew = is_nameless(path)          # a file without a name is the copy of a stream

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
        if not self.ended:
            self.problem = why_no_more(self._descriptor)
        if self.ended or (status.st_mtime_ns == self._written and status.st_size == self._size):
            return
        self._written = status.st_mtime_ns
        name = escaped(self._path.name)
        try:
            foreign = any(os.pread(self._descriptor, len(old), at) != old[: max(status.st_size - at, 0)]
                          for at, old in self._known.items()) or (
                              status.st_size == self._size and self._sum_now() != self._sum)
        except OSError as error:
            self._failed(error)
            return
        if foreign:
            self.problem = f"{name} was overwritten while it was read; open it again to see what it holds."
            self.ended = self._foreign = True
        elif status.st_size < self._size:
            self.problem = f"{name} became shorter while it was read; all up to then is shown."
            self.ended = True
        else:
            self._grew = self._grew or 0 < self._size < status.st_size
            self._size = status.st_size

    def _sum_now(self) -> int:
        """The sum as it is by now: who wrote, and left the length as it was, may have written over it."""
        found = 0
        for at in range(0, self._summed, _PIECE):
            found = zlib.crc32(os.pread(self._descriptor, min(_PIECE, self._summed - at), at), found)
        return found

    def check(self) -> None:
        """Notice who writes, and that the path now leads to another file."""
        self._look()
        self.writer = self._writer_now()
        try:
            here, there = os.fstat(self._descriptor), self._path.stat()
        except OSError:
            return                              # deleted: what is open can still be read
        if not self.ended and (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            name = escaped(self._path.name)
            self.problem = f"{name} was replaced by another file; open it again to see that."
            self.ended = True

    def _writer_now(self) -> Writer:
        followed = self._grew or self.writer != "unknown"
        if self.ended:
            return "ended" if followed else "unknown"
        writes = _is_open_for_writing(self._descriptor)
        if writes or (followed and (writes is None or not self.settled)):
            return "writes"
        return "ended" if followed else "unknown"

    def read(self, offset: int, into: memoryview) -> int:
        """Read bytes at `offset`; none of a file in which others stand now than those that were read."""
        self._look()
        if self._foreign:
            return 0
        try:
            count = os.preadv(self._descriptor, [into], offset)
        except OSError as error:
            self._failed(error)
            return 0
        self._remember(offset, into[:count])
        return count

    def read_each(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Read bytes at many offsets; none of a file in which others stand now than those that were read.

        Whether they do is looked at once, and so is what is kept of them: the last ones.
        """
        self._look()
        if self._foreign:
            return [b""] * len(offsets)
        try:
            found = list(map(os.pread, repeat(self._descriptor), sizes, offsets))
        except OSError as error:
            self._failed(error)
            return [b""] * len(offsets)
        if found:
            self._remember(offsets[-1], memoryview(found[-1]))
        return found

    def _failed(self, error: OSError) -> None:
        """Disk or network gave no bytes where the file has some."""
        self.problem = f"{escaped(self._path.name)} cannot be read further: {error.strerror}."
        self.ended = True

    def held(self, packets: int) -> None:
        """Any number of packets is right."""

    def _remember(self, offset: int, data: memoryview) -> None:
        """Keep the first bytes of the file, and the last ones that were read of it; sum up its beginning."""
        if self._summed < _SUMMED and offset <= self._summed < offset + len(data):
            fresh = data[self._summed - offset :]
            self._sum, self._summed = zlib.crc32(fresh, self._sum), self._summed + len(fresh)
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
        """Whether nothing was written for a while, and nobody is known to have it open to write on.

        What a program wrote so far often ends in the middle of a packet: it writes whole buffers.
        """
        recent = 0 <= time.time_ns() - os.fstat(self._descriptor).st_mtime_ns < _WRITING_NS
        return not recent and not _is_open_for_writing(self._descriptor)

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


def _is_open_for_writing(descriptor: int) -> bool | None:
    """Whether some process has the file open for writing; None where the kernel does not tell.

    It tells a file's owner alone, and not on every file system.
    """
    try:
        # Who opens it for writing in just this moment waits for the lease to go, and we are told by this
        # signal, which does nothing; the usual one would end the process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False
