"""HTTP/1.1 of one TCP conversation: runs of both streams into an `HttpConnection`, until it is switched.

    pump ─> HttpConnection ─> messages ─> upgrade examined ─> successor (WebSocket)

Our own, not h11's: broken messages must be shown, not refused, and every one knows its bytes in the stream.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.model.language import Sentence, marked, sentence, sentence_as, verbatim
from inspector.model.messages import Message, Request, written_request
from inspector.model.units import amount
from inspector.protocols.api import (
    Beside,
    Decoder,
    Hole,
    MessageIndex,
    MessageLine,
    Part,
    Rest,
    Shown,
    Source,
    Start,
)
from inspector.protocols.http.connection import HttpConnection
from inspector.protocols.http.findings import finding as http_finding
from inspector.protocols.http.message import (
    Decoded,
    HttpMessage,
    decode_content,
    tokens,
)
from inspector.protocols.http.reader import TLS
from inspector.protocols.http.rules import (
    brings_events,
    check_body,
    check_scheme,
    event_coding,
    is_endless,
    is_inner_part,
    is_unfinished,
    prefers_to_wait,
)
from inspector.protocols.http.start import next_message
from inspector.protocols.http.text import as_bytes
from inspector.protocols.http.upgrade import Upgrade, examine, is_switch, is_upgrade_request
from inspector.protocols.websocket.findings import finding as websocket_finding
from inspector.protocols.websocket.start import next_frame
from inspector.wire.findings import Finding, Folded, joined
from inspector.wire.tcp.delivery import Pump, Run
from inspector.wire.text import escaped, worded

if TYPE_CHECKING:
    from inspector.protocols.sse.decoder import EventsDecoder

BODY_LIMIT = 4 << 20     # bytes of a body that are looked at for its Content-Encoding
SHOWN_LIMIT = 64 << 20   # bytes of a body that are read for whoever asks for all of it
_MESSAGE, _HEADERS = 700, 1500   # bytes of memory that a message takes, about, and headers of its own
_SAMPLE = 64             # messages by which all are judged
_DISORDER = 3            # turns of the client that may come late
PREVIEW = 4096          # bytes of a body that are judged, and that the detail shows


class HttpDecoder(Decoder[HttpMessage]):
    """`upgrade`: the WebSocket handshake, the last one tried on this connection, refused ones too."""

    cut_short = frozenset({"http.closed-early", "http.unanswered-request"})

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        whole = start.from_the_start(source.streams)
        self._http = HttpConnection(start.client, start.offsets, keep=PREVIEW, whole=whole,
                                    answers_lost=self._answers_lost, body_reader=self._events_reader,
                                    keeps=_is_bad_request)
        self._events: EventsDecoder | None = None
        self._turns = array("q")                # see `turns`; kept once there are events
        self._own_turns = 0                     # messages that have theirs
        self._first_event: dict[int, int] = {}  # of an answer that brings events
        self.upgrade: Upgrade | None = None
        self._checked = 0                       # messages whose body was looked at
        self._messages_read = 0                        # messages among which an upgrade was looked for
        self._pending: set[int] = set()         # requests for one without an answer so far
        self._newest = -1                       # of these the last one that came
        self._answers = 0                       # requests that got an answer, as far as looked at
        self._switched: int | None = None       # the one that was taken
        self._cut_switch: HttpMessage | None = None     # an answer that ends HTTP, of which the head is cut
        self._http_findings = 0

    # --- reading -----------------------------------------------------------------------------------

    def take(self) -> bool:
        progress = not self.over and self.successor is None and self._read()
        if progress:
            self._look_again()
        return progress

    def _look_again(self) -> None:
        self._check_bodies()
        self._look_for_upgrade()
        self._take_turns()

    def _read(self) -> bool:
        http, progress = self._http, False
        runs = self.pump.runs()
        for number, run in enumerate(runs):
            direction, _, stop = run
            if direction != http.client and http.asks_nothing and self.knows_more(run):
                # The capture may have the end of a request after the beginning of its response.
                for later in runs[number + 1 : number + 2 * _DISORDER : 2]:
                    if http.asks_nothing:
                        progress = self._feed(later) or progress
            if http.lost(direction):
                self.pump.position[direction] = stop
            elif http.wants(direction) and self._cut_switch is None:
                progress = self._feed(run) or progress
                progress = self._take_cut_head(direction) or progress
            if http.switched is not None:
                self._switch(http.switched)
                return True
        return progress

    def _answers_lost(self, response: HttpMessage) -> bool:
        """Whether the capture lacks bytes of the client that came to the server before its answer."""
        rows = self.source.rows_of(response.direction, response.start, response.start + 1)
        known = self.source.acknowledged_by(rows[0]) if rows else 0
        client = self.source.streams[1 - response.direction]
        return client.contiguous_from(self.pump.position[1 - response.direction]) < known

    def _feed(self, run: Run) -> bool:
        position, direction = self.pump.position, run[0]
        before = position[direction]
        if self._http.passing(direction):
            self._pass(run)
        self._skip(run)
        for _, data in self.pump.windows(run):
            self._http.feed(direction, data)
            if self._http.switched is not None or not self._http.wants(direction):
                break
            self._skip(run)
        return position[direction] > before

    def _take_cut_head(self, direction: int) -> bool:
        """Tell what is there of a head, where the capture cut the packet in which reading stands."""
        stream, position = self.source.streams[direction], self.pump.position[direction]
        if not self._http.in_head(direction) or position >= stream.length:
            return False
        cut = self.source.cut_in(direction, position, position + 1)
        if cut is None or cut.start != position:
            return False
        message = self._http.cut_head(direction, cut, self.source.acknowledged_by(cut.row))
        if message is not None and message.framing == "switch":
            self._cut_switch = message
        return message is not None

    def _pass(self, run: Run) -> None:
        """Go on behind a head that is cut: to the segment that begins with a start line, if there is one."""
        direction, _, stop = run
        http, position, stream = self._http, self.pump.position, self.source.streams[direction]
        asks = direction == http.client
        start = min(max(position[direction], http.least(direction)), stop)
        place = next_message(stream, start, "request" if asks else "response", stop) \
            if asks or http.may_answer() else stop
        if place < stop:
            http.begin_at(direction, place)
        else:
            http.pass_over(direction, stop)
        position[direction] = place

    def _skip(self, run: Run) -> None:
        direction, _, stop = run
        size = min(self._http.skippable(direction), stop - self.pump.position[direction])
        if size > 0:
            self._http.skip(direction, size)
            self.pump.position[direction] += size

    def wants(self, direction: int) -> bool:
        return self._http.wants(direction)

    def lose(self, hole: Hole) -> bool:
        direction, http, position = hole.direction, self._http, self.pump.position
        if self.over or not http.wants(direction):
            return False
        if self._cut_switch is not None:
            if direction == self.client or not self._switch_behind(self._cut_switch, hole):
                return False
        elif direction != self.client and self._upgrade_pending():
            # The answer is lost; if it was a 101, frames follow.
            stream = self.source.streams[direction]
            place = next_frame(stream, hole.stop, direction == self.client)
            if place >= stream.contiguous_from(hole.stop):
                return False
            position[direction], position[1 - direction] = place, http.offset(1 - direction)
            self._open(None)
        elif http.passing(direction):
            cut = self.source.cut_in(direction, hole.start, hole.start + 1)
            asked = self.source.acknowledged_by(cut.row) if cut and cut.stop >= hole.stop else 1 << 60
            http.pass_over(direction, hole.stop, asked=asked)
            position[direction] = hole.stop
        elif http.lose(direction, hole.stop - hole.start):
            position[direction] = hole.stop
        else:
            kind = "request" if direction == self.client else "response"
            position[direction] = next_message(self.source.streams[direction], hole.stop, kind)
            http.restart(direction, position[direction])
        self._look_again()
        return True

    def _upgrade_pending(self) -> bool:
        http = self._http
        waiting = http.pairing.waiting
        held = waiting and not http.wants(http.client)
        return bool(held) and is_upgrade_request(http.messages[waiting[-1]])

    def end(self, first: int, reset: bool) -> None:
        if self.over or self.successor is not None:
            return
        for direction in (0, 1):
            self._http.end(direction, left=first != direction, reset=reset)
        self._http.finish(self._is_meant_for_tls())
        self._check_bodies()
        self._take_turns()

    def _is_meant_for_tls(self) -> str:
        """What to say where a server that gave no answer speaks TLS to others, on the same port."""
        if not self._http.is_unanswered:
            return ""
        others = self.source.sent_to_others(1 - self.client)
        if not any(one.startswith(TLS) for one in others):
            return ""
        self.explained_end = True
        return "This port speaks TLS with others: the URL should begin with https (or wss)."

    def fresh_findings(self) -> list[Finding]:
        found = super().fresh_findings() + self._http.findings[self._http_findings :]
        self._http_findings = len(self._http.findings)
        return found

    @property
    def uncounted(self) -> Mapping[str, Folded]:
        return joined(self.findings.more, self._http.findings.more)

    # --- the upgrade to WebSocket ----------------------------------------------------------------------

    def _open(self, upgrade: Upgrade | None) -> None:
        first, second = self.pump.position
        self.successor = Start(self.client, (first, second), protocol="websocket", agreed=upgrade)

    def _switch(self, offsets: tuple[int, int]) -> None:
        http = self._http
        response = http.messages[http.switch] if http.switch is not None else None
        request = http.messages[response.partner] if response and response.partner is not None else None
        self.pump.position = list(offsets)
        if request is None and response is not None:       # the request was not captured
            self.pump.position[http.client] = self._sent_after(response)       # not what is left of a request
            self._go_on_behind(None, response)
            return
        if request is not None and response is not None and request.cut:
            self._go_on_behind(request, response)
            return
        if request is None or response is None or not is_upgrade_request(request):
            self._follow(response)
            return
        self.upgrade = examine(request, response)
        self._pending.discard(request.number)
        self._switched = request.number
        self.findings += self.upgrade.findings
        self._look_for_early_data(request.direction, offsets[request.direction], response)
        self._open(self.upgrade)

    def _go_on_behind(self, request: HttpMessage | None, response: HttpMessage) -> None:
        """The same where not all of both heads is there, so that nothing can be judged."""
        if is_switch(response) or (request is not None and is_upgrade_request(request)):
            self._open(None)
        else:
            self._follow(response, whole=False)

    def _switch_behind(self, response: HttpMessage, hole: Hole) -> bool:
        """Go on behind an answer that ends HTTP, of which the head is cut: where a frame may begin."""
        direction, position = hole.direction, self.pump.position
        request = None if response.partner is None else self._http.messages[response.partner]
        place = hole.stop
        if is_switch(response) or (request is not None and is_upgrade_request(request)):
            stream = self.source.streams[direction]
            place = next_frame(stream, hole.stop, direction == self.client)
            if place >= stream.contiguous_from(hole.stop):
                return False
        position[direction], position[1 - direction] = place, self._http.offset(1 - direction)
        self._go_on_behind(request, response)
        return True

    def _sent_after(self, response: HttpMessage) -> int:
        """Where begins what the other end sent when it had got a response.

        From the first byte on: reading passed over all in which no request begins.
        """
        stream = self.source.streams[1 - response.direction]
        for piece in stream.pieces(stream.start, stream.length):
            if self.source.acknowledged_by(piece.row) >= response.stop:
                return piece.offset
        return stream.length

    def _follow(self, response: HttpMessage | None, *, whole: bool = True) -> None:
        """After CONNECT, or an upgrade to something else: by its name, or to be found out.

        `whole`: all that the client said before it was captured.
        """
        names = tokens(response, "upgrade") if response is not None else ()
        name = "http2" if "h2c" in (name.lower() for name in names) else ""
        upgrade = f"after the upgrade to {escaped(', '.join(names), 60)}"
        self.left = upgrade if names else marked("in the tunnel that CONNECT opened")
        first, second = self.pump.position
        whole = whole and self._http.whole and not self._http.restarted
        begins = (first, second) if whole else (-1, -1)
        self.successor = Start(self.client, (first, second), protocol=name, base=begins)

    def _look_for_early_data(self, client: int, offset: int, response: HttpMessage) -> None:
        frames = self.source.rows_of(client, offset, offset + 1)
        answer = self.source.rows_of(response.direction, response.stop - 1, response.stop)
        if frames and answer and frames[0] < answer[-1] \
                and self.source.acknowledged_by(frames[0]) < response.stop:
            what = sentence("The client sent data before the server's 101 had come.")
            self.findings.append(
                websocket_finding("websocket.early-data", what, client, offset, offset + 1))

    def _look_for_upgrade(self) -> None:
        """A refused upgrade is explained; one that waits for its answer is there already."""
        messages, answered = self._http.messages, self._http.answered
        for message in messages[self._messages_read :]:
            if is_upgrade_request(message) and message.number != self._switched:
                self._newest = message.number
                self._pending.add(message.number)
        self._messages_read = len(messages)
        numbers = [number for number in answered[self._answers :] if number in self._pending]
        self._answers = len(answered)
        self._pending.difference_update(numbers)
        if self._newest in self._pending:
            numbers.append(self._newest)
        for number in numbers:
            message = messages[number]
            answer = messages[message.partner] if message.partner is not None else None
            if message.cut or (answer is not None and answer.cut):
                continue
            upgrade = examine(message, answer)
            if answer is not None:
                self.findings += upgrade.findings
            if self.successor is None:
                self.upgrade = upgrade

    # --- bodies ------------------------------------------------------------------------------------

    def _check_bodies(self) -> None:
        messages = self._http.messages
        while self._checked < len(messages) and (
                messages[self._checked].complete or messages[self._checked].cut):
            message = messages[self._checked]
            if message.cut:
                pass
            elif message.first("content-encoding") is not None and message.body_length <= BODY_LIMIT:
                self.findings += check_body(message, self.body(message, BODY_LIMIT), self.source.limit)
            elif message.status == 400:
                self.findings += check_scheme(message)
            self._checked += 1

    def body(self, message: HttpMessage, limit: int = SHOWN_LIMIT) -> bytes:
        """The body of a message without chunked coding, at most `limit` bytes, read again."""
        stream = self.source.streams[message.direction]
        if message.cut:
            return b""
        if message.framing != "chunked":
            return stream.read(message.body_start, min(message.stop, message.body_start + limit))
        client = message.direction if message.is_request else 1 - message.direction
        reader = HttpConnection(client, (message.start, message.start), keep=limit)
        whole = min(stream.contiguous_from(message.start), message.stop)
        for start in range(message.start, whole, 1 << 20):
            reader.feed(message.direction, stream.read(start, min(whole, start + (1 << 20))))
        return reader.messages[0].body if reader.messages else b""

    def decoded_body(self, message: HttpMessage, limit: int | None = None) -> Decoded:
        """The body of a message with its Content-Encoding undone too, up to `limit` bytes of it."""
        limit = self.source.limit if limit is None else limit
        if is_inner_part(message):
            return Decoded(self.body(message), "part")
        return decode_content(self.body(message), tokens(message, "content-encoding"), limit)

    # --- events ------------------------------------------------------------------------------------

    def _events_reader(self, message: HttpMessage) -> EventsDecoder | None:
        """Who reads the body of a message that begins: a stream of events is told event by event."""
        if message.framing not in ("length", "chunked", "close") or not brings_events(message):
            return None
        coding = event_coding(message)
        if coding is None:
            from inspector.protocols.sse.findings import BOOK  # for the time of start-up

            self.findings.append(BOOK.finding("sse.compressed", sentence(
                "Compressed events are not told one by one."),
                                              message.direction, message.start, message.line_stop))
            return None
        if self._events is None:
            from inspector.protocols.sse.decoder import EventsDecoder  # for the time of start-up

            start = Start(1 - message.direction, (0, 0))
            self._events = EventsDecoder(self.source, self.pump, start, self._came)
            self.beside = Beside("sse", self._events)
        self._first_event[message.number] = len(self._events.records)
        self._events.open(message.direction, message.number, message.body_start, coding)
        return self._events

    def _came(self, number: int) -> None:
        """An event is there: it stands behind all messages so far."""
        self._take_turns()
        self._turns.append(~number)

    def _take_turns(self) -> None:
        if self._events is not None:
            count = len(self._http.messages)
            self._turns.extend(range(self._own_turns, count))
            self._own_turns = count

    @property
    def turns(self) -> Sequence[int]:
        return self._turns if self._events is not None else super().turns

    def _stop_before_events(self, message: HttpMessage) -> int:
        """Where a message ends for who reads it: before its events."""
        first = self._first_event.get(message.number)
        if first is None or self._events is None:
            return message.stop
        return max(self._events.head_stop(message.number, first), message.body_start)

    # --- records -----------------------------------------------------------------------------------

    @property
    def records(self) -> Sequence[HttpMessage]:
        """The messages of both directions, in the order in which their heads came."""
        return self._http.messages

    def let_go(self) -> None:
        self._http.let_go()

    @property
    def kept_bytes(self) -> int:
        every = len(self.records)
        own = sum(type(one.headers) is tuple for one in self.records[: _SAMPLE]) / max(min(every, _SAMPLE), 1)
        return int((_MESSAGE + _HEADERS * own) * every)

    def counts_from(self, record: HttpMessage) -> int:
        """As Wireshark has it: an incomplete one counts for the packet with the end of its start line."""
        return record.stop if record.complete else record.line_stop

    def partner(self, position: int) -> int | None:
        return self._http.messages[position].partner

    def unanswered(self) -> Sequence[int]:
        return self._http.unanswered

    def holds(self, position: int) -> bool:
        return any(map(prefers_to_wait, self._http.messages[position].values("prefer")))

    def endless(self) -> int | None:
        http = self._http
        last = http.messages[-1] if http.messages else None
        if last is None or last.is_request or last.partner is None or http.restarted \
                or not http.whole or http.pairing.doubted or self.successor is not None:
            return None
        is_open = is_endless(http.messages[last.partner], last) or is_unfinished(last)
        return last.number if is_open else None

    def kept_open(self, position: int, silent: str, *, left: bool) -> Finding | None:
        record = self._http.messages[position]
        if record.framing != "close":
            return self._unfinished(record, silent) if left else None
        found = http_finding("http.endless-body", sentence(
            "The answer has neither Content-Length nor chunked coding, so its body ends with the connection, "
            "and the server kept that open for {silent}.", silent=silent),
            record.direction, record.start, record.body_start)
        return found if left else replace(found, severity="note")

    def _unfinished(self, record: HttpMessage, silent: str) -> Finding:
        """A body of which more is announced than came, by a server that was silent until its client left."""
        if record.framing == "chunked":
            instead = sentence("Behind a body in chunks its last one should come (\"0\", and an empty line); "
                               "or look at what takes the server so long.")
            what = sentence(
                "The answer's last chunk had not come, and the server had sent nothing for {silent}, when "
                "the client closed.", silent=silent)
        else:
            length = record.first("content-length")
            instead = sentence("Content-Length should be what the body has; or look at what takes the server "
                               "so long.")
            what = sentence(
                "{had} of {whole} bytes of the answer's body had come, and the server had sent nothing for "
                "{silent}, when the client closed.", had=record.body_length,
                whole=escaped(length.value, 20) if length is not None else "", silent=silent)
        return http_finding("http.endless-body", what, record.direction, record.start, record.body_start,
                            instead=instead)

    def handshake(self, message: HttpMessage) -> Upgrade | None:
        """The WebSocket handshake that a message belongs to, as request or as its final response."""
        partner = self._http.messages[message.partner] if message.partner is not None else None
        if message.cut or (partner is not None and partner.cut):
            return None                        # nobody is judged by what the capture lacks
        if message.is_request:
            return examine(message, partner) if is_upgrade_request(message) else None
        if partner is None or not is_upgrade_request(partner):
            return None
        return examine(partner, message) if message.status >= 200 or message.status == 101 else None

    def summary(self, record: HttpMessage) -> str:
        """`GET /chat  Upgrade: websocket`, `101 Switching Protocols  accept ✓`, `200 OK  text/html`."""
        return worded((_line(record), *self._about(record)))

    def _about(self, record: HttpMessage) -> list[str]:
        """What the summary says behind the start line."""
        words: list[str] = []
        header = record.first("upgrade")
        if record.is_request and header is not None:
            words.append(f"Upgrade: {escaped(header.value, 30)}")
        elif record.is_request and is_upgrade_request(record):
            words.append(sentence("Upgrade header missing"))
        upgrade = self.upgrade
        if upgrade is not None and upgrade.response is not None and upgrade.response.start == record.start \
                and not record.is_request and record.status == 101:
            right = upgrade.proof is not None and upgrade.accept == upgrade.proof.expected
            words.append("accept ✓" if right else "accept ✗")
        kind = record.first("content-type")
        if kind is not None and record.framing not in ("none", "switch"):
            words.append(escaped(kind.value.split(";")[0], 40))
        if record.body_length:
            words.append(amount(record.body_length, "byte"))
        return words

    def short(self, record: HttpMessage) -> str:
        return f"… {_line(record)}"

    def heading(self, record: HttpMessage) -> tuple[str, str]:
        return marked("Hypertext Transfer Protocol"), escaped(record.start_line, 120)

    def parts(self, record: HttpMessage) -> tuple[Part, ...]:
        name = "http.request.line" if record.is_request else "http.response.line"
        found = [Part(name, "Start line", escaped(record.start_line, 400), record.start, record.line_stop)]
        for header in record.headers[:256]:
            key = f"http.{escaped(header.name.lower().replace('-', '_'), 60)}"
            label, value = verbatim(escaped(header.name, 60)), escaped(header.value, 400)
            found.append(Part(key, label, value, header.start, header.stop))
        if record.stop > record.body_start and not record.cut:
            text = self._body_text(record)
            found.append(Part("http.file_data", "Body", text, record.body_start, record.stop))
        return tuple(found)

    def _body_text(self, message: HttpMessage) -> str:
        from inspector.wire.dissection.values import bytes_text  # scapy, which takes a while to start

        body = self.body(message, PREVIEW)
        framing = verbatim("chunked") if message.framing == "chunked" else ""
        return worded((_size(message.body_length), framing, bytes_text(body) if body else ""))

    # --- messages ------------------------------------------------------------------------------------

    def complete(self, index: MessageIndex) -> bool:
        message = self._http.messages[index]
        return message.complete or message.cut > 0 or index in self._first_event

    def under_way(self, direction: int) -> MessageIndex | None:
        number = self._http.under_way(direction)
        if number in self._first_event and self._events is not None and self._events.has_begun(number):
            return None
        return number

    def span(self, index: MessageIndex) -> tuple[int, int, int]:
        if self.beside is None:
            return super().span(index)
        message = self._http.messages[index]
        return message.direction, message.start, self._stop_before_events(message)

    def rest(self, direction: int) -> Rest:
        if self._http.head_cut_off(direction):
            return Rest("the beginning of a head; the connection ended before the rest of it", True)
        if self._http.lost(direction):
            return Rest("no HTTP", True)
        if self._http.under_way(direction) in self._first_event and self._events is not None:
            return self._events.rest(direction)
        if self._http.passing(direction):
            return Rest("what follows a head that the capture cut", True)
        if self._http.waits(direction):
            return Rest("sent before the answer to the upgrade")
        if self.over or self.successor is not None:
            return Rest(self.left or "not read any further", True)
        return Rest("the head of a message, not ended yet")

    def line(self, index: MessageIndex) -> MessageLine:
        message = self._http.messages[index]
        kind = escaped(message.method, 12) if message.is_request else str(message.status)
        text = worded((_line(message).partition(" ")[2], *self._about(message)))
        marks: tuple[str, ...] = () if message.complete or message.cut else ("unfinished",)
        rows = self.source.rows_of(*self.span(index))
        if index in self._first_event and self._events is not None:
            marks = (amount(self._events.count_of(index), "event"),)
        return MessageLine(message.direction, kind, text, message.body_length, tuple(sorted(rows)), marks)

    def repeatable(self, position: int, limit: int) -> Message | None:
        one = self.records[position]
        if not one.is_request:
            return None
        headers = tuple((header.name, as_bytes(header.value).decode("utf-8", "replace"))
                        for header in one.headers)
        body = self.body(one, limit) if one.body_length else b""
        text = written_request(Request(one.method, one.target, body, headers))
        return Message(text.encode("utf-8", "replace"))

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        message = self._http.messages[index]
        head = [escaped(message.start_line)]
        head += [escaped(f"{header.name}: {header.value}") for header in message.headers]
        if message.cut:
            return Shown(tuple(head), note=sentence("the capture cut this head, and what follows it"))
        if not message.body_length or index in self._first_event:
            return Shown(tuple(head))
        codings = tokens(message, "content-encoding")
        if not codings:
            body = self.body(message, limit)
            left = message.body_length - len(body) if len(body) >= limit else 0
            more = sentence("{count:,} more bytes of this body are not shown here", count=left)
            return Shown((*head, "") if body else tuple(head), body, note=more if left else "")
        body, problem = self.decoded_body(message, limit)
        coding = escaped(", ".join(codings), 40)
        if problem == "part":
            part = sentence("[{size} of a body in {coding}, not readable without its beginning]",
                            size=amount(message.body_length, "byte"), coding=coding)
            return Shown((*head, "", part), body, True)
        if problem == "unknown":
            packed = sentence("[{size} in {coding}, not unpacked]", size=amount(message.body_length, "byte"),
                              coding=coding)
            return Shown((*head, "", packed), body, True)
        note = sentence(_PROBLEMS[problem], coding=coding, limit=limit) if problem in _PROBLEMS else ""
        return Shown((*head, "") if body else tuple(head), body, note=note)


_PROBLEMS = {
    "limit": marked("the body ({coding}) is unpacked no further than {limit:,} bytes here"),
    "cut": marked("the body ({coding}) is unpacked as far as it came"),
    "data": marked("from here on the body is no {coding}"),
}


def _size(count: int) -> Sentence:
    """`95 bytes`, without a comma, as the field has always been told."""
    return sentence_as(f"{count} byte{'' if count == 1 else 's'}", marked("{count} bytes"), {"count": count})


def _is_bad_request(message: HttpMessage) -> bool:
    """What is judged by its body; of all others it is read again when somebody wants it."""
    return message.status == 400


def _line(message: HttpMessage) -> str:
    if message.is_request:
        return escaped(f"{message.method} {message.target}", 100)
    return escaped(f"{message.status} {message.reason}".rstrip(), 60)
