"""permessage-deflate (RFC 7692): what a handshake negotiated, and inflation that stays within bounds.

`negotiate` reads the Sec-WebSocket-Extensions of both sides; an `Inflater` is one direction's context and
turns the payloads of compressed messages, fragment by fragment, into what they meant.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from inspector.model.language import sentence
from inspector.wire.text import escaped

LIMIT = 16 << 20
TAIL = b"\x00\x00\xff\xff"
_FREE_STEPS, _MOST_STEPS = 512, 1 << 18      # of the check of a window: without input, and with any
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_BITS = ("server_max_window_bits", "client_max_window_bits")
_MOST_RECENT = 1 << 17   # bytes of what came out that are kept, four windows
_STEP = 1 << 16          # bytes that come out at once,
_SLICE = 2048            # and that go in: what is left of them is copied with each block that ends the stream
_SHORT = _SLICE - len(TAIL)


class Extension(NamedTuple):
    """One element of Sec-WebSocket-Extensions; a parameter without a value has None."""

    name: str
    parameters: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class DeflateParameters:
    """The outcome of a negotiation (RFC 7692 §7.1), 15 bits and context takeover where nothing was said."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15

    def inflater(self, from_client: bool, limit: int = LIMIT) -> Inflater:
        """A fresh context for what the client (or the server) sends."""
        if from_client:
            return Inflater(self.client_max_window_bits, self.client_no_context_takeover, limit)
        return Inflater(self.server_max_window_bits, self.server_no_context_takeover, limit)


def parse_extensions(values: Iterable[str]) -> tuple[Extension, ...]:
    """The extensions in all Sec-WebSocket-Extensions headers, in order; tolerant of any text."""
    found = []
    for element in _split(",".join(values), ","):
        name, *rest = _split(element, ";") or [""]
        if not name:
            continue                       # semicolons alone name no extension
        parameters = []
        for part in rest:
            key, equals, value = part.partition("=")
            parameters.append((key.strip().lower(), value.strip().strip('"') if equals else None))
        found.append(Extension(name.lower(), tuple(parameters)))
    return tuple(found)


def _split(text: str, separator: str) -> list[str]:
    parts, quoted, start = [], False, 0
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def negotiate(
    offered: Iterable[Extension], chosen: Iterable[Extension]
) -> tuple[DeflateParameters | None, str]:
    """What the answer agreed to (None: no permessage-deflate), and a clause on what is wrong in it, or ""."""
    answers = [extension for extension in chosen if extension.name == "permessage-deflate"]
    if not answers:
        return None, ""
    parameters, problem = _read(answers[0])
    if not problem and len(answers) > 1:
        problem = sentence("it is chosen twice")
    offers = [dict(extension.parameters) for extension in offered if extension.name == "permessage-deflate"]
    return parameters, problem or _against_offers(dict(answers[0].parameters), offers)


def _against_offers(answer: dict[str, str | None], offers: list[dict[str, str | None]]) -> str:
    """What the answer may not say after these offers (RFC 7692 section 7.1.2), or ""."""
    if "client_max_window_bits" in answer and not any("client_max_window_bits" in offer for offer in offers):
        return sentence("client_max_window_bits was not offered by the client")
    limits = [offer.get("server_max_window_bits") for offer in offers]
    if not limits or None in limits or not all(limit in _WINDOWS for limit in limits):
        return ""                      # an offer without a limit was there to be taken
    most = max(int(limit) for limit in limits if limit is not None)
    chosen = answer.get("server_max_window_bits")
    if chosen is None:
        return sentence("server_max_window_bits was offered as {most} and has to be answered", most=most)
    if chosen in _WINDOWS and int(chosen) > most:
        return sentence("server_max_window_bits is {chosen}, more than the {most} that were offered",
                        chosen=chosen, most=most)
    return ""


