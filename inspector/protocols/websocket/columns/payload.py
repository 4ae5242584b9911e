"""What WebSocket frames of a connection say, read from the trace again whenever somebody asks.

Plain payloads are unmasked from the stream. Compressed ones are inflated from the nearest point at which the
session's context was set aside, or onwards from the one read last, so reading all in order stays linear.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from inspector.protocols.api import MessageNumber, message_index, number_column
from inspector.protocols.websocket.columns.columns import FrameTable, MessageTable, PayloadPlace
from inspector.protocols.websocket.frame import NO_FRAME, FrameNumber, frame_number, unmask
from inspector.protocols.websocket.session.deflate import Inflater
from inspector.wire.tcp.stream import ByteStream

_SMALL = 1 << 16         # bytes of a payload that are kept for who asks again
SPACING = 1 << 19       # inflated bytes between two contexts that are set aside


class Payloads:
    """`limit` bounds what is read of one frame or message."""

    def __init__(
        self, streams: tuple[ByteStream, ByteStream], frames: FrameTable, messages: MessageTable
    ) -> None:
        self._streams, self._frames, self._messages = streams, frames, messages
        self._compressed = number_column(), number_column()        # per direction: of compressed messages
        self._saved: tuple[list[tuple[int, Inflater]], ...] = ([], [])   # context before compressed message i
        self._since = [SPACING, SPACING]
        self._cursor: list[tuple[int, Inflater] | None] = [None, None]
        self._latest = frame_number(NO_FRAME), 0, b""
        self._last: list[tuple[MessageNumber | None, int, tuple[bytes, ...]]] = [(None, 0, ()), (None, 0, ())]

    def note(self, direction: int, message: MessageNumber, inflater: Inflater) -> None:
        """A compressed message begins; `inflater` is the context before it."""
        if self._since[direction] >= SPACING:
            self._saved[direction].append((len(self._compressed[direction]), inflater.copy()))
            self._since[direction] = 0
        self._compressed[direction].append(message)

    def grew(self, direction: int, size: int) -> None:
        """`size` bytes were inflated."""
        self._since[direction] += size

    def interrupt(self, direction: int) -> None:
        """Bytes were lost: what was inflated before is no way to what comes after."""
        self._since[direction] = SPACING

    def wire(self, number: FrameNumber, limit: int) -> bytes:
        """The payload of frame `number` as on the wire, but unmasked; at most `limit` bytes."""
        return self._read(self._frames.payload_of(number), limit)

    def _read(self, place: PayloadPlace, limit: int) -> bytes:
        stop = min(place.stop, place.start + limit)
        return unmask(self._streams[place.direction].read(place.start, stop), place.key)

    def frame(self, number: FrameNumber, limit: int) -> bytes:
        """What frame `number` says: unmasked, and inflated where its message was; at most `limit` bytes."""
        if self._latest[:2] == (number, limit):        # several fields of a frame tell of it
            return self._latest[2]
        place = self._frames.payload_of(number)
        if not place.compressed:
            data = self._read(place, limit)
            if len(data) <= _SMALL:
                self._latest = number, limit, data
            return data
        message = self._frames.message_of(number)
        numbers = self._messages.frames_of(message_index(message))
        return self._inflated(message, place.direction)[bisect_left(numbers, number)][:limit]

    def message(self, number: MessageNumber, limit: int) -> bytes:
        """What message `number` says; at most `limit` bytes."""
        numbers = self._messages.frames_of(message_index(number))
        first = self._frames.payload_of(numbers[0])
        if first.compressed:
            return b"".join(self._inflated(number, first.direction))[:limit]
        parts: list[bytes] = []
        for frame in numbers:
            parts.append(self.wire(frame, limit))
            limit -= len(parts[-1])
            if limit <= 0:
                break
        return b"".join(parts)

    def _inflated(self, message: MessageNumber, direction: int) -> tuple[bytes, ...]:
        """The frames of a compressed message, inflated. The one read last of each direction is kept."""
        count = len(self._messages.frames_of(message_index(message)))
        if self._last[direction][:2] == (message, count):
            return self._last[direction][2]
        numbers = self._compressed[direction]
        target = bisect_left(numbers, message)
        position, inflater = self._context(direction, target)
        parts: tuple[bytes, ...] = ()
        for at in range(position, target + 1):
            parts = self._inflate(numbers[at], inflater)
        self._last[direction] = message, count, parts
        # An unfinished message leaves the context in its middle: what follows starts from one set aside.
        whole = self._messages.complete(message_index(message))
        self._cursor[direction] = (target + 1, inflater) if whole else None
        return parts

    def _context(self, direction: int, target: int) -> tuple[int, Inflater]:
        saved = self._saved[direction]
        at = bisect_right(saved, target, key=lambda entry: entry[0]) - 1
        position, inflater = saved[at]
        cursor = self._cursor[direction]
        # What was set aside at the cursor's own place may know of a loss that the cursor does not.
        if cursor is not None and position < cursor[0] <= target:
            self._cursor[direction] = None
            return cursor
        inflater = inflater.copy()
        return (target if inflater.no_context_takeover else position), inflater

    def _inflate(self, message: MessageNumber, inflater: Inflater) -> tuple[bytes, ...]:
        parts = []
        for number in self._messages.frames_of(message_index(message)):
            place = self._frames.payload_of(number)
            parts.append(inflater.feed(self._read(place, place.stop - place.start), place.fin))
        inflater.end()
        return tuple(parts)
