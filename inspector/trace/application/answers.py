"""Answers that took long, and requests whose client gave up: of every protocol whose messages are paired.

    layers of a conversation ─> `wait_of` each answer ─> slow ones ─┐
    its first FIN or RST ─> requests without an answer then ────────┴─> findings, in place of what TCP says

Of what is asked in turn only packets after a silence are looked at: a server that went on sending worked.
Who only shut down its sending may still wait, so that "gave up" needs the connection to be over, or reset.
What waits on purpose (`Decoder.holds`: a long poll, a read that blocks) is neither slow nor given up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.language import Sentence, sentence
from inspector.model.numbers import FIN, RST
from inspector.model.packets import Row, row_at, rows_in
from inspector.model.units import duration
from inspector.protocols.api import Abandoned, Decoder
from inspector.wire.findings import Finding
from inspector.wire.tcp.findings import GAVE_UP_NS, SLOW_ANSWER_NS
from inspector.wire.tcp.rules import ENDINGS, finding

if TYPE_CHECKING:
    from inspector.trace.application.engine import Layer
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.index.index import Index
    from inspector.trace.index.packets import Packets

_MOST = 20                       # slow answers of a conversation that are told one by one
_OPEN = 8                        # packets after a silence that are no answer as yet
_LATE = 64                       # packets after the client's end among which an answer is looked for

class Wait(NamedTuple):
    """Rows of the request's last packet, and of the answer's first and last; times in nanoseconds."""

    asked: Row
    began: Row
    ended: Row
    first_ns: int              # until the answer's first byte
    whole_ns: int              # until its last one


def wait_of(trace: Packets, decoder: Decoder[Any], position: int) -> Wait | None:
    """How long record `position` was waited for; None for a request, and where one of both is not known.

    None too for an answer that came before its request had ended: nobody waited for it.
    """
    partner = decoder.partner(position)
    if partner is None or partner > position:
        return None
    (_, asked), (began, ended) = (_ends(decoder, one) for one in (partner, position))
    if not asked or not began or not ended:
        return None
    rows = max(asked), min(began), max(ended)
    start, first, last = (int(trace.index.time_ns[row]) for row in rows)
    return Wait(*rows, first - start, max(last - start, 0)) if first >= start else None


def _ends(decoder: Decoder[Any], position: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Rows of the first and of the last record of the message that a record belongs to."""
    records = decoder.records_of(decoder.message_of(position))
    first = decoder.rows_of(decoder.records[records[0]])
    return first, first if len(records) == 1 else decoder.rows_of(decoder.records[records[-1]])


class Read(Protocol):
    """What is asked of an application: its layers, and which of their records have bytes in a packet."""

    @property
    def layers(self) -> list[Layer]:
        """The protocols of the connection."""

    def positions(self, layer: Layer, row: Row) -> Iterator[int]:
        """The places of a layer's records with bytes in packet `row`."""


class GivenUp(NamedTuple):
    """A request without an answer when its sender closed, or with one under way.

    `asked`: its last packet; `closed`: the packet by which its sender ended; `answered`: the first packet of
    the answer, None where none came. `heard`: whether it had begun by then. `more`: how many wait beside it.
    """

    layer: Layer
    position: int
    asked: Row
    closed: Row
    answered: Row | None
    heard: bool
    more: int = 0

    def words(self) -> str:
        """The request, in quotes."""
        return request_words(self.layer.decoder, self.position)


def request_words(decoder: Decoder[Any], position: int) -> str:
    """A request in a few words, in quotes."""
    line = decoder.line(decoder.message_of(position))
    text = f"{line.kind} {line.text}" if line.text else line.kind
    return f'"{text if len(text) <= 60 else text[:59] + "…"}"'


