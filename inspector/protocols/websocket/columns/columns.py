"""WebSocket frames and messages of one connection as columns, and as records when one is asked for.

A connection may have a million frames: 70 bytes each, message included, stay in memory, payloads do not. The
records that views and exports see are made from the columns on access.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar, overload

import numpy as np

from inspector.model.packets import BEFORE, Row
from inspector.protocols.api import MessageIndex, MessageNumber, message_at, message_number
from inspector.protocols.websocket.frame import (
    Frame,
    FrameIndex,
    FrameNumber,
    frame_index,
    frame_number,
    frame_numbers,
    is_control,
    nth_frame,
    opcode_name,
)
from inspector.protocols.websocket.session.session import FrameRules, Part
from inspector.wire.arrays import Bools, Int64s, UInt8s, UInt32s

T = TypeVar("T")
Rows = Callable[[int, int, int], tuple[Row, ...]]
"""(direction, start, stop) -> rows of the packets that carry these bytes."""


class WebSocketFrameRecord(NamedTuple):
    """One frame of a connection. Numbers count from 1 within the connection, in order of delivery."""

    number: FrameNumber
    direction: int            # 0: a to b, 1: b to a
    from_client: bool
    start: int                # bytes of the direction's stream
    stop: int
    fin: bool
    rsv: int                  # RSV1 is 4
    opcode: int
    masked: bool
    masking_key: bytes
    payload_length: int       # as on the wire
    length_form: int          # 7, 16, 64
    header_size: int
    message: MessageNumber    # its message
    compressed: bool          # its payload was inflated
    findings: tuple[str, ...]
    find_rows: Rows

    @property
    def rows(self) -> tuple[Row, ...]:
        """The packets that carry it. Looked up each time, since most who ask for a frame do not need them."""
        return self.find_rows(self.direction, self.start, self.stop)

    @property
    def payload_start(self) -> int:
        """Stream offset of the first payload byte."""
        return self.start + self.header_size

    @property
    def row(self) -> Row:
        """The packet row that completed the frame."""
        return max(self.rows, default=BEFORE)

    @property
    def name(self) -> str:
        """"text", "continuation", "close", …"""
        return opcode_name(self.opcode)

    @property
    def is_control(self) -> bool:
        """Whether it serves the connection, not its user."""
        return is_control(self.opcode)


class WebSocketMessage(NamedTuple):
    """One message: a text or binary one with its fragments, or a control frame. Numbers count from 1."""

    number: MessageNumber
    direction: int
    from_client: bool
    opcode: int               # of its first frame
    frames: Sequence[FrameNumber]
    size: int                 # bytes that it means (inflated)
    wire_size: int            # payload bytes on the wire
    compressed: bool
    complete: bool
    rows: tuple[Row, ...]
    time_ns: int              # when its last frame so far was whole

    @property
    def name(self) -> str:
        """"text", "binary", "close", "ping", "pong", …"""
        return opcode_name(self.opcode)

    @property
    def is_control(self) -> bool:
        """Whether it serves the connection, not its user."""
        return is_control(self.opcode)


_COMPRESSED, _COMPLETE = 1, 2
_MASKED = (6, 8, 14)          # header sizes with a masking key


class Columns(NamedTuple):
    """Plain and packed frames (see `scan`) of both directions, in order of delivery."""

    direction: UInt8s
    start: Int64s
    header: Int64s
    length: Int64s
    first: UInt8s
    key: UInt32s
    size: Int64s           # bytes that it means
    packed: Bools         # it was inflated

    def part(self, first: int, last: int) -> Columns:
        """The frames from `first` to before `last`."""
        chosen = slice(first, last)
        return Columns(self.direction[chosen], self.start[chosen], self.header[chosen], self.length[chosen],
                       self.first[chosen], self.key[chosen], self.size[chosen], self.packed[chosen])


class PayloadPlace(NamedTuple):
    """Where a payload stands in its direction's stream, and what it takes to read it."""

    direction: int
    start: int
    stop: int
    key: bytes
    fin: bool
    compressed: bool


