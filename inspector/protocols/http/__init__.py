"""HTTP/1.1 (RFC 9110, RFC 9112), and the handshake by which it becomes WebSocket (RFC 6455 section 4).

What reads it is loaded with the first connection that may speak it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from inspector.protocols.api import Field, Opening, Protocol, Source, Start
from inspector.protocols.http.findings import BOOK
from inspector.protocols.http.text import head_text
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.http.decoder import HttpDecoder
    from inspector.protocols.http.message import HttpMessage
    from inspector.protocols.http.upgrade import Upgrade

_Get: TypeAlias = "Callable[[HttpDecoder, HttpMessage], Sequence[Any]]"


def _sniff(opening: Opening) -> Start | None:
    from inspector.protocols.http.start import sniff  # here and below: for the time of start-up

    return sniff(opening)


def _decoder(source: Source, pump: Pump, start: Start) -> HttpDecoder:
    from inspector.protocols.http.decoder import HttpDecoder

    return HttpDecoder(source, pump, start)


def _request(get: Callable[[HttpMessage], Any]) -> _Get:
    return lambda decoder, message: [get(message)] if message.is_request else []


def _response(get: Callable[[HttpMessage], Any]) -> _Get:
    return lambda decoder, message: [] if message.is_request else [get(message)]


def _header(name: str) -> _Get:
    return lambda decoder, message: message.values(name)


def _handshake(get: Callable[[Upgrade], Any]) -> _Get:
    """A value of the WebSocket handshake that the message belongs to."""
    def read(decoder: HttpDecoder, message: HttpMessage) -> Sequence[Any]:
        upgrade = decoder.handshake(message)
        value = None if upgrade is None else get(upgrade)
        return [] if value is None else [value]

    return read


def _pairs(decoder: HttpDecoder, message: HttpMessage) -> Sequence[Any]:
    return [[head_text(header.name), head_text(header.value)] for header in message.headers]


HTTP = Protocol(
    name="http", title="HTTP", colour="http", sniff=_sniff, decoder=_decoder, book=BOOK, pairs=True,
    fields=(
        Field("http.request", "protocol", _request(lambda message: message.method), json=""),
        Field("http.request.method", "text", _request(lambda message: escaped(message.method))),
        Field("http.request.uri", "text", _request(lambda message: head_text(message.target))),
        Field("http.response", "protocol", _response(lambda message: message.status), json=""),
        Field("http.response.code", "number", _response(lambda message: message.status), bits=16),
        Field("http.host", "text", _header("host"), json=""),
        Field("http.upgrade", "text", _header("upgrade"), json=""),
        Field("http.content_type", "text", _header("content-type"), json=""),
        Field("headers", "text", _pairs, many=True, empty=True, filtered=False),
        Field("body_length", "number", lambda decoder, message: [message.body_length]),
        Field("websocket.key", "text", _handshake(lambda u: None if u.key is None else head_text(u.key)),
              filtered=False),
        Field("websocket.accept", "text",
              _handshake(lambda u: None if u.accept is None else head_text(u.accept)), filtered=False),
        Field("websocket.accept_expected", "text",
              _handshake(lambda u: None if u.proof is None else u.proof.expected), filtered=False),
        Field("accepted", "flag", _handshake(lambda u: u.valid), filtered=False),
    ),
)
