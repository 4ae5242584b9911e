"""TLS (RFC 8446, RFC 5246): records, what the handshake says, alerts; by known secrets what is inside.

What reads it is loaded with the first connection that may speak it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from inspector.protocols.api import CERTAIN, Field, Opening, Protocol, Source, Start
from inspector.protocols.tls.findings import BOOK
from inspector.wire.tcp.delivery import Pump

if TYPE_CHECKING:
    from inspector.protocols.tls.decoder import TlsDecoder, TlsRecord

_HEADER = 5
_SMALLEST = 38                   # bytes of a hello without extensions
_CLIENT_HELLO = 1


def sniff(opening: Opening) -> Start | None:
    """By a Client Hello, or a Server Hello."""
    for direction, stream in enumerate(opening.streams):
        head = stream.read(stream.start, stream.start + 9)
        if len(head) < 9 or head[:2] != b"\x16\x03" or head[2] > 4 or head[5] not in (1, 2) \
                or head[6] or int.from_bytes(head[7:9], "big") < _SMALLEST:
            continue
        client = direction if head[5] == _CLIENT_HELLO else 1 - direction
        return Start(client, (opening.streams[0].start, opening.streams[1].start), CERTAIN)
    return None


def _decoder(source: Source, pump: Pump, start: Start) -> TlsDecoder:
    from inspector.protocols.tls.decoder import TlsDecoder  # for the time of start-up

    return TlsDecoder(source, pump, start)


def _some(get: Callable[[TlsRecord], Sequence[Any]]) -> Callable[[Any, TlsRecord], Sequence[Any]]:
    return lambda decoder, record: get(record)


TLS = Protocol(
    name="tls", title="TLS", colour="data", sniff=sniff, decoder=_decoder, book=BOOK, record="record",
    fields=(
        Field("tls.record.content_type", "number", _some(lambda one: [one.type]), bits=8),
        Field("tls.record.version", "number", _some(lambda one: [one.version]), bits=16),
        Field("tls.record.length", "number", _some(lambda one: [one.stop - one.start - _HEADER]), bits=16),
        Field("tls.handshake.type", "number", _some(lambda one: one.messages), many=True, bits=8),
        Field("tls.handshake.extensions_server_name", "text",
              _some(lambda one: [one.server_name] if one.server_name else [])),
        Field("tls.handshake.extensions_alpn_str", "text", _some(lambda one: one.protocols), many=True),
        Field("tls.alert_message.level", "number", _some(lambda one: list((one.alert or ())[:1])), bits=8),
        Field("tls.alert_message.desc", "number", _some(lambda one: list((one.alert or ())[1:])), bits=8),
    ),
)
