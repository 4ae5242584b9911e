"""What is known of TCP conversations, without decoding them where that is certain.

Most conversations of a capture are plain: columns of all of them say what was spoken (`plain.py`), and that
there is nothing to find. Whoever asks for one that is not, or that was decoded already, gets what its
application says. By turns (a screen) the columns are made apart, on a thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any
from typing import Protocol as Interface

from inspector.model.endpoint import join_endpoint
from inspector.model.numbers import RST
from inspector.model.packets import Row
from inspector.model.records import Call, Event, KernelSample
from inspector.protocols.api import Decoder, Protocol
from inspector.trace.application import decode_as
from inspector.trace.application.answers import is_slow_somewhere
from inspector.trace.application.application import ApplicationLayers, by_place
from inspector.trace.application.engine import Layer
from inspector.trace.application.plain import (
    Completed,
    LooseOne,
    PacketWords,
    PlainBlock,
    PlainConversations,
    exchanged,
)
from inspector.trace.application.unread import RESETS, UnreadBytes
from inspector.trace.contents.beyond import Beyond
from inspector.trace.flows.copies import may_hold_copies
from inspector.trace.flows.kept import Kept
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.flows.together.ahead import Ahead
from inspector.trace.flows.turns import Turns
from inspector.trace.index.conversations import PROTOCOLS, RowLists, sorted_rows
from inspector.trace.index.packets import Packets
from inspector.wire.arrays import Int64s
from inspector.wire.findings import Finding
from inspector.wire.tcp import findings as tcp_findings
from inspector.wire.tcp.rules import ENDINGS

_SMALL = 1 << 13          # packets of a conversation that is looked at at once (15 ms), where it is plain
_MOST_PLAIN = 2_000_000   # packets up to which a screen has plain conversations looked for


class Decoding(Packets, Interface):
    """The trace, which decodes what is not known by columns."""

    following: bool
    ahead: Ahead
    turns: Turns | None

    @property
    def complete(self) -> bool:
        """Whether all that stands there now was read."""

    @property
    def events(self) -> list[Event]:
        """What the journal tells."""

    @property
    def calls(self) -> list[Call]:
        """The system calls, in order of their beginning."""

    @property
    def kernel(self) -> list[KernelSample]:
        """What the kernel held of each socket, in the order in which it was looked at."""

    def pieces(self, rows: Int64s, positions: Int64s, lengths: Int64s) -> list[bytes]:
        """Bytes of many packets, each packet's by itself."""

    def application(self, stream: int) -> ApplicationLayers:
        """What a TCP conversation carries; by turns as far as it is decoded."""

    def decoded(self, stream: int) -> bool:
        """Whether it was decoded before."""

    def advance(self, stream: int, seconds: float) -> bool:
        """Go on decoding it for about so long; whether all of it is decoded now."""


