"""Redis of one TCP conversation: who answers whom.

    pump ─> Scanner (one a direction) ─> RedisDecoder ─> RedisMessage;  values.read_value when somebody asks

Our own, not hiredis': broken bytes must be shown, not refused, and every message knows its bytes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inspector.model.language import marked, sentence
from inspector.model.packets import Row
from inspector.model.units import amount
from inspector.protocols.api import Decoder, Hole, MessageIndex, MessageLine, Part, Shown, Source, Start
from inspector.protocols.redis.commands import (
    BLOCKING,
    COMMANDS,
    EVERY_KEY,
    KEYLESS,
    PUBLISHED,
    SUBSCRIPTIONS,
)
from inspector.protocols.redis.findings import finding
from inspector.protocols.redis.scanner import INLINE, NUMBER, TYPES, Scanner, Unit
from inspector.protocols.redis.start import next_start
from inspector.protocols.redis.values import (
    Node,
    argument_text,
    inline_value,
    is_binary,
    node_text,
    part_of,
    read_value,
)
from inspector.wire.tcp.delivery import Pump, Run
from inspector.wire.text import escaped, worded

Kind = Literal["request", "reply", "push"]
_HEADINGS: dict[Kind, str] = {"request": marked("Redis request"), "reply": marked("Redis reply"),
                              "push": marked("Redis push")}

_PREVIEW = 240           # bytes of a string in a summary
_VALUE = 1 << 16         # bytes of a string in a field
_DISORDER = 3            # turns of the client that may come late
_TURNS = 2               # turns with as many replies as requests, after which matching is sure again
_MATCHED = 10_000        # requests of such a turn
_TEXT = 60               # characters of an error in a finding
_SUMMARY = 200           # characters of a summary
_MONITORED = re.compile(rb"\d+\.\d+ \[")


@dataclass(slots=True)
class RedisMessage:
    """A request, a reply, or what the server sent unasked. `type`: its first byte, "" for an inline command.

    `partner`: the position of the request, or of the (last) reply. `complete`: False where bytes lack.
    """

    number: int
    direction: int
    start: int
    stop: int
    kind: Kind
    type: str
    command: str                     # upper case; of a reply: of the request that it answers
    complete: bool = True
    partner: int | None = None

    @property
    def type_name(self) -> str:
        """`integer`, `bulk string`, …; "" for an inline command."""
        return TYPES.get(self.type, "")


class RedisDecoder(Decoder[RedisMessage]):
    """Redis on one connection, up to a replication stream (PSYNC), which is of no protocol that is told here.

    Replies come in the order of their requests. Once bytes are lost nobody knows how many are outstanding:
    nothing is matched then, until two turns in a row had as many replies as requests; these are matched too.
    """

    cut_short = frozenset({"redis.unanswered-request"})

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        known = [stream.start_known and offset == base
                 for stream, offset, base in zip(source.streams, start.offsets, start.base, strict=True)]
        self.inferred = not all(known)
        first, second = (Scanner(direction == start.client, start.offsets[direction], not known[direction])
                         for direction in (0, 1))
        self._scanners = first, second
        self._messages: list[RedisMessage] = []
        self._waiting: deque[tuple[int, int]] = deque()      # (position of a request, replies that it gets)
        self._read_last: tuple[int, int, Node] | None = None
        # What the connection was asked to do.
        self._silent = 0                                     # requests without a reply: CLIENT REPLY SKIP
        self._off = False                                    # CLIENT REPLY OFF
        self._subscribed = self._monitoring = False
        self._subscription: RedisMessage | None = None       # the request that was confirmed last
        # Whether replies can be told to requests.
        self._sure = not self.inferred
        self._last = -1                                      # the direction that spoke last
        self._torn = False                                   # the turn under way lacks bytes
        self._asked: list[int] = []
        self._answered: list[int] = []
        self._turns: list[tuple[list[int], list[int]]] = []

    # --- reading -----------------------------------------------------------------------------------

    def take(self) -> bool:
        progress = False
        runs = self.pump.runs() if not self.over else []
        for number, run in enumerate(runs):
            if run[0] != self.client and self._asks_nothing() and self.knows_more(run):
                # The capture may have a request after its reply.
                for later in runs[number + 1 : number + 2 * _DISORDER : 2]:
                    if not self._waiting:
                        progress = self._feed(later) or progress
            progress = self._feed(run) or progress
            if self.over:
                break
        return progress

    def wants(self, direction: int) -> bool:
        return not self.over and self._scanners[direction].lost < 0

    def _asks_nothing(self) -> bool:
        """True when a reply would begin now that nobody asked for, as far as requests came."""
        if self._waiting or not self._sure or self._subscribed or self._monitoring or self._off:
            return False
        server = 1 - self.client
        place = self.pump.position[server]
        return not self._scanners[server].pending and self.pump.read(server, place, place + 1) != b">"

    def _feed(self, run: Run) -> bool:
        direction, _, stop = run
        before = self.pump.position[direction]
        scanner = self._scanners[direction]
        if scanner.lost >= 0:
            self.pump.position[direction] = max(stop, before)
            return stop > before
        if stop > before:
            if direction == self.client != self._last:
                self._end_turn()
            self._last = direction
        for start, data in self.pump.windows(run):
            scanner.feed(data)
            self._enter(direction)
            while scanner.lost >= 0 and scanner.doubted and not self.over:
                place = next_start(self.source.streams[direction], scanner.lost + 1, start + len(data),
                                    scanner.is_request)
                self._doubt(direction, place)
                scanner.feed(data, place - start)
                self._enter(direction)
            if scanner.lost >= 0 and not self.over:
                scanner.give_up()
                self._enter(direction)
            if self.over or scanner.lost >= 0:
                break
        return self.pump.position[direction] > before

    def lose(self, hole: Hole) -> bool:
        direction, position = hole.direction, self.pump.position
        scanner = self._scanners[direction]
        if self.over or scanner.lost >= 0:
            return False
        if position[direction] < hole.start:
            scanner.feed(self.pump.read(direction, position[direction], hole.start))
            self._enter(direction)
        if scanner.lost < 0 and scanner.lose(hole.stop - hole.start):
            position[direction] = hole.stop
            self._enter(direction)
            return True
        stream = self.source.streams[direction]
        place = next_start(stream, hole.stop, stream.contiguous_from(hole.stop), scanner.is_request)
        self._doubt(direction, place)
        position[direction] = place
        return True

    def _doubt(self, direction: int, place: int) -> None:
        """Go on at another offset: what was under way is not whole, and who answers whom is not known."""
        scanner = self._scanners[direction]
        scanner.doubted = True
        self._unsettle()
        scanner.give_up()
        self._enter(direction)
        scanner.restart(place)

    def end(self, first: int, reset: bool) -> None:
        if self.over:
            return
        self._end_turn()
        for direction, scanner in enumerate(self._scanners):
            if not scanner.pending or scanner.lost >= 0:
                continue
            if not scanner.doubted:
                size = amount(scanner.offset - scanner.start, "byte")
                what = sentence("The connection ended after {size} of a message.", size=size)
                self._find("redis.incomplete-message", what, direction, scanner.start, scanner.offset)
            scanner.give_up()
            self._enter(direction)
        for position in self.unanswered():
            request = self._messages[position]
            place = request.direction, request.start, request.stop
            if not self.findings.full("redis.unanswered-request", *place[:2]):
                what = sentence(
                    "\"{request_text}\" got no reply before the connection ended.",
                    request_text=self._request_text(request))
                self.findings.append(finding("redis.unanswered-request", what, *place))

    def unanswered(self) -> Sequence[int]:
        if not self._sure or any(scanner.lost >= 0 or scanner.doubted for scanner in self._scanners):
            return ()
        return [position for position, _ in self._waiting
                if self._messages[position].command != "SHUTDOWN" and self._messages[position].complete]

    def holds(self, position: int) -> bool:
        request = self._messages[position]
        if request.command in ("XREAD", "XREADGROUP"):
            return any(word.text.upper() == b"BLOCK" for word in self.arguments(request)[1:8])
        return request.command in BLOCKING

    def _find(self, rule: str, what: str, direction: int, start: int, stop: int) -> None:
        if not self.findings.full(rule, direction, start):
            self.findings.append(finding(rule, what, direction, start, stop))

    # --- matching ----------------------------------------------------------------------------------

    def _enter(self, direction: int) -> None:
        """Take what a scanner has found."""
        scanner = self._scanners[direction]
        for unit in scanner.units:
            if direction == self.client:
                self._ask(unit)
            else:
                self._answer(unit)
            if self.over:
                self.pump.position[direction] = unit.stop
                scanner.problems.clear()
                break
        scanner.units.clear()
        for problem in scanner.problems:
            self._find(problem.rule, problem.what, direction, problem.start, problem.stop)
        scanner.problems.clear()

    def _add(self, unit: Unit, direction: int, kind: Kind, command: str) -> RedisMessage:
        message = RedisMessage(
            len(self._messages), direction, unit.start, unit.stop, kind, unit.type, command, unit.complete)
        self._messages.append(message)
        return message

    def _ask(self, unit: Unit) -> None:
        words = unit.words
        command = escaped(words[0], NUMBER).upper() if words else ""
        message = self._add(unit, self.client, "request", command)
        if not words:
            return                            # an empty line, or no arguments: redis-server says nothing
        replies = 1
        if command == "CLIENT" and len(words) > 2 and words[1].upper() == b"REPLY":
            self._off = words[2].upper() == b"OFF" or (self._off and words[2].upper() != b"ON")
            self._silent = 2 if words[2].upper() == b"SKIP" else 0
        elif command.lower() in SUBSCRIPTIONS:
            replies = max(unit.size - 1, 1)
        if self._off or self._silent:
            self._silent = max(self._silent - 1, 0)
        elif self._sure:
            self._waiting.append((message.number, replies))
        else:
            self._count(self._asked, message.number)

    def _answer(self, unit: Unit) -> None:
        first = unit.words[0].decode("latin-1").lower() if unit.words and unit.type in ("*", ">") else ""
        if first in SUBSCRIPTIONS and self._confirm(unit, first):
            return
        if unit.type == ">" or (first in PUBLISHED and (self._subscribed or not self._sure)) or (
                unit.type == "+" and self._monitoring and unit.words and _MONITORED.match(unit.words[0])):
            self._add(unit, 1 - self.client, "push", "")
            return
        message = self._add(unit, 1 - self.client, "reply", "")
        if unit.type in ("-", "!"):
            what = sentence(
                "The server answers \"{said}\".", said=escaped(self.value(message, _PREVIEW).text, _TEXT))
            self._find("redis.error-reply", what, message.direction, message.start, message.stop)
        if not self._sure:
            self._count(self._answered, message.number)
        elif self._waiting:
            self._pair(self._messages[self._waiting.popleft()[0]], message)
        elif unit.type != "-":
            self._unsettle()                  # the capture lacks a request: errors alone come unasked

    def _pair(self, request: RedisMessage, reply: RedisMessage) -> None:
        request.partner, reply.partner, reply.command = reply.number, request.number, request.command
        if reply.type == "-":
            return
        if request.command == "MONITOR":
            self._monitoring = True
        elif request.command == "RESET":
            self._monitoring = self._subscribed = False
        elif request.command in ("PSYNC", "SYNC"):
            self.over = True

    def _confirm(self, unit: Unit, first: str) -> bool:
        """A channel was subscribed or left: it answers the request for it, one reply a channel."""
        waiting = self._waiting[0] if self._waiting else None
        request = self._messages[waiting[0]] if waiting else None
        if request is None or request.command.lower() != first:
            waiting, request = None, self._subscription
        if request is None or request.command.lower() != first:
            if unit.type != ">" and self._sure and not self._subscribed:
                return False                  # a reply that holds the word
            request = None                    # a server moves a slot: the channel is left unasked
        message = self._add(unit, 1 - self.client, "push" if request is None else "reply", "")
        self._subscribed = unit.words[2:3] != (b"0",)
        if request is not None:
            self._pair(request, message)
            self._subscription = request
        if waiting is not None:
            self._waiting.popleft()
            if waiting[1] > 1:
                self._waiting.appendleft((waiting[0], waiting[1] - 1))
        return True

    def _count(self, numbers: list[int], number: int) -> None:
        numbers.append(number)
        if len(numbers) > _MATCHED:
            numbers.clear()
            self._torn = True

    def _unsettle(self) -> None:
        """From now on it is not known which request a reply answers."""
        self._sure, self._torn = False, True
        self._waiting.clear()
        self._turns.clear()
        self._subscription = None

    def _end_turn(self) -> None:
        """The client speaks again: where as many replies as requests came some times, matching is sure."""
        if self._sure:
            return
        asked, answered = self._asked, self._answered
        self._asked, self._answered = [], []
        if self._torn or len(asked) != len(answered):
            self._torn = False
            self._turns.clear()
        elif asked:
            self._turns.append((asked, answered))
        if len(self._turns) < _TURNS:
            return
        for asked, answered in self._turns:
            for request, reply in zip(asked, answered, strict=True):
                self._pair(self._messages[request], self._messages[reply])
        self._turns.clear()
        self._sure = True

    # --- values ------------------------------------------------------------------------------------

    def value(self, message: RedisMessage, keep: int = _VALUE) -> Node:
        """What a message says, read again; of each string the first `keep` bytes."""
        last = self._read_last
        if last is not None and last[:2] == (message.number, keep):
            return last[2]
        stream = self.source.streams[message.direction]
        if message.type:
            found = read_value(stream, message.start, message.stop, keep)
        else:
            line = stream.read(message.start, min(message.stop, message.start + INLINE))
            found = inline_value(line, message.start, message.stop, keep)
        self._read_last = (message.number, keep, found) if message.complete else None
        return found

    def arguments(self, message: RedisMessage, keep: int = _VALUE) -> tuple[Node, ...]:
        """The command of a request and its arguments."""
        return self.value(message, keep).children if message.kind == "request" else ()

    def keys(self, message: RedisMessage) -> tuple[Node, ...]:
        """The arguments of a request that are keys, as far as the command's name tells."""
        words, command = self.arguments(message)[1:], message.command
        if command in EVERY_KEY:
            return words
        if command in ("MSET", "MSETNX"):
            return words[::2]
        return () if command in KEYLESS or command not in COMMANDS else words[:1]

    def time_ns(self, message: RedisMessage) -> int | None:
        """For a reply: nanoseconds from the request's last byte to its own last one."""
        if message.kind != "reply" or message.partner is None:
            return None
        asked, answered = (self._last_row(one) for one in (self._messages[message.partner], message))
        if asked is None or answered is None:
            return None
        return self.source.time_of(answered) - self.source.time_of(asked)

    def _last_row(self, message: RedisMessage) -> Row | None:
        rows = self.source.rows_of(message.direction, message.stop - 1, message.stop)
        return rows[-1] if rows else None

    # --- records -----------------------------------------------------------------------------------

    @property
    def records(self) -> Sequence[RedisMessage]:
        """Requests, replies and pushes in the order in which they became whole."""
        return self._messages

    def partner(self, position: int) -> int | None:
        return self._messages[position].partner

    def summary(self, record: RedisMessage) -> str:
        """`SET greeting "hello"`, `"hello"`, `(integer) 5`, `1) "a" 2) "b"`: as redis-cli, on one line."""
        if record.kind == "request":
            return self._request_text(record)
        text = escaped(node_text(self.value(record, _PREVIEW)), _SUMMARY)
        return sentence("push: {text}", text=text) if record.kind == "push" else text

    def reply_text(self, record: RedisMessage) -> str:
        """What a reply says: a string as it is, anything else as redis-cli prints it."""
        node = self.value(record)
        return escaped(node.text) if not node.children and not node.is_null else node_text(node)

    def short(self, record: RedisMessage) -> str:
        return f"… {record.command if record.kind == 'request' else record.type_name or record.kind}"

    def heading(self, record: RedisMessage) -> tuple[str, str]:
        return sentence(_HEADINGS[record.kind]), self.summary(record)

    def parts(self, record: RedisMessage) -> Sequence[Part]:
        """The tree of the value, each string and number at its bytes."""
        node = self.value(record, _PREVIEW)
        return [part_of(one) for one in (node.children if record.kind == "request" else (node,))]

    def _request_text(self, message: RedisMessage) -> str:
        words = self.arguments(message, _PREVIEW)
        if not words:
            return sentence("(no command)")
        texts = [escaped(words[0].text, NUMBER)]
        keys = message.command in EVERY_KEY
        texts += [argument_text(word, keys or place == 1) for place, word in enumerate(words[1:12], 1)]
        more = len(words) - len(texts)
        texts += [sentence("… {count:,} more", count=more)] * (more > 0)
        return worded(texts, _SUMMARY, " ")

    # --- messages ------------------------------------------------------------------------------------

    def complete(self, index: MessageIndex) -> bool:
        return self._messages[index].complete

    def line(self, index: MessageIndex) -> MessageLine:
        message = self._messages[index]
        text = self.summary(message)
        if message.kind == "request":
            kind, text = escaped(message.command or "-", 12), text.partition(" ")[2]
        else:
            kind = ("PUSH" if message.kind == "push" else "ERROR" if message.type in ("-", "!")
                    else sentence("reply"))
            text = text.removeprefix("push: ").removeprefix("(error) ")
        marks = () if message.complete else ("unfinished",)
        rows = tuple(sorted(self.rows_of(message)))
        return MessageLine(message.direction, kind, text, message.stop - message.start, rows, marks,
                           message.type in ("-", "!"))

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        message = self._messages[index]
        node = self.value(message, min(limit, _VALUE))
        if message.kind != "request" and node.type in ("$", "=") and not node.is_null:
            head = worded((sentence(TYPES[node.type]), amount(node.length, "byte")), between=", ")
            return Shown((head, ""), node.text, is_binary(node.text))
        return Shown((self.summary(message),))
