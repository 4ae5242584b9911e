"""UTF-8 as RFC 6455 §8.1 asks for it: of a whole message, whose fragments may cut a character anywhere."""

from __future__ import annotations

import codecs
from typing import NamedTuple

_DECODER = codecs.getincrementaldecoder("utf-8")


class WrongText(NamedTuple):
    """Where UTF-8 ends: `position` in the piece just fed (negative: before it), `size` bytes."""

    position: int
    size: int
    reason: str


class TextCheck:
    """Checks one message piece by piece; tells the first mistake only."""

    __slots__ = ("_decoder", "_failed", "fresh")

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = None        # where a message comes in pieces
        self._failed = False
        self.fresh = True          # nothing was fed

    def feed(self, data: bytes, final: bool) -> WrongText | None:
        """The mistake in this piece, or None; `final` with the last piece."""
        self.fresh = False
        if self._failed:
            return None
        held = 0
        try:
            if self._decoder is None and final:
                codecs.utf_8_decode(data, "strict", True)
                return None
            if self._decoder is None:
                self._decoder = _DECODER()
            held = len(self._decoder.getstate()[0])
            self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            self._failed = True
            return WrongText(error.start - held, max(error.end - error.start, 1), error.reason)
        return None