class _Records(Sequence[T]):
    """Records that are made from columns when one is asked for."""

    @abstractmethod
    def _record(self, index: int) -> T:
        """Record `index`, which is there."""

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._record(i) for i in range(*index.indices(len(self)))]
        size = len(self)
        if not -size <= index < size:
            raise IndexError(index)
        return self._record(index % size)

    def __iter__(self) -> Iterator[T]:
        return (self._record(index) for index in range(len(self)))


class FrameTable(_Records[WebSocketFrameRecord]):
    """The frames, in order of delivery; `ids` are the session's findings by frame."""

    def __init__(self, client: int, rows: Rows, ids: FrameRules) -> None:
        self._client, self._rows, self._ids = client, rows, ids
        self._direction, self._first, self._header = array("B"), array("B"), array("B")
        self._start, self._length = array("q"), array("Q")
        self._key, self._message, self._compressed = array("I"), array("I"), array("B")
        self._by_start = (array("q"), array("q"))     # per direction: starts …
        self._by_index = (array("I"), array("I"))     # … and which frames

    def append(self, direction: int, frame: Frame, part: Part) -> None:
        """Take a frame in."""
        self._by_start[direction].append(frame.start)
        self._by_index[direction].append(len(self._direction))
        self._direction.append(direction)
        self._first.append(frame.fin << 7 | frame.rsv << 4 | frame.opcode)
        self._header.append(frame.header_size)
        self._start.append(frame.start)
        self._length.append(frame.payload_length)
        self._key.append(int.from_bytes(frame.masking_key, "big"))
        self._message.append(part.message)
        self._compressed.append(part.compressed)

    def extend(self, columns: Columns, message: MessageIndex) -> None:
        """Take such frames in; the first one's message is `message`."""
        index, count = len(self._direction), len(columns.start)
        self._direction.frombytes(columns.direction.tobytes())
        self._start.frombytes(columns.start.tobytes())
        self._first.frombytes(columns.first.tobytes())
        self._header.frombytes(columns.header.astype("u1").tobytes())
        self._length.frombytes(columns.length.tobytes())
        self._key.frombytes(columns.key.tobytes())
        self._message.frombytes(np.arange(message, message + count, dtype="u4").tobytes())
        self._compressed.frombytes(columns.packed.tobytes())
        for side in (0, 1):
            chosen = np.flatnonzero(columns.direction == side)
            self._by_start[side].frombytes(columns.start[chosen].tobytes())
            self._by_index[side].frombytes((chosen + index).astype("u4").tobytes())

    def __len__(self) -> int:
        return len(self._direction)

    def _record(self, index: int) -> WebSocketFrameRecord:
        first, header, length = self._first[index], self._header[index], self._length[index]
        direction, start = self._direction[index], self._start[index]
        masked = header in _MASKED
        form = {0: 7, 2: 16, 8: 64}[header - 2 - 4 * masked]
        stop = start + header + length
        return WebSocketFrameRecord(
            frame_number(index), direction, direction == self._client, start, stop, first >= 128,
            first >> 4 & 7, first & 15, masked, self._key[index].to_bytes(4, "big") if masked else b"",
            length, form, header,
            message_number(self._message[index]), bool(self._compressed[index]),
            self._ids.get(nth_frame(index), ()), self._rows,
        )

    def message_of(self, number: FrameNumber) -> MessageNumber:
        """The message that frame `number` belongs to, without making its record."""
        return message_number(self._message[frame_index(number)])

    def payload_of(self, number: FrameNumber) -> PayloadPlace:
        """Where the payload of frame `number` stands, without making its record."""
        index = frame_index(number)
        header = self._header[index]
        start = self._start[index] + header
        key = self._key[index].to_bytes(4, "big") if header in _MASKED else b""
        return PayloadPlace(self._direction[index], start, start + self._length[index], key,
                            self._first[index] >= 128, bool(self._compressed[index]))

    def end_of(self, number: FrameNumber) -> tuple[int, int]:
        """(direction, stream offset after the last byte) of frame `number`."""
        index = frame_index(number)
        return self._direction[index], self._start[index] + self._header[index] + self._length[index]

    def within(self, direction: int, start: int, stop: int) -> Sequence[FrameNumber]:
        """The numbers of the direction's frames that have bytes in [start, stop), in stream order."""
        starts, indexes = self._by_start[direction], self._by_index[direction]
        first = max(bisect_right(starts, start) - 1, 0)
        last = bisect_left(starts, stop)
        found = [frame_number(index) for index in indexes[first:last]]
        if found and self.end_of(found[0])[1] <= start:
            found.pop(0)
        return found