def _read(extension: Extension) -> tuple[DeflateParameters, str]:
    values: dict[str, bool | int] = {}
    problem = ""
    for key, value in extension.parameters:
        if key in values:
            problem = problem or sentence("{key} stands there twice", key=key)
        elif key in _FLAGS:
            values[key] = True
            if value is not None:
                problem = problem or sentence("{key} takes no value", key=key)
        elif key in _BITS:
            if value is not None and value.isascii() and value.isdigit() and value in _WINDOWS:
                values[key] = int(value)
            else:
                problem = problem or sentence(
                    "{key} is {value}, not 8 to 15", key=key,
                    value=escaped(value, 40) if value else sentence("empty"))
        else:
            problem = problem or sentence("there is no parameter {key}", key=escaped(key, 40))
    return DeflateParameters(
        bool(values.get(_FLAGS[0])), bool(values.get(_FLAGS[1])),
        int(values.get(_BITS[0], 15)), int(values.get(_BITS[1], 15)),
    ), problem


_WINDOWS = frozenset(str(bits) for bits in range(8, 16))


class Inflater:
    """One direction's inflation of messages, fragment by fragment, with the context that RFC 7692 §7.2 keeps.

    `problem` tells why the message at hand could not be inflated as a whole: "" (it could), "data" (it is no
    DEFLATE, or an earlier message broke the context), "lost" (the capture lacks what the context is made of),
    "limit" (it grew beyond `limit` bytes; the rest is let go). `window_exceeded` turns True when data looked
    back further than the negotiated window; it is inflated nevertheless.
    """

    def __init__(self, window_bits: int = 15, no_context_takeover: bool = False, limit: int = LIMIT) -> None:
        self.window_bits, self.limit = window_bits, limit
        self.no_context_takeover = no_context_takeover
        self.problem = ""
        self._context = _RawInflate(15)
        self._window = _WindowCheck(window_bits) if window_bits < 15 else None
        self._size = 0             # of the message at hand, inflated
        self._broken = ""          # why what relies on the context cannot be inflated: "data", "lost"

    @property
    def window_exceeded(self) -> bool:
        """True from the first reference on that is farther back than the negotiated window."""
        return self._window is not None and self._window.exceeded

    def copy(self) -> Inflater:
        """An independent context in the same state, to inflate again from here later (no window check)."""
        twin = Inflater(15, self.no_context_takeover, self.limit)
        twin.window_bits = self.window_bits
        twin._context = self._context.copy()
        twin._size, twin._broken = self._size, self._broken
        return twin

    def feed(self, data: bytes, final: bool) -> bytes:
        """Inflate one piece of a message's payload; `final` with its last one. What can be had of it."""
        if self._broken or self.problem:
            self.problem = self.problem or self._broken
            return b""
        if final:
            data += TAIL
        if self._window:
            self._window.feed(data, self.limit - self._size)
        parts: list[bytes] = []
        try:
            if 0 < len(data) <= _SLICE:            # a short message: mostly all of it comes at once
                room = self.limit - self._size
                part, data = self._context.step(data, min(room, _STEP) or 1)
                if not data and len(part) <= room:
                    self._size += len(part)
                    return part
                self._add(part, room, parts)
            for start in range(0, len(data) if not self.problem else 0, _SLICE):
                self._inflate(data[start : start + _SLICE], parts)
                if self.problem:
                    break
        except zlib.error:
            self.problem = "data"
        return b"".join(parts)

    def message(self, data: bytes) -> bytes:
        """Inflate the payload of a whole message, which is over then, unless there is a problem with it."""
        if self._broken or self.problem or self._window or self.no_context_takeover or len(data) > _SHORT:
            found = self.feed(data, True)
        else:                                      # mostly all of a short one comes at once
            try:
                found, rest = self._context.step(data + TAIL, min(self.limit, _STEP) or 1)
            except zlib.error:
                self.problem = "data"
                return b""
            if not rest and len(found) <= self.limit:
                return found
            parts: list[bytes] = []
            self._add(found, self.limit, parts)
            if not self.problem:
                parts.append(self.feed(rest, False))
            found = b"".join(parts)
        if not self.problem:
            self.end()
        return found

    def _inflate(self, data: bytes, parts: list[bytes]) -> None:
        step = self._context.step
        while data:
            room = self.limit - self._size
            part, data = step(data, min(room, _STEP) or 1)
            self._add(part, room, parts)
            if self.problem:
                return

    def _add(self, part: bytes, room: int, parts: list[bytes]) -> None:
        if len(part) > room:
            self.problem = "limit"
            return
        self._size += len(part)
        parts.append(part)

    def lose(self) -> None:
        """Input was not captured: what relies on the context cannot be inflated from here on."""
        self.problem, self._broken = "", "lost"
        self.end()

    def end(self) -> None:
        """The message is over: its count is forgotten, and the context where takeover was ruled out."""
        self._broken = self._broken or ("data" if self.problem else "")
        if self.no_context_takeover:
            self._context, self._broken = _RawInflate(15), ""
            if self._window:
                self._window.restart()
        self._size, self.problem = 0, ""


