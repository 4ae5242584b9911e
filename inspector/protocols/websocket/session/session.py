"""A WebSocket connection as a whole: messages out of frames of both directions, and the rules between frames.

Frames go into `WebSocketSession.add` in the order in which they were delivered. Fragments become messages,
permessage-deflate is undone within bounds, text is held to UTF-8, pings meet their pongs, and what breaks
RFC 6455 or 7692 becomes a finding. No payload is kept: a message is told by its frames.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from inspector.model.language import marked, sentence
from inspector.model.units import amount
from inspector.protocols.api import MessageIndex, message_at
from inspector.protocols.websocket import frame as ws
from inspector.protocols.websocket.findings import finding
from inspector.protocols.websocket.frame import NO_FRAME, Frame, FrameIndex, nth_frame, opcode_name
from inspector.protocols.websocket.rules import (
    CONTROL_LIMIT,
    Role,
    check_close,
    check_frame,
    is_plain,
    read_close,
    shortest_form,
)
from inspector.protocols.websocket.session.deflate import LIMIT, DeflateParameters, Inflater
from inspector.protocols.websocket.session.side import Side
from inspector.protocols.websocket.session.utf8 import TextCheck
from inspector.wire.findings import Finding, FirstFindings


def _kind(side: Side, frame: Frame) -> tuple[int, ...]:
    """All that `check_frame` looks at."""
    length = frame.payload_length
    return (side.role.direction, frame.masked, frame.fin, frame.rsv, frame.opcode, frame.length_form,
            length >> 63, shortest_form(length), length > CONTROL_LIMIT)


Read = Callable[[int, int, int], bytes]
"""(direction, start, stop) -> bytes of the stream, for payloads that were not kept."""

WINDOW = 1 << 20



class Part(NamedTuple):
    """What a frame is in its conversation: `message` counts from 0; `size` bytes it means, inflated.

    `ends`: the message is complete with it. `compressed`: the message's payload was inflated.
    """

    message: int
    begins: bool
    ends: bool
    compressed: bool
    size: int


class FrameRules:
    """The ids of the findings of each frame; a run of frames alike stands as one."""

    def __init__(self) -> None:
        self._single: dict[FrameIndex, tuple[str, ...]] = {}
        self._first: list[int] = []                                 # of runs, ascending …
        self._runs: list[tuple[int, tuple[str, ...]]] = []          # … the frame after their last, ids

    def get(self, index: FrameIndex, other: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The ids of a frame; `other` where it has none."""
        at = bisect_right(self._first, index) - 1
        if at >= 0 and index < self._runs[at][0]:
            return self._runs[at][1]
        return self._single.get(index, other)

    def __setitem__(self, index: FrameIndex, ids: tuple[str, ...]) -> None:
        self._single[index] = ids

    def add_run(self, first: int, stop: int, ids: tuple[str, ...]) -> None:
        """All frames from `first` to before `stop`, which are the newest."""
        self._first.append(first)
        self._runs.append((stop, ids))