class MessageTable(_Records[WebSocketMessage]):
    """The messages, in order of their first frames."""

    def __init__(self, frames: FrameTable, rows: Rows, time: Callable[[Row], int]) -> None:
        self._frames, self._rows, self._time = frames, rows, time
        self._first, self._last = array("I"), array("I")      # which frames
        self._count, self._opcode, self._flags = array("I"), array("B"), array("B")
        self._size, self._wire = array("Q"), array("Q")
        # Per direction the message asked for last whose frames have others between them, and those frames.
        self._scattered: dict[int, tuple[MessageIndex, list[FrameNumber]]] = {}

    def append(self, direction: int, frame: Frame, part: Part) -> None:
        """Take in what the frame that was just appended to the frame table adds."""
        frame_at, message = len(self._frames) - 1, part.message
        if message == len(self._first):
            for column in (self._first, self._last):
                column.append(frame_at)
            self._opcode.append(frame.opcode)
            for counter in (self._count, self._size, self._wire, self._flags):
                counter.append(0)
        self._last[message] = frame_at
        self._count[message] += 1
        self._size[message] += part.size
        self._wire[message] += min(frame.payload_length, (1 << 64) - 1 - self._wire[message])
        self._flags[message] |= part.compressed * _COMPRESSED | part.ends * _COMPLETE

    def extend(self, index: FrameIndex, columns: Columns) -> None:
        """Take in messages of one such frame each; the first frame's is `index`."""
        count = len(columns.start)
        indexes = np.arange(index, index + count, dtype="u4").tobytes()
        self._first.frombytes(indexes)
        self._last.frombytes(indexes)
        self._count.frombytes(np.ones(count, "u4").tobytes())
        self._opcode.frombytes((columns.first & 15).tobytes())
        self._flags.frombytes((columns.packed.astype("u1") * _COMPRESSED | _COMPLETE).tobytes())
        self._size.frombytes(columns.size.tobytes())
        self._wire.frombytes(columns.length.tobytes())

    def __len__(self) -> int:
        return len(self._first)

    def frames_of(self, index: MessageIndex) -> Sequence[FrameNumber]:
        """The numbers of the frames of message `index`, ascending."""
        first, last, count = self._first[index], self._last[index], self._count[index]
        if last - first + 1 == count:
            return frame_numbers(first, last + 1)
        direction = self._frames.end_of(frame_number(first))[0]
        known, numbers = self._scattered.get(direction, (None, []))
        if known != index:
            numbers = []
        if len(numbers) != count:              # it has grown since, or was not asked for before
            begin = frame_index(numbers[-1]) + 1 if numbers else first
            fresh = [n for n in frame_numbers(begin, last + 1)
                     if self._frames.message_of(n) == message_number(index)]
            numbers = numbers + fresh          # another list: who asked before keeps what it was given
            self._scattered[direction] = index, numbers
        return numbers

    def _record(self, index: int) -> WebSocketMessage:
        numbers = self.frames_of(message_at(index))
        flags, first = self._flags[index], self._frames[frame_index(numbers[0])]
        if numbers[-1] - numbers[0] + 1 == len(numbers):
            _, stop = self._frames.end_of(numbers[-1])
            rows = tuple(sorted(self._rows(first.direction, first.start, stop)))
        else:
            records = (self._frames[frame_index(number)] for number in numbers)
            rows = tuple(sorted({row for record in records for row in record.rows}))
        return WebSocketMessage(
            message_number(index), first.direction, first.from_client, self._opcode[index], numbers,
            self._size[index], self._wire[index], bool(flags & _COMPRESSED), bool(flags & _COMPLETE), rows,
            self._time(rows[-1]) if rows else 0,
        )

    def opcode_of(self, index: MessageIndex) -> int:
        """The opcode of the first frame of message `index`, without making its record."""
        return self._opcode[index]

    def complete(self, index: MessageIndex) -> bool:
        """True when the last frame of message `index` has come."""
        return bool(self._flags[index] & _COMPLETE)
