"""WebSocket of one TCP conversation: frames of both streams into the columns of a session.

Bytes are taken in batches of runs (see `wire.tcp.delivery`). Each direction's frames are found at once
(`scan`) and brought into order of delivery; plain ones are entered as columns, the others go one by one
through decoder and session. Our own, not the websockets library's: broken frames must be shown, not refused,
and every one knows its bytes in the stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, cast, get_args

import numpy as np

from inspector.model.language import marked, sentence, verbatim
from inspector.model.messages import Message, Opcode
from inspector.model.packets import Row, packet_number
from inspector.model.units import amount, duration
from inspector.protocols.api import (
    Decoder,
    Hole,
    MessageIndex,
    MessageLine,
    MessageNumber,
    Part,
    Rest,
    Shown,
    Source,
    Start,
    message_at,
    message_index,
    message_number,
)
from inspector.protocols.websocket.columns.alike import LEAST, all_ascii, runs
from inspector.protocols.websocket.columns.columns import (
    Columns,
    FrameTable,
    MessageTable,
    WebSocketFrameRecord,
    WebSocketMessage,
)
from inspector.protocols.websocket.columns.payload import Payloads
from inspector.protocols.websocket.columns.scan import Scan, is_utf8, scan, with_frame
from inspector.protocols.websocket.frame import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    TEXT,
    Frame,
    FrameDecoder,
    FrameNumber,
    frame_at,
    frame_index,
    frame_number,
    nth_frame,
    opcode_name,
    unmask,
)
from inspector.protocols.websocket.rules import Close, read_close
from inspector.protocols.websocket.session.deflate import DeflateParameters
from inspector.protocols.websocket.session.session import WebSocketSession
from inspector.protocols.websocket.start import next_frame
from inspector.protocols.websocket.tree import frame_parts
from inspector.wire.arrays import Bools, Int64s
from inspector.wire.findings import Finding, Folded
from inspector.wire.tcp.delivery import Pump, Runs
from inspector.wire.text import escaped, worded

_KEPT_TEXT = 1 << 16     # characters of a text that is kept for who asks again
PAYLOAD_LIMIT = 64 << 20 # bytes of a frame or message that are read for whoever asks for all of it
KEEP = 1 << 16           # bytes of a frame's payload that its decoder holds
_BATCH = 1 << 20         # bytes that are taken at once
_HEADER = 14
_AGAIN = 1024            # frames of a run alike after which it is tried again to enter the rest at once
_TEXT = 60               # characters of a payload in a summary
_PREVIEW = 2048          # bytes of a message that its line is made of


class _Found(NamedTuple):
    """The frames of a batch in order of delivery; which are plain or packed, the others go one by one."""

    columns: Columns
    plain: Bools


class Agreement(Protocol):
    """What the opening handshake agreed upon."""

    @property
    def deflate(self) -> DeflateParameters | None:
        """The parameters of permessage-deflate, None without it."""

    @property
    def foreign(self) -> tuple[str, ...]:
        """Names of the other extensions: what they do to frames is not told here."""

    @property
    def valid(self) -> bool:
        """Whether every check of the handshake holds."""


class WebSocketDecoder(Decoder[WebSocketFrameRecord]):
    """`start.agreed` is the handshake's `Agreement`; without it the connection was told by its framing."""

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        self._last_text: tuple[FrameNumber | None, str | None] = (None, None)    # frame, and its text
        agreed = cast("Agreement | None", start.agreed)
        self.inferred = agreed is None
        self.session = WebSocketSession(
            start.client, agreed.deflate if agreed else None, inferred=self.inferred,
            foreign=bool(agreed and agreed.foreign), read=pump.read, limit=source.limit)
        self._opened = agreed is None or agreed.valid
        first, second = pump.position
        self.decoders = FrameDecoder(first, KEEP), FrameDecoder(second, KEEP)
        self.frames = FrameTable(start.client, source.rows_of, self.session.ids)
        self.messages = MessageTable(self.frames, source.rows_of, source.time_of)
        self.payloads = Payloads(pump.streams, self.frames, self.messages)
        self._pump = pump
        self._window = [(0, b""), (0, b"")]                   # what of each direction is being taken
        self._ended: list[Frame | None] = [None, None]        # a huge frame that ends in it
        self._damaged = [False, False]                        # the huge frame under way lacks bytes

    def take(self) -> bool:
        before = list(self._pump.position)
        for some in _batches(self._pump.merged()):
            self._take(some)
        return self._pump.position != before

    def _take(self, runs: Runs) -> None:
        """Take one batch of runs."""
        position = self._pump.position
        scans: list[tuple[int, Scan, Int64s]] = []
        for direction in (0, 1):
            own = np.flatnonzero(runs.direction == direction)
            if not len(own):
                continue
            stops = runs.stop[own]
            ended = self._go_on(direction, int(stops[-1]))
            start = position[direction]
            data = self._pump.read(direction, start, int(stops[-1]))
            self._window[direction] = start, data
            key = self.session.last_key(direction) if ended is None else ended.masking_key
            found = scan(data, start, direction == self.session.client, key)
            if ended is not None:
                self._ended[direction], found = ended, with_frame(ended, found)
            position[direction] = found.end
            turn = own[np.searchsorted(stops, found.start + found.header + found.length)]
            scans.append((direction, found, turn))
        if scans:
            self._enter(_merged(scans, self.session.deflate is not None))
        for direction, found, _ in scans:
            self._begin_huge(direction, found.end)

    def _go_on(self, direction: int, stop: int) -> Frame | None:
        """Skip bytes of a huge frame that is under way; the frame, when it ends before `stop`."""
        decoder, position = self.decoders[direction], self._pump.position
        step = min(decoder.skippable, stop - position[direction])
        position[direction] += step
        return next(iter(decoder.skip(step)), None)

    def _begin_huge(self, direction: int, start: int) -> None:
        """Give the decoder the beginning of a frame that is too large to wait for."""
        base, data = self._window[direction]
        if base + len(data) - start >= KEEP + _HEADER:
            decoder = self.decoders[direction]
            decoder.restart(start)
            decoder.feed(data[start - base :])
            self._pump.position[direction] = decoder.offset

    def _enter(self, found: _Found) -> None:
        """Enter frames into the tables, runs of plain and packed ones at once."""
        session, position, count = self.session, 0, len(found.plain)
        odd = np.flatnonzero(~found.plain).tolist()
        alike = {at: last for first, last in runs(found.columns, found.plain)
                 for at in range(first + LEAST // 2, last, _AGAIN)}
        for next_odd in (*odd, count):
            if next_odd < position:
                continue                     # it was entered with others like it
            if next_odd in alike and self._enter_alike(found, next_odd, alike[next_odd]):
                position = alike[next_odd]
                continue
            while position < next_odd:
                if session.settled:
                    position = self._enter_many(found, position, next_odd)
                else:
                    self._enter_one(found, position)
                    position += 1
            if next_odd < count:
                self._enter_one(found, next_odd)
            position = next_odd + 1

    def _enter_alike(self, found: _Found, first: int, last: int) -> bool:
        """Enter frames that are wrong like those before them; False where each has to be looked at."""
        part = found.columns.part(first, last)
        direction, frame = int(part.direction[0]), self._frame(found, first)
        rules = self.session.rules_of_alike(direction, frame)
        if rules is None or self._damaged[direction] or self._ended[direction] is not None:
            return False
        base, data = self._window[direction]
        text = frame.opcode == TEXT and not frame.rsv and frame.payload_length
        if text and not all_ascii(data, frame.start - base, frame.header_size, frame.payload_length,
                                  last - first):
            return False
        self.session.add_alike(direction, rules, part.start.tolist() if rules else (), last - first)
        self.messages.extend(nth_frame(len(self.frames)), part)
        self.frames.extend(part, message_at(len(self.messages) - (last - first)))
        return True

    def _enter_many(self, found: _Found, position: int, stop: int) -> int:
        """Enter plain and packed frames up to `stop`, or to one that is not right; where it got to."""
        columns = found.columns
        packed = np.flatnonzero(columns.packed[position:stop]) + position
        wrong, meant = self._inflate(found, packed, position) if len(packed) else (None, b"")
        end = stop if wrong is None else wrong
        if position < end:
            part = columns.part(position, end)
            for direction in (0, 1):
                own = np.flatnonzero(part.direction == direction)
                if len(own):
                    key = int(part.key[own[-1]]).to_bytes(4, "big")
                    self.session.add_plain(direction, len(own), key)
            self.messages.extend(nth_frame(len(self.frames)), part)
            self.frames.extend(part, message_at(len(self.messages) - (end - position)))
        if wrong is None:
            return end
        self._judge(int(columns.direction[wrong]), self._frame(found, wrong), meant)
        return wrong + 1

    def _inflate(self, found: _Found, packed: Int64s, first: int) -> tuple[int | None, bytes]:
        """Inflate packed frames and set their sizes; the first that is not right, if any, and what it means.

        `first`: the frame with which the next message of the session begins.
        """
        columns, payloads, number = found.columns, self.payloads, self.session.messages - first
        inflaters, client = (self.session.inflater(0), self.session.inflater(1)), self.session.client
        lists = [column.tolist() for column in (
            packed, columns.direction[packed], (columns.start + columns.header)[packed],
            columns.length[packed], columns.first[packed] & 15 == TEXT)]
        sizes: list[int] = []
        wrong, meant = None, b""
        for index, direction, start, length, text in zip(*lists, strict=True):
            inflater = inflaters[direction]
            assert inflater is not None
            payloads.note(direction, message_number(number + index), inflater)
            base, data = self._window[direction]
            start -= base
            payload = data[start : start + length]
            if direction == client:
                payload = unmask(payload, data[start - 4 : start])
            meant = inflater.message(payload)
            if inflater.problem or inflater.window_exceeded or (
                    text and not meant.isascii() and not is_utf8(meant)):
                wrong = index
                break
            payloads.grew(direction, len(meant))
            sizes.append(len(meant))
        columns.size[packed[: len(sizes)]] = sizes
        return wrong, meant

    def _enter_one(self, found: _Found, index: int) -> None:
        direction, start = int(found.columns.direction[index]), int(found.columns.start[index])
        ended = self._ended[direction]
        if ended is not None and ended.start == start:
            self._ended[direction] = None
            self._judge(direction, ended)
            return
        self._judge(direction, self._frame(found, index))

    def _frame(self, found: _Found, index: int) -> Frame:
        base, data = self._window[int(found.columns.direction[index])]
        return frame_at(data, int(found.columns.start[index]) - base, base, KEEP)

    def _judge(self, direction: int, frame: Frame, inflated: bytes | None = None) -> None:
        """A frame goes through the session; `inflated`: what it meant, where it went through the inflater."""
        session = self.session
        inflater = session.inflater(direction)
        if self._damaged[direction]:
            self._damaged[direction] = False
            part = session.add_damaged(direction, frame)
            self.payloads.interrupt(direction)
        else:
            if inflater is not None and inflated is None and frame.rsv & RSV1 and 0 < frame.opcode < 8:
                self.payloads.note(direction, message_number(session.messages), inflater)
            part = session.add(direction, frame, inflated)
        self.frames.append(direction, frame, part)
        self.messages.append(direction, frame, part)
        if part.compressed:
            self.payloads.grew(direction, part.size)

    def lose(self, hole: Hole) -> bool:
        _, direction, start, stop = hole
        decoder, position = self.decoders[direction], self._pump.position
        if not decoder.pending:
            decoder.restart(position[direction])
            decoder.feed(self._pump.read(direction, position[direction], start))
        frames = decoder.lose(stop - start)
        if frames is not None:
            position[direction] = stop
            self._damaged[direction] = True
            for frame in frames:
                self._judge(direction, frame)
            return True
        self.session.interrupt(direction)
        self.payloads.interrupt(direction)
        self.decoders[direction].forget()
        stream = self.source.streams[direction]
        position[direction] = next_frame(stream, stop, direction == self.client)
        return True

    def partial(self, direction: int) -> Frame | None:
        """The frame of which the header has come, but not all bytes."""
        decoder, start = self.decoders[direction], self._pump.position[direction]
        if decoder.pending:
            return decoder.partial
        ahead = FrameDecoder(start, 0)
        ahead.feed(self._pump.read(direction, start, min(self._pump.available(direction), start + _HEADER)))
        return ahead.partial

    def provisional(self) -> list[Finding]:
        """What the headers of frames show that are not complete."""
        found: list[Finding] = []
        for direction in (0, 1):
            frame = self.partial(direction)
            if frame is not None:
                found += self.session.header_findings(direction, frame)
        return found

    def end(self, first: int, reset: bool) -> None:
        if self._opened or self.session.count:     # RFC 6455 §4.1: who finds the handshake wrong just closes
            self.session.end(first, (self.partial(0), self.partial(1)), reset)

    def fresh_findings(self) -> list[Finding]:
        found = self.session.findings[self._findings_given :]
        self._findings_given += len(found)
        return found

    @property
    def uncounted(self) -> Mapping[str, Folded]:
        return self.session.findings.more

    # --- frames ------------------------------------------------------------------------------------

    @property
    def records(self) -> FrameTable:
        """The frames of both directions, in order of delivery; records are made on access."""
        return self.frames

    def within(self, direction: int, start: int, stop: int) -> list[int]:
        return [frame_index(number) for number in self.frames.within(direction, start, stop)]

    def rows_of(self, record: WebSocketFrameRecord) -> tuple[Row, ...]:
        return record.rows

    def payload(self, record: WebSocketFrameRecord, limit: int = PAYLOAD_LIMIT) -> bytes:
        """What a frame says: unmasked, and inflated where permessage-deflate was used."""
        return self.payloads.frame(record.number, limit)

    def wire_payload(self, record: WebSocketFrameRecord, limit: int = PAYLOAD_LIMIT) -> bytes:
        """The payload of a frame as it was sent, but unmasked."""
        return self.payloads.wire(record.number, limit)

    def message_payload(self, number: MessageNumber, limit: int = PAYLOAD_LIMIT) -> bytes:
        """What message `number` says, its fragments joined."""
        return self.payloads.message(number, limit)

    def close_of(self, record: WebSocketFrameRecord) -> Close:
        """What a Close frame says."""
        return read_close(self.payloads.wire(record.number, 125))

    def is_text(self, record: WebSocketFrameRecord) -> bool:
        """True for frames of a text message whose bytes are known to be text, not an unknown extension's."""
        if record.rsv and not record.compressed:
            return False
        opcode = record.opcode
        if opcode == CONTINUATION:
            opcode = self.messages.opcode_of(message_index(record.message))
        return opcode == TEXT

    def text(self, record: WebSocketFrameRecord) -> str | None:
        """The payload of a text frame; None where it is no text, or cut inside of a character."""
        if self._last_text[0] == record.number:         # several fields of a frame tell of it
            return self._last_text[1]
        found = self._text_of(record)
        if found is None or len(found) <= _KEPT_TEXT:
            self._last_text = record.number, found
        return found

    def _text_of(self, record: WebSocketFrameRecord) -> str | None:
        if not self.is_text(record):
            return None
        try:
            return self.payload(record).decode("utf-8")
        except UnicodeDecodeError:
            return None

    def round_trip_ns(self, number: FrameNumber) -> int | None:
        """For a pong: nanoseconds since its ping; for a ping: until its pong."""
        own = frame_index(number)
        ping, pong = self.session.answers.get(own), self.session.answered.get(own)
        if ping is None and pong is None:
            return None
        ping, pong = own if ping is None else ping, own if pong is None else pong
        first, last = self.frames[ping], self.frames[pong]
        time = self.source.time_of
        return time(last.row) - time(first.row) if first.rows and last.rows else None

    def summary(self, record: WebSocketFrameRecord) -> str:
        """"TEXT "hello" masked", "BINARY 12 bytes", "CLOSE 1000 normal closure", "PING 4 bytes masked"."""
        words = [record.name.upper()]
        if record.opcode == CLOSE:
            close = self.close_of(record)
            if close.code is not None:
                words.append(f"{close.code} {close.meaning}")
            if close.reason:
                words.append(f'"{escaped(close.reason, _TEXT)}"')
        elif self.is_text(record):
            words.append(f'"{escaped(self.payload(record, 4 * _TEXT), _TEXT)}"')
        else:
            words.append(amount(record.payload_length, "byte"))
        if not record.fin:
            words.append(sentence("fragment"))
        elif record.opcode == CONTINUATION:
            words.append(sentence("last fragment"))
        if record.compressed:
            words.append(sentence("compressed"))
        if record.masked:
            words.append(sentence("masked"))
        return worded(words, between=" ")

    def short(self, record: WebSocketFrameRecord) -> str:
        return f"… {record.name.upper()}"

    def heading(self, record: WebSocketFrameRecord) -> tuple[str, str]:
        size = amount(record.payload_length, "byte")
        return (sentence("WebSocket frame {number}", number=record.number),
                sentence("{kind}, {size}" if record.fin else "{kind}, fragment, {size}",
                         kind=record.name.upper(), size=size))

    def parts(self, record: WebSocketFrameRecord) -> tuple[Part, ...]:
        return frame_parts(self, record)

    # --- messages ------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        return len(self.messages)

    def complete(self, index: MessageIndex) -> bool:
        return self.messages.complete(index)

    def under_way(self, direction: int) -> MessageIndex | None:
        return self.session.under_way(direction)

    def rest(self, direction: int) -> Rest:
        frame = self.partial(direction)
        if frame is None:
            return Rest("the beginning of a frame that has not ended")
        name = opcode_name(frame.opcode).upper()
        size = amount(frame.payload_length, "byte")
        return Rest(sentence("a {kind} frame of {size} that has not ended", kind=name, size=size))

    def span(self, index: MessageIndex) -> tuple[int, int, int]:
        frames = self.messages.frames_of(index)
        first = self.frames[frame_index(frames[0])]
        return first.direction, first.start, self.frames[frame_index(frames[-1])].stop

    def message_of(self, position: int) -> MessageIndex:
        return message_index(self.frames.message_of(frame_number(position)))

    def records_of(self, index: MessageIndex) -> Sequence[int]:
        frames = self.messages.frames_of(index)
        if isinstance(frames, range):
            return range(frames.start - 1, frames.stop - 1)
        return [frame_index(frame) for frame in frames]

    def line(self, index: MessageIndex) -> MessageLine:
        message = self.messages[index]
        marks: list[str] = [amount(len(message.frames), "frame")] if len(message.frames) > 1 else []
        if message.compressed:
            marks.append(verbatim(f"deflate {message.wire_size:,}"))
        if self._unread(message):
            read = message.compressed or self.inferred
            marks.append(marked("compressed, not read") if read else marked("not read"))
        if not message.complete:
            marks.append("unfinished")
        troubled = any(self.session.ids.get(frame_index(frame)) for frame in message.frames[:64])
        return MessageLine(message.direction, message.name.upper(), self._message_text(message), message.size,
                           message.rows, tuple(marks), troubled, message.is_control, len(message.frames))

    def _message_text(self, message: WebSocketMessage) -> str:
        number = message.frames[0]
        if message.opcode == CLOSE:
            close = self.close_of(self.frames[frame_index(number)])
            reason = f'"{close.reason}"' if close.reason else ""
            return " ".join(word for word in (str(close.code or ""), close.meaning, reason) if word)
        data = self.message_payload(message.number, _PREVIEW)
        if message.opcode in (PING, PONG):
            trip = self.round_trip_ns(number)
            answer = sentence("round trip {time}", time=duration(trip)) if trip is not None else ""
            return worded((data.decode() if data.isascii() else data.hex(" "), answer))
        text = message.opcode == TEXT and not self._unread(message)
        return escaped(data) if text else data[: _PREVIEW // 8].hex(" ")

    def part_line(self, record: WebSocketFrameRecord) -> str:
        bits = (("FIN", record.fin), ("RSV1", record.rsv & 4), ("RSV2", record.rsv & 2),
                ("RSV3", record.rsv & 1))
        packets = ", ".join(str(packet_number(row)) for row in record.rows[:8])
        return worded((
            sentence("frame {number}", number=record.number),
            " ".join((*(name for name, on in bits if on), record.name)),
            sentence("{size}, {bits}-bit length", size=amount(record.payload_length, "byte"),
                     bits=record.length_form),
            sentence("key {key}", key=record.masking_key.hex()) if record.masked else "",
            sentence("packet {number}", number=packets),
            "! " + ", ".join(record.findings) if record.findings else ""))

    def repeatable(self, position: int, limit: int) -> Message:
        number = self.message_of(position)
        kind = self.line(number).kind.lower()
        opcode: Opcode = next((name for name in get_args(Opcode) if name == kind), "binary")
        return Message(self.content(number, limit), opcode)

    def content(self, index: MessageIndex, limit: int) -> bytes:
        return self.message_payload(message_number(index), limit)

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        message = self.messages[index]
        if message.opcode == CLOSE:
            close = self.close_of(self.frames[frame_index(message.frames[0])])
            reason = f' "{close.reason}"' if close.reason else ""
            return Shown((f"CLOSE {close.code or ''} {close.meaning}{reason}",))
        data, note = self.message_payload(message.number, limit), self._unread(message)
        if message.is_control:
            return Shown((f"{message.name.upper()} {escaped(data)}",))
        if note and message.compressed:
            data = b"".join(self.payloads.wire(frame, limit) for frame in message.frames[:64])[:limit]
        elif not note and len(data) >= limit < message.size:
            note = sentence("{count:,} more bytes of this message are not shown here",
                            count=message.size - len(data))
        return Shown((), data, binary=message.opcode != TEXT or bool(note and data), note=note)

    def _unread(self, message: WebSocketMessage) -> str:
        """Why what a message says is not known, or ""."""
        first = self.frames[frame_index(message.frames[0])]
        if first.rsv and not message.compressed:
            if first.rsv == RSV1 and self.inferred:
                return sentence("RSV1 is set: compressed, it seems, by what the capture does not show")
            return sentence("the bytes as an extension left them, which is not read here")
        if message.compressed and message.wire_size and not message.size:
            return sentence("{count:,} compressed bytes, not unpacked: they rest on others before them",
                            count=message.wire_size)
        return ""


def _batches(runs: Runs) -> Iterator[Runs]:
    """The runs in batches of about _BATCH bytes; a long run is cut."""
    if not len(runs.stop):
        return
    ends = np.cumsum(runs.stop - runs.start)
    first, taken = 0, 0
    while first < len(ends):
        last = int(np.searchsorted(ends, taken + _BATCH, "right"))
        if last > first:
            yield runs.part(first, last)
            first, taken = last, int(ends[last - 1])
            continue
        start = int(runs.stop[first] - (ends[first] - taken))
        stop = min(start + _BATCH, int(runs.stop[first]))
        yield Runs(runs.direction[first : first + 1], np.array([start]), np.array([stop]))
        taken += stop - start
        first += taken >= int(ends[first])


def _merged(scans: list[tuple[int, Scan, Int64s]], deflate: bool) -> _Found:
    """The frames of one or both directions by the run in which each became whole."""
    order = np.argsort(np.concatenate([turn for _, _, turn in scans]), kind="stable")
    direction = np.concatenate([np.full(len(found.start), who, np.uint8) for who, found, _ in scans])
    fields = zip(*(found[:7] for _, found, _ in scans), strict=True)
    joined = [np.concatenate(column)[order] for column in fields]
    start, header, length, first, key, plain, packed = joined
    packed &= deflate
    columns = Columns(direction[order], start, header, length, first, key, length.copy(), packed)
    return _Found(columns, plain | packed)
