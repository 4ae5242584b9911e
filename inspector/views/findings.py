"""The findings of a whole trace as a list: what is wrong, by which rule, and the packet where to look.

`FindingList.update` goes through conversations in steps; a finding's line is short, `detail` has all of it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inspector.views.conversation.place import StreamPlace, place_of
from inspector.views.line.spans import Line, Span, Style, fit
from inspector.views.line.wrap import wrap
from inspector.wire.findings import Severity

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.wire.findings import Finding

STYLES: dict[Severity, Style] = {"error": "error", "warning": "warning", "note": "dim"}
MARKS: dict[Severity, str] = {"error": "✖", "warning": "▲", "note": "·"}
_STEP = 50               # conversations that one update looks into


class FindingList:
    """Findings of all TCP conversations, in order of packets: `count`, `line(i, width)`, `target(i)`.

    `severities` are those that are shown; change them by `choose`.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.severities: frozenset[Severity] = frozenset(STYLES)
        self._by_stream: dict[int, tuple[int, list[Finding]]] = {}   # stream -> (packets then, findings)
        self._next = 0
        self._quoted = 0                 # what ICMP errors had quoted then
        self._shown: list[Finding] = []
        self.update()

    def choose(self, *severities: Severity) -> None:
        """Show findings of these severities alone; none given: all."""
        self.severities = frozenset(severities or STYLES)
        self._show()

    def update(self, most: int = _STEP) -> bool:
        """Look into the next conversations that are new or grew; True when the lines changed."""
        streams = len(self.trace.conversations("tcp"))
        before = self._shown
        looked = 0
        for _ in range(streams):
            if looked >= most:
                break
            stream, self._next = self._next % streams, (self._next + 1) % streams
            packets = len(self.trace.rows_of("tcp", stream))
            if self._by_stream.get(stream, (-1, []))[0] != packets:
                self._by_stream[stream] = packets, self.trace.application(stream).findings
                looked += 1
        quoted = len(self.trace.index.quoted)
        if looked or quoted != self._quoted:
            self._quoted = quoted
            self._show()
        return self._shown != before

    @property
    def complete(self) -> bool:
        """True when every conversation has been looked into, as far as the trace was read."""
        streams = range(len(self.trace.conversations("tcp")))
        return all(self._by_stream.get(s, (-1, []))[0] == len(self.trace.rows_of("tcp", s)) for s in streams)

    def _every(self) -> list[Finding]:
        return [one for _, some in self._by_stream.values() for one in some] + self.trace.datagram_findings()

    def _show(self) -> None:
        found = [one for one in self._every() if one.severity in self.severities]
        self._shown = sorted(found, key=lambda one: (one.rows[0] if one.rows else -1, one.stream))

    @property
    def counts(self) -> Counter[Severity]:
        """How many findings there are of each severity, shown or not."""
        return Counter(one.severity for one in self._every())

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._shown)

    def finding(self, index: int) -> Finding:
        """The finding on line `index`."""
        return self._shown[index]

    def index_of(self, row: int) -> int | None:
        """The line of the first finding that packet `row` carries."""
        return next((i for i, one in enumerate(self._shown) if row in one.rows), None)

    def target(self, index: int) -> StreamPlace:
        """The finding's packets, and the offending bytes and bits in the first of them."""
        one = self._shown[index]
        if one.direction is None or one.stop <= one.start:
            stream = None if one.id.startswith("udp.") else one.stream
            return StreamPlace(one.rows[0] if one.rows else None, one.rows, stream=stream)
        bits = one.bit_start, one.bit_stop
        place = place_of(self.trace, one.stream, one.direction, one.start, one.stop, bits)
        return place._replace(rows=one.rows)

    def title(self, width: int) -> Line:
        """The titles above the lines."""
        return (Span(fit(f"  {fit('Packet', 8, align='right')}  Finding", width), "title"),)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        one = self._shown[index]
        number = str(one.rows[0] + 1) if one.rows else ""
        head = f"{MARKS[one.severity]} {fit(number, 8, align='right')}  "
        style, rest = STYLES[one.severity], max(width - len(head), 0)
        if rest < 60:
            return (Span(fit(head, min(width, len(head))), style), Span(fit(one.text, rest)))
        clause = min(len(one.clause) + 2, rest // 4)
        text = Span(fit(one.text, rest - clause))
        return (Span(head, style), text, Span(fit("  " + one.clause, clause), "dim"))

    def detail(self, index: int, width: int) -> tuple[Line, ...]:
        """All of a finding: its id, severity and clause, and the text on as many lines as it needs."""
        one = self._shown[index]
        head = fit(f"{one.id}  {one.severity}  {one.clause}", width)
        lines: list[Line] = [(Span(head, STYLES[one.severity]),)]
        lines += [(Span(text),) for text in wrap(one.text, width)]
        packets = ", ".join(str(row + 1) for row in one.rows[:12]) + (" …" if len(one.rows) > 12 else "")
        if packets:
            lines.append((Span(fit(f"packet {packets}", width), "dim"),))
        return tuple(lines)
