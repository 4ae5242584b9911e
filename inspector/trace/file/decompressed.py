"""Bytes in order from a supply, decompressed where their first bytes say so.

`Stream.take` gives what has come, in pieces, and never waits; `source.py` writes the pieces to a spool. Gzip
members (RFC 1952) and Zstandard frames (RFC 8878) may follow each other, and the last one may still be
written; what one step inflates is bounded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

from inspector.trace.file.supply import Supply
from inspector.wire.text import escaped

_HEAD = 4                       # bytes that tell the format
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"    # behind 0x50 to 0x5f: a frame of Zstandard without content, RFC 8878 §3.1.2
_SLICE = 16 * 1024              # compressed bytes that are taken at once,
_GZIP_STEP = 16 * 1024          # and that one step inflates: zlib bounds what comes of it,
_ZSTD_STEP = 1024               # zstandard does not: so little keeps it below 32 MB


def is_compressed(head: bytes) -> bool:
    """Whether what begins with these four bytes is in a format that is decompressed here."""
    return _is_gzip(head) or _is_zstd(head)


def _is_gzip(head: bytes) -> bool:
    return head.startswith(_GZIP)


def _is_zstd(head: bytes) -> bool:
    return head.startswith(_ZSTD) or (head[1:_HEAD] == _SKIPPABLE and head[0] >> 4 == 5)


class Stream:
    """The bytes of `supply`, decompressed where their first ones say so."""

    def __init__(self, supply: Supply) -> None:
        self.supply = supply
        self.dry = False                # all that the supply has given so far was taken
        self.taken = 0                  # compressed bytes that were taken
        self._head = b""
        self._decided = False
        self._inflater: _Inflater | None = None
        self._damage: str | None = None

    @property
    def unpacks(self) -> bool:
        """Whether it is compressed, as far as was seen."""
        return self._inflater is not None

    @property
    def problem(self) -> str | None:
        """Why no more will come, in one sentence."""
        return self._damage or self.supply.problem

    @property
    def ended(self) -> bool:
        """Whether all was taken, and certainly nothing more will come."""
        return self._damage is not None or (self.supply.ended and self.dry)

    @property
    def cut(self) -> str | None:
        """One sentence where what has come so far ends within compressed data."""
        whole = self._inflater.complete if self._inflater else not is_compressed(self._head)
        return None if whole else (
            f"The compressed data of {escaped(self.supply.name)} ends early; all before that is shown."
        )

    def take(self, limit: int) -> bytes:
        """Up to about `limit` bytes; none when nothing has come yet."""
        data = self._taken(limit) if self._decided or self._decide() else b""
        self.dry = not data
        return data

    def _decide(self) -> bool:
        """Whether enough has come to tell the format."""
        self._head += self.supply.take(_HEAD - len(self._head))
        self._decided = len(self._head) == _HEAD or (self.supply.ended and not is_compressed(self._head))
        if self._decided and is_compressed(self._head):
            self._inflater = _Inflater(self._head)
        return self._decided

    def _taken(self, limit: int) -> bytes:
        inflater = self._inflater
        if inflater is None:
            head, self._head = self._head, b""
            return head or self.supply.take(limit)
        while self._damage is None:
            try:
                data = inflater.take(limit)
            except (zlib.error, zstandard.ZstdError):
                name = escaped(self.supply.name)
                self._damage = f"The compressed data of {name} is damaged; all before that is shown."
                break
            if data:
                return data
            if inflater.hungry:
                raw = self.supply.take(_SLICE)
                if not raw:
                    break
                self.taken += len(raw)
                inflater.feed(raw)
        return b""


class _Engine(Protocol):
    """Decompresses one member or frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...


class _Inflater:
    """Decompresses gzip members or Zstandard frames, however many stand behind each other.

    `complete`: what came so far ends with the end of one. `hungry`: more is needed for more.
    """

    def __init__(self, head: bytes) -> None:
        self._magic = _is_gzip if _is_gzip(head) else _is_zstd
        self._step = _GZIP_STEP if _is_gzip(head) else _ZSTD_STEP
        self._input, self._at = head, 0
        self._start()
        self.hungry = False

    def _start(self) -> None:
        self.complete = False
        self._engine: _Engine
        self._decompress: Callable[[bytes, int], bytes]
        if self._magic is _is_gzip:
            member = zlib.decompressobj(wbits=31)
            self._engine, self._decompress = member, member.decompress
        else:
            frame = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
            self._engine, self._decompress = frame, lambda data, limit: frame.decompress(data)

    def feed(self, data: bytes) -> None:
        """Give more compressed bytes."""
        self._input, self._at, self.hungry = self._input[self._at :] + data, 0, False

    def take(self, limit: int) -> bytes:
        """Up to about `limit` bytes."""
        if self.complete and not self._next():
            self.hungry = True
            return b""
        piece, engine = self._input[self._at : self._at + self._step], self._engine
        data = self._decompress(piece, limit)
        self.complete = engine.eof
        self._at += len(piece) - len(engine.unused_data if engine.eof else engine.unconsumed_tail)
        self.hungry = self._at == len(self._input) and len(data) < limit
        return data

    def _next(self) -> bool:
        """Whether another member begins; zeros may lie between, and what else follows is no part of it."""
        rest = self._input[self._at :].lstrip(b"\0")
        self._input, self._at = rest, 0
        if len(rest) < _HEAD:
            return False
        if self._magic(rest[:_HEAD]):
            self._start()
            return True
        self._input = rest[:_HEAD]         # never the beginning of one: what is fed after it is passed over
        return False
