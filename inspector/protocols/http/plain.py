"""Plain HTTP found by scanning: whole requests and answers in turn, with heads in which nothing is wrong.

Turns of both ends -> messages, those that `HttpConnection` gives; None as soon as anything is out of line,
for which the decoder is there. Heads that were seen before are not parsed again.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, overload

from inspector.model.packets import Row
from inspector.protocols.api import Source, Start
from inspector.protocols.http.decoder import HttpDecoder
from inspector.protocols.http.message import Framing, HttpMessage, Moved, parse_cut_head, parse_head
from inspector.protocols.http.rules import (
    body_framing,
    check_request,
    check_response,
    content_length,
    is_event_stream,
)
from inspector.wire.findings import FirstFindings
from inspector.wire.tcp.delivery import Pump
from inspector.wire.tcp.stream import ByteStream

_METHOD = rb"(?!PROXY |CONNECT )[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}"
_REQUEST = re.compile(_METHOD + rb" [^ \r\n]{1,1900} HTTP/1\.\d\r\n")
LONGEST, _MOST_HEADERS, _HEADS = 2048, 64, 512      # bytes and headers of a head; heads that are kept
_PLACE = 32              # bytes that a message takes here
_SWITCHES = {"upgrade", "sec-websocket-key"}
_SPECIAL = _SWITCHES | {"content-encoding"}         # what says more than a message


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A head as it is at the beginning of a stream; `body`: the bytes that follow it.

    `bodiless`: it asks with HEAD, and no body follows the answer.
    Heads of the same bytes are mostly one and the same, by which one who prints them knows them again.
    """

    record: HttpMessage
    body: int
    bodiless: bool


class Messages(Sequence[HttpMessage]):
    """Messages that are made when they are asked for, each by its number."""

    @overload
    def __getitem__(self, index: int) -> HttpMessage: ...

    @overload
    def __getitem__(self, index: slice) -> list[HttpMessage]: ...

    def __getitem__(self, index: int | slice) -> HttpMessage | list[HttpMessage]:
        if isinstance(index, slice):
            return [self._message(number) for number in range(*index.indices(len(self)))]
        return self._message(range(len(self))[index])

    @abstractmethod
    def _message(self, number: int) -> HttpMessage:
        """The message of that number, from 0."""


class Exchanges(Messages):
    """Requests and answers in turn; a message is made when it is asked for, without its body's beginning."""

    def __init__(self, heads: Sequence[Head], turns: Sequence[bytes]) -> None:
        self._heads = heads
        self._start, self._stop = array("q"), array("q")
        offsets = [0, 0]
        for number, data in enumerate(turns):
            self._start.append(offsets[number & 1])
            offsets[number & 1] += len(data)
            self._stop.append(offsets[number & 1])

    def __len__(self) -> int:
        return len(self._heads)

    def _message(self, number: int) -> HttpMessage:
        head, start, stop = self._heads[number].record, self._start[number], self._stop[number]
        headers = Moved(head.headers, start) if start else head.headers
        side, body = number & 1, head.body_start + start
        return HttpMessage(
            side, not side, start, head.line_stop + start, body, stop, head.version, head.method, head.target,
            head.status, head.reason, headers, framing=head.framing,
            body_length=stop - body, complete=True, number=number, partner=number + 1 - 2 * side,
        )


def exchanges(turns: Sequence[bytes]) -> list[Head] | None:
    """The heads of turns, of which the first is the client's; None where they are not plain."""
    if len(turns) % 2:
        return None
    found: list[Head] = []
    each = iter(turns)
    last: tuple[bytes, bytes] = b"", b""       # a client that asks the same again, as a benchmark's does
    for request, answer in zip(each, each, strict=True):
        if (request, answer) == last:
            found += found[-2:]
            continue
        size = request.find(b"\r\n\r\n") + 4
        request_head = request_of(request[:size]) if size <= LONGEST else None
        if request_head is None or len(request) - size != request_head.body:
            return None
        size = answer.find(b"\r\n\r\n") + 4
        answer_head = answer_of(answer[:size], request_head.bodiless) if size <= LONGEST else None
        if answer_head is None or len(answer) - size != answer_head.body:
            return None
        found += request_head, answer_head
        last = request, answer
    return found


