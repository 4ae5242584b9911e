"""Reads of frames with what lies behind them: neighbours in the file are served from one piece that was read.

offset of a frame -> the piece that holds it, else a new one -> its bytes. Only the piece is read from the
source, so what a read has to make sure of (is it still the same file?) is done once a piece.
"""

from __future__ import annotations

from collections.abc import Sequence

from inspector.trace.file.source import Source

_AHEAD = 1 << 17         # bytes that are read at once, at most, after reads that followed each other,
_APART = 1 << 11         # and at first
_MOST = 1 << 20          # longer ones are not kept
_MOST_PEEKED = 1 << 22   # bytes that `peek` keeps room for
_EACH = 1 << 12          # places that are read before it is looked again whether it is still the same file


class Window:
    """A piece of `source`, moved to where it is read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start = 0
        self._data = b""
        self._ahead = _APART
        self._buffer = bytearray()

    def read(self, start: int, stop: int, limit: int) -> bytes:
        """The bytes from `start` to `stop`, fewer where there are fewer; nothing from `limit` on is kept.

        `limit`: up to where the file is written for good.
        """
        base, data = self._start, self._data
        if base <= start and stop <= base + len(data):
            return data[start - base : stop - base]
        follows = base < start <= base + len(data) + self._ahead
        self._ahead = min(2 * self._ahead, _AHEAD) if follows else _APART
        end = max(stop, min(start + self._ahead, limit))
        buffer = bytearray(end - start)
        count = self._source.read(start, memoryview(buffer))
        data = bytes(memoryview(buffer)[:count])
        if stop - start <= _MOST:
            self._start, self._data = start, data
        return data[: stop - start]

    def each(self, starts: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """So many bytes from each of `starts` on, fewer where there are fewer: for what lies far apart."""
        found: list[bytes] = []
        for at in range(0, len(starts), _EACH):
            found += self._source.read_each(starts[at : at + _EACH], sizes[at : at + _EACH])
        return found

    def peek(self, start: int, stop: int) -> memoryview:
        """The bytes from `start` to `stop`, fewer where there are fewer; good until the next `peek`."""
        size = stop - start
        if len(self._buffer) < size <= _MOST_PEEKED or not self._buffer:
            self._buffer = bytearray(min(size, _MOST_PEEKED))
        buffer = memoryview(self._buffer if size <= len(self._buffer) else bytearray(size))[:size]
        return buffer[: self._source.read(start, buffer)].toreadonly()
