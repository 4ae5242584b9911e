"""HTTP/1.1 over a journaled connection, read and written by h11, which is loaded when it runs."""

from __future__ import annotations

from inspector.model.language import marked
from inspector.model.messages import parse_request
from inspector.sessions.context import Context
from inspector.sessions.kinds.kind import STREAM_OPTIONS, TEXT, Form, Kind, Scheme
from inspector.sessions.kinds.options import CHUNKED, KEEP_ALIVE
from inspector.sessions.kinds.tcp import ENDINGS
from inspector.sessions.stream.connection import Exchange
from inspector.sessions.stream.ends import StreamClient, StreamServer

REQUEST = Form("text", "GET /, POST / body", "GET /", TEXT.read, marked("answers by itself"))


def _server_exchange() -> type[Exchange]:
    from inspector.sessions.kinds.http.server import ServerExchange  # here and below: h11 takes its time

    return ServerExchange


def _client_exchange() -> type[Exchange]:
    from inspector.sessions.kinds.http.client import ClientExchange

    return ClientExchange


def _server(context: Context) -> StreamServer:
    return StreamServer(context, _server_exchange)


def _client(context: Context) -> StreamClient:
    return StreamClient(context, _client_exchange)


KIND = Kind(
    name="http", title="HTTP", key="h", about="requests and answers, as text over TCP", port=8000,
    messages=("GET /", "POST /echo hello"), messages_for_push=("GET /push",), check_message=parse_request,
    message_help="'GET /path', 'POST /echo body'",
    server=_server, client=_client, forms=(REQUEST,), endings=ENDINGS,
    options=(*STREAM_OPTIONS, CHUNKED, KEEP_ALIVE),
    schemes=(Scheme("http", 80), Scheme("https", 443, secure=True)), takes_path=True, asks="GET {path}",
)  # fmt: skip
