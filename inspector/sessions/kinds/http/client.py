"""The client's end of an HTTP/1.1 connection: sends requests one after the other by h11.

A message is a request as people write it ("GET /", "POST /echo hello", headers by -H as curl has them);
"hex:…" is sent as it stands, past h11, which is how one sends what is no HTTP.
"""

from __future__ import annotations

import h11

from inspector.model.messages import AGENT, PLAIN_TEXT, Message, Request, parse_request
from inspector.model.spec import SessionSpec
from inspector.sessions.context import Context, FailedError
from inspector.sessions.kinds.http.server import connections, in_chunks
from inspector.sessions.sockets.strace import address_text
from inspector.sessions.stream.connection import Connection, Exchange


class ClientExchange(Exchange):
    """Requests and their answers on one connection."""

    no_delay = True
    connects_to_send = True
    alpn = ("http/1.1",)

    @classmethod
    def connections(cls, spec: SessionSpec) -> int:
        return connections(spec)

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        self.answers = 0               # complete ones
        self.bytes_received = 0
        self._http = h11.Connection(h11.CLIENT)
        self._raw = False              # bytes went past h11, which so cannot read the answer

    def received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        if not self._raw:
            self._http.receive_data(data)
            self._read()

    def ended(self) -> None:
        if not self._raw and self._http.their_state not in (h11.ERROR, h11.CLOSED):
            self._http.receive_data(b"")
            self._read()
        if self.spec.interactive:
            self.connection.close()

    def _read(self) -> None:
        try:
            while self._http.their_state not in (h11.ERROR, h11.DONE):
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
                if isinstance(event, h11.EndOfMessage):
                    self.answers += 1
                    if self._http.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                        self._http.start_next_cycle()
                        return
        except h11.RemoteProtocolError as error:
            raise FailedError(f"The answer is no HTTP: {error}.") from error

    # -- requests ------------------------------------------------------------------------------------

    def request(self, request: Request) -> None:
        """Send a request: with Content-Length in one piece, or in chunks, each sent by itself."""
        if not request.method:
            self._raw = True
            self.connection.send(request.body)
            return
        body, chunked = request.body, self.spec.chunked and bool(request.body)
        typed = {name.lower() for name, _ in request.headers}
        own = [one for one in self.spec.header_pairs if one[0].lower() not in typed] + list(request.headers)
        named = {name.lower() for name, _ in own}
        usual = (("Host", self.spec.to or address_text(self.context.address)), ("User-Agent", AGENT))
        headers = [(name, value) for name, value in usual if name.lower() not in named] + own
        if body and "content-type" not in named:
            headers.append(("Content-Type", PLAIN_TEXT))
        if chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        elif body or request.method not in ("GET", "HEAD"):
            headers.append(("Content-Length", str(len(body))))
        if not self.spec.keep_alive and "connection" not in named:
            headers.append(("Connection", "close"))
        encoded = [(name.encode(), value.encode()) for name, value in headers]
        try:
            head = h11.Request(method=request.method, target=request.target, headers=encoded)
            events: list[h11.Event] = [head]
            events += [h11.Data(chunk) for chunk in (in_chunks(body) if chunked else (body,))] if body else []
            events.append(h11.EndOfMessage())
            pieces = [self._http.send(event) or b"" for event in events]
        except h11.LocalProtocolError as error:
            raise FailedError(f"This is no request that can be sent: {error}.") from error
        for piece in pieces if chunked else [b"".join(pieces)]:
            self.connection.send(piece)

    def send_by_hand(self, message: Message) -> None:
        """Send a request that a person typed, or bytes as they are."""
        note = self.context.journal.note
        try:
            request = parse_request(message)
        except ValueError as error:
            note(str(error))
            return
        if request.method and self._raw:
            note("What was sent before is no HTTP; close the connection to begin anew.")
        elif request.method and self._http.our_state is not h11.IDLE:
            note("The answer to the last request is not complete; HTTP/1.1 sends one after the other.")
        else:
            try:
                self.request(request)
            except FailedError as error:
                note(str(error))

    def script(self) -> None:
        messages = [parse_request(text) for text in self.spec.messages or ()]
        mine = messages if self.spec.keep_alive else messages[self.connection.number :][:1]
        for count, request in enumerate(mine, 1):
            self.request(request)
            if self.spec.behaviour == "silent":
                break
            self._expect_answer(count)
            if self._raw:
                break
        if not self.spec.interactive:
            self.finish(self.context.ends_first and self.spec.keep_alive)

    def _expect_answer(self, count: int) -> None:
        before = self.bytes_received
        self.expect(lambda: self.bytes_received > before if self._raw else self.answers >= count, "answer")
