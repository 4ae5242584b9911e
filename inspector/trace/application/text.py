"""One line of text for an HTTP message or a WebSocket frame, as packet list and ladder show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.protocols.http.message import HttpMessage
from inspector.protocols.websocket.columns import WebSocketFrameRecord
from inspector.protocols.websocket.frame import BINARY, CLOSE, CONTINUATION, TEXT
from inspector.protocols.websocket.upgrade import Upgrade, is_upgrade_request
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.application.application import Application

_TEXT = 60


def describe_message(message: HttpMessage, begins: bool, upgrade: Upgrade | None) -> str:
    """"GET /chat  Upgrade: websocket", "101 Switching Protocols  accept ✓", "200 OK  text/html  5 bytes"."""
    if message.is_request:
        line = escaped(f"{message.method} {message.target}", 100)
    else:
        line = escaped(f"{message.status} {message.reason}".rstrip(), 60)
    if not begins:
        return f"… {line}"
    words = [line]
    header = message.first("upgrade")
    if message.is_request and header is not None:
        words.append(f"Upgrade: {escaped(header.value, 30)}")
    elif message.is_request and is_upgrade_request(message):
        words.append("Upgrade header missing")
    if upgrade is not None and upgrade.response is not None and upgrade.response.start == message.start \
            and not message.is_request and message.status == 101:
        right = upgrade.proof is not None and upgrade.accept == upgrade.proof.expected
        words.append("accept ✓" if right else "accept ✗")
    kind = message.first("content-type")
    if kind is not None and message.framing not in ("none", "switch"):
        words.append(escaped(kind.value.split(";")[0], 40))
    if message.body_length:
        words.append(f"{message.body_length} bytes")
    return "  ".join(words)


def describe_frame(application: Application, record: WebSocketFrameRecord, begins: bool) -> str:
    """"TEXT "hello" masked", "BINARY 12 bytes", "CLOSE 1000 normal closure", "PING 4 bytes masked"."""
    name = record.name.upper()
    if not begins:
        return f"… {name}"
    words = [name]
    if record.opcode == CLOSE:
        close = application.close(record.number)
        if close.code is not None:
            words.append(f"{close.code} {close.meaning}")
        if close.reason:
            words.append(f'"{escaped(close.reason, _TEXT)}"')
    elif _is_text(application, record):
        words.append(f'"{escaped(application.payload(record.number, 4 * _TEXT), _TEXT)}"')
    else:
        words.append(f"{record.payload_length} bytes")
    if not record.fin:
        words.append("fragment")
    elif record.opcode == CONTINUATION:
        words.append("last fragment")
    if record.compressed:
        words.append("compressed")
    if record.masked:
        words.append("masked")
    return " ".join(words)


def _is_text(application: Application, record: WebSocketFrameRecord) -> bool:
    if record.opcode == TEXT:
        return record.compressed or not record.rsv
    if record.opcode in (BINARY, CLOSE) or record.opcode > CLOSE:
        return False
    message = application.messages[record.message - 1]
    return record.opcode == CONTINUATION and message.opcode == TEXT
