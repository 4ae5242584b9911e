"""gRPC's framing in the DATA of a stream: a flag for compression, a length, a message; and what ends a call.

Source: gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md), and its status codes (doc/statuscodes.md).
"""

from __future__ import annotations

from typing import NamedTuple

STATUSES = ("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
            "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
            "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
            "UNAUTHENTICATED")
_PREFIX = 5


class GrpcMessage(NamedTuple):
    """The head of a message: compressed or not, and how many bytes it has."""

    compressed: int
    length: int


class Messages:
    """Cuts the DATA of one direction of a stream into messages."""

    def __init__(self) -> None:
        self.count = 0                  # messages that have begun
        self._head = b""                # of a prefix that is not whole
        self._left = 0                  # bytes of the message under way
        self._lost = False

    def feed(self, data: bytes, size: int) -> tuple[GrpcMessage, ...]:
        """The messages that begin in the next `size` bytes, of which `data` is what there is."""
        if self._lost or len(data) != size:
            self._lost = True           # what is missing may have been a length
            return ()
        found: list[GrpcMessage] = []
        place = 0
        while place < len(data):
            if self._left:
                step = min(self._left, len(data) - place)
                self._left -= step
                place += step
                continue
            step = _PREFIX - len(self._head)
            self._head += data[place : place + step]
            place += step
            if len(self._head) == _PREFIX:
                found.append(GrpcMessage(self._head[0], int.from_bytes(self._head[1:], "big")))
                self._head, self._left = b"", found[-1].length
                self.count += 1
        return tuple(found)


def status_name(text: str) -> str:
    """`5 NOT_FOUND`."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else -1
    return f"{text} {STATUSES[number]}" if 0 <= number < len(STATUSES) else text
