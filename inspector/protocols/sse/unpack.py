"""A compressed body as it comes, so that its events are told one by one: each flush of its sender gives text.

Pieces of the body -> what they unpack to so far, within a limit. What was lost, broken or too large ends it.
"""

from __future__ import annotations

import zlib
from typing import Any

MOST = 16 << 20          # bytes of text that are unpacked of one answer, since its events are kept
_PIECE = 64              # bytes of zstd that are unpacked at once, so that few of them stop at the limit


class Unpacker:
    """Undoes one content coding. `ended`: why nothing more is unpacked, "" while it goes on."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._room = MOST
        self._engine: Any = None
        self._head = b""
        self.ended = ""

    def feed(self, data: bytes) -> bytes:
        """The text that these bytes, the next ones of the body, give."""
        if self.ended or not data:
            return b""
        if self._engine is None and not self._begin(data):
            return b""
        data, self._head = self._head + data if self._head else data, b""
        try:
            text = self._zstd(data) if self._coding == "zstd" else self._inflate(data)
        except Exception as error:
            if not isinstance(error, zlib.error) and type(error).__name__ != "ZstdError":
                raise
            self.ended = "what follows is not in the encoding that the head names"
            return b""
        self._room -= len(text)
        if self._room <= 0:
            self.ended = f"no more than {MOST >> 20} MiB of an answer are unpacked event by event"
        return text

    def lose(self) -> None:
        """Bytes are missing: what follows refers to them."""
        self.ended = self.ended or "bytes of it lack, and what follows refers to them"

    def _begin(self, data: bytes) -> bool:
        """Choose who unpacks; "deflate" has to be looked at, since many leave its wrapping away."""
        if self._coding == "zstd":
            import zstandard  # here: few bodies have it, and start-up would wait

            self._engine = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
            return True
        bits = 31
        if self._coding == "deflate":
            self._head += data
            if len(self._head) < 2:
                return False
            head, self._head = self._head, self._head[: len(self._head) - len(data)]
            wrapped = head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0
            bits = 15 if wrapped else -15
        self._engine = zlib.decompressobj(bits)
        return True

    def _inflate(self, data: bytes) -> bytes:
        found: bytes = self._engine.decompress(data, self._room)
        return found

    def _zstd(self, data: bytes) -> bytes:
        parts, size = [], 0
        for at in range(0, len(data), _PIECE):
            if self._engine.eof or size >= self._room:
                break
            parts.append(self._engine.decompress(data[at : at + _PIECE]))
            size += len(parts[-1])
        return b"".join(parts)[: self._room]
