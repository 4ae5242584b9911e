"""Plain TCP: bytes, no messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.commands import Abort, Close, Connect, HalfClose
from inspector.model.language import marked
from inspector.sessions.kinds.kind import (
    HEX,
    LINES,
    TEXT,
    Ending,
    Kind,
    Scheme,
    stream_client,
    stream_server,
)

if TYPE_CHECKING:
    from inspector.sessions.stream.connection import Exchange


def endings(close: str) -> tuple[Ending, ...]:
    """The ways to end a session over a TCP connection; `close`: what comes of an orderly end."""
    return (
        Ending("c", "Close from the client", close, Close("client")),
        Ending("v", "Close from the server", close, Close("server")),
        Ending("h", "Half-close, client", "shutdown(): it says no more, but listens", HalfClose("client")),
        Ending("H", "Half-close, server", "shutdown() from the other side", HalfClose("server")),
        Ending("a", "Abort, client", "RST: no goodbye, data may be lost", Abort("client")),
        Ending("A", "Abort, server", "RST from the other side", Abort("server")),
        Ending("n", "Connect anew", "when it has closed: a new socket, a new handshake", Connect("client")),
    )


ENDINGS = endings("FIN, and the other end answers")


def _server_exchange() -> type[Exchange]:
    # here and below: for the time of start-up, since the launcher needs none of it
    from inspector.sessions.kinds.tcp.exchange import ServerExchange

    return ServerExchange


def _client_exchange() -> type[Exchange]:
    from inspector.sessions.kinds.tcp.exchange import ClientExchange

    return ClientExchange


_TEXT = TEXT._replace(wide_hint=marked("type, then Enter (ctrl+t: hex, or lines with CR LF)"))
KIND = Kind(
    name="tcp", title="TCP", key="t", about="a stream of bytes: handshake, data both ways, orderly end",
    port=9000, messages=("hello", "how are you?"), forms=(_TEXT, HEX, LINES), endings=ENDINGS,
    schemes=(Scheme("tcp"), Scheme("tls", secure=True)),
    server=stream_server(_server_exchange),
    client=stream_client(_client_exchange),
)  # fmt: skip
