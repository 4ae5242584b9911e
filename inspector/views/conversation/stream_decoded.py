"""The messages of a conversation as lines of text, JSON laid out: what its protocols say.

What follow stream shows in its "json" mode: heads and payloads as the endpoints mean them, unmasked,
inflated, without chunks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.application.application import Application

JSON_LIMIT = 1 << 18      # octets of one payload that are shown


class Unit(NamedTuple):
    """One message: its layer, its number there (both from 0), and its octets."""

    layer: int
    number: int
    direction: int
    start: int
    stop: int


def units(application: Application, done: list[int], most: int) -> list[Unit]:
    """The next complete messages, at most `most`: layer by layer; `done` counts those had of each layer."""
    found: list[Unit] = []
    for place, layer in enumerate(application.layers):
        first = done[place] if place < len(done) else 0
        decoder = layer.decoder
        for number in range(first, min(decoder.count, first + most - len(found))):
            if not decoder.complete(number) and number + 1 == decoder.count:
                break
            found.append(Unit(place, number, *decoder.span(number)))
    return found


def unit_lines(application: Application, layer: int, number: int, wrap: int) -> list[str]:
    """The lines of a message, safe to show."""
    shown = application.layers[layer].decoder.shown(number, JSON_LIMIT)
    if shown.binary:
        return [*shown.head, *_octet_lines(shown.body, wrap)]
    if not shown.body and shown.head:
        return list(shown.head)
    return [*shown.head, *_payload_lines(shown.body, wrap)]


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
