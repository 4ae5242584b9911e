"""Both directions of an HTTP/1.1 connection cut into messages, without I/O.

`HttpConnection.feed` takes the bytes of either direction in the order in which they came; `messages` grows,
and a message stands there as soon as its head is whole (`complete` turns True with its last byte). After an
Upgrade or CONNECT that the server took, HTTP is over: `switched` tells where the next protocol begins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from inspector.protocols.api import MessageIndex
from inspector.protocols.http.findings import finding
from inspector.protocols.http.message import HttpMessage
from inspector.protocols.http.reader import BodyReader, HttpReader, asks_to_switch
from inspector.protocols.http.rules import body_framing, check_request, check_response, reflected
from inspector.wire.findings import FirstFindings
from inspector.wire.text import escaped

KEEP = 1 << 20


class HttpConnection:
    """`client` is the direction that sends requests (0 or 1); `keep` bounds the bytes held of a body.

    `starts` are the stream offsets at which to begin, `whole`: nothing was sent before them. `answers_lost`
    tells whether a response without a request answers one that the capture lacks. `body_reader` names who
    reads the body of a message, where that is another protocol; `keeps`: whose bodies are held at all.
    """

    def __init__(
        self, client: int = 0, starts: tuple[int, int] = (0, 0), keep: int = KEEP, whole: bool = True,
        answers_lost: Callable[[HttpMessage], bool] = lambda response: False,
        body_reader: Callable[[HttpMessage], BodyReader | None] = lambda message: None,
        keeps: Callable[[HttpMessage], bool] = lambda message: True,
    ) -> None:
        self._answers_lost = answers_lost
        self.body_reader = body_reader
        self.client = client
        self.whole = whole
        self.restarted = False                         # messages were lost
        self.keep, self.keeps = keep, keeps
        self.messages: list[HttpMessage] = []
        self.findings = FirstFindings()
        self.switched: tuple[int, int] | None = None   # stream offsets per direction
        self.switch: int | None = None                 # number of the response that ended HTTP
        self.waiting: deque[int] = deque()             # requests without a final response
        self.answered: list[int] = []                  # requests that got one, in order
        self._requests = 0                                # requests so far
        self._sides = (HttpReader(self, 0, starts[0]), HttpReader(self, 1, starts[1]))

    def let_go(self) -> None:
        """Nothing more will be fed: forget who listens, and both readers."""
        self._answers_lost = self.keeps = lambda message: False
        self.body_reader = lambda message: None
        self._sides = (HttpReader(_OVER, 0, 0), HttpReader(_OVER, 1, 0))

    def feed(self, direction: int, data: bytes) -> None:
        """Take the next bytes of a direction. What follows an Upgrade request waits for its answer."""
        self._sides[direction].feed(data)

    def end(self, direction: int, *, left: bool = False) -> None:
        """The direction ended (FIN, RST, or nothing more will come); `left`: the other end went first."""
        self._sides[direction].end(left=left)

    def skippable(self, direction: int) -> int:
        """How many bytes of a body need not be fed, but may be skipped."""
        return self._sides[direction].skippable

    def skip(self, direction: int, size: int) -> None:
        """Go on as if `size` bytes (at most `skippable`) had been fed."""
        self._sides[direction].skip(size)

    def wants(self, direction: int) -> bool:
        """False while bytes of this direction are only held (an Upgrade is pending), or HTTP is over."""
        return self._sides[direction].state not in ("wait", "over")

    @property
    def asks_nothing(self) -> bool:
        """True when a response would begin now, but no request is outstanding, as far as they came."""
        client, server = self._sides[self.client], self._sides[1 - self.client]
        return not self.waiting and server.state == "start" and client.state not in ("wait", "over")

    def offset(self, direction: int) -> int:
        """Stream offset up to which the direction's bytes are taken as HTTP; what is held lies behind it."""
        return self._sides[direction].offset

    def lost(self, direction: int) -> bool:
        """True after bytes that are no HTTP: what follows them in this direction is not understood."""
        return self._sides[direction].lost

    def under_way(self, direction: int) -> MessageIndex | None:
        """The direction's message that has begun and not ended; None: none has."""
        return self._sides[direction].under_way

    def waits(self, direction: int) -> bool:
        """True while bytes of the direction wait for the answer to an Upgrade."""
        return self._sides[direction].state == "wait"

    def lose(self, direction: int, size: int) -> bool:
        """`size` bytes are missing in the capture; False when more than a body is hit: then `restart`."""
        self.whole = False
        return self._sides[direction].lose(size)

    def restart(self, direction: int, offset: int) -> None:
        """After a loss a message begins at `offset`; which request a response answers is not known then."""
        self._sides[direction].restart(offset)
        self.whole, self.restarted = False, True
        if direction != self.client:
            self.waiting.clear()

    def finish(self) -> None:
        """The connection is over (both directions ended): requests that got no answer are told."""
        if self._sides[1 - self.client].lost or self.switched is not None or self.restarted:
            return
        for number in self.waiting:
            request = self.messages[number]
            what = f"\"{escaped(request.start_line, 60)}\" got no response before the connection ended."
            self.findings.append(finding("http.unanswered-request", what, request.direction, request.start,
                                         request.line_stop))

    def start_message(self, message: HttpMessage) -> HttpMessage:
        """Enter a message whose head is whole; pairs it, and gives it back with its framing."""
        number = len(self.messages)
        if message.is_request:
            self.waiting.append(number)
            self._requests += 1
            self.findings += check_request(message)
            framing = body_framing(message, None)
            message = message._replace(number=number, framing=framing)
        else:
            request = self.messages[self.waiting[0]] if self.waiting else None
            framing = body_framing(message, request)
            partner = request.number if request else None
            message = message._replace(number=number, framing=framing, partner=partner)
            self._pair(message, request)
        self.messages.append(message)
        return message

    def _pair(self, message: HttpMessage, request: HttpMessage | None) -> None:
        self.findings += check_response(message)
        if message.framing == "switch":
            self.switch = message.number
        if request is None:
            self._unasked(message)
            return
        self.findings += reflected(request, message)
        if message.status // 100 != 1 or message.status == 101:
            self.answered.append(self.waiting.popleft())
            self.messages[request.number] = self.messages[request.number]._replace(partner=message.number)

    def _unasked(self, message: HttpMessage) -> None:
        asked, before = self._requests, len(self.messages) - self._requests
        line = escaped(message.start_line, 60)
        client = self._sides[self.client]
        if message.status == 408 or client.lost:
            return                         # a time-out may be told unasked; or requests were not understood
        if self.restarted or self._answers_lost(message):
            return
        if before and asked:
            what = f"After its answer to the last request the server sent another one, \"{line}\"."
            rule = "http.response-splitting"
        elif self.whole and not asked:
            what, rule = f"The server sent \"{line}\" before any request.", "http.unasked-response"
        else:
            return
        self.findings.append(finding(rule, what, message.direction, message.start, message.line_stop))

    def settle(self, side: HttpReader, message: HttpMessage) -> None:
        """A message ended: what the other direction waits for may be known now."""
        if message.framing == "switch":
            other = self._sides[1 - side.direction]
            starts = [0, 0]
            starts[side.direction] = message.stop
            starts[other.direction] = other.offset
            self.switched = (starts[0], starts[1])
            side.state = other.state = "over"
        elif not message.is_request and message.status // 100 != 1:
            other = self._sides[1 - side.direction]
            # Who waits has sent nothing after what it asked last.
            if other.state == "wait" and not (
                    self.waiting and asks_to_switch(self.messages[self.waiting[-1]])):
                other.resume()


_OVER = HttpConnection()            # whose readers stand where nothing is read any more
