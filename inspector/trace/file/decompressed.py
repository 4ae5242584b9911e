"""Bytes in order from a file or standard input, decompressed where their first bytes say so.

`Stream.take` gives what has come, in pieces, and never waits; `source.py` writes the pieces to a spool. Gzip
members (RFC 1952) and Zstandard frames (RFC 8878) may follow each other; what one step inflates is bounded.
"""

from __future__ import annotations

import os
import select
import stat
import zlib

import zstandard

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SLICE, _SMALL_SLICE, _PIECE = 256 * 1024, 16 * 1024, 1024


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
            raw, end = self._raw(self._inflater.appetite)
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
            self._own = False


class _Inflater:
    """Decompresses gzip members or Zstandard frames, however many stand behind each other."""

    def __init__(self, head: bytes) -> None:
        self._gzip = head[:2] == GZIP_MAGIC
        self.appetite = _SLICE if self._gzip else _SMALL_SLICE     # compressed bytes to be fed at once
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
        piece, rest = self._input[:_PIECE], self._input[_PIECE:]
        return engine.decompress(piece), rest  # type: ignore[attr-defined]
