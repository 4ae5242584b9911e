"""The findings of a whole trace as a list: what is wrong, by which rule, and the packet where to look.

`FindingList.update` goes through conversations that grew, in steps; a finding's line is short, `detail` has
all of it.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from inspector.model.language import marked, tr
from inspector.model.packets import BEFORE, Row, packet_number
from inspector.trace.application.datagrams import WAIT_NS, worth_judging
from inspector.trace.index.conversations import grown
from inspector.trace.kernel import KernelFindings
from inspector.trace.packet.deeds import wire_findings
from inspector.trace.packet.left_out import left_out_findings
from inspector.views.conversation.place import StreamPlace, place_of
from inspector.views.ladder.ends import Conversation
from inspector.views.line.spans import Line, Span, Style, fit
from inspector.views.line.wrap import wrap
from inspector.wire.findings import Severity
from inspector.wire.tcp.findings import CLOSE_WAIT_NS

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.wire.findings import Finding


class _Apart(NamedTuple):
    """Whose findings belong to no conversation: ordered among these as one of its own."""

    protocol: Literal["kernel", "wire", "reading"]
    stream: int


STYLES: dict[Severity, Style] = {"error": "error", "warning": "warning", "note": "dim"}
MARKS: dict[Severity, str] = {"error": "✖", "warning": "▲", "note": "·"}
_SEVERITIES: dict[Severity, str] = {
    "error": marked("error"), "warning": marked("warning"), "note": marked("note")}
_KERNEL = _Apart("kernel", -1)      # whose findings rest on no packet's bytes
_WIRE = _Apart("wire", -1)          # what was done to packets on their way
_LEFT_OUT = _Apart("reading", -1)   # what limits of ours left out
_EVER = float("inf")
_STEP = 50               # conversations that one update looks into


_Key = tuple[int, Row, int, str, int]  # severity where it counts, first packet, conversation, its protocol,
                                       # place among its findings
_RANKS = {severity: rank for rank, severity in enumerate(STYLES)}      # the gravest is 0


class FindingList:
    """Findings of all conversations, in order of packets: `count`, `line(i, width)`, `target(i)`.

    `severities` are those that are shown; change them by `choose`. `gravest`: these stand first, by `order`.
    Only conversations that grew are looked into, and only their lines change.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.severities: frozenset[Severity] = frozenset(STYLES)
        self.gravest = False
        self.counts: Counter[Severity] = Counter()      # findings of each severity, shown or not
        self._found: dict[Conversation | _Apart, list[Finding]] = {}
        self._suspect: set[int] = set()                 # UDP conversations among them: it may be so no more
        self._pending: dict[Conversation, None] = {}    # conversations that grew, in order
        self._due: list[tuple[int, Conversation]] = []  # those that say more when it is so late (a heap),
        self._awaited: set[Conversation] = set()        # each once
        self._packets_read = 0                          # how far each of these was looked through
        self._samples = 0                               # of the kernel
        self._proofs = KernelFindings(trace)
        self._fates_seen = 0, 0                         # how many, and among how many packets
        self._looked_at = 0, 0, 0                       # packets and secrets, for what limits left out
        self._quotes_read = 0                           # what ICMP errors quote
        self._keys: list[_Key] = []                     # of the lines, ascending
        self._shown: list[Finding] = []
        self.update(seconds=_EVER if trace.turns is None else 0)

    def choose(self, *severities: Severity) -> None:
        """Show findings of these severities alone; none given: all."""
        self.severities = frozenset(severities or STYLES)
        self._arrange()

    def order(self, *, gravest: bool) -> None:
        """Put the gravest first, or all in the order of their packets."""
        self.gravest = gravest
        self._arrange()

    def place_of(self, finding: Finding) -> int | None:
        """The line on which a finding stands."""
        return next((i for i, one in enumerate(self._shown) if one is finding), None)

    def _key(self, whose: Conversation | _Apart, place: int, one: Finding) -> _Key:
        rank = _RANKS[one.severity] if self.gravest else 0
        return rank, one.rows[0] if one.rows else BEFORE, whose.stream, whose.protocol, place

    def _arrange(self) -> None:
        lines = sorted((self._key(whose, place, one), one) for whose, some in self._found.items()
                       for place, one in enumerate(some) if one.severity in self.severities)
        self._keys, self._shown = [key for key, _ in lines], [one for _, one in lines]

    def update(self, most: int = _STEP, seconds: float = _EVER) -> bool:
        """Look into the next conversations that are new or grew, at most `most`, for about so many seconds.

        True when the lines changed.
        """
        self._take_news()
        changed, until = False, time.monotonic() + seconds
        for whose in list(islice(self._pending, most)):
            if whose.protocol != "tcp":
                found = self.trace.findings_of_datagrams(whose.stream)
            elif self.trace.known.knows_findings(whose.stream, until - time.monotonic()):
                found = self.trace.known.findings_of(whose.stream)
            else:
                break                              # it takes another turn
            del self._pending[whose]
            changed = self._replace(whose, found) or changed
            self._look_again(whose)
            if time.monotonic() >= until:
                break
        if self.trace.samples != self._samples:
            self._samples = self.trace.samples
            changed = self._replace(_KERNEL, self._proofs.look()) or changed
        fates, packets = self.trace.fates, self.trace.index.count
        if fates and self._fates_seen != (fates.version, packets):
            self._fates_seen = fates.version, packets
            changed = self._replace(_WIRE, wire_findings(self.trace)) or changed
        secrets = self.trace.secrets
        if self._looked_at != (packets, secrets.count, secrets.left_out):
            self._looked_at = packets, secrets.count, secrets.left_out
            changed = self._replace(_LEFT_OUT, left_out_findings(self.trace)) or changed
        return changed

    def _take_news(self) -> None:
        """Note the conversations with new packets, and those that an ICMP error tells of."""
        index = self.trace.index
        for stream in grown(index, "tcp", self._packets_read)[0].tolist():
            self._pending[Conversation("tcp", stream)] = None
        judged = self._suspect.union(worth_judging(index))
        fresh = judged if len(index.quoted) != self._quotes_read else \
            judged & set(grown(index, "udp", self._packets_read)[0].tolist())
        for stream in sorted(fresh):
            self._pending[Conversation("udp", stream)] = None
        while self._due and self._due[0][0] <= self.trace.end_ns:
            whose = heappop(self._due)[1]
            self._awaited.remove(whose)
            self._pending[whose] = None
        self._packets_read, self._quotes_read = index.count, len(index.quoted)

    def _look_again(self, whose: Conversation) -> None:
        """Have a conversation looked into once more when it has been silent for long."""
        if whose in self._awaited:
            return
        if whose.protocol == "tcp" and not (
            self.trace.decoded(whose.stream) and "CLOSE-WAIT" in self.trace.flow(whose.stream).state
        ):
            return
        rows = self.trace.rows_of(whose.protocol, whose.stream)
        if not len(rows):
            return
        wait = CLOSE_WAIT_NS if whose.protocol == "tcp" else WAIT_NS
        due = int(self.trace.index.time_ns[rows[-1]]) + wait
        if due > self.trace.end_ns:
            heappush(self._due, (due, whose))
            self._awaited.add(whose)

    def _replace(self, whose: Conversation | _Apart, found: list[Finding]) -> bool:
        """Put the findings of a conversation in place of those that it had."""
        before = self._found.get(whose, [])
        same = next((n for n, (old, new) in enumerate(zip(before, found, strict=False)) if old != new),
                    min(len(before), len(found)))
        for place in range(same, len(before)):
            one = before[place]
            self.counts[one.severity] -= 1
            if one.severity in self.severities:
                line = bisect_left(self._keys, self._key(whose, place, one))
                del self._keys[line], self._shown[line]
        for place in range(same, len(found)):
            one, key = found[place], self._key(whose, place, found[place])
            self.counts[one.severity] += 1
            if one.severity in self.severities:
                line = bisect_left(self._keys, key)
                self._keys.insert(line, key)
                self._shown.insert(line, one)
        if found:
            self._found[whose] = found
        else:
            self._found.pop(whose, None)
        if whose.protocol == "udp":
            (self._suspect.add if found else self._suspect.discard)(whose.stream)
        return len(before) > same or len(found) > same

    @property
    def complete(self) -> bool:
        """True when every conversation has been looked into, as far as the trace was read."""
        index = self.trace.index
        reached = self._packets_read, self._quotes_read
        return not self._pending and reached == (index.count, len(index.quoted))

    @property
    def progress(self) -> float:
        """Which part of the conversations was looked into, that of the one at hand included, 0 to 1."""
        every = sum(len(streams) for streams in self.trace.index.streams.values())
        at_hand = next(iter(self._pending), None)
        part = self.trace.share(at_hand.stream) if at_hand is not None and at_hand.protocol == "tcp" else 0.0
        return 1 - (len(self._pending) - part) / every if every else 1.0

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._shown)

    def finding(self, index: int) -> Finding:
        """The finding on line `index`."""
        return self._shown[index]

    def index_of(self, row: Row) -> int | None:
        """The line of the first finding that packet `row` carries."""
        return next((i for i, one in enumerate(self._shown) if row in one.rows), None)

    def target(self, index: int) -> StreamPlace:
        """The finding's packets, and the offending bytes and bits in the first of them."""
        one = self._shown[index]
        if one.direction is None or one.stop <= one.start:
            stream = None if one.stream < 0 or one.carrier == "udp" else one.stream
            return StreamPlace(one.rows[0] if one.rows else None, one.rows, stream=stream)
        bits = one.bit_start, one.bit_stop
        place = place_of(self.trace, one.stream, one.direction, one.start, one.stop, bits)
        return place._replace(rows=one.rows)

    def packets(self, index: int) -> tuple[Row, ...]:
        """The packets of the finding on line `index`, those of further ones that it stands for among them."""
        one = self._shown[index]
        return tuple(dict.fromkeys((*one.rows, *one.alike)))

    def title(self, width: int) -> Line:
        """The titles above the lines."""
        name = tr("Finding, the gravest first") if self.gravest else tr("Finding")
        return (Span(fit("  " + fit(tr("Packet"), 8, align="right") + "  " + name, width), "title"),)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        one = self._shown[index]
        number = str(packet_number(one.rows[0])) if one.rows else ""
        head = f"{MARKS[one.severity]} {fit(number, 8, align='right')}  "
        style, rest = STYLES[one.severity], max(width - len(head), 0)
        if rest < 60:
            return (Span(fit(head, min(width, len(head))), style), Span(fit(tr(one.text), rest)))
        clause = min(len(one.clause) + 2, rest // 4)
        text = Span(fit(tr(one.text), rest - clause))
        return (Span(head, style), text, Span(fit("  " + one.clause, clause), "dim"))

    def detail(self, index: int, width: int, at: int = 0) -> tuple[Line, ...]:
        """All of a finding: its id, severity and clause, and the text on as many lines as it needs.

        `at`: the place, among its packets, of the one that is looked at.
        """
        one = self._shown[index]
        head = fit(f"{one.id}  {tr(_SEVERITIES[one.severity])}  {one.clause}", width)
        lines: list[Line] = [(Span(head, STYLES[one.severity]),)]
        lines += [(Span(text),) for text in wrap(tr(one.text), width)]
        packets = ", ".join(str(packet_number(row)) for row in one.rows[:12])
        more = max(len(one.rows) - 12, 0) + one.more_rows
        packets += tr(" and {count:,} more", count=more) if more else ""
        if one.alike:
            packets += tr(", and {count:,} packets with the same", count=len(one.alike))
        every = self.packets(index)
        if len(every) > 1:
            packets += "   " + tr("←→ each of them: {number}, {place:,} of {count:,}",
                                  number=packet_number(every[at]), place=at + 1, count=len(every))
        if packets:
            lines.append((Span(fit(tr("packet {number}", number=packets), width), "dim"),))
        return tuple(lines)
