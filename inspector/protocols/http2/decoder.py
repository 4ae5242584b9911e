"""HTTP/2 (RFC 9113) on one connection: frames, their headers unpacked, requests with their responses.

    units ─> Frame ─> Message (HEADERS and DATA of one direction of a stream) ─> the response's partner

By prior knowledge the client's preface begins the connection; after `Upgrade: h2c` it follows the 101, and
the response to that request comes on stream 1. What serves the connection (SETTINGS, PING, …) is a message of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from inspector.model.language import marked, sentence, verbatim
from inspector.model.units import amount
from inspector.protocols.api import Abandoned, MessageIndex, MessageLine, Part, Shown
from inspector.protocols.framing.exchanges import ExchangeDecoder, Message
from inspector.protocols.framing.units import FOREIGN, MORE, Unit
from inspector.protocols.http.message import decode_content
from inspector.protocols.http.rules import prefers_to_wait
from inspector.protocols.http2.frames import (
    ACK,
    BEGIN,
    BOOK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADER,
    HEADERS,
    PING,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    SETTINGS_NAMES,
    TABLE_SIZE,
    TYPES,
    WINDOW_UPDATE,
    content,
    error_name,
    may_be,
    type_name,
)
from inspector.protocols.http2.grpc import GrpcMessage, Messages, status_name
from inspector.protocols.http2.hpack import Header, HpackError, Table
from inspector.wire.text import escaped, worded

_UNKNOWN = 1 << 14           # bytes of a frame of a type that is not known
_BLOCK = 1 << 20             # bytes of a block of headers in several frames
_TEXT = 200                  # characters of a line
_CONTROL = (BEGIN, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, 2)
_SERVING = (*_CONTROL, RST_STREAM)
_BODY = 1000                 # frames of a body that are read for showing it
Pairs = tuple[Header, ...]


@dataclass(slots=True)
class Frame:
    """One frame, or the client's preface (type -1). `error`: what RST_STREAM or GOAWAY names.

    `headers`: of the frame that ends a block; `block`: where in the frame it begins, -1 where it began in an
    earlier one. `note`: why headers are not known.
    """

    number: int
    direction: int
    start: int
    stop: int
    type: int
    flags: int = 0
    stream: int = 0
    complete: bool = True
    error: int | None = None
    value: int = 0                                   # increment, promised stream, last stream
    headers: Pairs = ()
    block: int = -1
    left: int = 0                                    # headers beyond those that are kept
    note: str = ""
    settings: tuple[tuple[int, int], ...] = ()
    size: int = 0                                    # bytes of DATA, without padding
    grpc: tuple[GrpcMessage, ...] = ()

    @property
    def length(self) -> int:
        """Bytes of the payload."""
        return self.stop - self.start - HEADER

    def header(self, name: bytes) -> str | None:
        """The value of a header, safe to show; None where it has none."""
        return next((escaped(one.value, 2 * _TEXT) for one in self.headers if one.name == name), None)


@dataclass(slots=True)
class _Block:
    """Headers that go on in the next frame: of which stream, and whether they end what is said on it."""

    stream: int
    ends: bool
    promised: bool
    bytes: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Stream:
    """One stream: its messages by direction (client's, server's), whether it was cut off, gRPC's framing."""

    messages: list[Message | None] = field(default_factory=lambda: [None, None])
    reset: bool = False
    grpc: list[Messages] | None = None
    path: str = ""