class Answers:
    """The answers of one conversation, which may grow."""

    def __init__(self, trace: Packets, flow: TcpFlow) -> None:
        self._trace, self._flow = trace, flow
        self._packets = 0                          # that were looked at
        self._last: Row | None = None              # the last of them that carries something
        self._silences: list[Row] = []             # packets after one that are no answer as yet
        self._records: dict[int, int] = {}         # of a layer that answers in any order, by its place
        self._slow: list[Finding] = []
        self._count = 0
        self._given_up: tuple[int, GivenUp | None] = -1, None
        self._abandoned: dict[int, int] = {}       # of each layer, how many were looked at
        self._left: list[Finding] = []             # what is found of them …
        self._left_count = 0
        self._left_by: set[tuple[int, int]] = set()      # … and by which bytes each was given up

    # --- slow ones -----------------------------------------------------------------------------------

    def slow(self, read: Read) -> list[Finding]:
        """The answers that took long, in order; of many the last one says how many there are."""
        layers = [layer for layer in read.layers if layer.protocol.pairs]
        self._take_silences()
        if not layers or not self._lasts():
            return []
        self._silences = [row for row in self._silences if not self._look_at(read, layers, row)][-_OPEN:]
        for place, layer in enumerate(layers):
            if not layer.decoder.in_turn:
                self._look_through(place, layer)
        found = sorted(self._slow, key=lambda one: one.rows)
        if self._count > len(found):
            more = sentence("{first} (The same {count:,} times more.)", first=found[-1].text,
                            count=self._count - len(found))
            found[-1] = replace(found[-1], text=more)
        return found

    # --- given up on a connection that goes on -------------------------------------------------------

    def abandoned(self, read: Read, own: list[Finding]) -> list[Finding]:
        """Findings of protocols, with requests that their clients gave up one by one after a long wait."""
        for place, layer in enumerate(read.layers):
            for one in layer.decoder.abandoned(self._abandoned.get(place, 0)):
                self._abandoned[place] = self._abandoned.get(place, 0) + 1
                self._judge_abandoned(layer, one)
        if not self._left_by:
            return own
        left = list(self._left)
        if self._left_count > len(left):
            more = sentence("{first} (The same {count:,} times more.)", first=left[-1].text,
                            count=self._left_count - len(left))
            left[-1] = replace(left[-1], text=more)
        return [*(it for it in own if it.direction is None or (it.direction, it.start) not in self._left_by),
                *left]

    def _judge_abandoned(self, layer: Layer, one: Abandoned) -> None:
        decoder = layer.decoder
        record, request = decoder.records[one.by], decoder.records[one.position]
        asked, closed = _ends(decoder, one.position)[1], decoder.rows_of(record)
        if not asked or not closed:
            return
        waited = max(int(self._trace.index.time_ns[max(closed)]) - self._arrived(max(asked)), 0)
        if not one.heard and waited < GAVE_UP_NS:
            return                             # a user who stops, a page that is left
        self._left_by.add((record.direction, record.start))
        if not one.heard and decoder.holds(one.position):
            return
        client, server = self._name(request.direction), self._name(1 - request.direction)
        words = request_words(decoder, one.position)
        if one.heard:
            found = finding("answer.broken-off", sentence(
                "{client} gave up in the middle of the answer to {request}, by {how}.", client=client,
                request=words, how=one.how))
        else:
            found = finding("answer.gave-up", sentence(
                "{request} had waited {waited} for an answer of {server} when {client} gave up by {how}; "
                "none came.", request=words, waited=duration(waited), server=server, client=client,
                how=one.how))
        self._left_count += 1
        if len(self._left) < _MOST:
            self._left.append(found.at(self._flow.stream, (max(closed), max(asked))))

    def _lasts(self) -> bool:
        """Whether the conversation takes long enough for one."""
        times, rows = self._trace.index.time_ns, self._flow.rows
        return bool(len(rows)) and int(times[rows[-1]]) - int(times[rows[0]]) >= SLOW_ANSWER_NS

    def _take_silences(self) -> None:
        """Note the packets before which nobody said anything for long."""
        index, rows = self._trace.index, self._flow.rows[self._packets :]
        self._packets += len(rows)
        rows = rows[index.payload_length[rows] > 0]
        if self._last is not None:
            rows = np.concatenate((np.array([self._last], rows.dtype), rows))
        if len(rows):
            self._last = row_at(rows, -1)
            times = index.time_ns[rows].astype(np.int64)
            self._silences += rows_in(rows[1:][np.diff(times) >= SLOW_ANSWER_NS])

    def _look_at(self, read: Read, layers: Sequence[Layer], row: Row) -> bool:
        """Whether it is known now what a packet after a silence is: an answer, or none."""
        known = False
        for layer in layers:
            for position in read.positions(layer, row):
                known = True
                if layer.decoder.in_turn:
                    self._judge(layer, position)
        return known

    def _look_through(self, place: int, layer: Layer) -> None:
        """Judge the new records of a layer whose answers come in any order."""
        count = len(layer.decoder.records)
        for position in range(self._records.get(place, 0), count):
            self._judge(layer, position)
        self._records[place] = count

    def _judge(self, layer: Layer, position: int) -> None:
        decoder = layer.decoder
        asked = decoder.partner(position)
        if asked is None or asked > position or decoder.partner(asked) != position \
                or decoder.holds(asked):
            return
        wait = wait_of(self._trace, decoder, position)
        if wait is None:
            return
        took = int(self._trace.index.time_ns[wait.began]) - self._arrived(wait.asked)
        if took < SLOW_ANSWER_NS:
            return
        self._count += 1
        if len(self._slow) < _MOST:
            record = decoder.records[position]
            what = sentence("{server} took {took} to begin its answer to {request}.",
                            server=self._name(record.direction), took=duration(took),
                            request=request_words(decoder, asked))
            self._slow.append(finding("answer.slow", what).at(self._flow.stream,
                                                                  (wait.began, wait.asked)))

    def _arrived(self, row: Row) -> int:
        """When a packet came to its receiver: it may have been held on the wire."""
        sent = int(self._trace.index.time_ns[row])
        return self._trace.fates.arrived_ns(row, sent) or sent

    def _name(self, direction: int) -> str:
        return join_endpoint(*(self._flow.b if direction else self._flow.a))

    # --- given up ------------------------------------------------------------------------------------

    def given_up(self, read: Read) -> GivenUp | None:
        """The first request whose sender closed before it had an answer, or all of it."""
        if self._given_up[0] != len(self._flow.rows):
            self._given_up = len(self._flow.rows), self._find_given_up(read)
        return self._given_up[1]

    def _find_given_up(self, read: Read) -> GivenUp | None:
        index, rows = self._trace.index, self._flow.rows
        closing = rows[index.tcp_flags[rows] & (FIN | RST) != 0]
        if not len(closing):
            return None
        closed = row_at(closing, 0)
        end = self._flow.direction(closed)
        for layer in reversed(read.layers):
            if layer.protocol.pairs and not layer.decoder.seals:
                found = self._late(read, layer, closed, end) or self._unanswered(layer, closed, end)
                if found is not None:
                    return found
        return None

    def _late(self, read: Read, layer: Layer, closed: Row, end: int) -> GivenUp | None:
        """What was answered after its sender's end."""
        decoder, index = layer.decoder, self._trace.index
        after = self._flow.rows[self._flow.rows > closed]
        after = after[(index.payload_length[after] > 0) & (self._flow.directions(after) != end)][:_LATE]
        for row in rows_in(after):
            for position in read.positions(layer, row):
                asked = decoder.partner(position)
                if asked is None or decoder.records[asked].direction != end:
                    continue
                answer, question = _ends(decoder, position)[0], _ends(decoder, asked)[1]
                if answer and question and max(question) < closed:
                    return GivenUp(layer, asked, max(question), closed, min(answer), min(answer) < closed)
        return None

    def _unanswered(self, layer: Layer, closed: Row, end: int) -> GivenUp | None:
        """What has no answer though its sender has ended."""
        decoder, records = layer.decoder, layer.decoder.records
        asked = [position for position in decoder.unanswered() if records[position].direction == end]
        last = [records[decoder.records_of(decoder.message_of(position))[-1]] for position in asked]
        places = (np.array([getattr(one, name) for one in last], np.int64) for name in ("start", "stop"))
        rows = layer.streams[end].last_rows(*places)
        known = np.flatnonzero((rows >= 0) & (rows < closed))
        if not len(known):
            return None
        return GivenUp(layer, asked[known[0]], row_at(rows, known[0]), closed, None, False,
                       more=len(known) - 1)

    def explained(self, read: Read, of_tcp: list[Finding], own: list[Finding], *,
                  over: bool) -> tuple[list[Finding], list[Finding]]:
        """Findings of TCP and of protocols, where one of them is that a client gave up: said so instead."""
        cut_short = frozenset[str]().union(*(layer.decoder.cut_short for layer in read.layers))
        ends = any(one.id in ENDINGS or one.id == "tcp.close-wait" for one in of_tcp)
        if not ends and not any(one.id in cut_short for one in own):
            return of_tcp, own
        one = self.given_up(read)
        if one is None:
            return of_tcp, own
        end = self._flow.direction(one.closed)
        if one.heard:
            if any(it.id in cut_short for it in own):
                return [it for it in of_tcp if it.id not in ENDINGS], own
            return [self._broken_off(one, it) if it.id == "tcp.sent-after-close" else it
                    for it in of_tcp], own
        if one.answered is None and not over:
            return [self._kept_open(one, it) if it.id == "tcp.close-wait" else it for it in of_tcp], own
        on_purpose = one.layer.decoder.holds(one.position)
        soon = one.answered is None and self.waited_ns(one) < GAVE_UP_NS
        if not self._is_sure(one, end) or (soon and not on_purpose):
            return of_tcp, own
        rest = [it for it in own if not (it.id in cut_short and self._speaks_of(it, one))
                and not (it.id == "answer.slow" and one.asked in it.rows)]
        own = rest if on_purpose else [*rest, self._gave_up(one)]
        return [it for it in of_tcp if it.id not in ENDINGS], own

    def _is_sure(self, one: GivenUp, end: int) -> bool:
        """Whether who closed does not take an answer any more: it resets what comes, or was done itself."""
        if one.answered is None:
            return True
        index, rows = self._trace.index, self._flow.rows
        resets = rows[index.tcp_flags[rows] & RST != 0]
        return bool((self._flow.directions(resets) == end).any())

    def _speaks_of(self, it: Finding, one: GivenUp) -> bool:
        """Whether a protocol's finding is about that request, or the answer to it."""
        decoder = one.layer.decoder
        partner = decoder.partner(one.position)
        both = [decoder.records[at] for at in (one.position, partner) if at is not None]
        return any(it.direction == record.direction and it.start < record.stop and it.stop > record.start
                   for record in both) or one.answered is None

    def waited_ns(self, one: GivenUp) -> int:
        """How long a request had waited when its sender closed."""
        return max(int(self._trace.index.time_ns[one.closed]) - self._arrived(one.asked), 0)

    def _gave_up(self, one: GivenUp) -> Finding:
        times, end = self._trace.index.time_ns, self._flow.direction(one.closed)
        if one.answered is None:
            then: Sentence | str = sentence("none came")
        else:
            then = sentence("it came {later} later",
                            later=duration(int(times[one.answered]) - int(times[one.closed])))
        more = sentence(" ({count} more wait behind it)", count=one.more) if one.more else ""
        waited = self.waited_ns(one)
        what = sentence(
            "{request} had waited {waited} for an answer of {server} when {client} gave up; {then}{more}.",
            request=one.words(), waited=duration(waited), server=self._name(1 - end),
            client=self._name(end), then=then, more=more)
        rows = [one.closed, one.asked, *([] if one.answered is None else [one.answered])]
        found = finding("answer.gave-up", what).at(self._flow.stream, rows)
        return found if waited >= GAVE_UP_NS else replace(found, severity="note")

    def _broken_off(self, one: GivenUp, it: Finding) -> Finding:
        end = self._flow.direction(one.closed)
        what = sentence(
            "{client} closed in the middle of the answer to {request}; what {server} still sent got RST.",
            client=self._name(end), request=one.words(), server=self._name(1 - end))
        return finding("answer.broken-off", what).at(self._flow.stream, it.rows)

    def _kept_open(self, one: GivenUp, it: Finding) -> Finding:
        """What `tcp.close-wait` says, where a request waits for its answer still."""
        end = self._flow.direction(one.closed)
        silent = self._trace.end_ns - int(self._trace.index.time_ns[one.closed])
        what = sentence(
            "{request} had waited {waited} for an answer when {client} closed its side; {server} has neither "
            "answered nor closed in the {silent} since.", request=one.words(), client=self._name(end),
            waited=duration(self.waited_ns(one)), server=self._name(1 - end), silent=duration(silent))
        return replace(it, text=finding("answer.gave-up", what).text)


def is_slow_somewhere(index: Index, flow: TcpFlow) -> bool:
    """Whether anything of a conversation was said after a silence as long as that of a slow answer."""
    rows = flow.rows
    if not len(rows) or int(index.time_ns[rows[-1]]) - int(index.time_ns[rows[0]]) < SLOW_ANSWER_NS:
        return False
    request_words = rows[index.payload_length[rows] > 0]
    return bool((np.diff(index.time_ns[request_words].astype(np.int64)) >= SLOW_ANSWER_NS).any())
