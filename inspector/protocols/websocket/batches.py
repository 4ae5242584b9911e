"""The WebSocket phase of an `Engine`: decoders and session of one connection, and the columns they fill.

Bytes are taken in batches of runs (see `application_pump`). Each direction's frames are found at once
(`wire.websocket_scan`) and brought into order of delivery; plain ones are entered as columns, the others go
one by one through decoder and session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.protocols.websocket.columns import Columns, FrameTable, MessageTable, Rows
from inspector.protocols.websocket.frame import RSV1, TEXT, Frame, FrameDecoder, frame_at, unmask
from inspector.protocols.websocket.payload import Payloads
from inspector.protocols.websocket.scan import Numbers, Scan, is_utf8, scan, with_frame
from inspector.protocols.websocket.session import WebSocketSession
from inspector.protocols.websocket.upgrade import Upgrade
from inspector.wire.findings import Finding
from inspector.wire.tcp.delivery import Pump, Runs

KEEP = 1 << 16           # octets of a frame's payload that its decoder holds
_BATCH = 1 << 20         # octets that are taken at once
_HEADER = 14


class _Found(NamedTuple):
    """The frames of a batch in order of delivery; which are plain or packed, the others go one by one."""

    columns: Columns
    plain: NDArray[np.bool_]


class WebSocketPart:
    """All that belongs to the WebSocket phase. `rows` and `time` serve the records."""

    def __init__(
        self, pump: Pump, client: int, upgrade: Upgrade | None, limit: int, rows: Rows,
        time: Callable[[int], int],
    ) -> None:
        deflate = upgrade.deflate if upgrade else None
        self.session = WebSocketSession(
            client, deflate, inferred=upgrade is None, read=pump.read, limit=limit)
        first, second = pump.position
        self.decoders = FrameDecoder(first, KEEP), FrameDecoder(second, KEEP)
        self.frames = FrameTable(client, rows, self.session.ids)
        self.messages = MessageTable(self.frames, rows, time)
        self.payloads = Payloads(pump.streams, self.frames, self.messages)
        self._pump = pump
        self._window = [(0, b""), (0, b"")]                   # what of each direction is being taken
        self._ended: list[Frame | None] = [None, None]        # a huge frame that ends in it
        self._damaged = [False, False]                        # the huge frame under way lacks octets

    def read(self) -> bool:
        """Take what the streams have got; True when there was something."""
        before = list(self._pump.position)
        for runs in _batches(self._pump.merged()):
            self._take(runs)
        return self._pump.position != before

    def _take(self, runs: Runs) -> None:
        """Take one batch of runs."""
        position = self._pump.position
        scans: list[tuple[int, Scan, Numbers]] = []
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
        """Skip octets of a huge frame that is under way; the frame, when it ends before `stop`."""
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
        for next_odd in (*odd, count):
            while position < next_odd:
                if session.settled:
                    position = self._enter_many(found, position, next_odd)
                else:
                    self._enter_one(found, position)
                    position += 1
            if next_odd < count:
                self._enter_one(found, next_odd)
            position = next_odd + 1

    def _enter_many(self, found: _Found, position: int, stop: int) -> int:
        """Enter plain and packed frames up to `stop`, or to one that is not right; where it got to."""
        columns, meant = found.columns, b""
        wrong = None
        for index in (np.flatnonzero(columns.packed[position:stop]) + position).tolist():
            meant = self._inflate(found, index, index - position)
            if self._is_right(found, index, meant):
                columns.size[index] = len(meant)
                continue
            wrong = index
            break
        end = stop if wrong is None else wrong
        if position < end:
            part = columns.part(position, end)
            for direction in (0, 1):
                own = np.flatnonzero(part.direction == direction)
                if len(own):
                    key = int(part.key[own[-1]]).to_bytes(4, "big")
                    self.session.add_plain(direction, len(own), key)
            self.messages.extend(len(self.frames), part)
            self.frames.extend(part, len(self.messages) - (end - position))
        if wrong is None:
            return end
        self._judge(int(columns.direction[wrong]), self._frame(found, wrong), meant)
        return wrong + 1

    def _inflate(self, found: _Found, index: int, ahead: int) -> bytes:
        """Inflate packed frame `index`, `ahead` frames after those that the session knows."""
        columns = found.columns
        direction = int(columns.direction[index])
        inflater = self.session.inflater(direction)
        assert inflater is not None
        self.payloads.note(direction, self.session.messages + 1 + ahead, inflater)
        base, data = self._window[direction]
        start = int(columns.start[index] + columns.header[index]) - base
        key = data[start - 4 : start] if direction == self.session.client else b""
        return inflater.feed(unmask(data[start : start + int(columns.length[index])], key), True)

    def _is_right(self, found: _Found, index: int, meant: bytes) -> bool:
        """Whether what a packed frame inflated to is right; then the inflater is ready for the next."""
        direction = int(found.columns.direction[index])
        inflater = self.session.inflater(direction)
        assert inflater is not None
        text = int(found.columns.first[index]) & 15 == TEXT
        if not inflater.right or (text and not is_utf8(meant)):
            return False
        inflater.end()
        self.payloads.grew(direction, len(meant))
        return True

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
                self.payloads.note(direction, session.messages + 1, inflater)
            part = session.add(direction, frame, inflated)
        self.frames.append(direction, frame, part)
        self.messages.append(direction, frame, part)
        if part.compressed:
            self.payloads.grew(direction, part.size)

    def lose(self, direction: int, start: int, stop: int, resume: Callable[[], int]) -> None:
        """Octets [start, stop) will never come; `resume` finds where frames may begin again."""
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
            return
        self.session.interrupt(direction)
        self.payloads.interrupt(direction)
        self.decoders[direction].forget()
        position[direction] = resume()

    def partial(self, direction: int) -> Frame | None:
        """The frame of which the header has come, but not all octets."""
        decoder, start = self.decoders[direction], self._pump.position[direction]
        if decoder.pending:
            return decoder.partial
        ahead = FrameDecoder(start, 0)
        ahead.feed(self._pump.read(direction, start, min(self._pump.available(direction), start + _HEADER)))
        return ahead.partial

    def begun(self) -> list[Finding]:
        """What the headers of frames show that are not complete."""
        found: list[Finding] = []
        for direction in (0, 1):
            frame = self.partial(direction)
            if frame is not None:
                found += self.session.header_findings(direction, frame)
        return found

    def end(self, first: int, reset: bool) -> None:
        """The connection is over."""
        self.session.end(first, (self.partial(0), self.partial(1)), reset)


def _batches(runs: Runs) -> Iterator[Runs]:
    """The runs in batches of about _BATCH octets; a long run is cut."""
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


def _merged(scans: list[tuple[int, Scan, Numbers]], deflate: bool) -> _Found:
    """The frames of one or both directions by the run in which each became whole."""
    order = np.argsort(np.concatenate([turn for _, _, turn in scans]), kind="stable")
    direction = np.concatenate([np.full(len(found.start), who, np.uint8) for who, found, _ in scans])
    fields = zip(*(found[:7] for _, found, _ in scans), strict=True)
    joined = [np.concatenate(column)[order] for column in fields]
    start, header, length, first, key, plain, packed = joined
    packed &= deflate
    columns = Columns(direction[order], start, header, length, first, key, length.copy(), packed)
    return _Found(columns, plain | packed)