@lru_cache(_HEADS)
def request_of(head: bytes) -> Head | None:
    """The head of a request with which nothing is wrong, as it would stand at the beginning of a stream."""
    if not _REQUEST.match(head) or b"%0" in head:
        return None
    message, findings = parse_head(head, 0, 0, True)
    return None if message is None or findings or check_request(message) else _framed(message, None)


@lru_cache(_HEADS)
def answer_of(head: bytes, bodiless: bool) -> Head | None:
    """The same of an answer; `bodiless`: HEAD was asked."""
    if not head.startswith(b"HTTP/1."):
        return None
    message, findings = parse_head(head, 0, 1, False)
    if message is None or findings or check_response(message) or message.status in (400, 408):
        return None
    if is_event_stream(message):
        return None
    return None if message.status < 200 else _framed(message, "none" if bodiless else None)


@lru_cache(_HEADS)
def cut_request_of(data: bytes, kept: int) -> Head | None:
    """What is there of a request's head, of which the capture cut the rest."""
    if b"%0" in data or data.startswith((b"PROXY ", b"CONNECT ")):
        return None
    return _cut(data, kept, is_request=True)


@lru_cache(_HEADS)
def cut_answer_of(data: bytes, kept: int, bodiless: bool) -> Head | None:
    """The same of an answer's."""
    found = _cut(data, kept, is_request=False) if data.startswith(b"HTTP/1.") else None
    if found is None or found.record.status < 200:
        return None
    return replace(found, record=found.record._replace(framing="none"), body=0) if bodiless else found


def _cut(data: bytes, kept: int, *, is_request: bool) -> Head | None:
    """`body`: how many bytes follow what is there, at least."""
    findings = FirstFindings()
    message = parse_cut_head(data, 0, int(not is_request), is_request, findings, kept)
    if message is None or findings or len(message.headers) > _MOST_HEADERS or any(
            header.key in _SWITCHES for header in message.headers):
        return None
    framing = body_framing(message, None)
    size = content_length(message) or 0 if framing == "length" else 0
    return Head(message._replace(framing=framing), size, message.method == "HEAD")


def _framed(message: HttpMessage, framing: Framing | None) -> Head | None:
    if len(message.headers) > _MOST_HEADERS or any(header.key in _SPECIAL for header in message.headers):
        return None
    own = body_framing(message, None)
    if own not in ("none", "length"):
        return None
    framing = framing or own
    size = content_length(message) or 0 if framing == "length" else 0
    return Head(message._replace(framing=framing, body_length=size), size, message.method == "HEAD")


def _no_bytes(row: Row, start: int, size: int) -> bytes:
    return b""


_NOTHING = Pump((ByteStream(_no_bytes), ByteStream(_no_bytes)))


class PlainHttpDecoder(HttpDecoder):
    """The decoder of a conversation that is known to be plain: it has its messages, and reads no more."""

    def __init__(self, source: Source, messages: Sequence[HttpMessage]) -> None:
        super(HttpDecoder, self).__init__(source, _NOTHING, Start(0, (0, 0)))
        self.upgrade = None
        self._plain = messages

    def take(self) -> bool:
        return False

    @property
    def records(self) -> Sequence[HttpMessage]:
        """The messages of both directions, in order."""
        return self._plain

    @property
    def kept_bytes(self) -> int:
        return _PLACE * len(self._plain)

    def partner(self, position: int) -> int | None:
        return position + 1 - 2 * (position & 1)

    def handshake(self, message: HttpMessage) -> None:
        """There is none."""
        return


_NOWHERE: Any = None
READER = PlainHttpDecoder(_NOWHERE, ())      # gives the fields and the summary of a head's record
