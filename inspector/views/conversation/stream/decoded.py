"""The messages of a conversation as lines of text, JSON laid out: what its protocols say.

What follow stream shows in its "json" mode: heads and payloads as the endpoints mean them, unmasked,
inflated, without chunks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from inspector.model.language import tr, translated
from inspector.protocols.api import MessageIndex, message_number
from inspector.views.conversation.turns import turn, turn_count
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.api import Decoder, Shown
    from inspector.trace.application.application import ApplicationLayers

JSON_LIMIT = 1 << 18      # bytes of one payload that are shown
_FOLLOWERS = 512          # messages behind one that has not ended; if there are more, it stays as it is


class Unit(NamedTuple):
    """One message: its layer, which of its messages, and its bytes."""

    layer: int
    message: MessageIndex
    direction: int
    start: int
    stop: int


def units(application: ApplicationLayers, done: list[int], most: int, settled: bool = True) -> list[Unit]:
    """The next messages, at most `most`: layer by layer, those beside a layer with its own.

    `done` counts those had of each layer.
    `settled`: only up to one that may still grow, unless very many follow it.
    """
    found: list[Unit] = []
    for place, layer in enumerate(application.layers):
        if layer.beside or is_opened(application, place):
            continue
        first = sum(done[place : place + 1 + (layer.decoder.beside is not None)])
        count = turn_count(layer.decoder)
        for at in range(first, min(count, first + most - len(found))):
            decoder, index = turn(layer.decoder, message_number(at))
            if settled and index in under_way(decoder) and count - at <= _FOLLOWERS:
                return found
            direction, start, stop = decoder.span(index)
            whose = place + (decoder is not layer.decoder)
            found.append(Unit(whose, index, direction, *layer.streams[direction].wire(start, stop)))
    return found


def is_opened(application: ApplicationLayers, place: int) -> bool:
    """Whether a layer's records are known by what is said inside of them, in the layers behind it."""
    inside = application.layers[place].decoder.inside
    return inside is not None and any(
        layer.streams is inside.streams for layer in application.layers[place + 1 :])


def under_way(decoder: Decoder[Any]) -> frozenset[MessageIndex | None]:
    """The messages that may still grow."""
    return frozenset((decoder.under_way(0), decoder.under_way(1)))


def unit_lines(application: ApplicationLayers, layer: int, index: MessageIndex, wrap: int) -> list[str]:
    """The lines of a message, safe to show."""
    shown = application.layers[layer].decoder.shown(index, JSON_LIMIT)
    return [*_shown_lines(shown, wrap), *([f"[{tr(shown.note)}]"] if shown.note else [])]


def _shown_lines(shown: Shown, wrap: int) -> list[str]:
    head = list(map(translated, shown.head))
    if shown.binary:
        return [*head, *byte_lines(shown.body, wrap)]
    if not shown.body and (head or shown.note):
        return head
    return [*head, *_payload_lines(shown.body, wrap)]


def _payload_lines(data: bytes, wrap: int) -> list[str]:
    return pretty_json(data) or text_lines(data, wrap)


def text_lines(data: bytes, wrap: int) -> list[str]:
    """Text as lines of at most `wrap` bytes."""
    lines: list[str] = []
    for line in data.split(b"\n"):
        lines += [escaped(line[at : at + wrap].rstrip(b"\r")) for at in range(0, max(len(line), 1), wrap)]
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def byte_lines(data: bytes, wrap: int) -> list[str]:
    """Bytes in hex, on lines of `wrap` characters."""
    size = max(wrap // 3, 1)
    return [data[at : at + size].hex(" ") for at in range(0, max(len(data), 1), size)]


def pretty_json(data: bytes) -> list[str] | None:
    """The lines of a JSON object or array laid out, safe to show; None when `data` is none."""
    if data.lstrip()[:1] not in (b"{", b"[") or len(data) > JSON_LIMIT:
        return None
    try:
        text = json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return [escaped(line) for line in text.split("\n")]
