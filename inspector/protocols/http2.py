"""HTTP/2 (RFC 9113) without TLS: its frames by type, stream and length; headers (HPACK) are not unpacked.

By prior knowledge the client's preface begins the connection; after `Upgrade: h2c` it follows the 101.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inspector.protocols.api import CERTAIN, Field, Opening, Part, Protocol, Start
from inspector.protocols.units import FOREIGN, MORE, Unit, UnitDecoder
from inspector.wire.findings import Rule, Rulebook
from inspector.wire.text import escaped

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADER, _MOST = 9, 1 << 24
TYPES = ("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
         "WINDOW_UPDATE", "CONTINUATION")
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
          "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
          "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
_RST_STREAM, _GOAWAY, _PREFACE = 3, 7, -1
_SIZES = {2: 5, 3: 4, 6: 8, 8: 4}            # types whose payload has one length
_CONNECTION = (4, 6, 7)                      # types that stand on stream 0 alone
_STREAMS = (0, 1, 2, 3, 5, 9)                # types that never do

BOOK = Rulebook(
    Rule("http2.no-frame", "error", "RFC 9113 §4.1", "Every frame has nine bytes of header."),
    Rule("http2.goaway", "warning", "RFC 9113 §6.8", "Look at the error that GOAWAY names."),
    Rule("http2.stream-error", "note", "RFC 9113 §6.4", "Look at the error that RST_STREAM names."),
)


@dataclass(frozen=True, slots=True)
class Http2Frame:
    """One frame, or the client's preface (`type` -1). `error`: what RST_STREAM or GOAWAY names."""

    direction: int
    start: int
    stop: int
    type: int
    flags: int = 0
    stream: int = 0
    error: int | None = None

    @property
    def length(self) -> int:
        """Bytes of the payload."""
        return self.stop - self.start - _HEADER


class Http2Decoder(UnitDecoder[Http2Frame]):
    """Frames of both ends, after the client's preface."""

    head = len(PREFACE)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._begun = self.doubted

    def measure(self, direction: int, head: bytes) -> int:
        if direction == self.client and not self._begun:
            if head.startswith(PREFACE):
                return len(PREFACE)
            return MORE if PREFACE.startswith(head) else FOREIGN
        if len(head) < _HEADER:
            return MORE
        length = int.from_bytes(head[:3], "big")
        return _HEADER + length if _may_be(head, length) else FOREIGN

    def plausible(self, direction: int, head: bytes) -> bool:
        """More is asked of bytes behind a hole: a type that is known, and a size in use."""
        return (len(head) >= _HEADER and head[3] < len(TYPES) and int.from_bytes(head[:3], "big") <= 1 << 14
                and self.measure(direction, head) > 0)

    def make(self, unit: Unit, data: bytes) -> None:
        where = unit.direction, unit.start, unit.stop
        if data.startswith(PREFACE):
            self._begun = True
            self._records.append(Http2Frame(*where, _PREFACE))
            return
        kind, at = data[3], _HEADER + 4 * (data[3] == _GOAWAY)
        named = kind in (_RST_STREAM, _GOAWAY) and len(data) >= at + 4
        error = int.from_bytes(data[at : at + 4], "big") if named else None
        stream = int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
        self._records.append(Http2Frame(*where, kind, data[4], stream, error))
        if error:
            rule = "http2.goaway" if kind == _GOAWAY else "http2.stream-error"
            words = f": \"{escaped(data[at + 4 :], 80)}\"" if len(data) > at + 4 else ""
            what = f"{TYPES[kind]} names {_error(error)}{words}."
            self.findings.append(BOOK.finding(rule, what, *where))

    def lose(self, hole: Any) -> bool:
        self._begun = True
        return super().lose(hole)

    def foreign(self, direction: int, start: int) -> None:
        what = "What stands here is no frame of HTTP/2."
        self.findings.append(BOOK.finding("http2.no-frame", what, direction, start, start + _HEADER))

    def kind_and_text(self, record: Http2Frame) -> tuple[str, str]:
        if record.type == _PREFACE:
            return "HTTP/2", "preface"
        words = [f"stream {record.stream}"] if record.stream else []
        if record.type in (0, 1) and record.flags & 1:
            words.append("END_STREAM")
        if record.type in (4, 6) and record.flags & 1:
            words.append("ACK")
        if record.error is not None:
            words.append(_error(record.error))
        if record.length:
            words.append(f"{record.length} byte{'' if record.length == 1 else 's'}")
        return type_name(record.type), "  ".join(words)

    def heading(self, record: Http2Frame) -> tuple[str, str]:
        return "HTTP/2", self.summary(record)

    def parts(self, record: Http2Frame) -> Sequence[Part]:
        if record.type == _PREFACE:
            return ()
        start = record.start
        found = [
            Part("http2.length", "Length", str(record.length), start, start + 3),
            Part("http2.type", "Type", f"{type_name(record.type)} ({record.type})", start + 3, start + 4),
            Part("http2.flags", "Flags", f"0x{record.flags:02x}", start + 4, start + 5),
            Part("http2.streamid", "Stream", str(record.stream), start + 5, start + _HEADER),
        ]
        if record.length:
            text = f"{record.length} bytes{', HPACK, not unpacked' if record.type in (1, 5, 9) else ''}"
            found.append(Part("http2.payload", "Payload", text, start + _HEADER, record.stop))
        return found


def _may_be(head: bytes, length: int) -> bool:
    """Whether the header of a frame keeps what RFC 9113 section 6 says of its type."""
    kind, stream = head[3], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
    if kind in _SIZES and length != _SIZES[kind]:
        return False
    return not (kind in _CONNECTION and stream) and not (kind in _STREAMS and not stream)


def type_name(kind: int) -> str:
    """`HEADERS`, or `type 77`."""
    return TYPES[kind] if 0 <= kind < len(TYPES) else f"type {kind}"


def _error(code: int) -> str:
    return ERRORS[code] if code < len(ERRORS) else f"error 0x{code:x}"


def sniff(opening: Opening) -> Start | None:
    """By the client's preface."""
    for client, stream in enumerate(opening.streams):
        if stream.read(stream.start, stream.start + len(PREFACE)) == PREFACE:
            return Start(client, (opening.streams[0].start, opening.streams[1].start), CERTAIN)
    return None


def _of(name: str) -> Callable[[Any, Http2Frame], Sequence[Any]]:
    return lambda decoder, record: [] if record.type == _PREFACE else [getattr(record, name)]


HTTP2 = Protocol(
    name="http2", title="HTTP/2", colour="exchange", sniff=sniff, decoder=Http2Decoder, book=BOOK,
    record="frame",
    fields=(
        Field("http2.type", "number", _of("type"), bits=8),
        Field("http2.flags", "number", _of("flags"), bits=8),
        Field("http2.streamid", "number", _of("stream"), bits=31),
        Field("http2.length", "number", _of("length"), bits=24),
        Field("http2.error", "number", lambda decoder, one: [one.error] if one.error is not None else [],
              bits=32),
    ),
)