class _RawInflate:
    """Raw DEFLATE that goes on after a block with BFINAL=1, its window kept (RFC 7692 §7.2.3.4)."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._inflate = zlib.decompressobj(-bits)
        self._recent = bytearray()         # the window, and what lies before it while that is little

    def copy(self) -> _RawInflate:
        twin = _RawInflate.__new__(_RawInflate)
        twin._bits, twin._inflate = self._bits, self._inflate.copy()
        twin._recent = self._recent[-(1 << self._bits) :]
        return twin

    def step(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """Inflate up to `most` bytes; what came out, and the input that is left. zlib.error for bad data."""
        inflate = self._inflate
        part = inflate.decompress(data, most)
        recent = self._recent
        if len(part) + len(recent) < _MOST_RECENT:
            recent += part
        else:
            self._remember(part)
        if not inflate.eof:
            return part, inflate.unconsumed_tail
        window = bytes(self._recent[-(1 << self._bits) :])
        self._inflate = zlib.decompressobj(-self._bits, zdict=window)
        return part, inflate.unused_data

    def _remember(self, part: bytes) -> None:
        recent, size = self._recent, 1 << self._bits
        if len(part) >= size:
            recent[:] = part[-size:]
            return
        recent += part
        del recent[:-size]


class _WindowCheck:
    """Finds references beyond a window smaller than 32 KiB.

    zlib refuses what lies before its window plus the output of the call at hand; so output is asked for byte
    by byte, which makes that exact. That costs: beyond as many bytes as went in, output is asked for in
    parts of the window, so that references are found that lie farther back by such a part; and after as many
    of these the check ends.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._part = 1 << (bits - 2)
        self._credit = self._rest = _FREE_STEPS     # steps of an byte, and of a part, that may be done
        self._most = _MOST_STEPS
        self.exceeded = False
        self.restart()

    def restart(self) -> None:
        """A new context: nothing lies behind."""
        self._inflate = _RawInflate(self._bits)
        self._free = 1 << self._bits       # while the window is not yet full nothing can lie before it

    def feed(self, data: bytes, room: int) -> None:
        """Follow the same input as the inflater, at most `room` bytes of output."""
        for position in range(0, len(data), 64):
            piece = data[position : position + 64]
            more = min(len(piece), self._most)
            self._most -= more
            self._credit, self._rest = self._credit + more, self._rest + more
            while piece and not self.exceeded and self._rest > 0 and room >= 0:
                try:
                    part, piece = self._inflate.step(piece, self._step())
                except zlib.error as error:
                    self.exceeded = "too far back" in str(error)
                    self._rest = self._rest if self.exceeded else 0
                    return
                self._free -= len(part)
                room -= len(part)

    def _step(self) -> int:
        if self._free > 0:
            return self._free
        if self._credit > 0:
            self._credit -= 1
            return 1
        self._rest -= 1
        return self._part
