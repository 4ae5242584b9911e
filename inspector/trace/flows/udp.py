"""One UDP conversation: its datagrams put together, and the ICMP errors they caused.

The counterpart of `flows.TcpFlow` for UDP: packets come from the index, bytes from frames when asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.language import sentence
from inspector.model.numbers import ICMP, ICMPV6, UDP
from inspector.model.packets import Row, row_at, rows_in
from inspector.model.units import duration
from inspector.trace.flows.copies import Elsewhere, copies
from inspector.trace.flows.fragments import fragments_of
from inspector.wire.arrays import Int64s
from inspector.wire.findings import Finding
from inspector.wire.headers.read import FRAGMENT
from inspector.wire.tcp.findings import GAVE_UP_NS
from inspector.wire.tcp.rules import finding

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.trace.index.packets import Packets

_HEADER = 8
_AROUND = 1 << 16             # packets before an ICMP error in which its cause is looked for
_CANDIDATES = 64              # of those that it may be, the last ones are compared
_UNREACHABLE = {(ICMP, 3, 3), (ICMPV6, 1, 4)}      # protocol, type, code of "port unreachable"


class IcmpError(NamedTuple):
    """An ICMP error in packet `row`, caused by the packet `cause` (None: not captured)."""

    row: Row
    cause: Row | None
    protocol: int                # ICMP or ICMPV6
    type: int
    code: int


class UdpFlow:
    """One UDP conversation of a trace. Ends: 0 is a, which sent first, 1 is b."""

    def __init__(self, trace: Packets, stream: int) -> None:
        self._trace = trace
        self.stream = stream
        self.a: tuple[str, int] = ("", 0)
        self.b: tuple[str, int] = ("", 0)
        self._a: tuple[int, int] | None = None
        self.rows: Int64s = np.zeros(0, np.int64)
        self.copies: dict[Row, Row] = {}   # packets that stand twice in the file, and their first row
        self._elsewhere = Elsewhere(trace)
        self._again: dict[Row, Row] = {}   # those that another interface saw before
        self._rows_read = 0                # rows of the trace that were looked at
        self._errors: list[IcmpError] = []
        self._quotes_read = 0              # quoted headers of the trace that were looked at
        self.update()

    def update(self) -> bool:
        """Take the packets that came since; True when there were any."""
        rows = np.asarray(self._trace.rows_of("udp", self.stream), np.int64)
        self._again |= self._elsewhere.take(rows[self._rows_read :])
        self._rows_read = len(rows)
        found = copies(self._trace, rows) | self._again
        if found:
            rows = rows[~np.isin(rows, list(found))]
        fresh = len(rows) > len(self.rows)
        self.rows, self.copies = rows, found
        if self._a is None and len(rows):
            index, row = self._trace.index, row_at(rows, 0)
            self._a = int(index.src[row]), int(index.sport[row])
            self.a = index.address(self._a[0]), self._a[1]
            self.b = index.address(int(index.dst[row])), int(index.dport[row])
        return self._take_errors() or fresh

    def _take_errors(self) -> bool:
        index = self._trace.index
        quoted, start = index.quoted, self._quotes_read
        self._quotes_read = len(quoted)
        mine = (quoted.stream[start:] == self.stream) & (quoted.protocol[start:] == UDP)
        for row in rows_in(quoted.row[start:][mine]):
            error = IcmpError(row, icmp_cause(self._trace, row), int(index.protocol[row]),
                              int(index.sport[row]), int(index.dport[row]))
            self._errors.append(error)
        return bool(mine.any())

    def direction(self, row: Row) -> int:
        """0 for a datagram from a to b, 1 for one from b to a."""
        index = self._trace.index
        return int((int(index.src[row]), int(index.sport[row])) != self._a)

    @property
    def errors(self) -> list[IcmpError]:
        """The ICMP errors that quote this conversation, in order."""
        return self._errors

    def findings(self) -> list[Finding]:
        """Datagrams to a port at which nobody is bound: one finding, with all their rows."""
        refused = [one for one in self._errors if one[2:] in _UNREACHABLE]
        if not refused:
            return []
        end = self.b if refused[0].cause is None or self.direction(refused[0].cause) == 0 else self.a
        name = join_endpoint(*end)
        rows = [row for one in refused for row in (one.cause, one.row) if row is not None]
        gone = self._gone(refused[0].cause, rows)
        if gone is not None:
            return [gone]
        what = sentence(
            "Nobody is bound to {name}: ICMP \"port unreachable\" came back, {count} in all.", name=name,
            count=len(refused))
        return [finding("udp.port-unreachable", what).at(self.stream, rows)]


    def _gone(self, late: Row | None, rows: list[Row]) -> Finding | None:
        """That b sent packet `late` to who had asked, and was gone by then; None where it is not so."""
        if late is None or not self.direction(late) or self.a == self.b:
            return None
        asked = [row for row in rows_in(self.rows) if row < late and not self.direction(row)][-1:]
        if not asked:
            return None
        time_ns = self._trace.index.time_ns
        wait = int(time_ns[late]) - int(time_ns[asked[0]])
        what = sentence(
            "{server} sent {client} an answer {waited} after it had asked; {client} was gone by then: ICMP "
            "\"port unreachable\" came back.", server=join_endpoint(*self.b), client=join_endpoint(*self.a),
            waited=duration(wait))
        found = finding("answer.gave-up", what).at(self.stream, [*rows, asked[0]])
        return found if wait >= GAVE_UP_NS else replace(found, severity="note")


def datagram_payload(trace: Packets, row: Row) -> bytes:
    """The payload of a UDP datagram; of a fragmented one as much as was captured without a hole."""
    index = trace.index
    if int(index.status[row]) & FRAGMENT:
        whole = fragments_of(trace, row)
        return whole.payload[_HEADER:] if whole is not None else b""
    start = int(index.payload[row])
    return trace.frame(row)[start : start + int(index.payload_length[row])]


def troubled_streams(index: Index) -> list[int]:
    """The UDP conversations of which an ICMP error tells; all others have no findings."""
    quoted = index.quoted
    streams = np.unique(quoted.stream[quoted.protocol == UDP])
    return [stream for stream in streams.tolist() if stream >= 0]


def icmp_cause(trace: Packets, row: Row) -> Row | None:
    """The packet that caused the ICMP error in `row`: the latest one before it that the error quotes.

    Compared are the IPv4 identification and the first 8 bytes of the transport's header, which every error
    quotes (RFC 792, RFC 4443 section 3); a checksum that was filled in on the way may differ.
    """
    index = trace.index
    quoted = index.quoted.innermost(row)
    if quoted is None:
        return None
    near = slice(max(0, row - _AROUND), row)
    rows = np.flatnonzero(
        (index.protocol[near] == quoted.protocol) & (index.src[near] == quoted.src)
        & (index.dst[near] == quoted.dst) & (index.sport[near] == quoted.sport)
        & (index.dport[near] == quoted.dport)
    )[-_CANDIDATES:] + near.start
    frame, at = trace.frame(row), int(index.l4[row]) + _HEADER
    if len(frame) <= at:                  # the file has become shorter since
        return None
    if quoted.network == 4:
        mine = frame[at + 4 : at + 6], frame[at + (frame[at] & 15) * 4 :][:8]
    else:
        mine = b"", frame[at + 40 : at + 48]
    best, found = -1, None
    for candidate in rows_in(rows):
        other, l3, l4 = trace.frame(candidate), int(index.l3[candidate]), int(index.l4[candidate])
        mark = 2 * (other[l4 : l4 + 6] == mine[1][:6]) + (other[l4 : l4 + 8] == mine[1])
        mark += quoted.network == 6 or other[l3 + 4 : l3 + 6] == mine[0]
        if mark >= best:
            best, found = mark, candidate
    return found
