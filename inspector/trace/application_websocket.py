"""The WebSocket phase of an `Engine`: decoders and session of one connection, and the columns they fill.

Plain frames go the short way (`wire.websocket_scan`) and are entered in batches; at the first frame that is
not plain, decoder and session take over until they are done with it.
"""

from __future__ import annotations

from collections.abc import Callable

from inspector.trace.application_frames import FrameTable, MessageTable, Rows
from inspector.trace.application_payload import Payloads
from inspector.trace.application_pump import Pump
from inspector.wire.findings import Finding
from inspector.wire.upgrade import Upgrade
from inspector.wire.websocket import RSV1, Frame, FrameDecoder, parse_header
from inspector.wire.websocket_scan import Plain, scan_plain
from inspector.wire.websocket_session import WebSocketSession

_KEEP = 1 << 16          # octets of a frame's payload that its decoder holds
_BATCH = 1 << 15         # plain frames that are entered at once


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
        self.decoders = FrameDecoder(first, _KEEP), FrameDecoder(second, _KEEP)
        self.frames = FrameTable(client, rows, self.session.ids)
        self.messages = MessageTable(self.frames, rows, time)
        self.payloads = Payloads(pump.streams, self.frames, self.messages)
        self._pump = pump
        self._plain: list[Plain] = []
        self._turns: list[tuple[int, int]] = []     # (direction, how many of _plain), in order
        # Per direction: the last masking key, None while frames must go through decoder and session.
        self._keys = [self.session.plain_key(0), self.session.plain_key(1)]

    def read(self) -> bool:
        """Take what the streams have got; True when there was something."""
        runs, position = self._pump.runs(), self._pump.position
        plain, turns, client = self._plain, self._turns, self.session.client
        windows = [self._pump.window(direction, position[direction], 0) for direction in (0, 1)]
        for direction, start, stop in runs:
            base, data = windows[direction]
            while start < stop:
                if not base <= start < stop <= base + len(data):
                    base, data = windows[direction] = self._pump.window(direction, start, stop)
                end = min(base + len(data), stop)
                if end <= start:           # the file became shorter
                    break
                key = self._keys[direction]
                if key is not None:
                    count = len(plain)
                    after, key = scan_plain(
                        data, start - base, end - base, base, direction == client, key, plain)
                    if len(plain) > count:
                        self._keys[direction] = key
                        turns.append((direction, len(plain) - count))
                    start = base + after
                if start < end:
                    start = self._take(direction, base, data, start, end)
                    start += self._skip(direction, stop - start)
            position[direction] = stop
            if len(plain) > _BATCH:
                self._enter()
        self._enter()
        return bool(runs)

    def _take(self, direction: int, base: int, data: bytes, start: int, stop: int) -> int:
        """Give the next frame at offset `start`, or what there is of it, to the decoder; where it ends."""
        decoder = self.decoders[direction]
        if decoder.pending:
            step = decoder.missing or stop - start
        else:
            self._enter()
            decoder.restart(start)
            step = _frame_size(data, start - base, stop - base)
        stop = min(stop, start + step)
        frames = decoder.feed(data[start - base : stop - base])
        self._judge(direction, frames)
        self._keys[direction] = None if decoder.pending else self.session.plain_key(direction)
        return stop

    def _skip(self, direction: int, most: int) -> int:
        decoder = self.decoders[direction]
        size = min(decoder.skippable, most)
        if size:
            self._judge(direction, decoder.skip(size))
            self._keys[direction] = None if decoder.pending else self.session.plain_key(direction)
        return size

    def _judge(self, direction: int, frames: list[Frame]) -> None:
        """Frames that the decoder made go through the session."""
        if not frames:
            return
        self._enter()
        session = self.session
        inflater = session.inflater(direction)
        for frame in frames:
            if inflater is not None and frame.rsv & RSV1 and 0 < frame.opcode < 8:
                self.payloads.note(direction, session.messages + 1, inflater)
            part = session.add(direction, frame)
            self.frames.append(direction, frame, part)
            self.messages.append(direction, frame, part)
            if part.compressed:
                self.payloads.grew(direction, part.size)

    def _enter(self) -> None:
        """Enter the plain frames that were put aside into the tables."""
        if self._plain:
            for direction in (0, 1):
                count = sum(many for who, many in self._turns if who == direction)
                self.session.add_plain(direction, count, self._keys[direction] or b"")
            self.messages.extend(len(self.frames), self._plain)
            self.frames.extend(self._plain, self._turns, len(self.messages) - len(self._plain))
            self._plain.clear()
            self._turns.clear()

    def begun(self) -> list[Finding]:
        """What the headers of frames show that are not complete."""
        found: list[Finding] = []
        for direction, decoder in enumerate(self.decoders):
            frame = decoder.partial
            if frame is not None:
                found += self.session.header_findings(direction, frame)
        return found

    def end(self, first: int, reset: bool) -> None:
        """The connection is over."""
        self.session.end(first, (self.decoders[0].partial, self.decoders[1].partial), reset)


def _frame_size(data: bytes, position: int, stop: int) -> int:
    """Octets of the frame that begins at `position`; all up to `stop` when its header is not whole."""
    parsed = parse_header(memoryview(data)[: stop], position)
    return stop - position if isinstance(parsed, int) else parsed[4] + parsed[2]
