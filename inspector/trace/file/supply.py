"""Bytes in order, as they come: out of a pipe until its writer closes it, or of a file that may grow.

`take` never waits. `dry`: the last one found nothing, so all that is there now was given.
"""

from __future__ import annotations

import os
import select
from typing import Protocol

from inspector.trace.file.plain import FileSource, Writer
from inspector.wire.text import escaped


class Supply(Protocol):
    """Bytes in order. `problem`: why no more will come, in one sentence."""

    name: str
    dry: bool

    @property
    def problem(self) -> str | None: ...

    @property
    def ended(self) -> bool:
        """Whether all was given, and certainly nothing more will come."""

    @property
    def pauses(self) -> bool:
        """Whether being dry is how it stands (a file), not a moment of somebody's slowness (a pipe)."""

    @property
    def settled(self) -> bool:
        """Whether nobody seems to be writing at this moment."""

    @property
    def writer(self) -> Writer:
        """Who writes it, as far as is known."""

    def take(self, limit: int) -> bytes:
        """Up to `limit` bytes; none when nothing has come yet."""

    def share(self) -> float:
        """Which part of what is there was taken, 0 to 1; 0 where nobody knows."""

    def wait(self, seconds: float) -> None:
        """Wait until there may be something to take, at most `seconds`."""

    def check(self) -> None:
        """Notice whether it became another one."""

    def close(self) -> None:
        """Close it, unless it is somebody else's."""


class PipeSupply:
    """What a descriptor gives: a pipe, a terminal, standard input."""

    pauses = False
    settled = True

    def __init__(self, descriptor: int, name: str, own: bool) -> None:
        self.name = name
        self.problem: str | None = None
        self.ended = self.dry = False
        self._descriptor = descriptor
        self._own = own

    @property
    def writer(self) -> Writer:
        """Somebody, until its end came."""
        return "ended" if self.ended else "writes"

    def take(self, limit: int) -> bytes:
        """What has come, up to `limit` bytes."""
        data = b""
        try:
            if select.select([self._descriptor], [], [], 0)[0]:
                data = os.read(self._descriptor, limit)
                self.ended = not data
        except BlockingIOError:
            pass
        except OSError as error:
            self.problem = f"{escaped(self.name)} cannot be read: {error.strerror}."
            self.ended = True
        self.dry = not data
        return data

    def share(self) -> float:
        """Nobody knows how much will come."""
        return 0.0

    def wait(self, seconds: float) -> None:
        """Wait until there is something to take."""
        select.select([self._descriptor], [], [], seconds)

    def check(self) -> None:
        """A descriptor stays what it is."""

    def close(self) -> None:
        """Close the descriptor, unless it is somebody else's."""
        if self._own:
            os.close(self._descriptor)
            self._own = False


class FileSupply:
    """The bytes of a file, which is read on from where it ended when it grows."""

    pauses = True

    def __init__(self, file: FileSource, name: str) -> None:
        self.name = name
        self.dry = False
        self._file = file
        self._size = 0
        self._bytes_read = 0
        self._unreadable: str | None = None

    @property
    def problem(self) -> str | None:
        """What became of the file."""
        return self._unreadable or self._file.problem

    @property
    def ended(self) -> bool:
        """A file ends only where it was cut, overwritten, replaced, or cannot be read."""
        return self._unreadable is not None or (self._file.ended and self.dry)

    @property
    def settled(self) -> bool:
        """Whether nothing was written for a while."""
        return self._file.settled

    @property
    def writer(self) -> Writer:
        """Who writes the file, as far as is known."""
        return self._file.writer

    def take(self, limit: int) -> bytes:
        """The next bytes, up to `limit`."""
        self._size = self._file.advance(limit)
        buffer = bytearray(max(min(limit, self._size - self._bytes_read), 0))
        count = 0
        try:
            if buffer:
                count = self._file.read(self._bytes_read, memoryview(buffer))
        except OSError as error:
            self._unreadable = f"{escaped(self.name)} cannot be read: {error.strerror}."
        self._bytes_read += count
        self.dry = not count
        return bytes(memoryview(buffer)[:count])

    def share(self) -> float:
        """Which part of the file was taken."""
        return self._bytes_read / self._size if self._size else 0.0

    def wait(self, seconds: float) -> None:
        """Wait a moment: a file does not tell when it grows."""
        self._file.wait(seconds)

    def check(self) -> None:
        """Notice that the path now leads to another file."""
        self._file.check()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
