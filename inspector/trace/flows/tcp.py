"""One TCP conversation: its packets told by analysis, states, round trips, and both streams of bytes.

A flow reads columns of the index in batches, each packet once; `update` goes on where the trace has grown.
Only what the columns lack (TCP options of SYN segments, SACK) is fetched from frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.numbers import ACK, FIN, ICMP, ICMPV6, RST, SYN, TCP, URG
from inspector.model.packets import BEFORE, Row, row_at, rows_in
from inspector.model.units import amount
from inspector.protocols import readers
from inspector.protocols.api import CARRIER_OF
from inspector.trace.flows.copies import Elsewhere, copies, out_of_order
from inspector.trace.flows.tcp_streams import Segment, extend, extend_few
from inspector.wire.arrays import Bools, Int64s, Integers, UInt8s
from inspector.wire.findings import Finding
from inspector.wire.headers.read import NO_OFFSET, UNSIZED
from inspector.wire.tcp.analysis import UNKNOWN_TIME, Columns, TcpAnalysis
from inspector.wire.tcp.findings import CLOSE_WAIT_NS, DELAYED_ACK_NS, TcpFacts, tcp_findings
from inspector.wire.tcp.flags import REUSED_PORTS, names_of
from inspector.wire.tcp.options import NO_OPTIONS, Stamped, TcpOptions, echoed_trip, parse_options
from inspector.wire.tcp.rules import finding
from inspector.wire.tcp.stream import ByteStream

if TYPE_CHECKING:
    from inspector.trace.index.packets import Packets

Handshake = Literal["complete", "partial", "refused", "missing"]
_BATCH = 1 << 14
_FEW = 16                # packets of a conversation that are looked at one by one
_OPENING = 64            # packets among which SYNs are looked for
_TIMESTAMPS = 32         # header length with the timestamps option alone
_ERRORS = {number: [reader for _, reader in readers(carrier)]            # what tells of errors, in words
           for number, carrier in CARRIER_OF.items() if number in (ICMP, ICMPV6)}


Grant = Callable[[int, int], int]


def _nothing(row: Row, start: int, length: int) -> bytes:
    return b""


def _all_of_them(fresh: int, taken: int) -> int:
    return fresh


@dataclass(frozen=True, slots=True)
class TcpDetail:
    """What is told of one packet beside its flags; None where it does not apply or is not known.

    `rtt_ns`: nanoseconds since the segment that this one acknowledges; `window` in bytes, scaled (RFC 7323);
    `in_flight`: bytes sent and not acknowledged after this packet; `duplicate_of`: a row.
    """

    window: int
    scale: int | None
    rtt_ns: int | None
    in_flight: int | None
    duplicate_number: int | None
    duplicate_of: Row | None
    options: TcpOptions


class TcpFlow:
    """One conversation of a trace. Ends: 0 is a, which sent first, 1 is b.

    `grant` says of fresh packets, and how many were taken before, how many may be taken now: by default all.
    """

    def __init__(self, trace: Packets, stream: int, grant: Grant = _all_of_them) -> None:
        self._trace, self._grant = trace, grant
        self.stream = stream
        self.a: tuple[str, int] = ("", 0)
        self.b: tuple[str, int] = ("", 0)
        self._a: tuple[int, int] | None = None      # address id and port of a
        self._rows: Int64s = np.zeros(0, np.int64)
        self.copies: dict[Row, Row] = {}            # what stands twice in the file, and its first row
        self._elsewhere = Elsewhere(trace)
        self._reopened_at = BEFORE                      # row of a SYN on the ports of an earlier conversation
        self._findings: list[Finding] = []
        # Packets, quoted headers, and whether it had been silent for long, when found.
        self._findings_at = 0, 0, False, 0
        self._rows_read = 0                               # rows of the trace that were looked at
        self.left = 0                                # packets that were not granted so far
        self._judged = TcpAnalysis(self.options, self._arrived_ns)     # of as many packets as it counts
        self._fields: dict[Row, bytes] = {}          # options of packets that are judged now
        self._streams = ByteStream(self._fetch, self._gather), ByteStream(self._fetch, self._gather)
        self._packets_carried = 0                            # packets whose payload the streams have
        self._opening: dict[str, Row] = {}           # "SYN", "SYN ACK", "ACK", "RST" of the opening: row
        self._opened = False                         # all of it is known
        self.client: int | None = None
        self.update()

    @property
    def rows(self) -> Int64s:
        """Rows of its TCP segments, in order. Segments of unknown length are left out."""
        return self._rows

    @property
    def start_ns(self) -> int:
        """Time of the first packet, nanoseconds since the epoch."""
        return int(self._trace.index.time_ns[self._rows[0]]) if len(self._rows) else 0

    def update(self) -> bool:
        """Take the packets that came since, as far as they are granted; True when there were any."""
        rows = self._trace.rows_of("tcp", self.stream)
        granted = self._grant(len(rows) - self._rows_read, self._rows_read)
        fresh = np.asarray(rows[self._rows_read : self._rows_read + granted], np.int64)
        self._rows_read += len(fresh)
        self.left = len(rows) - self._rows_read
        index = self._trace.index
        fresh = fresh[(index.protocol[fresh] == TCP) & (index.status[fresh] & UNSIZED == 0)]
        fresh = self._without_copies(fresh)
        if not len(fresh):
            return False
        if self._a is None:
            self._name_ends(row_at(fresh, 0))
        self._rows = np.concatenate((self._rows, fresh))
        if not self._opened:
            self._note_opening(fresh)
        return True

    def _without_copies(self, fresh: Int64s) -> Int64s:
        """Leave out, and note, packets that the file has twice."""
        found: dict[Row, Row] = {}
        if len(self._trace.index.sections.values):
            found = copies(self._trace, np.concatenate((self._rows, fresh)), len(self._rows))
        found |= self._elsewhere.take(fresh)
        self.copies |= found
        return fresh[~np.isin(fresh, list(found))] if found else fresh

    @property
    def out_of_order(self) -> bool:
        """Whether sections of the file tell it in another order than it happened: nothing can be judged."""
        return out_of_order(self._trace, self._rows)

    @property
    def share(self) -> float:
        """Which part of its packets was taken, 0 to 1."""
        return self._rows_read / (self._rows_read + self.left) if self.left else 1.0

    def reaches(self, row: Row) -> bool:
        """Whether packet `row` of it was taken."""
        return not self.left or (len(self._rows) > 0 and row <= int(self._rows[-1]))

    def take_in(self) -> None:
        """Put what was taken into the streams and the analysis now, and not when somebody asks for them."""
        self.streams  # noqa: B018
        self._analysis  # noqa: B018

    def let_go(self) -> None:
        """Forget all, so that memory is free at once and no collector has to find out that nobody asks."""
        self._judged = TcpAnalysis(lambda row: NO_OPTIONS)
        self._streams = ByteStream(_nothing), ByteStream(_nothing)

    def _name_ends(self, row: Row) -> None:
        index = self._trace.index
        self._a = int(index.src[row]), int(index.sport[row])
        self.a = index.address(self._a[0]), self._a[1]
        self.b = index.address(int(index.dst[row])), int(index.dport[row])
        if self.a == self.b:
            self._judged.meets_itself()
        if index.streams[TCP].reopened(self.stream):
            self._reopened_at = row

    def directions(self, rows: Int64s) -> UInt8s:
        """The direction of each of the packets `rows`."""
        index = self._trace.index
        address, port = self._a or (0, 0)
        other: Bools = (index.src[rows] != address) | (index.sport[rows] != port)
        return other.astype(np.uint8)

    @property
    def streams(self) -> tuple[ByteStream, ByteStream]:
        """The bytes of both directions; payload that came since somebody asked is put into them now."""
        while self._packets_carried < len(self._rows):
            rows = self._rows[self._packets_carried : self._packets_carried + _BATCH]
            self._packets_carried += len(rows)
            self._carry(rows)
        return self._streams

    def _carry(self, rows: Int64s) -> None:
        index = self._trace.index
        urgent = (index.tcp_flags[rows] & (URG | RST) == URG) & (index.payload_length[rows] > 0)
        for row in rows_in(rows[urgent]):
            self._take_out_urgent(row)
        if len(rows) <= _FEW and not index.reassembly.segments:
            self._carry_few(rows)
            return
        flags, length = index.tcp_flags[rows], index.payload_length[rows]
        chosen = np.flatnonzero((length > 0) | (flags & (SYN | FIN) != 0))
        if not len(chosen):
            return
        rows, flags, length = rows[chosen], flags[chosen], length[chosen]
        seq, payload = index.seq[rows], index.payload[rows]
        captured = np.clip(index.cap_len[rows].astype(np.int64) - payload, 0, length)
        if index.reassembly.segments:
            for at in np.flatnonzero(index.l4[rows] == NO_OFFSET).tolist():       # segments out of fragments
                captured[at], payload = length[at], payload.copy()
                payload[at] = index.reassembly.segments[row_at(rows, at)].header
        extend(self._streams, self.directions(rows), rows, flags, seq, length, captured, payload)

    def _take_out_urgent(self, row: Row) -> None:
        """Tell the stream which byte is urgent: the one before that to which the urgent pointer leads."""
        index, stream = self._trace.index, self._streams[self.direction(row)]
        pointer = int.from_bytes(self._fetch(row, int(index.l4[row]) + 18, 2), "big")
        opens = self._opening.get("SYN" if self.direction(row) == self.client else "SYN ACK")
        if opens is not None and not stream.start_known:
            stream.open_at((int(index.seq[opens]) + 1) & 0xFFFFFFFF)
        if pointer:
            stream.take_out(int(index.seq[row]) + bool(index.tcp_flags[row] & SYN), pointer, row)

    def _carry_few(self, rows: Int64s) -> None:
        """The same for packets so few that arrays would take longer."""
        index = self._trace.index
        segments: tuple[list[Segment], list[Segment]] = ([], [])
        for row in rows_in(rows):
            flags, length = index.tcp_flags.item(row), index.payload_length.item(row)
            if length or flags & (SYN | FIN):
                payload = index.payload.item(row)
                captured = min(max(index.cap_len.item(row) - payload, 0), length)
                segments[self.direction(row)].append(
                    (row, flags, index.seq.item(row), length, captured, payload))
        extend_few(self._streams, segments)

    @property
    def _analysis(self) -> TcpAnalysis:
        """The analysis of all packets so far; those that came since somebody asked are walked now."""
        judged, index = self._judged, self._trace.index
        while judged.count < len(self._rows):
            rows = self._rows[judged.count : judged.count + _BATCH]
            columns = (
                rows, self.directions(rows), index.tcp_flags[rows], index.seq[rows], index.ack[rows],
                index.payload_length[rows], index.window[rows], index.time_ns[rows],
                index.payload[rows] - index.l4[rows],
            )
            self._read_options(rows)
            judged.feed(Columns(*(column.astype(np.int64, copy=False) for column in columns)))
            self._fields = {}
        return judged

    def _read_options(self, rows: Int64s) -> None:
        """Read the options that are more than timestamps in one go: the analysis asks for them."""
        index = self._trace.index
        rows = rows[index.payload[rows].astype(np.int64) - index.l4[rows] > _TIMESTAMPS]
        if len(rows) <= _FEW or index.reassembly.segments:
            return
        starts = index.l4[rows].astype(np.int64) + 20
        stops = np.minimum(index.payload[rows], index.cap_len[rows]).astype(np.int64)
        sizes = np.maximum(stops - starts, 0)
        data, ends = self._gather(rows, starts, sizes), np.cumsum(sizes)
        if len(data) == int(ends[-1]):
            bounds = zip((ends - sizes).tolist(), ends.tolist(), strict=True)
            self._fields = {row: data[first:last] for row, (first, last) in zip(
                rows_in(rows), bounds, strict=True)}

    def _arrived_ns(self, row: Row, sent_ns: int) -> int | None:
        """When a packet arrived; None where the wire kept it from that, so far at least."""
        fate = self._trace.fates.of(row)
        return None if fate is not None and fate.is_under_way else self._trace.fates.arrived_ns(row, sent_ns)

    def has_judged(self, row: Row) -> bool:
        """Whether something was said already of packet `row`."""
        count = self._judged.count
        return count > 0 and row <= self._rows[count - 1]

    def hangs_on(self, row: Row) -> bool:
        """Whether states that were told hang on when packet `row` arrived."""
        return row in self._judged.states.decisive

    def _note_opening(self, rows: Int64s) -> None:
        """Find the segments of the handshake, and who opened."""
        opening = self._opening
        if self._rows[0] != rows[0] and not opening:
            return
        flags = self._trace.index.tcp_flags
        for place in range(len(rows)):           # as a rule the first few say it
            row = row_at(rows, place)
            direction, flag = self.direction(row), int(flags[row])
            if flag & RST:
                self._opened = True
                if opening and direction != self.client:
                    opening["RST"] = row
                return
            if flag & SYN:
                opening.setdefault("SYN ACK" if flag & ACK else "SYN", row)
                if self.client is None:
                    self.client = 1 - direction if flag & ACK else direction
            elif not opening:
                return
            elif flag & ACK and direction == self.client:
                opening["ACK"] = row
                self._opened = True
                return

    @property
    def handshake(self) -> Handshake:
        """How much of the opening was captured; "refused" when a SYN was answered by RST."""
        opening = self._opening
        if not opening:
            return "missing"
        if "SYN" in opening and "SYN ACK" not in opening and "RST" in opening:
            return "refused"
        return "complete" if {"SYN", "SYN ACK", "ACK"} <= opening.keys() else "partial"

    @property
    def handshake_rows(self) -> tuple[Row, ...]:
        """Rows of the handshake's segments, those that were captured, in order."""
        return tuple(sorted(self._opening.values()))

    @property
    def unseen(self) -> int | None:
        """The end of which no packet was captured, though the other one acknowledges what it sent."""
        index, rows = self._trace.index, self._rows
        found = set(self.directions(rows).tolist())
        acks = bool((index.tcp_flags[rows] & ACK).any())
        return 1 - found.pop() if len(found) == 1 and acks and self.a != self.b else None

    @property
    def is_simultaneous(self) -> bool:
        """Whether both ends sent SYN before either had heard the other's (RFC 9293 section 3.5)."""
        flags, rows = self._trace.index.tcp_flags, self._rows[:_OPENING]
        if self.a == self.b:
            return bool((flags[rows] & SYN).any())
        first = takewhile(lambda row: int(flags[row]) & (SYN | ACK) == SYN, rows_in(rows))
        return len({self.direction(row) for row in first}) == 2

    @property
    def initial_rtt_ns(self) -> int | None:
        """From the (last) SYN to the first packet with ACK alone, as Wireshark has it.

        No round trip, but a bound of it, where the capture lacks the packet that ended the handshake.
        """
        return self._analysis.initial_rtt_ns

    @property
    def rtt_ns(self) -> int | None:
        """The round trip seen in the handshake: from the SYN to the empty ACK that ends it.

        Of a SYN or SYN ACK that was sent again the one that was answered counts, where timestamps tell it.
        """
        if self.handshake != "complete" or self.is_simultaneous:
            return None
        index = self._trace.index
        accept, ack = self._opening["SYN ACK"], self._opening["ACK"]
        first = next(row for row in rows_in(self._rows) if index.tcp_flags[row] & (SYN | ACK) == ACK)
        answers = int(index.ack[ack]) == (int(index.seq[accept]) + 1) & 0xFFFFFFFF
        if not answers or first != ack or index.payload_length[ack]:
            return None
        syns, accepts = self._tries()
        return echoed_trip([*map(self._stamped, syns)], [*map(self._stamped, accepts)], self._stamped(ack))

    @property
    def opened_again(self) -> Literal["SYN", "SYN ACK"] | None:
        """Which of the handshake's packets was sent again before its ACK; "SYN" where both were."""
        syns, accepts = self._tries()
        return "SYN" if len(syns) > 1 else "SYN ACK" if len(accepts) > 1 else None

    def _tries(self) -> tuple[list[Row], list[Row]]:
        """All SYNs, and SYN ACKs, before the ACK that ends the handshake."""
        rows = self._rows[: int(np.searchsorted(self._rows, self._opening.get("ACK", self._rows[-1])))]
        flags = self._trace.index.tcp_flags[rows] & (SYN | ACK)
        return list(rows_in(rows[flags == SYN])), list(rows_in(rows[flags == SYN | ACK]))

    def _stamped(self, row: Row) -> Stamped:
        options = self.options(row)
        return Stamped(int(self._trace.index.time_ns[row]), options.timestamp, options.timestamp_echo)

    def direction(self, row: Row) -> int:
        """0 for a packet from a to b, 1 for one from b to a."""
        index = self._trace.index
        return int((int(index.src[row]), int(index.sport[row])) != self._a)

    def _position(self, row: Row) -> int | None:
        position = int(np.searchsorted(self._rows, row))
        return position if position < len(self._rows) and self._rows[position] == row else None

    def relative(self, row: Row) -> tuple[int, int]:
        """Sequence and acknowledgment number counted from the ISNs (0 is the SYN); raw if unknown."""
        index = self._trace.index
        direction = self.direction(row)
        seq = int(index.seq[row]) - (self.base(direction, row) or 0)
        ack = int(index.ack[row])
        if int(index.tcp_flags[row]) & ACK:
            ack -= self.base(1 - direction, row) or 0
        return seq & 0xFFFFFFFF, ack & 0xFFFFFFFF

    def base(self, direction: int, row: Row | None = None) -> int | None:
        """The raw sequence number that is relative 0 in a direction (at a row; default: the last)."""
        return self._analysis.base(direction, row)

    def bits(self, row: Row) -> int:
        """The analysis of a packet as bits of wire/tcp/flags.py."""
        position = self._position(row)
        if position is None:
            return 0
        bits = self._analysis.flags.get(position, 0)
        return bits | REUSED_PORTS if row == self._reopened_at else bits

    def analysis(self, row: Row) -> tuple[str, ...]:
        """The analysis of a packet by Wireshark's names ("tcp.analysis.retransmission", …)."""
        bits = self.bits(row)
        return names_of(bits) if bits else ()

    def probes_window(self, row: Row) -> bool:
        """Whether a packet asks a closed window if it has opened, which Wireshark may call a keep-alive."""
        return self._position(row) in self._analysis.window_probes

    def flagged(self) -> dict[Row, int]:
        """All packets that have analysis flags: row -> bits."""
        found = {row_at(self._rows, position): bits for position, bits in self._analysis.flags.items()}
        if self._reopened_at >= 0:
            found[self._reopened_at] = found.get(self._reopened_at, 0) | REUSED_PORTS
        return found

    def detail(self, row: Row) -> TcpDetail | None:
        """Window, round trip, bytes in flight, duplicate number and options; None for a foreign row."""
        position = self._position(row)
        if position is None:
            return None
        analysis, index = self._analysis, self._trace.index
        scale = analysis.scale(self.direction(row))
        window = int(index.window[row])
        if scale and not int(index.tcp_flags[row]) & SYN:
            window <<= scale
        number, first = analysis.duplicates.get(position, (None, None))
        rtt, in_flight = analysis.rtt_ns[position], analysis.in_flight[position]
        return TcpDetail(
            window=window, scale=scale, rtt_ns=None if rtt == UNKNOWN_TIME else rtt,
            in_flight=in_flight or None, duplicate_number=number,
            duplicate_of=None if first is None else row_at(self._rows, first), options=self.options(row),
        )

    def round_trips(self) -> tuple[Int64s, Int64s]:
        """Rows of acknowledgments and their round trips in nanoseconds, for pictures."""
        rtt = np.array(self._analysis.rtt_ns, np.int64)
        known = np.flatnonzero(rtt != UNKNOWN_TIME)
        return self._rows[known], rtt[known]

    def findings(self) -> list[Finding]:
        """What goes wrong in this conversation, in order of the packets where to look."""
        if not len(self._rows) or self.out_of_order:
            return []
        silent_ns = self._trace.end_ns - int(self._trace.index.time_ns[self._rows[-1]])
        known = (len(self._rows), len(self._trace.index.quoted), silent_ns >= CLOSE_WAIT_NS,
                 self._trace.fates.version)  # fmt: skip
        if self._findings_at != known:
            self._findings_at = known
            found = [] if self._is_quiet() else tcp_findings(self._facts()) + self._urgent_bytes()
            self._findings = [one.at(self.stream, one.rows) for one in found]
        return self._findings

    def _is_quiet(self) -> bool:
        """Whether nothing can be wrong, so that no facts are needed; what is not sure is not quiet."""
        index, rows = self._trace.index, self._rows
        if len(index.quoted) or len(rows) > _FEW or not len(rows):
            return False
        if len(rows) == 1:
            return not index.tcp_flags.item(rows.item()) & RST
        if self._analysis.flags:
            return False
        flags, time_ns, window = (column[rows].tolist() for column in (
            index.tcp_flags, index.time_ns, index.window))
        if max(time_ns) - min(time_ns) >= DELAYED_ACK_NS[0] or not all(window):
            return False
        closing = [direction for direction, flag in zip(self.directions(rows).tolist(), flags, strict=True)
                   if flag & FIN]
        half_open = bool(closing) and len(set(closing)) < 2
        resets = any(flag & (RST | URG) for flag in flags)
        return not (half_open or resets or any(stream.overlaps for stream in self.streams))

    def _urgent_bytes(self) -> list[Finding]:
        """That bytes were sent as urgent, a word for each direction."""
        found = []
        for direction, stream in enumerate(self.streams):
            urgent = stream.urgent
            if urgent:
                name = join_endpoint(*(self.a, self.b)[direction])
                what = f"{name} sent {amount(len(urgent), 'urgent byte')} (MSG_OOB)."
                found.append(finding("tcp.urgent-data", what).at(-1, [one.row for one in urgent]))
        return found

    def _facts(self) -> TcpFacts:
        index, rows, flagged = self._trace.index, self._rows, self._analysis.flags
        bits = np.zeros(len(rows), np.int64)
        bits[list(flagged)] = list(flagged.values())

        def column(values: Integers) -> Int64s:
            return np.asarray(values[rows], np.int64)

        return TcpFacts(
            row=rows, direction=self.directions(rows).astype(np.int64), flags=column(index.tcp_flags),
            seq=column(index.seq), ack=column(index.ack), length=column(index.payload_length),
            window=column(index.window), time_ns=column(index.time_ns), bits=bits,
            base=(self.base(0), self.base(1)), names=(join_endpoint(*self.a), join_endpoint(*self.b)),
            rtt_ns=self.initial_rtt_ns, refused=self.handshake == "refused", client=self.client,
            conflicts=(self.streams[0].conflicts(), self.streams[1].conflicts()),
            errors=self._errors(), accepts=self._accepts(), end_ns=self._trace.end_ns,
            arrivals=self._arrivals(),
        )

    def _arrivals(self) -> Int64s | None:
        """When each packet arrived, -1 for those that did not; None where nobody stood on the wire."""
        fates = self._trace.fates
        if not fates:
            return None
        sent = self._trace.index.time_ns[self._rows].tolist()
        found = [fates.arrived_ns(row, time) for row, time in zip(rows_in(self._rows), sent, strict=True)]
        return np.array([-1 if one is None else one for one in found], np.int64)

    def _errors(self) -> tuple[tuple[Row, str], ...]:
        """The ICMP errors that quote this conversation; short ones name its ends alone (RFC 792)."""
        index, quoted = self._trace.index, self._trace.index.quoted
        if not len(quoted):
            return ()
        first = row_at(self._rows, 0)
        ends = [getattr(quoted, name) == getattr(index, name)[first]
                for name in ("src", "dst", "sport", "dport")]
        mine = (quoted.stream == self.stream) | ((quoted.stream < 0) & np.all(ends, axis=0))
        mine &= quoted.protocol == TCP
        return tuple((row, reader.info(record)) for row in rows_in(quoted.row[mine])
                     for reader in _ERRORS.get(int(index.protocol[row]), ())
                     if (record := reader.read(bytes([index.sport[row], index.dport[row]]), b"")) is not None)

    def _accepts(self) -> bool:
        """Whether b, which never answered here, answers SYNs of others."""
        index = self._trace.index
        if (self.directions(self._rows) == 1).any():
            return False
        first = row_at(self._rows, 0)
        syn_acks = index.tcp_flags & (SYN | ACK) == SYN | ACK
        return bool((syn_acks & (index.src == index.dst[first]) & (index.sport == index.dport[first])).any())

    def options(self, row: Row) -> TcpOptions:
        """The TCP options of a packet, from its captured bytes."""
        index, known = self._trace.index, self._fields.get(row)
        if known is not None:
            return parse_options(known)
        start, stop = int(index.l4[row]) + 20, int(index.payload[row])
        return parse_options(self._fetch(row, start, stop - start)) if start < stop else NO_OPTIONS

    def states(self, row: Row, time_ns: int = 0) -> tuple[str, str]:
        """The states of a and b after packet `row`, by RFC 9293; "unknown" where they cannot be known.

        `time_ns`: and after what a wire that takes its time has brought up to then.
        """
        return self._analysis.states.at(row, time_ns)

    @property
    def state(self) -> tuple[str, str]:
        """The states of a and b after the last packet, and after all that has arrived since."""
        return self._analysis.states.current

    def _fetch(self, row: Row, start: int, length: int) -> bytes:
        segment = self._trace.index.reassembly.segments.get(row)
        if segment is None:
            return self._trace.frame(row)[start : start + length]
        parts = []
        for part in segment.parts:
            first, last = max(start, part.start), min(start + length, part.stop)
            if first < last:
                frame, move = self._trace.frame(part.row), part.place - part.start
                parts.append(frame[first + move : last + move])
        return b"".join(parts)

    def _gather(self, rows: Int64s, positions: Int64s, lengths: Int64s) -> bytes:
        if not self._trace.index.reassembly.segments:
            return self._trace.gather(rows, positions, lengths)
        places = zip(rows.tolist(), positions.tolist(), lengths.tolist(), strict=True)
        return b"".join(self._fetch(*place) for place in places)
