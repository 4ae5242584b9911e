"""The server's end of an HTTP/1.1 connection: h11 reads and writes, this answers.

Routes: `/` a page, `/echo` the request's body, `/chunked` an answer in chunks, `/slow` one that takes a
second, `/push` a stream of server-sent events; anything else 404, a malformed request 400.
"""

from __future__ import annotations

import time

import h11

from inspector.model.messages import Message
from inspector.model.spec import SessionSpec, event_texts
from inspector.sessions.context import Context
from inspector.sessions.stream.connection import Connection, Exchange

MAX_BODY = 16 * 1024 * 1024
SLOW = 1.0        # seconds that /slow takes
PATIENCE = 2.0    # seconds in which a client whose request was refused may go on sending
HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
PAGE = b"<!doctype html>\n<title>inspector</title>\n<p>This page came over a socket that you can see.</p>\n"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    505: "HTTP Version Not Supported",
}
CHUNKS = (b"first chunk\n", b"second chunk\n", b"third chunk\n")


class ServerExchange(Exchange):
    """Answers requests, one after the other, on one connection."""

    no_delay = True

    @classmethod
    def connections(cls, spec: SessionSpec) -> int:
        return connections(spec)

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        self.answers = 0                       # complete ones
        self.requests = 0                      # complete ones
        self.streaming = False                 # server-sent events are open
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._events_left: list[str] = []
        self._refused = False                  # the last request was malformed

    def page(self) -> bytes:
        """What stands at `/`, as HTML."""
        return PAGE

    # -- what comes ---------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        self._feed(data)

    def ended(self) -> None:
        self._feed(b"")
        super().ended()
        if self.spec.interactive and self._refused:
            self.connection.close()

    def _feed(self, data: bytes) -> None:
        over = self._http.their_state in (h11.ERROR, h11.CLOSED, h11.MUST_CLOSE)
        if not over and self._http.our_state is not h11.MUST_CLOSE:
            self._http.receive_data(data)
            self._read()

    def _read(self) -> None:
        try:
            while self._http.their_state not in (h11.ERROR, h11.DONE):
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    break
                if isinstance(event, h11.Request):
                    self._request, self._body = event, bytearray()
                    if not event.http_version.startswith(b"1."):
                        raise h11.RemoteProtocolError("Only HTTP/1.1 is spoken here.", error_status_hint=505)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > MAX_BODY:
                        raise h11.RemoteProtocolError("The body is too long.", error_status_hint=413)
                elif isinstance(event, h11.EndOfMessage):
                    self._answer()
            if self._http.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
        except h11.RemoteProtocolError as error:
            self._malformed(error)

    def _malformed(self, error: h11.RemoteProtocolError) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.connection.peer_ended:
            self._refused = True
            self._respond(error.error_status_hint, TEXT, f"{error}\n".encode(), close=True)

    # -- answers ------------------------------------------------------------------------------------

    @property
    def is_silent(self) -> bool:
        """Whether no request is answered."""
        return self.spec.behaviour == "silent"

    def _answer(self) -> None:
        assert self._request is not None
        self.requests += 1
        if self.is_silent:
            return
        method = self._request.method.decode("ascii")
        path = self._request.target.decode("ascii", "replace").partition("?")[0]
        if path == "/echo":
            self._respond(200, self._content_type(), bytes(self._body))
        elif path not in ("/", "/chunked", "/slow", "/push"):
            self._respond(404, TEXT, b"There is nothing here.\n")
        elif method not in ("GET", "HEAD"):
            self._respond(405, TEXT, b"Only GET and HEAD are understood here.\n")
        elif path == "/":
            self._respond(200, HTML, self.page())
        elif path == "/chunked":
            self._respond(200, TEXT, b"".join(CHUNKS), chunks=CHUNKS)
        elif path == "/slow":
            self.context.loop.later(SLOW, lambda: self._respond(200, TEXT, b"That took a while.\n"))
        else:
            self._open_stream()

    def _content_type(self) -> str:
        assert self._request is not None
        given = [value for name, value in self._request.headers if name == b"content-type"]
        return given[0].decode("latin-1") if given else TEXT

    def _respond(
        self, status: int, kind: str, body: bytes, *, chunks: tuple[bytes, ...] = (), close: bool = False
    ) -> None:
        """Send a whole answer: in one piece with Content-Length, or in chunks, each sent by itself."""
        if self.connection.over and not self.connection.peer_ended:
            return
        if self.spec.chunked and not chunks:
            chunks = in_chunks(body)
        head_only = self._request is not None and self._request.method == b"HEAD"
        length = ("Transfer-Encoding", "chunked") if chunks else ("Content-Length", str(len(body)))
        headers = [*self._headers(kind, close), length]
        head = self._http.send(h11.Response(status_code=status, headers=headers, reason=reason_of(status)))
        if chunks and not head_only:
            self.connection.send(head or b"")
            for chunk in chunks:
                self._send(h11.Data(chunk))
            self._send(h11.EndOfMessage())
        else:
            pieces = [head] if head_only else [head, self._http.send(h11.Data(body))]
            pieces.append(self._http.send(h11.EndOfMessage()))
            self.connection.send(b"".join(piece or b"" for piece in pieces))
        self._answered()

    def _headers(self, kind: str, close: bool) -> list[tuple[str, str]]:
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())     # RFC 9110 §6.6.1
        headers = [("Date", date), ("Content-Type", kind)]
        return [*headers, ("Connection", "close")] if close or self._last_answer() else headers

    def _last_answer(self) -> bool:
        spec = self.spec
        last = self.context.ends_first and self.answers + 1 >= self.expected()
        return not spec.interactive and last and spec.ending in ("close", "half-close")

    def _answered(self) -> None:
        self.answers += 1
        if self._http.our_state is h11.MUST_CLOSE:
            if self.spec.interactive:
                self._hang_up()
        elif self._http.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            self._http.start_next_cycle()
            self._read()

    def _hang_up(self) -> None:
        """Close; where the client may still send, by halves, lest RST lose the answer (RFC 9112 §9.6)."""
        if self._refused:
            self.connection.half_close()
            self.context.loop.later(PATIENCE, self.connection.close)
        else:
            self.connection.close()

    def _send(self, event: h11.Event) -> None:
        self.connection.send(self._http.send(event) or b"")

    # -- server-sent events -------------------------------------------------------------------------

    def _open_stream(self) -> None:
        headers = [*self._headers("text/event-stream", False), ("Cache-Control", "no-store")]
        self._send(h11.Response(status_code=200, headers=headers, reason="OK"))
        self.streaming = True
        self._events_left = list(event_texts(self.spec))
        self._push()

    def _push(self) -> None:
        if not self.streaming or self.connection.sock.closed:
            return
        if self._events_left:
            self._send_event(self._events_left.pop(0))
        if self._events_left:
            self.context.loop.later(self.spec.push_interval, self._push)
        elif not self.spec.interactive:
            self._end_stream()

    def _send_event(self, text: str) -> None:
        lines = "".join(f"data: {line}\n" for line in text.split("\n"))
        self._send(h11.Data(f"{lines}\n".encode()))

    def _end_stream(self) -> None:
        self.streaming = False
        self._send(h11.EndOfMessage())
        self._answered()

    # -- what is asked -------------------------------------------------------------------------------

    def send_by_hand(self, message: Message) -> None:
        if self.streaming:
            self._send_event(message.data.decode("utf-8", "replace"))
        else:
            self.context.journal.note(
                "An HTTP/1.1 server only answers; it can speak unasked while a client reads GET /push."
            )

    def close(self, code: int, reason: str) -> None:
        if self.streaming:
            self._end_stream()
        self.connection.close()

    def expected(self) -> int:
        """How many requests the script brings on this connection."""
        return len(self.spec.messages or ()) if self.spec.keep_alive else 1

    def script(self) -> None:
        if self.spec.behaviour == "silent":
            self.expect(lambda: self.requests > 0 or not self.spec.messages, "send a request")
        else:
            self.expect(lambda: self.answers >= self.expected() or self._must_close, "send all its requests")
        if self._refused:
            self.connection.half_close()
            self.expect(lambda: self.connection.peer_ended, "close the connection")
            self.connection.close()
        else:
            self.finish(self.context.ends_first or self._must_close)

    @property
    def _must_close(self) -> bool:
        return self._http.our_state is h11.MUST_CLOSE


def connections(spec: SessionSpec) -> int:
    """How many connections a script makes: one, or without keep-alive one a request."""
    return 1 if spec.keep_alive else max(len(spec.messages or ()), 1)


def in_chunks(body: bytes, count: int = 3) -> tuple[bytes, ...]:
    """A body in up to `count` pieces of about the same size."""
    size = max(-(-len(body) // count), 1)
    return tuple(body[start : start + size] for start in range(0, len(body), size)) or (b"",)


def reason_of(status: int) -> str:
    """The reason phrase of the statuses this server sends (RFC 9110 §15)."""
    return _REASONS.get(status, "")
