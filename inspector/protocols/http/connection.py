"""Both directions of an HTTP/1.1 connection cut into messages, without I/O.

`HttpConnection.feed` takes the bytes of either direction in the order in which they came; `messages` grows,
and a message stands there as soon as its head is whole (`complete` turns True with its last byte). After an
Upgrade or CONNECT that the server took, HTTP is over: `switched` tells where the next protocol begins.
"""

from __future__ import annotations

from collections.abc import Callable

from inspector.model.language import sentence
from inspector.protocols.api import Cut, MessageIndex
from inspector.protocols.http.findings import finding
from inspector.protocols.http.message import HttpMessage
from inspector.protocols.http.pairing import ENDLESS, Pairing
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
        self._left = False                             # the client closed first
        self.keep, self.keeps = keep, keeps
        self.messages: list[HttpMessage] = []
        self.findings = FirstFindings()
        self.switched: tuple[int, int] | None = None   # stream offsets per direction
        self.switch: int | None = None                 # number of the response that ended HTTP
        self.pairing = Pairing(whole)
        self.sure = True                               # what the last message means is not guessed
        self.answered: list[int] = []                  # requests that got one, in order
        self._requests = 0                                # requests so far
        self._sides = (HttpReader(self, 0, starts[0], certain=whole),
                       HttpReader(self, 1, starts[1], certain=whole))

    def let_go(self) -> None:
        """Nothing more will be fed: forget who listens, and both readers."""
        self._answers_lost = self.keeps = lambda message: False
        self.body_reader = lambda message: None
        self._sides = (HttpReader(_OVER, 0, 0), HttpReader(_OVER, 1, 0))

    def feed(self, direction: int, data: bytes) -> None:
        """Take the next bytes of a direction. What follows an Upgrade request waits for its answer."""
        self._sides[direction].feed(data)

    def end(self, direction: int, *, left: bool = False, reset: bool = False) -> None:
        """The direction ended (FIN, RST, or nothing more will come); `left`: the other end went first.

        `reset`: by RST.
        """
        self._left = self._left or (left and direction != self.client)
        self._sides[direction].end(left=left, reset=reset)

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
        return not self.pairing.waiting and server.state in ("start", "passing") \
            and client.state not in ("wait", "over")

    def offset(self, direction: int) -> int:
        """Stream offset up to which the direction's bytes are taken as HTTP; what is held lies behind it."""
        return self._sides[direction].offset

    def head_cut_off(self, direction: int) -> bool:
        """True where the connection ended inside of a head of this direction."""
        return self._sides[direction].head_cut_off

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
        return self._sides[direction].lose(size)

    def restart(self, direction: int, offset: int) -> None:
        """After a loss a message begins at `offset`; what came before it is not known."""
        side = self._sides[direction]
        begins, missing = side.at_a_message, offset - side.offset
        side.restart(offset)
        if direction == self.client:
            self.pairing.miss_requests(len(self.messages), missing, begins=begins)
        else:
            self._sides[self.client].go_on()           # the answer that it waits for may be among it
            self.pairing.miss_answers(len(self.messages))
        self.restarted = True

    def cut_head(self, direction: int, cut: Cut, asked: int) -> HttpMessage | None:
        """The capture cut the packet that ends here, in a head: tell what is there.

        `asked`: up to this offset the client had sent bytes that its sender had got. None: nothing is there.
        """
        side = self._sides[direction]
        message = side.cut_head(cut)
        if message is None:
            return None
        self.restarted = True
        if message.is_request:
            self._hide_requests(side.least, cut.stop)
        else:
            if message.status // 100 == 1 and message.status != 101:
                asked = ENDLESS                            # the final answer may stand behind it
            self._hide_answers(asked)
            if message.framing != "switch":
                self.settle(side, message)
        return message

    def in_head(self, direction: int) -> bool:
        """True where some of a head came, and the rest of it did not."""
        return self._sides[direction].in_head

    def passing(self, direction: int) -> bool:
        """True behind a head that is cut: what follows is passed over, up to the next start line."""
        return self._sides[direction].state == "passing"

    def least(self, direction: int) -> int:
        """There: the offset before which no other message begins."""
        return self._sides[direction].least

    def pass_over(self, direction: int, stop: int, *, asked: int | None = None) -> None:
        """Pass over bytes up to `stop`; `asked`: the capture lacks them (see `cut_head`)."""
        side = self._sides[direction]
        start = max(side.offset, side.least)
        side.reach(stop)
        if asked is not None and direction == self.client:
            self._hide_requests(start, stop)
        elif asked is not None:
            self._hide_answers(asked)

    def begin_at(self, direction: int, offset: int) -> None:
        """The next message begins at `offset`, behind what was passed over."""
        self._sides[direction].reach(offset)
        self._sides[direction].begin_at(offset)

    def _hide_requests(self, start: int, stop: int) -> None:
        """Requests may stand among bytes that the capture lacks."""
        if stop > start:
            self.pairing.miss_requests(len(self.messages), stop - start, begins=False)

    def _hide_answers(self, asked: int) -> None:
        """Answers may: to requests that begin before offset `asked`, which the server had got."""
        waiting = self.pairing.waiting
        if waiting and self.messages[waiting[0]].start < asked:
            self._sides[self.client].go_on()
            self.pairing.miss_answers(len(self.messages))

    def may_answer(self) -> bool:
        """Whether an answer may begin now: a request waits for it, or one that was not captured may."""
        return bool(self.pairing.waiting) or self.pairing.doubted

    @property
    def unanswered(self) -> list[int]:
        """The requests (by their numbers) that are whole and have no answer, where that is certain."""
        if self._sides[1 - self.client].lost or self.switched is not None or self.restarted \
                or self.pairing.doubted:
            return []
        return [number for number in self.pairing.waiting if self.messages[number].complete]

    @property
    def is_unanswered(self) -> bool:
        """Whether the client asked, and not one message of the server came."""
        return bool(self.pairing.waiting) and all(one.is_request for one in self.messages)

    def finish(self, instead: str = "") -> None:
        """The connection is over (both directions ended): requests that got no answer are told.

        `instead`: what should be, where that is known better than in general.
        """
        for number in self.unanswered:             # (of what is not whole more is told)
            request = self.messages[number]
            rule = "http.closed-early" if self._left else "http.unanswered-request"
            if self.findings.full(rule, request.direction, request.start):
                continue
            line = escaped(request.start_line, 60)
            if self._left:
                what = sentence("The client closed before \"{line}\" had got a response.", line=line)
            else:
                what = sentence("\"{line}\" got no response before the connection ended.", line=line)
            self.findings.append(finding(rule, what, request.direction, request.start, request.line_stop,
                                         instead="" if self._left else instead))

    def give_up(self, direction: int) -> None:
        """What a direction sends is not understood any more."""
        if direction == self.client:
            self.pairing.miss_requests(len(self.messages), ENDLESS, begins=False)

    def has_answer(self, request: HttpMessage) -> bool:
        """Whether a final response to a request has begun, or may have."""
        return self.pairing.doubted or self.messages[request.number].partner is not None

    def start_message(self, message: HttpMessage) -> HttpMessage:
        """Enter a message whose head is whole; pairs it, and gives it back with its framing."""
        number = len(self.messages)
        if message.is_request:
            self.pairing.ask(number)
            self._requests += 1
            self.sure = True
            self.findings += [] if message.cut else check_request(message)
            framing = body_framing(message, None)
            message = message._replace(number=number, framing=framing)
        else:
            hidden = not self.pairing.waiting and self._answers_lost(message)
            asked = self.pairing.asked_by(hidden=hidden)
            self.sure = self.pairing.sure
            request = None if asked is None else self.messages[asked]
            framing = body_framing(message, request)
            message = message._replace(number=number, framing=framing, partner=asked)
            self._pair(message, request, hidden)
        self.messages.append(message)
        return message

    def _pair(self, message: HttpMessage, request: HttpMessage | None, hidden: bool) -> None:
        self.findings += [] if message.cut else check_response(message)
        if message.framing == "switch":
            self.switch = message.number
        if request is not None:
            self.findings += reflected(request, message)
        elif self.sure:
            self._unasked(message)
        if message.status // 100 == 1 and message.status != 101:
            return
        asked = None if request is None else request.number
        for wrong in self.pairing.answer(message.number, asked, hidden=hidden):
            self._part(wrong)
        if request is not None:
            self.answered.append(request.number)
            self.messages[request.number] = self.messages[request.number]._replace(partner=message.number)

    def _part(self, number: int) -> None:
        """An answer was paired with a request by order alone, and that is not certain any more."""
        asked = self.messages[number].partner
        self.messages[number] = self.messages[number]._replace(partner=None)
        if asked is not None:
            self.messages[asked] = self.messages[asked]._replace(partner=None)

    def _unasked(self, message: HttpMessage) -> None:
        asked, before = self._requests, len(self.messages) - self._requests
        line = escaped(message.start_line, 60)
        client = self._sides[self.client]
        if message.status == 408 or client.lost:
            return                         # a time-out may be told unasked; or requests were not understood
        if before and asked:
            what = sentence(
                "After its answer to the last request the server sent another one, \"{line}\".", line=line)
            rule = "http.response-splitting"
        else:
            what, rule = sentence(
                "The server sent \"{line}\" before any request.", line=line), "http.unasked-response"
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
                    self.pairing.waiting and asks_to_switch(self.messages[self.pairing.waiting[-1]])):
                other.resume()


_OVER = HttpConnection()            # whose readers stand where nothing is read any more
