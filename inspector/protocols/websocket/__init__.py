"""WebSocket (RFC 6455) with permessage-deflate (RFC 7692): a record is a frame.

What reads it is loaded with the first connection that may speak it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from inspector.protocols.api import Field, Opening, Protocol, Source, Start
from inspector.protocols.websocket.findings import BOOK
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.websocket.columns.columns import WebSocketFrameRecord
    from inspector.protocols.websocket.decoder import WebSocketDecoder

_SEARCHED = 1 << 20


def _sniff(opening: Opening) -> Start | None:
    from inspector.protocols.websocket.start import sniff  # here and below: for the time of start-up

    return sniff(opening)


def _decoder(source: Source, pump: Pump, start: Start) -> WebSocketDecoder:
    from inspector.protocols.websocket.decoder import WebSocketDecoder

    return WebSocketDecoder(source, pump, start)


@cache
def _payload_limit() -> int:
    from inspector.protocols.websocket.decoder import PAYLOAD_LIMIT

    return PAYLOAD_LIMIT


def _of(name: str) -> Callable[[WebSocketDecoder, WebSocketFrameRecord], Sequence[Any]]:
    return lambda decoder, frame: [getattr(frame, name)]


def _key(decoder: WebSocketDecoder, frame: WebSocketFrameRecord) -> Sequence[str]:
    return [frame.masking_key.hex()] if frame.masked else []


def _payload(decoder: WebSocketDecoder, frame: WebSocketFrameRecord) -> Sequence[str]:
    text = decoder.text(frame)
    return [] if text is None else [text]


def _payload_base64(decoder: WebSocketDecoder, frame: WebSocketFrameRecord) -> Sequence[str]:
    return [base64.b64encode(decoder.payload(frame)).decode()] if decoder.text(frame) is None else []


def _truncated(decoder: WebSocketDecoder, frame: WebSocketFrameRecord) -> Sequence[bool]:
    """Whether the payload is given in part alone: it is very large, or inflates to very much."""
    cut = frame.payload_length > _payload_limit() or "websocket.inflation-limit" in frame.findings
    return [True] if cut else []


def _raw_payload(decoder: WebSocketDecoder, frame: WebSocketFrameRecord) -> Sequence[bytes]:
    return [decoder.payload(frame, _SEARCHED)]


def _given_payload(decoder: WebSocketDecoder, frame: WebSocketFrameRecord) -> Sequence[bytes]:
    return _raw_payload(decoder, frame) if frame.payload_length else []


def _payload_of(name: str) -> Callable[[WebSocketDecoder, WebSocketFrameRecord], Sequence[bytes]]:
    return lambda decoder, frame: _given_payload(decoder, frame) if frame.name == name else []


def _close_reason(decoder: WebSocketDecoder, frame: WebSocketFrameRecord) -> Sequence[str]:
    reason = decoder.close_of(frame).reason if frame.name == "close" else ""
    return [escaped(reason)] if reason else []


def _close_code(decoder: WebSocketDecoder, frame: WebSocketFrameRecord) -> Sequence[int]:
    code = decoder.close_of(frame).code if frame.name == "close" else None
    return [] if code is None else [code]


WEBSOCKET = Protocol(
    name="websocket", title="WebSocket", colour="messages", sniff=_sniff, decoder=_decoder, book=BOOK,
    ordered="last", record="frame",
    fields=(
        Field("direction", "text", filtered=False, get=lambda decoder, frame: [
            "client-to-server" if frame.from_client else "server-to-client"]),
        Field("websocket.fin", "flag", _of("fin"), bits=1),
        Field("websocket.rsv", "number", _of("rsv"), bits=3),
        Field("websocket.opcode", "number", _of("opcode"), bits=4),
        Field("websocket.mask", "flag", _of("masked"), bits=1),
        Field("websocket.masking_key", "text", _key),
        Field("websocket.payload_length", "number", _of("payload_length")),
        Field("close_code", "number", _close_code, bits=16),
        Field("payload", "text", _payload, filtered=False),
        Field("payload_base64", "text", _payload_base64, filtered=False),
        Field("truncated", "flag", _truncated, filtered=False),
        Field("payload", "bytes", _raw_payload, json=""),
        Field("websocket.payload", "bytes", _given_payload, json=""),
        Field("websocket.payload.text", "text", _payload, json=""),
        Field("websocket.payload.ping", "bytes", _payload_of("ping"), json=""),
        Field("websocket.payload.pong", "bytes", _payload_of("pong"), json=""),
        Field("websocket.payload.close.status_code", "number", _close_code, json="", bits=16),
        Field("websocket.payload.close.reason", "text", _close_reason, json=""),
        Field("message", "number", _of("message")),
        Field("findings", "text", lambda decoder, frame: frame.findings, many=True, empty=True),
    ),
)