class WebSocketSession:
    """`client` is the direction of the client. Without a captured handshake (`inferred`) nothing is said of
    extensions; with a `foreign` one (that is not told here) the reserved bits are its own. `read` serves
    payloads beyond the decoder's bound, `limit` bounds what a message inflates to.
    """

    def __init__(
        self, client: int, deflate: DeflateParameters | None = None, *, inferred: bool = False,
        foreign: bool = False, read: Read | None = None, limit: int = LIMIT,
    ) -> None:
        self.client, self.deflate, self.inferred, self.limit = client, deflate, inferred, limit
        self._foreign = foreign
        self.findings = FirstFindings()
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}   # one tuple for all frames alike
        self._wrong: dict[tuple[int, ...], tuple[str, ...]] = {}  # kind of header -> rules it breaks
        self.ids = FrameRules()
        self.answers: dict[FrameIndex, FrameIndex] = {}          # pong -> ping …
        self.answered: dict[FrameIndex, FrameIndex] = {}         # … and back
        self.count = 0                             # frames so far
        self.messages = 0
        self._read = read
        self._sides = tuple(self._side(direction) for direction in (0, 1))

    def _side(self, direction: int) -> Side:
        client, deflate = direction == self.client, self.deflate
        inflater = deflate.inflater(client, self.limit) if deflate else None
        return Side(Role(direction, client, deflate is not None, self.inferred, self._foreign), inflater)

    def inflater(self, direction: int) -> Inflater | None:
        """The direction's inflation context as it is now."""
        return self._sides[direction].inflater

    def add(self, direction: int, frame: Frame, inflated: bytes | None = None) -> Part:
        """Take the next frame; what it is. Findings go to `findings` and `ids`.

        `inflated`: what the direction's inflater made of it, where it has been fed already.
        """
        side = self._sides[direction]
        self._accuse(side)
        packed = frame.rsv == ws.RSV1 and side.role.deflate and frame.opcode in (ws.TEXT, ws.BINARY)
        if frame.masked is not side.role.client or (frame.rsv and not packed) or not is_plain(frame):
            self._check(side, frame)
        problem = side.key_problem(frame.masking_key)
        if problem:
            start = frame.payload_start - 4
            self._report(side, "websocket.predictable-masking-key", problem, start, start + 4)
        if side.close is not None:
            rule = "websocket.control-after-close" if frame.is_control else "websocket.data-after-close"
            if not self._counted(side, rule, frame.start):
                what = sentence(
                    "A {opcode_name} frame follows the sender's own Close.",
                    opcode_name=opcode_name(frame.opcode))
                self._report(side, rule, what, frame.start, frame.stop)
        part = self._control(side, frame) if frame.is_control else self._data(side, frame, inflated)
        side.frames += 1
        self.count += 1
        return part

    def _check(self, side: Side, frame: Frame) -> None:
        """Tell what is wrong in a header. Where the like of it was told often enough, it is counted alone."""
        kind = _kind(side, frame)
        rules = self._wrong.get(kind)
        if rules is not None and self.findings.all_full(rules, side.role.direction, (frame.start,)):
            if rules:
                self.ids[self.next] = rules
            return
        found = check_frame(frame, side.role)
        rules = tuple(dict.fromkeys(one.id for one in found))
        self._wrong[kind] = self._same.setdefault(rules, rules)
        self._add(*found)

    def rules_of_alike(self, direction: int, frame: Frame) -> tuple[str, ...] | None:
        """The rules that a whole message like those before it breaks, its text apart.

        None where something new may have to be said of it.
        """
        side = self._sides[direction]
        right = frame.masked is side.role.client and not frame.rsv and is_plain(frame)
        rules = () if right else self._wrong.get(_kind(side, frame))
        packed = frame.rsv & ws.RSV1 and (side.inflater is not None or self.inferred)
        if not self.settled or packed or rules is None or not side.same_key(frame.masking_key):
            return None
        return rules if self.findings.all_full(rules, direction, ()) else None

    def add_alike(self, direction: int, rules: tuple[str, ...], starts: Sequence[int], count: int) -> None:
        """Take `count` such messages, with nothing wrong in their text.

        `starts`: where, if they break rules.
        """
        side = self._sides[direction]
        self._accuse(side)
        self.findings.all_full(rules, direction, starts)
        if rules:
            self.ids.add_run(self.count, self.count + count, rules)
        side.frames += count
        self.count += count
        self.messages += count

    def under_way(self, direction: int) -> MessageIndex | None:
        """The direction's fragmented message that has begun and not ended; None: none has."""
        index = self._sides[direction].message
        return message_at(index) if index >= 0 else None

    @property
    def settled(self) -> bool:
        """True while plain frames need not go through `add`: no message is open, no Close was sent."""
        return all(side.message < 0 and side.close is None for side in self._sides)

    def last_key(self, direction: int) -> bytes:
        """The masking key of the direction's last frame."""
        return self._sides[direction].key

    def add_plain(self, direction: int, count: int, key: bytes) -> None:
        """Take `count` frames that `scan` found plain, or packed and right: each a message."""
        self._accuse(self._sides[direction])
        self._sides[direction].plain(count, key)
        self.count += count
        self.messages += count

    def interrupt(self, direction: int) -> None:
        """Bytes of a direction are missing in the capture; the next frame does not go on from the last."""
        self._sides[direction].interrupt()

    def add_damaged(self, direction: int, frame: Frame) -> Part:
        """Take a frame that lacks some of its payload: its header is judged, not what it says."""
        side = self._sides[direction]
        self._add(*check_frame(frame, side.role))
        if frame.is_control:
            side.tear()                # the message around it is not hurt
            if frame.opcode == ws.CLOSE:
                side.close = side.close or read_close(frame.payload)
            side.frames += 1
            self.count += 1
            return Part(self._next_message(), True, True, False, len(frame.payload))
        opens = side.message >= 0 and frame.opcode == ws.CONTINUATION
        message, ends = side.message if opens else self._next_message(), frame.fin
        side.interrupt()
        if not ends:
            side.message, side.message_start = message, frame.start
        side.frames += 1
        self.count += 1
        return Part(message, not opens, ends, False, len(frame.payload))

    def _accuse(self, side: Side) -> None:
        """What this end sent goes on without a hole: no Ping of it was lost that a Pong has answered."""
        for index, what, start, stop in side.doubts:
            peer = self._sides[1 - side.role.direction]
            self._report(peer, "websocket.unasked-pong", what, start, stop, frame=index)
        side.doubts.clear()

    def header_findings(self, direction: int, frame: Frame) -> list[Finding]:
        """What the header of a frame that is not (yet) complete shows; nothing is kept of it."""
        return check_frame(frame, self._sides[direction].role)

    def _add(self, *findings: Finding, frame: FrameIndex | None = None) -> None:
        index = self.next if frame is None else frame
        for one in findings:
            known = self.ids.get(index, ())
            if index >= 0 and one.id not in known:
                ids = (*known, one.id)
                self.ids[index] = self._same.setdefault(ids, ids)
            self.findings.append(one)

    def _counted(self, side: Side, rule: str, start: int) -> bool:
        """Whether one more of a rule, about the frame that is judged now, is only counted, and was."""
        if not self.findings.full(rule, side.role.direction, start):
            return False
        known = self.ids.get(self.next)
        if rule not in known:
            ids = (*known, rule)
            self.ids[self.next] = self._same.setdefault(ids, ids)
        return True

    def _report(
        self, side: Side, rule: str, what: str, start: int, stop: int,
        bits: tuple[int, int] | None = None, frame: FrameIndex | None = None,
    ) -> None:
        self._add(finding(rule, what, side.role.direction, start, stop, bits), frame=frame)

    @property
    def next(self) -> FrameIndex:
        """The frame that is judged now, or will be."""
        return nth_frame(self.count)

    def _next_message(self) -> int:
        self.messages += 1
        return self.messages - 1

    def _control(self, side: Side, frame: Frame) -> Part:
        other = self._sides[1 - side.role.direction]
        if frame.opcode == ws.CLOSE:
            self._add(*check_close(frame, side.role))
            side.close = side.close or read_close(frame.payload)
        elif frame.opcode == ws.PING:
            side.ping(self.next, frame.payload, other.frames)
        elif frame.opcode == ws.PONG:
            ping = other.answered_by(frame.payload)
            if ping is not None:
                self.answers[self.next], self.answered[ping] = ping, self.next
            elif not other.torn and (other.asked or not self.inferred):
                what = (sentence("The Pong answers no Ping that is still open.") if other.asked else
                        sentence("The Pong answers no Ping."))
                other.doubts.append((self.next, what, frame.start, frame.stop))
        return Part(self._next_message(), True, True, False, frame.payload_length)

    def _data(self, side: Side, frame: Frame, inflated: bytes | None) -> Part:
        begins = frame.opcode != ws.CONTINUATION
        if begins and side.message >= 0:
            if not self._counted(side, "websocket.data-inside-message", frame.start):
                what = sentence(
                    "A {opcode_name} frame stands inside a fragmented message.",
                    opcode_name=opcode_name(frame.opcode))
                self._report(
                    side, "websocket.data-inside-message", what, frame.start, frame.start + 1, (4, 8))
            side.let_go()
        elif not begins and side.message < 0:
            begins = True
            if not side.headless and (side.frames or not self.inferred):
                what, at = sentence("A continuation frame follows no fragmented message."), frame.start
                self._report(side, "websocket.continuation-without-start", what, at, at + 1, (4, 8))
        side.headless = False
        if begins:
            self._begin(side, frame)
        if begins and frame.fin and not side.compressed and frame.whole:
            part = self._single(side, frame)
        else:
            part = self._fragment(side, frame, begins, inflated)
        if frame.fin:
            side.let_go()
        return part

    def _begin(self, side: Side, frame: Frame) -> None:
        compressed = frame.opcode != ws.CONTINUATION and bool(frame.rsv & ws.RSV1)
        side.compressed = side.inflater is not None and compressed
        # RSV1 without a known extension: what the bytes mean is not known, so they are not held to UTF-8.
        is_text = frame.opcode == ws.TEXT and (side.compressed or not frame.rsv)
        side.text = TextCheck() if is_text else None
        side.reported, side.message_start = False, frame.start
        if compressed and self.inferred:
            what = sentence("The payload is compressed, by its bit RSV1, and the handshake was not captured.")
            self._report(side, "websocket.context-not-captured", what, frame.payload_start, frame.stop)
        side.message = self._next_message()

    def _single(self, side: Side, frame: Frame) -> Part:
        if side.text is not None and not frame.payload.isascii():
            self._check_text(side, frame, frame.payload, 0, True)
        return Part(side.message, True, True, False, frame.payload_length)

    def _fragment(self, side: Side, frame: Frame, begins: bool, inflated: bytes | None) -> Part:
        size = position = 0
        for data in self._payload(side.role.direction, frame):
            last = frame.fin and position + len(data) >= frame.payload_length
            meant = data
            if side.compressed and side.inflater is not None:
                meant = side.inflater.feed(data, last) if inflated is None else inflated
                self._check_inflation(side, side.inflater, frame)
            self._check_text(side, frame, meant, position, last)
            position += len(data)
            size += len(meant)
        return Part(side.message, begins, frame.fin, side.compressed, size)

    def _payload(self, direction: int, frame: Frame) -> Iterator[bytes]:
        if frame.whole or self._read is None:
            yield frame.payload
            return
        for start in range(frame.payload_start, frame.stop, WINDOW):
            data = self._read(direction, start, min(start + WINDOW, frame.stop))
            yield ws.unmask(data, frame.masking_key, start - frame.payload_start)

    def _check_text(self, side: Side, frame: Frame, data: bytes, position: int, final: bool) -> None:
        if side.text is None or (side.text.fresh and final and data.isascii()):
            return
        wrong = side.text.feed(data, final)
        if wrong is None or (side.compressed and side.reported):
            return
        start, stop = frame.payload_start, frame.stop
        if not side.compressed:
            start = max(start, start + position + wrong.position)
            stop = min(stop, start + wrong.size)
        if not self._counted(side, "websocket.invalid-utf8", start):
            what = sentence("A text message is not UTF-8: {reason}.", reason=wrong.reason)
            self._report(side, "websocket.invalid-utf8", what, start, stop)

    def _check_inflation(self, side: Side, inflater: Inflater, frame: Frame) -> None:
        start, stop = frame.payload_start, frame.stop
        if inflater.problem and not side.reported:
            side.reported = True
            rule, what = "websocket.invalid-deflate", sentence("The payload cannot be inflated.")
            if inflater.problem == "lost":
                rule = "websocket.context-not-captured"
                what = sentence(
                    "The payload cannot be read: earlier messages of this side were not captured.")
            if inflater.problem == "limit":
                rule = "websocket.inflation-limit"
                what = sentence(
                    "The message inflates to more than {limit} bytes; the rest was let go.",
                    limit=self.limit)
            self._report(side, rule, what, start, stop)
        if inflater.window_exceeded and not side.window_reported:
            side.window_reported = True
            what = sentence(
                "The payload refers back further than the window of {value} bytes.",
                value=1 << inflater.window_bits)
            self._report(side, "websocket.window-bits-exceeded", what, start, stop)

    def end(self, first: int, partial: tuple[Frame | None, Frame | None], reset: bool) -> None:
        """The TCP connection is over: `first` ended it, `partial` are frames cut off. Call it once, last."""
        closing = any(side.close is not None for side in self._sides)
        for side in self._sides:
            self._accuse(side)
            if side.close is not None:
                continue
            self._cut_off(side, partial[side.role.direction])
            if closing:
                what = sentence("The {name} did not answer the Close.", name=sentence(side.name))
                self._report(side, "websocket.unanswered-close", what, 0, 0, frame=NO_FRAME)
        if not closing:
            how = marked("reset") if reset else marked("closed")
            what = sentence(
                "The {name} {how} the connection without a Close frame.", name=self._sides[first].name,
                how=how)
            self._report(self._sides[first], "websocket.missing-close", what, 0, 0, frame=NO_FRAME)
        for side in self._sides:
            self._unanswered(side, self._sides[1 - side.role.direction])

    def _cut_off(self, side: Side, frame: Frame | None) -> None:
        if frame is not None and not frame.payload_length >> 63:
            what = sentence(
                "The connection ended inside a {opcode_name} frame of {size}.",
                opcode_name=opcode_name(frame.opcode), size=amount(frame.payload_length, "byte"))
            self._report(side, "websocket.unfinished-frame", what, frame.start, frame.payload_start,
                         frame=NO_FRAME)
        elif side.message >= 0:
            what, at = sentence("The connection ended inside a fragmented message."), side.message_start
            self._report(side, "websocket.unfinished-message", what, at, at + 1, (0, 1), frame=NO_FRAME)

    def _unanswered(self, side: Side, other: Side) -> None:
        for ping in side.pings:
            # One frame may have been on its way when the ping came; a Close may take a pong's place.
            if other.frames - (other.close is not None) - ping.peer_frames >= 2:
                size = amount(len(ping.payload), "byte")
                what = sentence(
                    "A Ping ({size}) got no Pong, though its receiver went on sending.", size=size)
                self._report(side, "websocket.unanswered-ping", what, 0, 0, frame=ping.frame)
