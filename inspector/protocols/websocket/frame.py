"""WebSocket frames (RFC 6455 §5.2) out of one direction's byte stream, without I/O.

Bytes go into `FrameDecoder.feed` as they come, in pieces of any size; whole frames come out as immutable
values with their absolute stream offsets. Nothing is judged here: see `rules` and
`session` for what the frames mean and which rules they break.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, NewType, cast

import numpy as np

FrameIndex = NewType("FrameIndex", int)      # of a connection's frames, from 0 in order of delivery: all code
FrameNumber = NewType("FrameNumber", int)    # from 1: people, and what they are shown
NO_FRAME = FrameIndex(-1)


def nth_frame(place: int) -> FrameIndex:
    """The frame at `place` (from 0)."""
    return FrameIndex(place)


def frame_number(index: int) -> FrameNumber:
    """The number of the frame at `index` (from 0)."""
    return FrameNumber(index + 1)


def frame_index(number: FrameNumber) -> FrameIndex:
    """The frame with this number."""
    return FrameIndex(number - 1)


def frame_numbers(start: int, stop: int) -> Sequence[FrameNumber]:
    """The numbers of the frames at `start` to before `stop` (from 0)."""
    return cast("Sequence[FrameNumber]", range(start + 1, stop + 1))


CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OPCODES: dict[int, str] = {
    CONTINUATION: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong",
}
RSV1 = 4
KEEP = 1 << 20
_LARGE = 2048


class Frame(NamedTuple):
    """One frame. Offsets count bytes of the direction's stream; `rsv` holds RSV1 (4), RSV2 (2), RSV3 (1).

    `payload` is unmasked (not inflated) and whole up to the decoder's `keep`; of a longer frame it is the
    first `keep` bytes, the rest can be read from the stream at [payload_start, stop).
    """

    start: int
    stop: int
    fin: bool
    rsv: int
    opcode: int
    masked: bool
    masking_key: bytes          # 4 bytes as on the wire, empty when not masked
    payload_length: int
    length_form: int            # bits of the length that counts: 7, 16 or 64
    header_size: int            # bytes: 2 to 14, the masking key included
    payload: bytes

    @property
    def payload_start(self) -> int:
        """Offset of the first payload byte."""
        return self.start + self.header_size

    @property
    def is_control(self) -> bool:
        """Close, ping, pong, and the reserved opcodes 11 to 15."""
        return is_control(self.opcode)

    @property
    def whole(self) -> bool:
        """True when `payload` is all of the payload."""
        return len(self.payload) == self.payload_length


def is_control(opcode: int) -> bool:
    """Whether such a frame serves the connection: close, ping, pong, and the reserved 11 to 15."""
    return opcode >= CLOSE


def opcode_name(opcode: int) -> str:
    """The opcode's name; "reserved 3" where RFC 6455 gives none."""
    return OPCODES.get(opcode) or f"reserved {opcode}"