class Known:
    """What a trace tells of its TCP conversations, by the cheapest way that is certain."""

    def __init__(self, trace: Decoding, flow: Callable[[int], TcpFlow], applications: Kept[ApplicationLayers],
                 rows: RowLists) -> None:
        """`flow`: a conversation's, as it stands; `applications`, `rows`: what the trace keeps of them."""
        self._trace, self._flow, self._applications, self._rows = trace, flow, applications, rows
        self._plain: PlainConversations | None = None
        self._looks_for_plain = False          # on a thread
        self._beyond = Beyond()
        self._unread = UnreadBytes(trace)

    @property
    def _grows(self) -> bool:
        return self._trace.following or not self._trace.complete

    def plain(self, stream: int) -> Layer | None:
        """The protocol and all records of a TCP conversation, where it is plain; else `application` knows."""
        plain = self.plain_conversations()
        return None if plain is None else plain.layer(stream)

    def words_of(self, row: Row) -> PacketWords:
        """What a TCP packet carries, in a line, and the protocols of which it completes a record."""
        stream, plain = int(self._trace.index.stream[row]), None if decode_as.stamp() else self._plain
        if plain is not None and plain.count == self._trace.index.count and not self._trace.decoded(stream):
            found = plain.words_of(stream)
            if found is not None:
                return found.get(row, ("", ()))
            if self.is_strange(stream):
                return "", ()
        known = None if self._trace.turns is None else self._applications.so_far(stream)
        application = self._trace.application(stream) if known is None else known
        return application.info(row), application.protocols(row)

    def _completed(self, stream: int) -> Completed | None:
        plain = self.plain_conversations() if self._trace.turns is None or self._small(stream) else None
        if plain is None or self._trace.decoded(stream):
            return None
        found = plain.completed(stream)
        return (None, {}) if found is None and self.is_strange(stream) else found

    def spoken(self, stream: int) -> str:
        """The protocol of a TCP conversation; "" where nothing is known."""
        found = self._completed(stream)
        if found is None:
            return self._trace.application(stream).protocol
        return "" if found[0] is None else found[0].protocol.name

    def completed(self, row: Row, protocol: str) -> list[tuple[Decoder[Any], Any]]:
        """The records of a protocol that a TCP packet completes, each with its decoder."""
        stream = int(self._trace.index.stream[row])
        found = self._completed(stream)
        if found is None:
            return [(one.layer.decoder, one.record)
                    for one in self._trace.application(stream).completed(row, protocol)]
        layer, records = found
        if layer is None or layer.protocol.name != protocol:
            return []
        return [(layer.decoder, record) for record in records.get(row, ())]

    def turned(self, stream: int, protocol: Protocol) -> dict[Row, Any] | None:
        """As `completed`, by the packets, of a conversation that was scanned: one `TurnRecord` each, at most.

        None: `completed` knows.
        """
        plain = self.plain_conversations() if self._trace.turns is None or self._small(stream) else None
        found = None if plain is None or self._trace.decoded(stream) else plain.turned(stream)
        if found is None:
            return None
        return found[1] if found[0] is protocol else {}

    def look_for_plain(self) -> None:
        """Find the plain conversations, where all there is was read: many packets will be asked for."""
        self.plain_conversations()

    def exchanged(self, stream: int) -> PlainBlock | None:
        """What is exchanged in a TCP conversation turn by turn, whatever TCP had to do; None: to be decoded.

        For who goes through all of them: nothing of it is kept.
        """
        if decode_as.stamp() or self._trace.turns is not None or self._grows:
            return None
        return None if self._trace.decoded(stream) else exchanged(self._trace.index, self._flow(stream))

    def loose(self, stream: int) -> LooseOne | None:
        """What is said in a TCP conversation that has no end, or lacks something; None: to be decoded."""
        plain = self.plain_conversations()
        if plain is None or self._trace.decoded(stream):
            return None
        return plain.loose(plain.place(stream))

    def plain_apart(self) -> Callable[[], Callable[[], None]] | None:
        """By turns: the same, and all rows by conversation, in two steps, the first for a thread.

        None while the trace grows.
        """
        count = self._trace.index.count
        if self._grows or not count:
            return None
        self._looks_for_plain = count <= _MOST_PLAIN
        index = copy(self._trace.index)               # its columns as they stand now

        def look() -> Callable[[], None]:
            rows = {number: sorted_rows(index, number) for number in PROTOCOLS.values()}
            few = count <= _MOST_PLAIN
            found = PlainConversations(
                index, self._trace.pieces, self._trace.application, True) if few else None

            def take() -> None:
                self._rows.take(rows)
                self._plain, self._looks_for_plain = found, False

            return take

        return look

    def findings_of(self, stream: int) -> list[Finding]:
        """The findings of one TCP conversation."""
        trace, found = self._trace, self._findings_of(stream)
        if not (trace.calls or trace.kernel):
            return found
        if not any(one.id in RESETS for one in found):
            rows = trace.rows_of("tcp", stream)
            if not (trace.index.tcp_flags[rows] & RST).any():
                return found
        return self._unread.findings(self._flow(stream), found)

    def _findings_of(self, stream: int) -> list[Finding]:
        if self._beyond.update(self._trace.events) and (nobody := self._beyond.finding(self._flow(stream))):
            return [nobody]
        plain = self.plain_conversations()
        if self._trace.turns is not None and plain is not None and not self._small(stream):
            if plain.judged(stream) and not self._trace.decoded(stream):
                return []
            plain = None
        if plain is not None and not self._trace.decoded(stream) and plain.quiet(stream):
            return []
        refused = None if plain is None or self._trace.turns is not None else plain.refusal(stream)
        if refused is not None and not may_hold_copies(self._trace):
            index, (syn, _) = self._trace.index, refused
            peer = join_endpoint(index.address(index.dst.item(syn)), index.dport.item(syn))
            return [tcp_findings.refusal(peer).at(stream, refused)]
        if plain is not None and self.is_strange(stream):
            return [] if plain.tcp_quiet(stream) else sorted(self._flow(stream).findings(), key=by_place)
        alone = None if plain is None else self._all_of_tcp(plain, stream)
        if alone is not None:
            return alone
        if plain is not None and not self._trace.decoded(stream) and plain.tcp_quiet(stream):
            return self._trace.application(stream).findings_beside([])
        return self._trace.application(stream).findings

    def is_strange(self, stream: int) -> bool:
        """Whether it is certain of a TCP conversation, without decoding it, that nothing known is spoken."""
        if self._trace.turns is not None or self._trace.decoded(stream):
            return False
        plain = self.plain_conversations()
        return plain is not None and not may_hold_copies(self._trace) and plain.strange(stream)

    def _all_of_tcp(self, plain: PlainConversations, stream: int) -> list[Finding] | None:
        """All findings, where they are certainly TCP's: nothing said is wrong, or late; None: it is not sure.

        Nor is it of an end, or half of one, that may be told otherwise by who knows what was spoken.
        """
        is_faultless = not self._trace.decoded(stream) and plain.nothing_is_wrong(stream)
        if not (is_faultless or plain.perhaps(stream)):
            return None
        flow = self._flow(stream)
        if is_slow_somewhere(self._trace.index, flow):
            return None
        found = flow.findings()
        if any(one.id in ENDINGS or one.id == "tcp.close-wait" for one in found):
            return None
        return sorted(found, key=by_place) if is_faultless or self.exchanged(stream) is not None else None

    def perhaps_with_findings(self, streams: Sequence[int]) -> Iterator[int]:
        """Of some TCP conversations all but those of which it is certain that there is no finding."""
        plain = self.plain_conversations() if self._trace.turns is None else None
        if plain is None:
            return iter(streams)
        self._trace.ahead.expect_part(streams)
        return plain.not_quiet(streams)

    def knows_findings(self, stream: int, seconds: float) -> bool:
        """Decode for about so long, where that is needed; whether `findings_of` can be asked."""
        if self._trace.turns is None:
            return True                        # whoever asks waits
        if self._looks_for_plain:
            return False
        plain, until = self.plain_conversations(), time.monotonic() + seconds
        if plain is None or self._trace.decoded(stream):
            return self._trace.advance(stream, seconds)
        quiet = plain.quiet(stream) if self._small(stream) else plain.judge(stream, until)
        return quiet is not None and (quiet or self._trace.advance(stream, until - time.monotonic()))

    def _small(self, stream: int) -> bool:
        return len(self._trace.rows_of("tcp", stream)) <= _SMALL

    def plain_conversations(self) -> PlainConversations | None:
        """Those known by columns; None while the trace grows, as all of it would be looked at anew.

        None too where a person says what is spoken.
        """
        if decode_as.stamp():
            return None
        if self._plain is None or self._plain.count != self._trace.index.count:
            if self._grows or self._trace.turns is not None:      # (a screen: apart)
                return None
            self._plain = PlainConversations(self._trace.index, self._trace.pieces, self._trace.application)
        return self._plain
