"""Redis: RESP2 and RESP3, requests matched with replies, pushes, inline commands.

What reads it is loaded with the first connection that may speak it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from inspector.protocols.api import Field, Opening, Protocol, Source, Start
from inspector.protocols.redis.findings import BOOK
from inspector.wire.tcp.delivery import Pump
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.redis.decoder import RedisDecoder, RedisMessage
    from inspector.protocols.redis.values import Node

_WORD = 32               # bytes of the word that a push begins with
_INTEGER = re.compile(rb"[+-]?\d{1,19}")


def _sniff(opening: Opening) -> Start | None:
    from inspector.protocols.redis.start import sniff  # here and below: for the time of start-up

    return sniff(opening)


def _decoder(source: Source, pump: Pump, start: Start) -> RedisDecoder:
    from inspector.protocols.redis.decoder import RedisDecoder

    return RedisDecoder(source, pump, start)


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _each(kind: str, get: Callable[[Node], Any]) -> Callable[[RedisDecoder, RedisMessage], Sequence[Any]]:
    """A value of every node of this type, at any depth."""
    return lambda decoder, message: [
        get(node) for node in _nodes(decoder.value(message)) if node.type == kind]


def _inline(decoder: RedisDecoder, message: RedisMessage) -> Sequence[bool]:
    return [message.type == ""] if message.kind == "request" else []


def _words(decoder: RedisDecoder, message: RedisMessage) -> Sequence[str]:
    return [escaped(word.text) for word in decoder.arguments(message)[1:]]


def _keys(decoder: RedisDecoder, message: RedisMessage) -> Sequence[str]:
    return [escaped(key.text) for key in decoder.keys(message)]


def _reply(decoder: RedisDecoder, message: RedisMessage) -> Sequence[str]:
    if message.kind != "reply" or message.type in ("-", "!"):
        return []
    return [decoder.reply_text(message)]


def _error(decoder: RedisDecoder, message: RedisMessage) -> Sequence[str]:
    return [escaped(decoder.value(message).text)] if message.type in ("-", "!") else []


def _truncated(decoder: RedisDecoder, message: RedisMessage) -> Sequence[bool]:
    """Whether a value is given in part alone: a very long string, very many elements."""
    return [] if all(node.whole for node in _nodes(decoder.value(message))) else [True]


def _push(decoder: RedisDecoder, message: RedisMessage) -> Sequence[str]:
    """The kind of a push: message, pmessage, invalidate; "monitor" for a line of MONITOR."""
    if message.kind != "push":
        return []
    children = decoder.value(message, _WORD).children
    return [escaped(children[0].text, _WORD) if children else "monitor"]


def _time(decoder: RedisDecoder, message: RedisMessage) -> Sequence[int]:
    time = decoder.time_ns(message)
    return [] if time is None else [time]


def _integer(node: Node) -> int:
    return int(node.text) if _INTEGER.fullmatch(node.text) else 0


REDIS = Protocol(
    name="redis", title="Redis", colour="exchange", sniff=_sniff, decoder=_decoder, book=BOOK, pairs=True,
    ordered="last",
    fields=(
        Field("redis.request", "protocol", lambda decoder, m: [True] if m.kind == "request" else [], json=""),
        Field("redis.response", "protocol", lambda decoder, m: [True] if m.kind == "reply" else [], json=""),
        Field("redis.command", "text", lambda decoder, m: [m.command] if m.command else []),
        Field("redis.key", "text", _keys, many=True),
        Field("redis.argument", "text", _words, many=True),
        Field("redis.inline", "flag", _inline, bits=1),
        Field("redis.reply.type", "text",
              lambda decoder, m: [m.type_name] if m.kind != "request" else []),
        Field("redis.reply", "text", _reply),
        Field("redis.error", "text", _error),
        Field("redis.push", "text", _push),
        Field("truncated", "flag", _truncated, filtered=False),
        Field("redis.time", "seconds", _time, json=""),
        # Wireshark's own names, for those who know them.
        Field("resp", "protocol", lambda decoder, m: [True], json=""),
        Field("resp.string", "text", _each("+", lambda node: escaped(node.text)), json=""),
        Field("resp.error", "text", _each("-", lambda node: escaped(node.text)), json=""),
        Field("resp.integer", "number", _each(":", _integer), json=""),
        Field("resp.bulk_string.value", "bytes", _each("$", lambda node: node.text), json=""),
        Field("resp.bulk_string.length", "number", _each("$", lambda node: node.length), json=""),
        Field("resp.array.length", "number", _each("*", lambda node: node.length), json=""),
    ),
)
