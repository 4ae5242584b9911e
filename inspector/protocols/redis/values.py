"""What a RESP message says, read again from its stream when somebody asks, and how redis-cli prints it.

Bounded: of each string its first bytes, of an aggregate its first elements, a few levels of depth.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from inspector.model.language import sentence, sentence_as
from inspector.protocols.api import Part
from inspector.protocols.redis.scanner import AGGREGATES, NUMBER, STRINGS, TYPES
from inspector.wire.tcp.stream import ByteStream
from inspector.wire.text import escaped

_DEPTH = 16              # levels of a value that are read to be shown
_ELEMENTS = 1000         # elements of a value that are read to be shown
_TEXT = 60               # characters of a string in a summary
_SUMMARY = 200           # characters of a summary
_READ = 4096             # bytes that are read at once to find values
_PARTS = {"$": "resp.bulk_string.value", "+": "resp.string", "-": "resp.error", ":": "resp.integer",
          "*": "resp.array"}
_WORD = re.compile(rb'"(?:[^"\\\r\n]|\\.)*"|\'[^\'\r\n]*\'|[^\s"\'][^\s]*')
_BARE_KEY = re.compile(rb"[\w:.{}*/@#-]{1,60}", re.ASCII)
_BARE_WORD = re.compile(rb"-?\d{1,20}|[A-Z]{1,20}")


def _number(text: bytes) -> int:
    """A length; 0 where there is none."""
    if text.isdigit() and len(text) <= NUMBER:
        return int(text)
    return -1 if text == b"-1" else 0


class Node(NamedTuple):
    """A value at bytes [start, stop) of its stream. `length`: bytes or elements that it has, -1 for a null.

    `text`: the first bytes of a string, the line of another scalar. `whole`: nothing of it was left out.
    """

    type: str
    start: int
    stop: int
    text: bytes = b""
    length: int = 0
    children: tuple[Node, ...] = ()
    whole: bool = True

    @property
    def is_null(self) -> bool:
        """True for `_`, `$-1`, `*-1`."""
        return self.type == "_" or self.length < 0


class _Values:
    """Reads a value again from its stream: `keep` bytes of a string, _ELEMENTS elements, _DEPTH levels."""

    def __init__(self, stream: ByteStream, start: int, stop: int, keep: int) -> None:
        self._stream, self._at, self._stop, self._keep = stream, start, stop, keep
        self._base, self._data = start, b""
        self._elements = 0
        self.cut = False                     # reading ended early

    def read(self, depth: int = 0) -> Node:
        """The value that begins here; what cannot be read is left out."""
        start = self._at
        line = self._line()
        kind, rest = chr(line[0]) if line else "", line[1:]
        self._elements += 1
        if kind == "|":
            self._children(rest, 2, depth)
            self.cut = self.cut or depth >= _DEPTH
            return Node("", start, self._at, whole=False) if self.cut else self.read(depth + 1)
        size = AGGREGATES.get(kind.encode("latin-1"))
        if size is not None:
            children = self._children(rest, size, depth)
            length = len(children) // size if rest == b"?" else _number(rest)
            return Node(kind, start, self._at, b"", length, children, not self.cut)
        if kind.encode("latin-1") in STRINGS:
            return self._chunks(kind, start) if rest == b"?" else self._string(kind, start, rest)
        return Node(kind, start, self._at, rest, len(rest), (), bool(line))

    def _children(self, count: bytes, size: int, depth: int) -> tuple[Node, ...]:
        found: list[Node] = []
        left = 1 << 60 if count == b"?" else _number(count) * size
        while len(found) < left and not self.cut:
            if self._elements > _ELEMENTS or depth >= _DEPTH or self._at >= self._stop:
                self.cut = True
                break
            if count == b"?" and self._peek() == b".":
                self._line()
                break
            found.append(self.read(depth + 1))
        return tuple(found)

    def _string(self, kind: str, start: int, count: bytes) -> Node:
        length = _number(count)
        begin = self._at
        if length < 0:
            return Node(kind, start, begin, b"", -1)
        end = min(begin + length, self._stop)
        text = self._bytes(begin, min(end, begin + self._keep))
        self._at = min(begin + length + 2, self._stop)
        self.cut = self.cut or begin + length > self._stop
        return Node(kind, start, self._at, text, length, (), len(text) == length)

    def _chunks(self, kind: str, start: int) -> Node:
        text, length = b"", 0
        while not self.cut and self._at < self._stop and self._elements <= _ELEMENTS:
            self._elements += 1
            place, count = self._at, self._line()[1:]
            if _number(count) <= 0:
                break
            chunk = self._string(kind, place, count)
            text, length = text + chunk.text[: self._keep - len(text)], length + chunk.length
        return Node(kind, start, self._at, text, length, (), len(text) == length)

    def _bytes(self, start: int, stop: int) -> bytes:
        if not (self._base <= start and stop <= self._base + len(self._data)):
            end = min(max(stop, start + _READ), self._stop)
            self._base, self._data = start, self._stream.read(start, end)
        return self._data[start - self._base : stop - self._base]

    def _peek(self) -> bytes:
        return self._bytes(self._at, min(self._at + 1, self._stop))

    def _line(self) -> bytes:
        """The line that begins here without its end, cut to `keep` bytes."""
        start, size, kept = self._at, 0, b""
        while True:
            part = self._bytes(start + size, min(start + size + NUMBER * (1 + (size > 0) * 32), self._stop))
            end = part.find(b"\n")
            kept += (part if end < 0 else part[:end])[: max(self._keep, NUMBER) - len(kept)]
            size += len(part) if end < 0 else end + 1
            if end >= 0 or not part:
                self.cut = self.cut or end < 0
                self._at = start + size
                return kept.removesuffix(b"\r")


def read_value(stream: ByteStream, start: int, stop: int, keep: int) -> Node:
    """The value at bytes [start, stop); of each string the first `keep` bytes."""
    return _Values(stream, start, stop, keep).read()


def inline_value(line: bytes, start: int, stop: int, keep: int) -> Node:
    """An inline command as an array; quotes hold a word together."""
    found = [
        Node("", start + word.start(), start + word.end(), word[0].strip(b"\"'")[:keep],
             len(word[0].strip(b"\"'")), (), len(word[0]) <= keep)
        for word in _WORD.finditer(line)]
    return Node("", start, stop, b"", len(found), tuple(found[:_ELEMENTS]))


def argument_text(node: Node, first: bool) -> str:
    """An argument in a summary: a key, a number and a word in capitals bare, everything else in quotes."""
    plain = _BARE_KEY if first else _BARE_WORD
    if node.whole and plain.fullmatch(node.text):
        return node.text.decode("ascii")
    return _quoted(node)


def _quoted(node: Node) -> str:
    text = escaped(node.text, _TEXT)
    return f'"{text}"' if node.whole or text.endswith("…") else f'"{text}…"'


def node_text(node: Node, inner: bool = False) -> str:
    """A value as redis-cli prints it, on one line; an aggregate inside another one in brackets."""
    kind = node.type
    if node.is_null:
        return "(nil)"
    if kind in ("*", "~", ">", "%"):
        text = _elements_text(node)
        return f"[{text}]" if inner else text
    if kind in ("$", ""):
        return _quoted(node)
    text = escaped(node.text, _TEXT if kind in ("=", "+") and inner else _SUMMARY)
    if kind == "#":
        return "(true)" if node.text == b"t" else "(false)"
    if kind == "=":
        return escaped(node.text[4:], _SUMMARY)
    names = {"-": "(error) ", "!": "(error) ", ":": "(integer) ", ",": "(double) ", "(": "(big number) "}
    return names.get(kind, "") + text


def _elements_text(node: Node) -> str:
    children, sign = node.children, {"~": "~", "%": "#"}.get(node.type, ")")
    if not node.length:
        return {"~": "(empty set)", "%": "(empty hash)"}.get(node.type, "(empty array)")
    texts, size = [], 0
    step = 2 if node.type == "%" else 1
    for number in range(0, len(children), step):
        words = [node_text(child, inner=True) for child in children[number : number + step]]
        texts.append(f"{number // step + 1}{sign} {' => '.join(words)}")
        size += len(texts[-1])
        if size > _SUMMARY:
            break
    if len(texts) < node.length:
        texts.append(f"… {node.length - len(texts)} more")
    return " ".join(texts)


def part_of(node: Node) -> Part:
    name = TYPES.get(node.type, "word")
    children = tuple(part_of(child) for child in node.children)
    value = sentence("{count} elements", count=node.length) if children else node_text(node)
    label = sentence_as(name.capitalize(), name, {})
    return Part(_PARTS.get(node.type, "redis.value"), label, value, node.start, node.stop, children=children)


def is_binary(text: bytes) -> bool:
    return b"\0" in text
