"""The server's end: on each of the browser's connections HTTP, or a WebSocket where that is asked for.

First request of a connection -> HTTP's exchange or WebSocket's, which are those of the other kinds. The
page's script sends the session's messages, each when the one before was answered.
"""

from __future__ import annotations

import json

from inspector.model.commands import Connect, SocketCommand
from inspector.model.messages import Message
from inspector.model.spec import SessionSpec
from inspector.sessions.context import Context, FailedError
from inspector.sessions.kinds.http.server import ServerExchange as HttpExchange
from inspector.sessions.kinds.websocket.exchange import ServerExchange as WebSocketExchange
from inspector.sessions.stream.connection import Connection, Exchange
from inspector.sessions.stream.ends import StreamServer

_HEAD_END, _MOST_HEAD = b"\r\n\r\n", 1 << 16
_STARTS_WITHIN = 60.0      # seconds until a browser has opened the page and its WebSocket
_AFTERWARDS = 1.0          # seconds in which it may still ask for more, such as the page's icon
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>inspector</title>
<p>This page has a WebSocket. What came over it:</p>
<ul id="came"></ul>
<script>
const messages = %(messages)s, answers = %(answers)d, stays = %(stays)s;
const socket = new WebSocket("ws://" + location.host + %(path)s);
let sent = 0, came = 0;
function next() {
  if (sent < messages.length) socket.send(messages[sent++]);
  while (!answers && sent < messages.length) socket.send(messages[sent++]);
  if (!stays && sent == messages.length && came >= answers) socket.close(1000);
}
socket.onopen = next;
socket.onmessage = (event) => {
  const line = document.createElement("li");
  line.textContent = event.data;
  document.getElementById("came").append(line);
  came++;
  next();
};
</script>
"""


def page(spec: SessionSpec) -> bytes:
    """The page of a session, as HTML."""
    messages = spec.messages or ()
    answers = {"echo": len(messages), "push": spec.push_count}.get(spec.behaviour, 0)
    return (_PAGE % {
        "messages": _script(messages), "answers": answers, "stays": _script(spec.interactive),
        "path": _script(spec.path),
    }).encode()


def _script(value: object) -> str:
    """The value as a script has it; no text of it ends the script."""
    return json.dumps(value).replace("<", "\\u003c")


class WebExchange(HttpExchange):
    """One connection of a browser; `socket`: what it became by an upgrade."""

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__(context, connection)
        self.socket: WebSocketExchange | None = None
        self._head = b""
        self._is_known = False             # what is spoken here: its first request has come

    def page(self) -> bytes:
        return page(self.spec)

    @property
    def is_silent(self) -> bool:
        """Never: who says nothing does so on the WebSocket, for which the page has to come first."""
        return False

    def received(self, data: bytes) -> None:
        if not self._is_known:
            self._head += data
            if _HEAD_END not in self._head and len(self._head) < _MOST_HEAD:
                return
            self._is_known, data = True, self._head
            if _asks_for_upgrade(data):
                self.socket = WebSocketExchange(self.context, self.connection)
        if self.socket is not None:
            self.socket.received(data)
        else:
            super().received(data)

    def ended(self) -> None:
        if self.socket is not None:
            self.socket.ended()
        else:
            super().ended()
            self.connection.close()        # a browser that leaves a connection has no more to ask on it

    def send_by_hand(self, message: Message) -> None:
        if self.socket is not None:
            self.socket.send_by_hand(message)
        else:
            self.context.journal.note("The WebSocket is not open; nothing can be sent.")

    def close(self, code: int, reason: str) -> None:
        if self.socket is not None:
            self.socket.close(code, reason)
        else:
            super().close(code, reason)


def _asks_for_upgrade(head: bytes) -> bool:
    """Whether a request asks for a WebSocket (RFC 6455 section 4.2.1)."""
    lines = head.partition(_HEAD_END)[0].split(b"\r\n")[1:]
    fields = (line.partition(b":") for line in lines)
    return any(name.strip().lower() == b"upgrade" and value.strip().lower() == b"websocket"
               for name, _, value in fields)  # fmt: skip


class BrowserServer(StreamServer):
    """Serves a browser, on as many connections as it likes."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, _exchange)

    def most_connections(self) -> int | None:
        return None

    def serve(self) -> None:
        """Until the page's script has said all it was to, and a little longer."""
        loop = self.context.loop
        if not loop.wait(lambda: self._socket() is not None, lambda: _STARTS_WITHIN):
            raise FailedError(f"No browser opened the page's WebSocket within {_STARTS_WITHIN:g} seconds.")
        socket = self._socket()
        assert socket is not None
        socket.script()
        over: list[bool] = []
        loop.later(_AFTERWARDS, lambda: over.append(True))
        loop.wait(lambda: bool(over), lambda: None)

    def command(self, command: SocketCommand) -> None:
        """A person means the WebSocket, where there is one."""
        socket = self._socket()
        if socket is None or socket.connection.sock.closed or isinstance(command, Connect):
            super().command(command)
        else:
            socket.command(command)

    def _socket(self) -> WebSocketExchange | None:
        found = [one.socket for one in self.exchanges if isinstance(one, WebExchange) and one.socket]
        return found[-1] if found else None


def _exchange() -> type[Exchange]:
    return WebExchange
