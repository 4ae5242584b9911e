"""The decoded units of a conversation (HTTP messages, WebSocket messages) as lines of text, JSON laid out.

What follow stream shows in its "json" mode: heads and payloads as the endpoints mean them, unmasked,
inflated, without chunks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from inspector.protocols.websocket.frame import CLOSE, TEXT
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.application.application import Application

JSON_LIMIT = 1 << 18      # octets of one payload that are shown


class Unit(NamedTuple):
    """One HTTP message (`http` True) or WebSocket message, by its number from 0, with its octets."""

    http: bool
    number: int
    direction: int
    start: int
    stop: int


def units(application: Application, http_done: int, messages_done: int, most: int) -> list[Unit]:
    """The next complete units, at most `most`: HTTP first, since WebSocket follows it."""
    found: list[Unit] = []
    for number in range(http_done, min(len(application.http), http_done + most)):
        message = application.http[number]
        if not message.complete and number + 1 == len(application.http):
            break
        found.append(Unit(True, number, message.direction, message.start, message.stop))
    last = min(len(application.messages), messages_done + most - len(found))
    for number in range(messages_done, last):
        record = application.messages[number]
        if not record.complete and number + 1 == len(application.messages):
            break
        first, end = application.frames[record.frames[0] - 1], application.frames[record.frames[-1] - 1]
        found.append(Unit(False, number, record.direction, first.start, end.stop))
    return found


def unit_lines(application: Application, http: bool, number: int, wrap: int) -> list[str]:
    """The lines of a unit, harmless."""
    if http:
        message = application.http[number]
        lines = [escaped(message.start_line)]
        lines += [escaped(f"{header.name}: {header.value}") for header in message.headers]
        body = application.content(message, JSON_LIMIT).data if message.body_length else b""
        return [*lines, "", *_payload_lines(body, wrap)] if body else lines
    record = application.messages[number]
    if record.opcode == CLOSE:
        close = application.close(record.frames[0])
        return [f"CLOSE {close.code or ''} {close.meaning}" + (f' "{close.reason}"' if close.reason else "")]
    data = application.message_payload(record.number, JSON_LIMIT)
    if record.is_control:
        return [f"{record.name.upper()} {escaped(data)}"]
    return _payload_lines(data, wrap) if record.opcode == TEXT else _octet_lines(data, wrap)


def _payload_lines(data: bytes, wrap: int) -> list[str]:
    return pretty_json(data) or text_lines(data, wrap)


def text_lines(data: bytes, wrap: int) -> list[str]:
    """Text as lines of at most `wrap` octets."""
    lines: list[str] = []
    for line in data.split(b"\n"):
        lines += [escaped(line[at : at + wrap].rstrip(b"\r")) for at in range(0, max(len(line), 1), wrap)]
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _octet_lines(data: bytes, wrap: int) -> list[str]:
    size = max(wrap // 3, 1)
    return [data[at : at + size].hex(" ") for at in range(0, max(len(data), 1), size)]


def pretty_json(data: bytes) -> list[str] | None:
    """The lines of a JSON object or array laid out, harmless; None when `data` is none."""
    if data.lstrip()[:1] not in (b"{", b"[") or len(data) > JSON_LIMIT:
        return None
    try:
        text = json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return [escaped(line) for line in text.split("\n")]
