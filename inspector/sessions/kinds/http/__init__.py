"""HTTP/1.1 over a journaled connection, read and written by h11, which is loaded when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.language import marked
from inspector.model.messages import parse_request
from inspector.sessions.kinds.kind import (
    STREAM_OPTIONS,
    TEXT,
    Form,
    Kind,
    Scheme,
    stream_client,
    stream_server,
)
from inspector.sessions.kinds.options import CHUNKED, KEEP_ALIVE
from inspector.sessions.kinds.tcp import ENDINGS

if TYPE_CHECKING:
    from inspector.sessions.stream.connection import Exchange

REQUEST = Form("text", "GET /, POST / body", "GET /", TEXT.read, marked("answers by itself"),
               marked('GET / -H "Name: value", POST / body'))


def _server_exchange() -> type[Exchange]:
    from inspector.sessions.kinds.http.server import ServerExchange  # here and below: h11 takes its time

    return ServerExchange


def _client_exchange() -> type[Exchange]:
    from inspector.sessions.kinds.http.client import ClientExchange

    return ClientExchange


KIND = Kind(
    name="http", title="HTTP", key="h", about="requests and answers, as text over TCP", port=8000,
    messages=("GET /", "POST /echo hello"), messages_for_push=("GET /push",), check_message=parse_request,
    takes_requests=True,
    message_help="'GET /path', 'POST /echo body'",
    server=stream_server(_server_exchange), client=stream_client(_client_exchange),
    forms=(REQUEST,), endings=ENDINGS,
    options=(*STREAM_OPTIONS, CHUNKED, KEEP_ALIVE),
    schemes=(Scheme("http", 80), Scheme("https", 443, secure=True)), takes_path=True, asks="GET {path}",
)  # fmt: skip
