"""One direction of an HTTP/1.1 connection: bytes in, pieces of any size; messages into its connection.

The reader knows where heads, bodies, chunks and trailers begin and end; what a message means for the other
direction is `HttpConnection`'s part. Heads, chunk lines and what is held of a body are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, Protocol

from inspector.model.language import sentence
from inspector.model.units import amount
from inspector.protocols.api import Cut, MessageIndex, message_at
from inspector.protocols.http.findings import finding
from inspector.protocols.http.message import (
    HEAD_LIMIT,
    HttpMessage,
    head_end,
    looks_like_http,
    parse_cut_head,
    parse_fields,
    parse_head,
)
from inspector.protocols.http.rules import brings_events, content_length
from inspector.wire.findings import Finding, FirstFindings
from inspector.wire.text import escaped

State = Literal[
    "start", "length", "chunk-size", "chunk-data", "chunk-end", "trailers", "close", "wait", "over", "passing"
]
_CHUNK_LINE_LIMIT = 4096
_LINE = 80               # bytes after which a start line can be told from other things
_HEAD_START = 2048
_SETTINGS = re.compile(rb"\0[\0-\x03][\0-\xff]\x04\0\0{4}")     # of HTTP/2, which begin its connection
_ANSWER = b"HTTP/1."
TLS = (b"\x15\x03", b"\x16\x03")    # an alert, a handshake


class BodyReader(Protocol):
    """Who reads a body while it comes: a protocol of its own."""

    def feed(self, answer: int, start: int, data: bytes) -> None:
        """Bytes of the body of message `answer`, which stand at `start` of the stream."""

    def miss(self) -> None:
        """Bytes of it are missing."""

    def reach(self, answer: int, stop: int) -> None:
        """The message came up to `stop`."""

    def close(self, answer: int, stop: int, *, cut: bool = False) -> None:
        """Nothing more of the body comes; `cut`: by no fault of the server."""


class Connection(Protocol):
    """What a reader needs of the connection that it belongs to."""

    client: int
    keep: int
    keeps: Callable[[HttpMessage], bool]
    messages: list[HttpMessage]
    findings: FirstFindings
    sure: bool

    def start_message(self, message: HttpMessage) -> HttpMessage:
        """Enter a message whose head is whole, and give it back with its number and framing."""

    def body_reader(self, message: HttpMessage) -> BodyReader | None:
        """Who reads the body of a message that begins; None for nobody."""

    def settle(self, side: HttpReader, message: HttpMessage) -> None:
        """Take note that a message ended."""

    def give_up(self, direction: int) -> None:
        """Take note that what a direction sends is not understood any more."""

    def has_answer(self, request: HttpMessage) -> bool:
        """Whether a final response to a request has begun, or may have."""


def asks_to_switch(request: HttpMessage) -> bool:
    """True for a request after which something else than HTTP may follow (Upgrade, CONNECT)."""
    return request.method == "CONNECT" or request.first("upgrade") is not None


class HttpReader:
    """A buffer of what is not yet understood, and where in a message it stands."""

    def __init__(self, connection: Connection, direction: int, start: int, *, certain: bool = True) -> None:
        self.connection, self.direction = connection, direction
        self._certain = certain            # a message begins where one is looked for
        self._doubted = False              # of the answer under way: it may have no body, as to HEAD
        self.offset = start                # of the first byte in the buffer
        self.state: State = "start"
        self._buffer = bytearray()
        self._scanned = 0
        self._left = 0                     # bytes of the body (or chunk) still to come
        self._message: HttpMessage | None = None
        self._before: HttpMessage | None = None    # the last whole one
        self._body = bytearray()
        self._body_length = 0
        self._bare_reported = False            # that a chunk of the body under way ends with LF alone
        self._holes = False                # of the body under way some bytes are missing
        self._ended = False
        self._passed: HttpMessage | None = None     # of which the head is cut, and what follows passed over;
        self.least = 0                     # the next one does not begin before this offset
        self._body_reader: BodyReader | None = None     # who reads the body under way
        self.lost = False                  # bytes came that are no HTTP; what follows is not understood
        self.head_cut_off = False          # nor is a head in which the connection ended, which is HTTP

    @property
    def is_request(self) -> bool:
        return self.direction == self.connection.client

    def feed(self, data: bytes) -> None:
        if self.state == "over":
            return
        self._buffer += data
        if self.state != "wait":
            self._run()

    def resume(self) -> None:
        self.state = "start" if self._passed is None else "passing"
        self._run()
        if self._ended:
            self.end()

    def go_on(self) -> None:
        """The answer that is waited for may be lost: read on, if it is HTTP what follows."""
        if self.state == "wait":
            self._certain = False
            self.resume()

    @property
    def at_a_message(self) -> bool:
        """Whether a message certainly begins at `offset`."""
        return self.state == "start" and self._certain

    @property
    def in_head(self) -> bool:
        """Whether some of a head came, and the rest of it did not."""
        return self.state == "start" and bool(self._buffer)

    @property
    def under_way(self) -> MessageIndex | None:
        """The message that has begun and not ended; None: none has."""
        return None if self._message is None else message_at(self._message.number)

    @property
    def _room(self) -> int:
        """How many bytes of the body under way are held."""
        message = self._message
        return self.connection.keep if message is None or self.connection.keeps(message) else 0

    @property
    def skippable(self) -> int:
        full = len(self._body) >= self._room and self._body_reader is None
        if not full or self._doubted or self._buffer or self.state not in ("length", "chunk-data", "close"):
            return 0
        return (1 << 62) if self.state == "close" else self._left

    def skip(self, size: int) -> None:
        self.offset += size
        self._count(size)
        self._run()

    def lose(self, size: int) -> bool:
        """`size` bytes will never come; False when they were not all part of the body under way."""
        known = self.state in ("length", "chunk-data") and size <= self._left
        if self._doubted or (not known and self.state != "close"):
            return False
        self._holes = True
        if self._body_reader is not None:
            self._body_reader.miss()
        self.offset += size
        self._count(size)
        self._run()
        return True

    def restart(self, offset: int) -> None:
        """Go on with a start line at another offset; what is under way stays as it is."""
        if self._message is not None:
            self._store(complete=False)
            self._close(cut=True)
        self._message, self.state, self.offset, self._scanned = None, "start", offset, 0
        self._passed = None
        self._certain = self._doubted = False
        self._buffer.clear()

    def cut_head(self, cut: Cut) -> HttpMessage | None:
        """What came of a head is all that there is, as its packet was cut.

        None: no message can be told from it. Behind it reading passes over all but the next start line.
        """
        if self.state != "start" or not self._buffer or not self._plausible():
            return None
        found = FirstFindings()
        message = parse_cut_head(
            bytes(self._buffer), self.offset, self.direction, self.is_request, found, cut.snaplen)
        if message is None:
            return None
        self.connection.findings += found
        self._buffer.clear()
        self.state, self._scanned, self._certain = "passing", 0, False
        message = self._passed = self.connection.start_message(message._replace(stop=cut.stop))
        self.offset, self.least = cut.stop, message.body_start
        if message.is_request and asks_to_switch(message):
            self.state = "wait"
        if message.framing == "length" and (message.is_request or message.partner is not None):
            self.least += content_length(message) or 0
        return message

    def reach(self, offset: int) -> None:
        """Pass over bytes up to `offset`: they belong to the message whose head is cut."""
        self.offset = max(self.offset, offset)
        if self._passed is not None:
            number = self._passed.number
            self.connection.messages[number] = self.connection.messages[number]._replace(stop=self.offset)

    def begin_at(self, offset: int) -> None:
        """The next message begins at `offset`, behind what was passed over."""
        self.state, self.offset, self._passed = "start", offset, None

    def _run(self) -> None:
        steps = {
            "start": self._start, "length": self._data, "close": self._data, "chunk-data": self._data,
            "chunk-size": self._chunk_size, "chunk-end": self._chunk_end, "trailers": self._trailers,
        }
        while self.state in steps:
            if not (self._has_no_body() if self._doubted else steps[self.state]()):
                break
        if self._message is not None:
            self._store(complete=False)

    def _has_no_body(self) -> bool:
        """An answer to what was not captured, perhaps to HEAD: it has no body where the next one follows."""
        seen = bytes(self._buffer[: len(_ANSWER)])
        if not seen or (seen != _ANSWER and _ANSWER.startswith(seen)):
            return False
        self._doubted = False
        if seen == _ANSWER:
            assert self._message is not None
            self._message = self._message._replace(framing="none")
            self._finish()
        return True

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.offset += size
        self._scanned = 0
        return data

    def _start(self) -> bool:
        if self._buffer.startswith((b"\r", b"\n")):     # (for this alone the buffer is not copied)
            # RFC 9112 §2.2: empty lines before a start line are ignored
            self._take(len(self._buffer) - len(self._buffer.lstrip(b"\r\n")))
        if not self._buffer:
            return False
        decidable = (len(self._buffer) >= _LINE or b"\n" in self._buffer or self._buffer.startswith(TLS)
                     or (not self.is_request and _SETTINGS.match(self._buffer) is not None))
        if decidable and not self._plausible():
            self._give_up(self._no_message())
            return False
        stop = head_end(self._buffer, self._scanned)
        if stop < 0 or stop > HEAD_LIMIT:
            self._scanned = max(0, len(self._buffer) - 3)
            if len(self._buffer) > HEAD_LIMIT:
                what, stop = sentence(
                    "This head is longer than {head_limit} bytes.", head_limit=HEAD_LIMIT), \
                    self.offset + HEAD_LIMIT
                self._give_up(finding("http.head-too-large", what, self.direction, self.offset, stop))
            return False
        start = self.offset
        message, _ = parse_head(self._take(stop), start, self.direction, self.is_request,
                                self.connection.findings)
        if message is None:
            self._give_up()
            return False
        self._begin(self.connection.start_message(message))
        return True

    def _no_message(self) -> Finding:
        if self._buffer.startswith(TLS):
            who = "client" if self.is_request else "server"
            what, stop = sentence(
                "The {who} speaks TLS here, the other side plain HTTP.", who=sentence(who)), self.offset + 5
            return finding("http.tls-and-plain", what, self.direction, self.offset, stop)
        if not self.is_request and _SETTINGS.match(self._buffer):
            what, stop = sentence("The server answers in HTTP/2, the client speaks HTTP/1."), self.offset + 9
            return finding("http.http2-only", what, self.direction, self.offset, stop)
        line = bytes(self._buffer[:_LINE]).split(b"\n")[0]
        before = self._before
        if before is not None and before.stop == self.offset and before.framing in ("length", "none"):
            return self._excess(before, line)
        what, stop = sentence(
            "\"{line}\" begins no message.", line=escaped(line, _LINE)), self.offset + max(len(line), 1)
        return finding("http.invalid-start-line", what, self.direction, self.offset, stop)

    def _excess(self, before: HttpMessage, line: bytes) -> Finding:
        """What stands where a message should begin, behind one whose head told its body's length."""
        line = line.split(b"HTTP/1.")[0] or line
        if before.framing == "length":
            length = sentence("the {size} bytes of Content-Length", size=before.body_length)
        elif before.is_request:
            length = sentence("a request without Content-Length")
        else:
            length = sentence("a {status} answer that has no body", status=before.status)
        what = sentence("\"{line}\" stands behind {length}.", line=escaped(line, _LINE), length=length)
        return finding("http.excess-body", what, self.direction, self.offset,
                       self.offset + max(len(line), 1))

    def _plausible(self, *, ended: bool = False) -> bool:
        seen = looks_like_http(bytes(self._buffer[:_HEAD_START]))
        if ended and seen == "perhaps" and not self.is_request:
            return b"HTTP/1.".startswith(self._buffer.lstrip(b"\r\n"))
        return seen in ("perhaps", "request" if self.is_request else "response")

    def _give_up(self, *findings: Finding) -> None:
        if self._certain:
            self.connection.findings += findings
        self.connection.give_up(self.direction)
        self._close(cut=True)
        self.state, self.lost = "over", True
        self._message = None
        self._buffer.clear()

    def _begin(self, message: HttpMessage) -> None:
        self._message = message
        self._body, self._body_length, self._holes = bytearray(), 0, False
        self._bare_reported = False
        self._body_reader = self.connection.body_reader(message)
        sure = message.is_request or self.connection.sure
        self._certain = sure
        self._doubted = not sure and message.framing in ("length", "chunked", "close")
        if message.framing in ("none", "switch"):
            self._finish()
        elif message.framing == "length":
            self._left = content_length(message) or 0
            self.state = "length"
            if not self._left:
                self._doubted = False
                self._finish()
        else:
            self.state = "chunk-size" if message.framing == "chunked" else "close"

    def _count(self, size: int) -> None:
        self._body_length += size
        if self.state != "close":
            self._left -= size
            if not self._left:
                if self.state == "length":
                    self._finish()
                else:
                    self.state = "chunk-end"

    def _data(self) -> bool:
        size = len(self._buffer) if self.state == "close" else min(self._left, len(self._buffer))
        if not size:
            return False
        data = self._take(size)
        if self._body_reader is not None:
            self._body_reader.feed(self._number, self.offset - size, data)
        if not self._holes:
            self._body += data[: max(self._room - len(self._body), 0)]
        self._count(size)
        return True

    def _line(self, limit: int) -> bytes | None:
        """The next line, which has no more bytes than the limit; None: it has not ended."""
        end = self._buffer.find(b"\n", self._scanned, limit)
        if end < 0:
            self._scanned = min(len(self._buffer), limit)
            return None
        return self._take(end + 1)

    def _chunk_size(self) -> bool:
        start = self.offset
        if self._buffer[:1].strip(b"0123456789abcdefABCDEF"):      # told by the first byte, however it is cut
            self._invalid_chunk(sentence("No chunk size stands where one should."), start, start + 1)
            return False
        line = self._line(_CHUNK_LINE_LIMIT)
        if line is None:
            if len(self._buffer) > _CHUNK_LINE_LIMIT:
                stop = start + _CHUNK_LINE_LIMIT
                self._invalid_chunk(sentence("The line of a chunk's size does not end."), start, stop)
            return False
        digits = line.split(b";")[0].strip()
        if len(digits.lstrip(b"0")) > 16 or digits.strip(b"0123456789abcdefABCDEF"):
            self._invalid_chunk(sentence(
                "\"{digits}\" is no chunk size.", digits=escaped(digits, 40)), start, start + len(line))
            return False
        if not line.endswith(b"\r\n"):
            self._bare(sentence("The line of a chunk's size ends with LF alone."), start, start + len(line))
        self._left = int(digits, 16)
        self.state = "chunk-data" if self._left else "trailers"
        return True

    def _chunk_end(self) -> bool:
        if self._buffer[:1] == b"\n":
            self._bare(sentence("A chunk's data ends with LF alone."), self.offset, self.offset + 1)
            self._take(1)
        elif self._buffer[:2] == b"\r\n":
            self._take(2)
        elif bytes(self._buffer) in (b"", b"\r"):
            return False
        else:
            self._invalid_chunk(sentence(
                "A chunk is longer than its size says."), self.offset, self.offset + 2)
            return False
        self.state = "chunk-size"
        return True

    def _bare(self, what: str, start: int, stop: int) -> None:
        """Tell of a chunk that ends otherwise than it should; once a message."""
        if not self._bare_reported:
            self._bare_reported = True
            self.connection.findings.append(
                finding("http.chunk-bare-line-feed", what, self.direction, start, stop))

    def _invalid_chunk(self, what: str, start: int, stop: int) -> None:
        self._store(complete=False)
        self._give_up(finding("http.invalid-chunk", what, self.direction, start, stop))

    def _trailers(self) -> bool:
        if self._buffer[:1] == b"\n":
            stop = 1
        elif self._buffer[:2] == b"\r\n":
            stop = 2
        else:
            stop = head_end(self._buffer, self._scanned)
            self._scanned = max(0, len(self._buffer) - 3)
        if stop < 0 or stop > HEAD_LIMIT:
            if len(self._buffer) > HEAD_LIMIT:
                self._invalid_chunk(sentence(
                    "The trailers do not end."), self.offset, self.offset + HEAD_LIMIT)
            return False
        start = self.offset
        assert self._message is not None
        fields = parse_fields(self._take(stop), start, self.direction, self.connection.findings)
        self._message = self._message._replace(trailers=fields)
        self._finish()
        return True

    def _store(self, complete: bool) -> HttpMessage:
        assert self._message is not None
        number = self._message.number
        partner = self.connection.messages[number].partner
        message = self._message._replace(
            stop=self.offset, body_length=self._body_length, body=bytes(self._body), complete=complete,
            partner=partner)
        self._message = self.connection.messages[number] = message
        if self._body_reader is not None:
            self._body_reader.reach(number, self.offset)
        return self._message

    @property
    def _number(self) -> int:
        """The number of the message under way."""
        assert self._message is not None
        return self._message.number

    def _close(self, *, cut: bool = False) -> None:
        """Nothing more of the body under way comes."""
        if self._body_reader is not None and self._message is not None:
            self._body_reader.close(self._number, self.offset, cut=cut)
        self._body_reader = None

    def _finish(self) -> None:
        message = self._before = self._store(complete=True)
        self._close()
        self._message = None
        self.state = "start"
        if message.is_request and asks_to_switch(message):
            self.state = "wait"
        self.connection.settle(self, message)

    def end(self, *, left: bool = False, reset: bool = False) -> None:
        """No more bytes: a body that ends with the connection is whole, everything else is cut off.

        `left`: the other end went first, which is how a stream of events ends. `reset`: by RST, after which
        nobody knows whether such a body was whole (RFC 9112 section 8).
        """
        self._ended = True
        message = self._message
        if left:
            self._close(cut=True)
        if message is not None and self._doubted:
            self._doubted = False
            self._finish()
            self.state = "over"
        elif message is not None and self.state == "close" and reset:
            self._store(complete=False)
            self._close(cut=True)
            self._reset_off(message, left)
        elif message is not None and self.state == "close":
            self._finish()
            self.state = "over"
        elif message is not None:
            self._store(complete=False)
            self._close()
            self._cut_off(message, left)
        elif self.state == "start" and self._buffer and not self._plausible(ended=True):
            self._give_up(self._no_message())
        elif self.state == "start" and self._buffer:
            self._cut_off(None, left)

    def _reset_off(self, message: HttpMessage, left: bool) -> None:
        """A reset ended a body that goes on until the connection ends."""
        came = f"after {amount(self._body_length, 'byte')} of a body that goes on until the connection ends"
        if brings_events(message):
            self._give_up()
        elif left:
            who = "client" if self.direction != self.connection.client else "server"
            self._give_up(finding("http.closed-early", f"The {who} reset the connection {came}.",
                                  self.direction, message.start, self.offset))
        else:
            self._give_up(finding("http.reset-body", f"The connection was reset {came}.", self.direction,
                                  message.start, self.offset))

    def _cut_off(self, message: HttpMessage | None, left: bool) -> None:
        """The connection ended inside of a message (None: in its head)."""
        client = self.connection.client
        who = "client" if (self.direction == client) != left else "server"
        start = self.offset if message is None else message.start
        stop = self.offset + len(self._buffer)
        if message is None:
            self.head_cut_off = True
            where = sentence("inside a head")
        elif self._left:
            where = sentence("after {had} bytes of the body; {left} of {whole} are missing",
                             had=self._body_length, left=self._left, whole=self._body_length + self._left)
        else:
            where = sentence("after {had} bytes of the body", had=self._body_length)
        if left and message is not None and brings_events(message):
            self._give_up()                # so it ends
        elif message is not None and message.is_request and self.connection.has_answer(message):
            self._give_up()                # with an answer that came first the body is not wanted any more
        elif left:
            self._give_up(finding("http.closed-early", sentence(
                "The {who} closed first, {where}.", who=sentence(who), where=where), self.direction,
                                  start, stop))
        else:
            self._give_up(finding("http.incomplete-message", sentence(
                "The connection ended {where}.", where=where),
                                  self.direction, start, stop))
