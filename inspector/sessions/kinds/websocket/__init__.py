"""WebSocket over a journaled connection; the library `websockets` is loaded when it runs."""

from __future__ import annotations

from inspector.sessions.context import Context
from inspector.sessions.kinds.kind import BINARY, IN_FRAGMENTS, PING, STREAM_OPTIONS, TEXT, Kind, Scheme
from inspector.sessions.kinds.options import CLOSE_CODE, CLOSE_REASON, DEFLATE, PATH
from inspector.sessions.kinds.tcp import endings
from inspector.sessions.stream.connection import Exchange
from inspector.sessions.stream.ends import StreamClient, StreamServer


def _server_exchange() -> type[Exchange]:
    # here and below: websockets takes its time
    from inspector.sessions.kinds.websocket.exchange import ServerExchange

    return ServerExchange


def _client_exchange() -> type[Exchange]:
    from inspector.sessions.kinds.websocket.exchange import ClientExchange

    return ClientExchange


def _server(context: Context) -> StreamServer:
    return StreamServer(context, _server_exchange)


def _client(context: Context) -> StreamClient:
    return StreamClient(context, _client_exchange)


KIND = Kind(
    name="websocket", title="WebSocket", key="w",
    about="an HTTP connection that turns into messages both ways", port=8765,
    messages=("hello", "how are you?"), message_help="also 'ping:…', 'binary:…', 'fragments:3:…'",
    server=_server, client=_client,
    forms=(TEXT, BINARY, PING, IN_FRAGMENTS), endings=endings("close frame, then FIN"),
    options=(*STREAM_OPTIONS, PATH, DEFLATE, CLOSE_CODE, CLOSE_REASON),
    schemes=(Scheme("ws", 80), Scheme("wss", 443, secure=True)), takes_path=True,
)  # fmt: skip
