"""The machine behind an `Application`: octets of both streams in, HTTP messages and WebSocket frames out.

Phases follow each other: find out what is spoken, HTTP, then after an upgrade (or a guess) WebSocket. Only
streams are known here; packets, times and texts are `Application`'s part.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from inspector.protocols.http.connection import HttpConnection
from inspector.protocols.http.message import HttpMessage
from inspector.protocols.http.rules import check_body
from inspector.protocols.websocket.batches import WebSocketPart
from inspector.protocols.websocket.columns import Rows
from inspector.protocols.websocket.findings import finding
from inspector.protocols.websocket.upgrade import Upgrade, examine, is_switch, is_upgrade_request
from inspector.trace.application.start import Start, find_start, next_frame, next_http
from inspector.wire.findings import Finding
from inspector.wire.tcp.delivery import Pump, Run
from inspector.wire.tcp.stream import ByteStream

BODY_LIMIT = 4 << 20     # octets of a body that are looked at for its Content-Encoding
_NEVER = 1 << 62
_DISORDER = 3            # turns of the client that may come late
_PREVIEW = 4096          # octets of an HTTP body that its message holds


class _Hole(NamedTuple):
    """Octets [start, stop) of a direction that will never come; `row` brings what is after them."""

    row: int
    direction: int
    start: int
    stop: int


class Engine:
    """`rows` and `time` serve the records (see application_frames); `limit` bounds inflation."""

    def __init__(
        self, streams: tuple[ByteStream, ByteStream], rows: Rows, time: Callable[[int], int], limit: int
    ) -> None:
        self.streams, self.limit = streams, limit
        self.pump = Pump(streams)
        self.http: HttpConnection | None = None
        self.websocket: WebSocketPart | None = None
        self.upgrade: Upgrade | None = None
        self.client: int | None = None
        self.other = False                      # an upgrade led to something that is not decoded
        self.damaged = False                    # octets are missing that will never come
        self._rows, self._time = rows, time
        self._tried = 0                         # octets there were when a start was last looked for
        self._found: list[Finding] = []
        self._taken = [0, 0]                    # findings passed on: of HTTP, of WebSocket
        self._checked = 0                       # HTTP messages whose body was looked at
        self._by_direction: tuple[list[tuple[int, int]], ...] = ([], [])   # (start, number) of messages
        self._sorted = 0
        self._looked = 0                        # HTTP messages among which an upgrade was looked for
        self._pending: list[int] = []           # requests for one without an answer so far
        self._switched: int | None = None       # the one that was taken

    def update(self, acknowledged: Callable[[int], int]) -> bool:
        """Go on as far as the streams reach; True when something was taken.

        `acknowledged` tells up to which offset of a direction the peer has all octets: what the capture lacks
        before it will never come, and is passed over.
        """
        changed = False
        while True:
            holes = self._find_holes(acknowledged)
            if not self._step() and not any(self._cross(hole) for hole in holes):
                break
            changed = True
        if changed and self.http is not None:
            self._check_bodies(self.http)
            self._look_for_upgrade(self.http)
        return changed

    def _step(self) -> bool:
        if self.websocket is not None:
            return self.websocket.read()
        if self.http is not None:
            return not self.other and self._read_http(self.http)
        size = sum(stream.captured for stream in self.streams)
        if size == self._tried:
            return False
        self._tried = size
        start = find_start(self.streams)
        if start is not None:
            self._begin(start)
        return start is not None

    def _find_holes(self, acknowledged: Callable[[int], int]) -> list[_Hole]:
        """What the capture lacks where reading stands, by the packets after it; bounds the other side."""
        holes = []
        self.pump.before = [None, None]
        for direction, stream in enumerate(self.streams):
            start = self.pump.available(direction)
            if start >= stream.length or self.other:
                continue
            piece = next(stream.pieces(start, stream.length), None)
            stop = stream.length if piece is None else piece.offset
            if acknowledged(direction) >= stop:
                holes.append(_Hole(_NEVER if piece is None else piece.row, direction, start, stop))
                self.pump.before[1 - direction] = None if piece is None else piece.row
        return sorted(holes)

    def _cross(self, hole: _Hole) -> bool:
        """Go on after a hole."""
        _, direction, start, stop = hole
        if self.websocket is not None:
            self.websocket.lose(direction, start, stop, partial(self._resume_frames, direction, stop))
        elif self.http is None or not self.http.wants(direction):
            return False
        elif direction != self.client and self._upgrade_pending(self.http):
            # The answer is lost; if it was a 101, frames follow.
            position = self.pump.position
            place = self._resume_frames(direction, stop)
            if place >= self.pump.streams[direction].contiguous_from(stop):
                return False
            position[direction], position[1 - direction] = place, self.http.offset(1 - direction)
            self._open(None)
        elif self.http.lose(direction, stop - start):
            self.pump.position[direction] = stop
        else:
            kind = "request" if direction == self.client else "response"
            place = next_http(self.streams[direction], stop, kind)
            self.http.restart(direction, place)
            self.pump.position[direction] = place
        self.damaged = True
        return True

    def _upgrade_pending(self, http: HttpConnection) -> bool:
        held = http.waiting and not http.wants(http.client)
        return bool(held) and is_upgrade_request(http.messages[http.waiting[-1]])

    def _resume_frames(self, direction: int, offset: int) -> int:
        return next_frame(self.streams[direction], offset, direction == self.client)

    def _begin(self, start: Start) -> None:
        self.client = start.client
        self.pump.position = list(start.offsets)
        if start.protocol == "http":
            whole = start.offsets == (0, 0) and all(s.start_known for s in self.streams)
            self.http = HttpConnection(start.client, start.offsets, keep=_PREVIEW, whole=whole)
        else:
            self._open(None)

    def _open(self, upgrade: Upgrade | None) -> None:
        assert self.client is not None
        self.websocket = WebSocketPart(self.pump, self.client, upgrade, self.limit, self._rows, self._time)

    def _read_http(self, http: HttpConnection) -> bool:
        progress = False
        runs = self.pump.runs()
        for number, run in enumerate(runs):
            direction, _, stop = run
            if direction != http.client and http.asks_nothing:
                # The capture may have the end of a request after the beginning of its response.
                for later in runs[number + 1 : number + 2 * _DISORDER : 2]:
                    if http.asks_nothing:
                        progress = self._feed_http(http, later) or progress
            if http.lost(direction):
                self.pump.position[direction] = stop
            elif http.wants(direction):
                progress = self._feed_http(http, run) or progress
            if http.switched is not None:
                self._switch(http, http.switched)
                return True
        return progress

    def _feed_http(self, http: HttpConnection, run: Run) -> bool:
        position, direction = self.pump.position, run[0]
        before = position[direction]
        self._skip_http(http, run)
        for _, data in self.pump.windows(run):
            http.feed(direction, data)
            if http.switched is not None or not http.wants(direction):
                break
            self._skip_http(http, run)
        return position[direction] > before

    def _skip_http(self, http: HttpConnection, run: Run) -> None:
        direction, _, stop = run
        size = min(http.skippable(direction), stop - self.pump.position[direction])
        if size > 0:
            http.skip(direction, size)
            self.pump.position[direction] += size

    def _switch(self, http: HttpConnection, offsets: tuple[int, int]) -> None:
        response = http.messages[http.switch] if http.switch is not None else None
        request = http.messages[response.partner] if response and response.partner is not None else None
        self.pump.position = list(offsets)
        if request is None or response is None or not is_upgrade_request(request):
            if request is None and response is not None and is_switch(response):
                self._open(None)           # the request was not captured
            else:
                self.other = True
            return
        self.upgrade = examine(request, response)
        self._pending = [number for number in self._pending if number != request.number]
        self._switched = request.number
        self._found += self.upgrade.findings
        self._look_for_early_data(request.direction, offsets[request.direction], response)
        self._open(self.upgrade)

    def _look_for_early_data(self, client: int, offset: int, response: HttpMessage) -> None:
        frames = self._rows(client, offset, offset + 1)
        answer = self._rows(response.direction, response.stop - 1, response.stop)
        if frames and answer and frames[0] < answer[-1]:
            what = "The client sent data before the server's 101 had come."
            self._found.append(finding("websocket.early-data", what, client, offset, offset + 1))

    def _look_for_upgrade(self, http: HttpConnection) -> None:
        """A refused upgrade is explained; one that waits for its answer is there already."""
        self._pending += [m.number for m in http.messages[self._looked :]
                          if is_upgrade_request(m) and m.number != self._switched]
        self._looked = len(http.messages)
        for number in self._pending:
            message = http.messages[number]
            answer = http.messages[message.partner] if message.partner is not None else None
            upgrade = examine(message, answer)
            if answer is not None:
                self._found += upgrade.findings
            if self.websocket is None:
                self.upgrade = upgrade
        self._pending = [number for number in self._pending if http.messages[number].partner is None]

    def _check_bodies(self, http: HttpConnection) -> None:
        while self._checked < len(http.messages) and http.messages[self._checked].complete:
            message = http.messages[self._checked]
            if message.first("content-encoding") is not None and message.body_length <= BODY_LIMIT:
                self._found += check_body(message, self.body(message, BODY_LIMIT), self.limit)
            self._checked += 1

    def body(self, message: HttpMessage, limit: int) -> bytes:
        """The body of an HTTP message without chunked coding, at most `limit` octets, read again."""
        if message.framing != "chunked":
            stop = min(message.stop, message.body_start + limit)
            return self.streams[message.direction].read(message.body_start, stop)
        client = message.direction if message.is_request else 1 - message.direction
        reader = HttpConnection(client, (message.start, message.start), keep=limit)
        for start in range(message.start, message.stop, 1 << 20):
            stop = min(message.stop, start + (1 << 20))
            reader.feed(message.direction, self.streams[message.direction].read(start, stop))
        return reader.messages[0].body if reader.messages else b""

    def http_within(self, direction: int, ranges: list[tuple[int, int]]) -> list[HttpMessage]:
        """The HTTP messages with octets in one of the ranges of a direction, in stream order."""
        messages = self._by_direction[direction]
        if self.http is None:
            return []
        for number in range(self._sorted, len(self.http.messages)):
            message = self.http.messages[number]
            self._by_direction[message.direction].append((message.start, number))
        self._sorted = len(self.http.messages)
        found = []
        for start, stop in ranges:
            first = max(bisect_right(messages, (start, len(self.http.messages))) - 1, 0)
            for _, number in messages[first : bisect_left(messages, (stop, -1))]:
                message = self.http.messages[number]
                if message.stop > start or message.start == start:
                    found.append(message)
        return found

    def fresh_findings(self) -> list[Finding]:
        """The findings since the last call, as the decoders made them."""
        found, self._found = self._found, []
        if self.http is not None:
            found += self.http.findings[self._taken[0] :]
            self._taken[0] = len(self.http.findings)
        if self.websocket is not None:
            found += self.websocket.session.findings[self._taken[1] :]
            self._taken[1] = len(self.websocket.session.findings)
        return found

    @property
    def lacking(self) -> bool:
        """True when octets were sent that could not be read, so that nothing can be said of the end."""
        if self.other:
            return False
        if self.damaged:
            return True
        reading = [self.http.wants(d) if self.http and not self.websocket else True for d in (0, 1)]
        return any(reading[d] and self.pump.available(d) < self.streams[d].length for d in (0, 1))

    def end(self, first: int, reset: bool) -> None:
        """The connection is over and all was read: what is missing is told."""
        if self.websocket is not None:
            self.websocket.end(first, reset)
        elif self.http is not None and not self.other:
            for direction in (0, 1):
                self.http.end(direction)
            self.http.finish()
            self._check_bodies(self.http)
