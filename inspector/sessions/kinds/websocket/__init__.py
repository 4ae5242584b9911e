"""WebSocket over a journaled connection; the library `websockets` is loaded when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.sessions.kinds.kind import (
    BINARY,
    IN_FRAGMENTS,
    PING,
    STREAM_OPTIONS,
    TEXT,
    Kind,
    Scheme,
    stream_client,
    stream_server,
)
from inspector.sessions.kinds.options import CLOSE_CODE, CLOSE_REASON, DEFLATE, PATH
from inspector.sessions.kinds.tcp import endings

if TYPE_CHECKING:
    from inspector.sessions.stream.connection import Exchange


def _server_exchange() -> type[Exchange]:
    # here and below: websockets takes its time
    from inspector.sessions.kinds.websocket.exchange import ServerExchange

    return ServerExchange


def _client_exchange() -> type[Exchange]:
    from inspector.sessions.kinds.websocket.exchange import ClientExchange

    return ClientExchange


KIND = Kind(
    name="websocket", title="WebSocket", key="w",
    about="an HTTP connection that turns into messages both ways", port=8765,
    messages=("hello", "how are you?"), message_help="also 'ping:…', 'binary:…', 'fragments:3:…'",
    server=stream_server(_server_exchange), client=stream_client(_client_exchange),
    forms=(TEXT, BINARY, PING, IN_FRAGMENTS), endings=endings("close frame, then FIN"),
    options=(*STREAM_OPTIONS, PATH, DEFLATE, CLOSE_CODE, CLOSE_REASON),
    schemes=(Scheme("ws", 80), Scheme("wss", 443, secure=True)), takes_path=True,
)  # fmt: skip
