"""HTTP/2 (RFC 9113) with its headers (HPACK, RFC 7541), by prior knowledge or after an upgrade; gRPC in it.

What reads it is loaded with the first connection that may speak it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from inspector.protocols.api import CERTAIN, Field, Opening, Protocol, Source, Start
from inspector.protocols.http2.frames import BEGIN, BOOK, PREFACE
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.http2.decoder import Frame, Http2Decoder

_LINE = len(b"PRI * HTTP/2.0")
_Get = Callable[["Http2Decoder", "Frame"], Sequence[Any]]
_NAMED = ("accept", "accept-encoding", "authorization", "cache-control", "content-encoding",
          "content-length", "content-type", "cookie", "date", "etag", "location", "referer",
          "server", "set-cookie", "user-agent")
"""Headers with a field of their own, beside the pseudo-headers, as Wireshark names them."""


def sniff(opening: Opening) -> Start | None:
    """By the client's preface, or so much of it as the capture has."""
    for client, stream in enumerate(opening.streams):
        data = stream.read(stream.start, stream.start + len(PREFACE))
        cut = len(data) >= _LINE and PREFACE.startswith(data) and stream.start + len(data) < stream.length
        if data == PREFACE or cut:
            return Start(client, (opening.streams[0].start, opening.streams[1].start), CERTAIN)
    return None


def _decoder(source: Source, pump: Pump, start: Start) -> Http2Decoder:
    from inspector.protocols.http2.decoder import Http2Decoder  # for the time of start-up

    return Http2Decoder(source, pump, start)


def _of(name: str) -> _Get:
    return lambda decoder, record: [] if record.type == BEGIN else [getattr(record, name)]


def _header(name: str) -> _Get:
    wanted = name.encode()
    return lambda decoder, record: [escaped(one.value) for one in record.headers if one.name == wanted]


def _each(name: Literal["name", "value"]) -> _Get:
    return lambda decoder, record: [escaped(getattr(one, name)) for one in record.headers if one.known]


def _grpc(name: str) -> _Get:
    return lambda decoder, record: [getattr(one, name) for one in record.grpc]


HTTP2 = Protocol(
    name="http2", title="HTTP/2", colour="exchange", sniff=sniff, decoder=_decoder, book=BOOK,
    record="frame", pairs=True,
    fields=(
        Field("http2.type", "number", _of("type"), bits=8),
        Field("http2.flags", "number", _of("flags"), bits=8),
        Field("http2.streamid", "number", _of("stream"), bits=31),
        Field("http2.length", "number", _of("length"), bits=24),
        Field("http2.error", "number", lambda decoder, one: [one.error] if one.error is not None else [],
              bits=32),
        *(Field(f"http2.headers.{name}", "text", _header(f":{name}"))
          for name in ("method", "path", "scheme", "authority", "status")),
        *(Field(f"http2.headers.{name.replace('-', '_')}", "text", _header(name), json="")
          for name in _NAMED),
        Field("http2.header.name", "text", _each("name"), many=True),
        Field("http2.header.value", "text", _each("value"), many=True),
        Field("truncated", "flag", lambda decoder, one: [True] if one.left else [], filtered=False),
        Field("grpc.message_length", "number", _grpc("length"), many=True, bits=32),
        Field("grpc.compressed_flag", "number", _grpc("compressed"), many=True, bits=8),
        Field("grpc.status", "text", _header("grpc-status")),
    ),
)
