"""Plain HTTP found by scanning: whole requests and answers in turn, with heads in which nothing is wrong.

Turns of both ends -> messages, the same as `HttpConnection` gives; None as soon as anything is out of line,
for which the decoder is there. Heads that were seen before are not parsed again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from inspector.model.packets import Row
from inspector.protocols.api import Source, Start
from inspector.protocols.http.decoder import PREVIEW, HttpDecoder
from inspector.protocols.http.message import Header, HttpMessage, parse_head
from inspector.protocols.http.rules import body_framing, check_request, check_response, content_length
from inspector.wire.tcp.delivery import Pump
from inspector.wire.tcp.stream import ByteStream

_METHOD = rb"(?!PROXY |CONNECT )[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}"
_REQUEST = re.compile(_METHOD + rb" [^ \r\n]{1,1900} HTTP/1\.\d\r\n")
_LONGEST, _MOST_HEADERS, _HEADS = 2048, 64, 512     # bytes and headers of a head; heads that are kept
_SPECIAL = {"upgrade", "sec-websocket-key", "content-encoding"}     # what says more than a message


class _Head(NamedTuple):
    """A head as it is at the beginning of a stream; `body`: the bytes that follow it."""

    message: HttpMessage
    body: int


def exchanges(turns: Sequence[bytes]) -> list[HttpMessage] | None:
    """The messages of turns, of which the first is the client's; None where they are not plain."""
    messages: list[HttpMessage] = []
    offsets = [0, 0]
    if len(turns) % 2:
        return None
    for number, data in enumerate(turns):
        side = number & 1
        size = data.find(b"\r\n\r\n") + 4
        if not 4 <= size <= _LONGEST:
            return None
        head = _answer(data[:size]) if side else _asked(data[:size])
        if head is None:
            return None
        bodiless = side and messages[-1].method == "HEAD"
        if len(data) - size != (0 if bodiless else head.body):
            return None
        messages.append(_placed(head.message, offsets[side], number, data, bool(bodiless)))
        offsets[side] += len(data)
    return messages


def _placed(head: HttpMessage, offset: int, number: int, data: bytes, bodiless: bool) -> HttpMessage:
    """The message of a head at another place of its stream, with its body."""
    size = head.body_start
    headers = head.headers if not offset else tuple([
        Header(name, value, start + offset, stop + offset, key)
        for name, value, start, stop, key in head.headers])
    side = number & 1
    return HttpMessage(
        side, not side, offset, head.line_stop + offset, size + offset, len(data) + offset, head.version,
        head.method, head.target, head.status, head.reason, headers, (), "none" if bodiless else head.framing,
        len(data) - size, data[size : size + PREVIEW], True, number, number + 1 - 2 * side,
    )


@lru_cache(_HEADS)
def _asked(head: bytes) -> _Head | None:
    if not _REQUEST.match(head) or b"%0" in head:
        return None
    message, findings = parse_head(head, 0, 0, True)
    return None if message is None or findings or check_request(message) else _framed(message)


@lru_cache(_HEADS)
def _answer(head: bytes) -> _Head | None:
    if not head.startswith(b"HTTP/1."):
        return None
    message, findings = parse_head(head, 0, 1, False)
    if message is None or findings or check_response(message, None) or message.status in (400, 408):
        return None
    return None if message.status < 200 else _framed(message)


def _framed(message: HttpMessage) -> _Head | None:
    if len(message.headers) > _MOST_HEADERS or any(header.key in _SPECIAL for header in message.headers):
        return None
    framing = body_framing(message, None)
    if framing not in ("none", "length"):
        return None
    size = content_length(message) if framing == "length" else 0
    return _Head(message._replace(framing=framing), size or 0)


def _no_bytes(row: Row, start: int, size: int) -> bytes:
    return b""


_NOTHING = Pump((ByteStream(_no_bytes), ByteStream(_no_bytes)))


class PlainHttpDecoder(HttpDecoder):
    """The decoder of a conversation that is known to be plain: it has its messages, and reads no more."""

    def __init__(self, source: Source, messages: list[HttpMessage]) -> None:
        super(HttpDecoder, self).__init__(source, _NOTHING, Start(0, (0, 0)))
        self.upgrade = None
        self._plain = messages

    def take(self) -> bool:
        return False

    @property
    def records(self) -> list[HttpMessage]:
        """The messages of both directions, in order."""
        return self._plain

    def partner(self, position: int) -> int | None:
        return self._plain[position].partner

    def handshake(self, message: HttpMessage) -> None:
        """There is none."""
        return