class Http2Decoder(ExchangeDecoder[Frame]):
    """Frames of both ends, after the client's preface."""

    in_turn = False
    cut_short = frozenset({"http2.unanswered-request"})

    head = len(PREFACE)
    most = _BLOCK
    grouped = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._begun = self.doubted
        self._tables = Table(), Table()              # by the direction whose blocks they read
        self._blocks: list[_Block | None] = [None, None]
        self._streams: dict[int, _Stream] = {}
        self._abandoned: list[Abandoned] = []
        if self.doubted:
            self._lose_tables(0, 1)

    def _lose_tables(self, *directions: int) -> None:
        for direction in directions:
            self._tables[direction].lose()
            self._blocks[direction] = None

    # --- units -------------------------------------------------------------------------------------

    def measure(self, direction: int, head: bytes) -> int:
        if direction == self.client and head.startswith(PREFACE):
            return len(PREFACE)
        if direction == self.client and (not self._begun or head.startswith(PREFACE[:3])):
            return MORE if PREFACE.startswith(head) else FOREIGN
        if len(head) < HEADER:
            return MORE
        length = int.from_bytes(head[:3], "big")
        unknown = head[3] >= len(TYPES) and length > _UNKNOWN
        return HEADER + length if may_be(head, length) and not unknown else FOREIGN

    def plausible(self, direction: int, head: bytes) -> bool:
        """More is asked of bytes behind a hole: a type that is known, and a size in use."""
        return (len(head) >= HEADER and head[3] < len(TYPES) and int.from_bytes(head[:3], "big") <= 1 << 14
                and self.measure(direction, head) > 0)

    def lose(self, hole: Any) -> bool:
        self._begun = True
        return super().lose(hole)

    def _resume(self, direction: int, offset: int) -> int:
        self._lose_tables(direction)
        return super()._resume(direction, offset)

    def foreign(self, direction: int, start: int) -> None:
        what = sentence("What stands here is no frame of HTTP/2.")
        if self.source.streams[direction].read(start, start + 5) == b"HTTP/":
            what = sentence("The server answers by HTTP/1: it takes no HTTP/2 without an upgrade or TLS.")
        self.findings.append(BOOK.finding("http2.no-frame", what, direction, start, start + HEADER))

    def make(self, unit: Unit, data: bytes) -> None:
        where = len(self._records), unit.direction, unit.start, unit.stop
        if data.startswith(PREFACE):
            self._begun = True
            self.put(Frame(*where, BEGIN), ends=True)
            return
        frame = Frame(*where, data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF, unit.whole)
        payload = data[HEADER:]
        if frame.type in (HEADERS, PUSH_PROMISE, CONTINUATION):
            self._take_headers(frame, payload, unit)
        elif frame.type == DATA:
            self._take_data(frame, payload)
        else:
            self._take_control(frame, payload)

    # --- what serves the connection ----------------------------------------------------------------

    def _take_control(self, frame: Frame, payload: bytes) -> None:
        numbers = [int.from_bytes(payload[at : at + 4], "big") for at in (0, 4)]
        if frame.type == SETTINGS:
            frame.settings = tuple(
                (int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big"))
                for at in range(0, min(len(payload), 600) - 5, 6))
            for name, value in frame.settings:
                if name == TABLE_SIZE:
                    self._tables[1 - frame.direction].allow(value)
        elif frame.type in (RST_STREAM, GOAWAY) and len(payload) >= 4:
            frame.error = numbers[frame.type == GOAWAY]
        frame.value = numbers[0] & 0x7FFFFFFF if frame.type in (WINDOW_UPDATE, GOAWAY) else 0
        message = self.put(frame, ends=True)
        if frame.type == RST_STREAM:
            self._cut_off(frame)
        if frame.error:
            message.troubled = True
            rule = "http2.goaway" if frame.type == GOAWAY else "http2.stream-error"
            debug = payload[8:] if frame.type == GOAWAY else b""
            words = sentence(": \"{debug}\"", debug=escaped(debug, 80)) if debug else ""
            path = self._streams[frame.stream].path if frame.stream in self._streams else ""
            about = sentence(" ({path})", path=escaped(path, 80)) if path else ""
            what = sentence(
                "{types} names {error_name}{words}{about}.", types=TYPES[frame.type],
                error_name=error_name(frame.error), words=words, about=about)
            self.findings.append(BOOK.finding(rule, what, frame.direction, frame.start, frame.stop))

    def _cut_off(self, frame: Frame) -> None:
        stream = self._streams.get(frame.stream)
        if stream is not None:
            stream.reset = True
            asked, answer = stream.messages
            if frame.direction == self.client and asked is not None and (answer is None or not answer.ended):
                how = f"RST_STREAM ({error_name(frame.error or 0)})"
                self._abandoned.append(Abandoned(asked.records[0], frame.number, how, answer is not None))
            for message in stream.messages:
                if message is not None and not message.ended:
                    self.close(message)

    # --- headers -----------------------------------------------------------------------------------

    def _take_headers(self, frame: Frame, payload: bytes, unit: Unit) -> None:
        direction = frame.direction
        place, piece = content(frame.type, frame.flags, payload)
        if frame.type == PUSH_PROMISE:
            frame.value = int.from_bytes(payload[place - 4 : place], "big") & 0x7FFFFFFF
        block = self._blocks[direction]
        if frame.type != CONTINUATION:
            promised = frame.type == PUSH_PROMISE
            ends = promised or bool(frame.flags & END_STREAM)
            about = frame.value if promised else frame.stream
            block = self._blocks[direction] = _Block(about, ends, promised)
            frame.block = HEADER + place
        if block is not None:
            block.bytes.extend(piece)
        whole = bool(frame.flags & END_HEADERS)
        if not frame.complete or block is None or len(block.bytes) > _BLOCK:
            frame.note = "not unpacked: bytes of the block of headers are missing"
            if unit.cut and block is not None and len(block.bytes) <= _BLOCK:
                frame.headers = self._tables[direction].read_cut(bytes(block.bytes))
                frame.note = sentence("the capture cut the rest of the block of headers")
            self._lose_tables(direction)
        elif whole:
            self._blocks[direction] = None
            self._unpack(frame, bytes(block.bytes))
        if block is None:
            self._enter(frame, frame.stream, False)
        else:
            self._enter(frame, block.stream, block.ends and whole, block.promised)

    def _unpack(self, frame: Frame, block: bytes) -> None:
        try:
            frame.headers, frame.left = self._tables[frame.direction].read(block)
        except HpackError as error:
            self._tables[frame.direction].lose()
            frame.note = sentence("not unpacked: {error}", error=error)
            if not self.doubted:
                what = sentence(
                    "The block of headers on stream {stream} cannot be unpacked: {error}.",
                    stream=frame.stream, error=error)
                self.findings.append(BOOK.finding("http2.header-block", what, frame.direction, frame.start,
                                                  frame.stop))
            return
        unknown = sum(not one.known for one in frame.headers)
        if unknown:
            frame.note = sentence("{headers} rest on others that the capture lacks",
                                  headers=amount(unknown, "header"))
        elif frame.left:
            frame.note = sentence("and {headers} more, not kept", headers=amount(frame.left, "header"))

    # --- messages ----------------------------------------------------------------------------------

    def _enter(self, frame: Frame, number: int, ends: bool, promised: bool = False) -> None:
        """Put a frame of a stream into the message that it belongs to.

        What the server promises stands for the client's request.
        """
        stream = self._streams.setdefault(number, _Stream())
        side = int(frame.direction != self.client and not promised)
        message = stream.messages[side]
        if message is not None and message.ended:
            message = None if not stream.reset else self.put(frame, ends=True)
            if message is not None:
                return                   # sent before the other end's RST_STREAM had come
        fresh = message is None
        message = self.put(frame, message, ends=ends)
        message.counted += frame.size
        if frame.headers and len(message.kept) < 8:
            message.kept += (frame.number,)
        stream.messages[side] = message
        other = stream.messages[1 - side]
        if fresh and other is not None and other.partner is None:
            self.pair(*((other, message) if side else (message, other)))
        if frame.headers:
            self._look_at(frame, stream, message, side)

    def _look_at(self, frame: Frame, stream: _Stream, message: Message, side: int) -> None:
        """Learn of a call from its headers; judge gRPC's status."""
        path = frame.header(b":path")
        stream.path = path if path is not None and side == 0 else stream.path
        if (frame.header(b"content-type") or "").startswith("application/grpc") and stream.grpc is None:
            stream.grpc = [Messages(), Messages()]
        status = frame.header(b"grpc-status")
        if status not in (None, "0"):
            message.troubled = True
            text = escaped(unquote(frame.header(b"grpc-message") or ""), 120)
            words = sentence(": \"{said}\"", said=text) if text else ""
            call = escaped(stream.path, 120) or sentence("on stream {number}", number=frame.stream)
            what = sentence("The call {call} ends with status {status}{words}.", call=call,
                            status=status_name(status or ""), words=words)
            self.findings.append(BOOK.finding("grpc.status", what, frame.direction, frame.start, frame.stop))

    def _take_data(self, frame: Frame, payload: bytes) -> None:
        _, data = content(DATA, frame.flags, payload)
        frame.size = len(data) if frame.complete else frame.length
        stream = self._streams.get(frame.stream)
        if stream is not None and stream.grpc is not None:
            frame.grpc = stream.grpc[int(frame.direction != self.client)].feed(data, frame.size)
        self._enter(frame, frame.stream, bool(frame.flags & END_STREAM))

    def end(self, first: int, reset: bool) -> None:
        for position in self.unanswered():
            frame, asked = self._records[position], self.message(position)
            if frame.type == HEADERS and not self.findings.full("http2.unanswered-request", frame.direction,
                                                                frame.start):
                who = "client" if first == self.client else "server"
                how = marked("resets") if reset else marked("ends")
                what = sentence(
                    "\"{message_summary}\" got no response before the {who} {how} the connection.",
                    message_summary=self.message_summary(asked.index), who=sentence(who), how=sentence(how))
                self.findings.append(BOOK.finding("http2.unanswered-request", what, frame.direction,
                                                  frame.start, frame.stop))

    def unanswered(self) -> Sequence[int]:
        if self._done or self.doubted or any(self._lost):
            return ()
        return [asked.records[0] for asked, answered in (stream.messages for stream in self._streams.values()
                                                         if not stream.reset)
                if asked is not None and asked.ended and answered is None]

    def closing_words(self, direction: int) -> range:
        open_ = any(message is None or not message.ended for stream in self._streams.values()
                    for message in stream.messages)
        if self.doubted or any(self._lost) or open_ or not self._streams:
            return range(0)
        first = stop = len(self._records)
        for position in range(stop - 1, -1, -1):
            one = self._records[position]
            if one.direction == direction:
                if one.type not in _SERVING or one.error:
                    break
                first = position
        return range(first, stop)

    def abandoned(self, since: int) -> Sequence[Abandoned]:
        return self._abandoned[since:]

    def holds(self, position: int) -> bool:
        return any(prefers_to_wait(one.value.decode("latin-1")) for one in self._records[position].headers
                   if one.name == b"prefer")

    # --- words -------------------------------------------------------------------------------------

    def kind_and_text(self, record: Frame) -> tuple[str, str]:
        if record.type == BEGIN:
            return "HTTP/2", sentence("preface")
        words: list[str] = [sentence("stream {number}", number=record.stream)] if record.stream else []
        if record.type in (DATA, HEADERS) and record.flags & END_STREAM:
            words.append("END_STREAM")
        if record.type in (SETTINGS, PING) and record.flags & ACK:
            words.append("ACK")
        if record.error is not None:
            words.append(error_name(record.error))
        if record.type == WINDOW_UPDATE:
            words.append(f"+{record.value:,}")
        elif record.type == PUSH_PROMISE:
            words.append(sentence("promises stream {number}", number=record.value))
        line = self._first_line(record)
        if line:
            words.append(line)
        elif record.settings:
            words += [f"{SETTINGS_NAMES.get(name, name)}={value}" for name, value in record.settings[:6]]
        elif record.length and record.type not in (PING, WINDOW_UPDATE, RST_STREAM):
            words.append(amount(record.length, "byte"))
        sizes = (amount(one.length, "byte") for one in record.grpc[:3])
        words += [sentence("gRPC message of {size}", size=size) for size in sizes]
        words += [record.note] if record.note else []
        return type_name(record.type), worded(words, 2 * _TEXT)

    @staticmethod
    def _first_line(record: Frame) -> str:
        """`GET /path`, `200  text/html`, `grpc-status 5 NOT_FOUND`; "" where a frame has no headers."""
        method, status = record.header(b":method"), record.header(b":status")
        grpc = record.header(b"grpc-status")
        words: list[str] = []
        if method is not None:
            words.append(f"{method} {record.header(b':path') or record.header(b':authority') or ''}".strip())
        if status is not None:
            words.append(status)
            words += [kind] if (kind := record.header(b"content-type")) else []
        if grpc is not None:
            words.append(f"grpc-status {status_name(grpc)}")
        if record.headers and not words:
            words.append(amount(len(record.headers), "header"))
        return worded(words, _TEXT)

    def message_words(self, message: Message) -> tuple[str, str]:
        first = self._records[message.records[0]]
        if first.type not in (HEADERS, DATA, PUSH_PROMISE, CONTINUATION):
            kind, text = self.kind_and_text(first)
            return {"WINDOW_UPDATE": "WINDOW", "RST_STREAM": "RESET"}.get(kind, kind), text
        frames = [self._records[position] for position in message.kept]
        names = (b":method", b":status", b":path", b":authority", b"content-type", b"grpc-status")
        method, status, path, where, what, grpc = (_last(frames, name) for name in names)
        kind = "PUSH" if first.type == PUSH_PROMISE else method or status or type_name(first.type)
        words = [path or where] if method else []
        if what.startswith("application/grpc"):
            count = sum(len(self._records[one].grpc) for one in message.records[:_BODY])
            words += ["gRPC", amount(count, "message")]
        else:
            words.append(what)
        words += [amount(message.counted, "byte")] if message.counted else []
        words += [f"grpc-status {status_name(grpc)}"] if grpc else []
        words.append(sentence("stream {number}", number=first.stream))
        return escaped(kind, 12), worded(words, _TEXT)

    def line(self, index: MessageIndex) -> MessageLine:
        line = super().line(index)
        first = self._records[self._messages[index].records[0]]
        return line._replace(control=first.type in _CONTROL)

    def content(self, index: MessageIndex, limit: int) -> bytes:
        head = [b"%s: %s" % (one.name, one.value) for position in self._messages[index].kept
                for one in self._records[position].headers]
        return b"\n".join([*head, self.body(index, limit)])[:limit]

    def body(self, index: MessageIndex, limit: int) -> bytes:
        """The DATA of a message, as it came."""
        parts, size = [], 0
        for position in self._messages[index].records:
            frame = self._records[position]
            if frame.type != DATA or size >= limit:
                continue
            payload = self.source.streams[frame.direction].read(frame.start + HEADER, frame.stop)
            parts.append(content(DATA, frame.flags, payload)[1])
            size += len(parts[-1])
        return b"".join(parts)[:limit]

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        message = self._messages[index]
        frames = [self._records[position] for position in message.kept]
        if not frames and not message.counted:
            return super().shown(index, limit)
        head = [self.message_summary(index)]
        for frame in frames:
            head += [f"{escaped(one.name)}: {escaped(one.value)}" if one.known
                     else sentence("(a header not captured)") for one in frame.headers]
            head += [sentence("[{note}]", note=frame.note)] if frame.note else []
        body, note = self.body(index, limit), ""
        found = (one.header(b"content-encoding") for one in frames)
        codings = next((value for value in found if value is not None), "")
        if codings and body:
            decoded = decode_content(body, [one.strip().lower() for one in codings.split(",")], limit)
            body = decoded.data
            note = sentence("not (wholly) unpacked: {codings}", codings=escaped(codings, 40)
                            ) if decoded.problem else ""
        return Shown((*head, ""), body, binary=_is_binary(body), note=note)

    def heading(self, record: Frame) -> tuple[str, str]:
        return "HTTP/2", self.summary(record)

    def parts(self, record: Frame) -> list[Part]:
        if record.type == BEGIN:
            return []
        start, stop = record.start, record.stop
        found = [
            Part("http2.length", "Length", str(record.length), start, start + 3),
            Part("http2.type", "Type", f"{type_name(record.type)} ({record.type})", start + 3, start + 4),
            Part("http2.flags", "Flags", f"0x{record.flags:02x}", start + 4, start + 5),
            Part("http2.streamid", "Stream", str(record.stream), start + 5, start + HEADER),
        ]
        for place, (name, value) in enumerate(record.settings):
            at = start + HEADER + 6 * place
            known = SETTINGS_NAMES.get(name, "")
            label = verbatim(known) if known else sentence("setting {number}", number=name)
            found.append(Part("http2.settings", label, str(value), at, at + 6))
        at = start + record.block
        for one in record.headers:
            places = (at + one.start, at + one.stop) if record.block >= 0 else (start + HEADER, stop)
            label = verbatim(escaped(one.name, 60)) if one.known else sentence("a header")
            text = (escaped(one.value, 400) if one.known
                    else sentence("rests on bytes that the capture lacks"))
            found.append(Part("http2.header", label, text, *places))
        for message in record.grpc:
            size = amount(message.length, "byte")
            length = sentence("{size}, compressed", size=size) if message.compressed else size
            found.append(Part("grpc.message_length", "gRPC message", length, start + HEADER, stop))
        if record.note:
            found.append(Part("http2.note", "Headers", record.note, start + HEADER, stop))
        elif record.length and not record.headers and not record.settings:
            size = amount(record.length, "byte")
            found.append(Part("http2.payload", "Payload", size, start + HEADER, stop))
        return found


def _last(frames: list[Frame], name: bytes) -> str:
    """The last value of a header in some frames; "" where none has it."""
    return next((value for one in reversed(frames) if (value := one.header(name)) is not None), "")


def _is_binary(data: bytes) -> bool:
    try:
        data[:4096].decode("utf-8", "strict" if len(data) <= 4096 else "ignore")
    except UnicodeDecodeError:
        return True
    return b"\0" in data[:4096]