def unmask(data: bytes | memoryview, key: bytes, position: int = 0) -> bytes:
    """XOR `data` with the 4 bytes of `key` (RFC 6455 §5.3); it begins at `position` of the payload.

    Masking and unmasking are the same. An empty key gives the data as it is.
    """
    if not key:
        return bytes(data)
    if position & 3:
        key = key[position & 3 :] + key[: position & 3]
    size = len(data)
    if size < _LARGE:
        pad = (key * (size + 3 >> 2))[:size]
        return (int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")
    whole = size & ~3
    result = np.empty(size, np.uint8)
    words = np.frombuffer(data, np.uint32, whole >> 2)
    np.bitwise_xor(words, np.frombuffer(key, np.uint32)[0], out=result[:whole].view(np.uint32))
    for index in range(whole, size):
        result[index] = data[index] ^ key[index & 3]
    return result.tobytes()


class FrameDecoder:
    """Cuts a stream into frames. `start` is the stream offset of the first byte that will be fed.

    At most `keep` bytes of a payload are held; of longer ones the rest is counted only, and may be
    skipped (`skippable`, `skip`) instead of fed. Any bytes give frames: never an exception.
    """

    __slots__ = ("_begun", "_buffer", "_missing", "_need", "_offset", "keep")

    def __init__(self, start: int = 0, keep: int = KEEP) -> None:
        self.keep = keep
        self._offset = start             # of the first byte in _buffer
        self._buffer = bytearray()       # an incomplete frame
        self._need = 2                   # bytes in _buffer before it is worth looking again
        self._begun: Frame | None = None  # a frame beyond `keep`, of which _missing bytes are to come
        self._missing = 0

    @property
    def offset(self) -> int:
        """Stream offset of the next byte to feed."""
        if self._begun is not None:
            return self._begun.stop - self._missing
        return self._offset + len(self._buffer)

    @property
    def skippable(self) -> int:
        """How many bytes from here on need not be fed but may be skipped."""
        return self._missing

    @property
    def missing(self) -> int:
        """How many bytes complete the frame that is begun; 0 while its length is not known."""
        if self._begun is not None:
            return self._missing
        parsed = parse_header(self._buffer, 0)
        return 0 if isinstance(parsed, int) else parsed[4] + parsed[2] - len(self._buffer)

    def restart(self, offset: int) -> None:
        """Go on at another offset; frames before it were read elsewhere. Only between frames."""
        self._offset, self._need = offset, 2

    def forget(self) -> None:
        """Let go of a frame that is begun."""
        self._begun, self._missing, self._need = None, 0, 2
        self._buffer.clear()

    def skip(self, size: int) -> list[Frame]:
        """Go on as if `size` bytes (at most `skippable`) had been fed; the frame when that ended it."""
        self._missing -= min(size, self._missing)
        return self._finish()

    def lose(self, size: int) -> list[Frame] | None:
        """`size` bytes will never come; None when they were not all payload of the frame that is begun.

        Otherwise the frame goes on after them, with that of its payload that was there, and is given when the
        loss ended it.
        """
        frame = self.partial
        left = 0 if frame is None else frame.stop - self.offset
        if frame is None or size > left:
            return None
        self._begun, self._missing = frame, left
        self._buffer.clear()
        return self.skip(size)

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """Take the next bytes; the frames that they complete, in order."""
        frames: list[Frame] = []
        if self._begun is not None:
            step = min(self._missing, len(data))
            frames += self.skip(step)
            data = data[step:]
        if not data:
            return frames
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return frames
            data = bytes(self._buffer)
            self._buffer.clear()
        position = self._decode(data, frames)
        self._offset += position
        if self._begun is None:
            self._buffer += data[position:]
        return frames

    def _finish(self) -> list[Frame]:
        if self._begun is None or self._missing:
            return []
        frame, self._begun = self._begun, None
        self._offset = frame.stop
        return [frame]

    def _decode(self, data: bytes | memoryview, frames: list[Frame]) -> int:
        """Append whole frames, return where the first incomplete one begins; all is taken when it is huge."""
        base, position, size = self._offset, 0, len(data)
        while True:
            parsed = parse_header(data, position)
            if isinstance(parsed, int):
                self._need = parsed
                return position
            first, masked, length, form, header = parsed
            body = position + header
            stop = body + length
            key = bytes(data[body - 4 : body]) if masked else b""
            if length > self.keep and stop > size:
                if size - body < self.keep:
                    self._need = header + self.keep
                    return position
                payload = unmask(data[body : body + self.keep], key)
                self._begun = _frame(base + position, first, masked, key, length, form, header, payload)
                self._missing = stop - size
                return size
            if stop > size:
                self._need = header + length
                return position
            payload = unmask(data[body : min(stop, body + self.keep)], key)
            frames.append(_frame(base + position, first, masked, key, length, form, header, payload))
            position = stop

    @property
    def partial(self) -> Frame | None:
        """The frame whose bytes are still coming, once its header is whole; it should end at its stop."""
        if self._begun is not None:
            return self._begun
        parsed = parse_header(self._buffer, 0)
        if isinstance(parsed, int):
            return None
        first, masked, length, form, header = parsed
        key = bytes(self._buffer[header - 4 : header]) if masked else b""
        payload = unmask(bytes(self._buffer[header : header + min(length, self.keep)]), key)
        return _frame(self._offset, first, masked, key, length, form, header, payload)

    @property
    def pending(self) -> int:
        """Bytes of an incomplete frame that were taken already (its header included)."""
        if self._begun is not None:
            return self.offset - self._begun.start
        return len(self._buffer)


def parse_header(
    data: bytes | bytearray | memoryview, position: int
) -> tuple[int, bool, int, int, int] | int:
    """(first byte, masked, payload length, length form, header size), or how many bytes a look needs."""
    available = len(data) - position
    if available < 2:
        return 2
    second = data[position + 1]
    length, form, header = second & 127, 7, 2
    if length >= 126:
        form, header = (16, 4) if length == 126 else (64, 10)
        if available < header:
            return header
        length = int.from_bytes(data[position + 2 : position + header], "big")
    masked = second >= 128
    if masked:
        header += 4
        if available < header:
            return header
    return data[position], masked, length, form, header


def frame_at(data: bytes, position: int, base: int, keep: int) -> Frame:
    """The frame that begins at data[position] and is whole there; `base` is the stream offset of data[0]."""
    parsed = parse_header(data, position)
    assert not isinstance(parsed, int)
    first, masked, length, form, header = parsed
    body = position + header
    key = data[body - 4 : body] if masked else b""
    payload = unmask(data[body : body + min(length, keep)], key)
    return _frame(base + position, first, masked, key, length, form, header, payload)


def _frame(
    start: int, first: int, masked: bool, key: bytes, length: int, form: int, header: int, payload: bytes
) -> Frame:
    return Frame(
        start, start + header + length, first >= 128, first >> 4 & 7, first & 15, masked, key, length, form,
        header, payload,
    )


def encode(
    payload: bytes, opcode: int = TEXT, *, fin: bool = True, rsv: int = 0, key: bytes | None = None,
    length_form: int | None = None,
) -> bytes:
    """The bytes of one frame, masked when a key is given; `length_form` forces 7, 16 or 64, also wrongly."""
    size = len(payload)
    form = length_form or (7 if size < 126 else 16 if size < 65536 else 64)
    mask = 0 if key is None else 128
    head = bytes((fin << 7 | (rsv & 7) << 4 | opcode & 15,))
    if form == 7:
        head += bytes((mask | min(size, 125),))
    else:
        head += bytes((mask | (126 if form == 16 else 127),)) + size.to_bytes(form // 8, "big")
    return head + (key or b"") + unmask(payload, key or b"")
