"""HTTP/1.1 (RFC 9110, RFC 9112), and the handshake by which it becomes WebSocket (RFC 6455 section 4).

What reads it is loaded with the first connection that may speak it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from inspector.protocols.api import Field, Loose, Opening, Protocol, Scan, Source, Start, Turns, Type
from inspector.protocols.http.findings import BOOK
from inspector.protocols.http.text import head_text
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.http.decoder import HttpDecoder
    from inspector.protocols.http.message import HttpMessage
    from inspector.protocols.http.plain import Head
    from inspector.protocols.http.upgrade import Upgrade

_Get: TypeAlias = "Callable[[HttpDecoder, HttpMessage], Sequence[Any]]"


def _sniff(opening: Opening) -> Start | None:
    from inspector.protocols.http.start import sniff  # here and below: for the time of start-up

    return sniff(opening)


_PLAIN_REQUEST = re.compile(rb"(?!PROXY )[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} [^ \r\n]{1,1900} HTTP/1\.\d")
_BEGINS = re.compile(      # the same, as far as it is there
    rb"(?!PROXY )[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}(?:\Z| (?:[^ \r\n]*\Z|[^ \r\n]+ (?:HTTP/1|.{0,6}\Z)))")
_MAY_SWITCH = re.compile(rb" 0*101")


def _plain(asked: bytes, answered: bytes) -> bool:
    """Requests, and responses of which none can be a 101 or the answer to CONNECT."""
    return (_PLAIN_REQUEST.match(asked) is not None and (not answered or answered.startswith(b"HTTP/1."))
            and b"CONNECT " not in asked and _MAY_SWITCH.search(answered) is None)


def _begins(head: bytes) -> bool:
    return _BEGINS.match(head) is not None


def _turns(sent: Sequence[bytes]) -> Sequence[Head] | None:
    return _exchanges()(sent)


@cache
def _exchanges() -> Callable[[Sequence[bytes]], Sequence[Head] | None]:
    from inspector.protocols.http.plain import exchanges

    return exchanges


def _scanned(source: Source, heads: Sequence[Head], sent: Sequence[bytes]) -> HttpDecoder:
    from inspector.protocols.http.plain import Exchanges, PlainHttpDecoder

    return PlainHttpDecoder(source, Exchanges(heads, sent))


def _reader() -> HttpDecoder:
    from inspector.protocols.http.plain import READER

    return READER


def _loose(turns: Turns) -> Loose | None:
    from inspector.protocols.http.loose import exchanges

    return exchanges(turns)


def _loosely_scanned(source: Source, found: Loose, turns: Turns) -> HttpDecoder:
    from inspector.protocols.http.loose import decoder

    return decoder(source, found, turns)


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


def _part_of_target(part: str) -> _Get:
    """The path or the query of a target that has both, as Wireshark tells them apart."""
    def read(decoder: HttpDecoder, message: HttpMessage) -> Sequence[str]:
        path, mark, query = message.target.partition("?")
        return [head_text(path if part == "path" else query)] if message.is_request and mark else []

    return read


def _full_uri(decoder: HttpDecoder, message: HttpMessage) -> Sequence[str]:
    host = message.first("host")
    if not message.is_request or (host is None and not message.target.startswith("http:")):
        return []
    whole = message.target if host is None or "://" in message.target else f"http://{host.value}{message.target}"
    return [head_text(whole)]


def _asked_uri(decoder: HttpDecoder, message: HttpMessage) -> Sequence[str]:
    partner = None if message.is_request or message.partner is None else decoder.records[message.partner]
    return [] if partner is None else _full_uri(decoder, partner)


def _lines(*, request: bool) -> _Get:
    return lambda decoder, message: [
        head_text(f"{header.name}: {header.value}") for header in message.headers] \
        if message.is_request == request else []


def _content_length(decoder: HttpDecoder, message: HttpMessage) -> Sequence[int]:
    from inspector.protocols.http.rules import content_length

    length = content_length(message)
    return [] if length is None else [length]


def _file_data(decoder: HttpDecoder, message: HttpMessage) -> Sequence[bytes]:
    return [decoder.decoded_body(message).data] if message.body_length else []


HEADERS = (
    "host", "upgrade", "content-type", "content-encoding", "transfer-encoding", "connection", "user-agent",
    "server", "cookie", "set-cookie", "referer", "location", "accept", "accept-encoding", "accept-language",
    "authorization", "www-authenticate", "proxy-authorization", "date", "last-modified", "cache-control",
    "x-forwarded-for", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key",
    "sec-websocket-protocol", "sec-websocket-version",
)
"""Headers that have a field of their own, by the names that Wireshark gives them."""


def _of_head(name: str, type: Type, get: _Get, json: str | None = "", bits: int = 64) -> Field[Any]:
    """A field that the head of a message tells by itself."""
    return Field(name, type, get, json=json, bits=bits, alone=True)


HTTP = Protocol(
    name="http", title="HTTP", colour="exchange", sniff=_sniff, decoder=_decoder, plain=_plain,
    scan=Scan(_turns, _scanned, _reader, _begins, _loose, _loosely_scanned),
    book=BOOK, pairs=True,
    fields=(
        _of_head("http.request", "protocol", _request(lambda message: message.method)),
        _of_head("http.request.method", "text", _request(lambda message: escaped(message.method)), json=None),
        _of_head("http.request.uri", "text", _request(lambda message: head_text(message.target)), json=None),
        _of_head("http.response", "protocol", _response(lambda message: message.status)),
        _of_head("http.response.code", "number", _response(lambda message: message.status), json=None,
                 bits=16),
        _of_head("http.request.version", "text", _request(lambda message: escaped(message.version))),
        _of_head("http.request.uri.path", "text", _part_of_target("path")),
        _of_head("http.request.uri.query", "text", _part_of_target("query")),
        _of_head("http.request.full_uri", "text", _full_uri),
        _of_head("http.request.line", "text", _lines(request=True)),
        _of_head("http.response.version", "text", _response(lambda message: escaped(message.version))),
        _of_head("http.response.phrase", "text", _response(lambda message: head_text(message.reason))),
        _of_head("http.response.line", "text", _lines(request=False)),
        Field("http.response_for.uri", "text", _asked_uri, json=""),
        _of_head("http.content_length", "number", _content_length),
        _of_head("http.content_length_header", "text", _header("content-length")),
        Field("http.file_data", "bytes", _file_data, json=""),
        *(_of_head(f"http.{name.replace('-', '_')}", "text", _header(name)) for name in HEADERS),
        Field("headers", "text", _pairs, many=True, empty=True, filtered=False),
        Field("body_length", "number", lambda decoder, message: [] if message.cut else [message.body_length],
              alone=True),
        Field("websocket.key", "text", _handshake(lambda u: None if u.key is None else head_text(u.key)),
              filtered=False),
        Field("websocket.accept", "text",
              _handshake(lambda u: None if u.accept is None else head_text(u.accept)), filtered=False),
        Field("websocket.accept_expected", "text",
              _handshake(lambda u: None if u.proof is None else u.proof.expected), filtered=False),
        Field("accepted", "flag", _handshake(lambda u: u.valid), filtered=False),
    ),
)
