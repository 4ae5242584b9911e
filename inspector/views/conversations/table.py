"""Every conversation of a trace as columns: who, how much each way, from when to when, how it stands.

Rows of the index, a slice at a time -> numbers of conversations (numpy, no object a packet or a conversation)
-> counts, first and last packet, what TCP's flags tell. TCP and UDP conversations are those that the index
numbers; all other packets belong together when they have the same protocol between the same two addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.language import marked
from inspector.model.numbers import ACK, FIN, RST, SYN, TCP, UDP
from inspector.model.packets import Row, row_at, rows_in
from inspector.trace.flows.copies import Elsewhere, copies, may_hold_copies
from inspector.trace.index.addresses import KeyTable
from inspector.trace.index.columns import Growing
from inspector.trace.index.conversations import PROTOCOLS
from inspector.views.ladder.ends import Conversation
from inspector.wire.arrays import Bools, Int32s, Int64s, Integers, UInt8s, UInt16s, UInt32s, UInt64s
from inspector.wire.tcp.options import Stamped, echoed_trip, parse_options

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_SLOWER = 32                 # times where packets are looked at one by one
SLICE = 1 << 15              # packets that are taken in at once: some 5 ms
STATES = ("", marked("SYN sent"), marked("open"), marked("half-closed"), marked("closed"), marked("reset"),
          marked("refused"), marked("one way"), marked("carries"))
_NONE = -1
_COLUMNS = {
    "first_row": "i8", "last_row": "i8", "protocol": "u1", "network": "u1", "stream": "i4", "src": "u4",
    "dst": "u4", "sport": "u2", "dport": "u2", "packets_ab": "i8", "packets_ba": "i8", "bytes_ab": "i8",
    "bytes_ba": "i8", "flags_ab": "u2", "flags_ba": "u2", "syn_row": "i8", "accept_row": "i8",
    "ack_row": "i8", "carries": "i8", "fin_ab": "i8", "fin_ba": "i8", "heard_ab": "u1", "heard_ba": "u1",
    "asked_ba": "u1", "tries": "u2",
}


class _Lines(NamedTuple):
    """What packets add to conversations, in order: what is theirs, and before that the headers around it.

    `stream` -1 where it has no number; `carries`: it is a header around a tunnel.
    """

    row: Int64s
    protocol: UInt8s
    network: UInt8s
    stream: Int32s
    src: UInt32s
    dst: UInt32s
    sport: UInt16s
    dport: UInt16s
    carries: Bools


class ConversationTable:
    """Columns with one row a conversation, in order of their first packets; `a` is who sent that packet.

    `first_row`, `last_row`: packets. `packets_ab`, `bytes_ab` (a to b), `packets_ba`, `bytes_ba`: packets,
    and bytes of whole frames as on the wire. `flags_ab`, `flags_ba`: all TCP flags that were seen.
    `syn_row`, `accept_row`, `ack_row`: the last SYN, the SYN ACK, and the ACK that completes the handshake
    (RFC 9293, section 3.5), -1 where they were not seen. `fin_ab`, `fin_ba`: the number behind each
    direction's first FIN, -1 where none was seen, and `heard_…` whether the other end acknowledged it.
    `asked_ba`: b sent a SYN without ACK, too (a simultaneous open). `tries`: SYNs and SYN ACKs up to
    `ack_row`. Packets and bytes are counted once where several interfaces saw them
    (trace/flows/copies.py).
    `carries`: packets that are a tunnel's: the conversations in it have lines of their own.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.seen = 0                      # packets that were taken in
        self._keys = KeyTable()
        self._columns = {name: Growing(np.dtype(kind)) for name, kind in _COLUMNS.items()}
        self._elsewhere = Elsewhere(trace), Elsewhere(trace)       # TCP's, and UDP's
        self._copies: set[Row] = set()     # SYNs that the file has twice
        self._trips: dict[int, int] = {}   # round trips of handshakes in which something was sent again

    def __len__(self) -> int:
        return len(self._keys)

    def column(self, name: str) -> Integers:
        """One column by its name."""
        return self._columns[name].values

    def update(self, most: int = SLICE) -> bool:
        """Take in the next packets, at most so many; True when there were any."""
        twice = may_hold_copies(self.trace)
        most = max(most // _SLOWER, 1) if twice else most
        start, stop = self.seen, min(self.seen + most, self.trace.index.count)
        if start == stop:
            return False
        self.seen = stop
        lines = self._lines(np.arange(start, stop))
        number = self._numbered(lines)
        index, rows = self.trace.index, lines.row
        self._columns["last_row"].values[number] = rows            # in order: the last one stays
        forward = (lines.src == self.column("src")[number]) & (
            (lines.sport == self.column("sport")[number]) | (self.column("stream")[number] == _NONE))
        again = np.isin(rows, self._again(start, stop)) if twice else np.zeros(len(rows), np.bool_)
        self._copies.update(rows_in(rows[again & (index.tcp_flags[rows] & SYN != 0)]))
        for way, mask in (("ab", forward), ("ba", ~forward)):
            mask = mask & ~again
            mine = number[mask]
            count = len(self)
            self.column(f"packets_{way}")[:] += np.bincount(mine, minlength=count)
            sizes = np.bincount(mine, index.length[rows[mask]], count)
            self.column(f"bytes_{way}")[:] += sizes.astype("i8")
        self.column("carries")[:] += np.bincount(number, lines.carries, len(self)).astype("i8")
        self._tcp(number, rows, forward, again)
        return True

    @property
    def complete(self) -> bool:
        """Whether all that the trace has was taken in."""
        return self.seen == self.trace.index.count

    def _again(self, start: int, stop: int) -> list[Row]:
        """The packets among these that another interface saw before, or an earlier section holds."""
        index, rows, found = self.trace.index, np.arange(start, stop), list[Row]()
        for elsewhere, name in zip(self._elsewhere, PROTOCOLS, strict=True):
            mine = (index.protocol[start:stop] == PROTOCOLS[name]) & (index.stream[start:stop] >= 0)
            found += elsewhere.take(rows[mine])
            several = np.unique(index.stream[start:stop][mine]).tolist() if len(index.sections.values) else ()
            for stream in several:
                theirs = self.trace.rows_of(name, stream)
                theirs = theirs[: np.searchsorted(theirs, stop)]
                found += copies(self.trace, theirs, int(np.searchsorted(theirs, start)))
        return found

    def _lines(self, rows: Int64s) -> _Lines:
        """What these packets (ascending) add to conversations."""
        index, outer = self.trace.index, self.trace.index.outer
        names = ("protocol", "network", "stream", "src", "dst", "sport", "dport")
        own = {name: getattr(index, name)[rows] for name in names}
        own["stream"] = np.where(_in_flow(own["stream"], own["protocol"]), own["stream"], _NONE)
        places = outer.within(rows, index.count)[0] if len(outer) else np.zeros(0, "i8")
        places = places[_in_flow(outer.stream[places], outer.protocol[places])]
        nothing = np.zeros(len(rows), np.bool_)
        if not len(places):
            return _Lines(rows, **own, carries=nothing)
        row = np.concatenate((outer.row[places], rows))
        order = np.argsort(row, kind="stable")
        joined = {name: np.concatenate((getattr(outer, name)[places], own[name]))[order] for name in names}
        carries = np.concatenate((np.ones(len(places), np.bool_), nothing))
        return _Lines(row[order], **joined, carries=carries[order])

    def _numbered(self, lines: _Lines) -> Int64s:
        """The conversation of each line; new ones get their row."""
        number = self._keys.number(*_key(lines))
        known = self._columns["first_row"].count
        fresh = len(self._keys) - known
        if fresh:
            heads = np.empty(fresh, "i8")
            new = np.flatnonzero(number >= known)
            heads[number[new][::-1] - known] = new[::-1]              # of several the first one stays
            own: dict[str, Integers] = {"first_row": lines.row[heads], "last_row": lines.row[heads]}
            own |= {name: getattr(lines, name)[heads]
                    for name in ("protocol", "network", "stream", "src", "dst", "sport", "dport")}
            for name in ("syn_row", "accept_row", "ack_row", "fin_ab", "fin_ba"):
                own[name] = np.full(fresh, _NONE)
            for name, column in self._columns.items():
                column.extend(own.get(name, np.zeros(fresh, "i8")))
        return number

    def _tcp(self, number: Int64s, rows: Int64s, forward: Bools, again: Bools) -> None:
        """What the flags of TCP segments tell of their conversations."""
        segments = (self.column("protocol")[number] == TCP) & (self.column("stream")[number] != _NONE)
        if not segments.any():
            return
        number, rows, forward, again = number[segments], rows[segments], forward[segments], again[segments]
        flags = self.trace.index.tcp_flags[rows]
        for way, mask in (("ab", forward), ("ba", ~forward)):
            np.bitwise_or.at(self.column(f"flags_{way}"), number[mask], flags[mask])
        opening = flags & (SYN | ACK | RST)
        self._note("accept_row", number, rows, ~forward & (opening == SYN | ACK))
        accepted = self.column("accept_row")[number]
        before = forward & (opening == SYN) & ((accepted == _NONE) | (rows < accepted))
        self.column("syn_row")[number[before]] = rows[before]         # the last one is what was answered
        after = (accepted != _NONE) & (rows > accepted)
        self.column("asked_ba")[number[~forward & (opening == SYN)]] = 1
        self._note("ack_row", number, rows, forward & after & (opening == ACK))
        ended = self.column("ack_row")[number]
        tries = (opening & SYN != 0) & ~again & ((ended == _NONE) | (rows < ended))
        np.add.at(self.column("tries"), number[tries], 1)
        self._close(number, rows, forward, flags)

    def _close(self, number: Int64s, rows: Int64s, forward: Bools, flags: UInt16s) -> None:
        """What segments tell of the end: the FINs, and whether each was acknowledged."""
        index, fins, acks = self.trace.index, flags & FIN != 0, (flags & (ACK | RST)) == ACK
        for way, sent in (("ab", forward), ("ba", ~forward)):
            mine = np.flatnonzero(sent & fins)
            if len(mine):
                behind = index.seq[rows[mine]].astype("i8") + index.payload_length[rows[mine]] + 1
                ends = np.zeros(len(rows), "i8")
                ends[mine] = behind & 0xFFFFFFFF
                self._note(f"fin_{way}", number, ends, sent & fins)
            end = self.column(f"fin_{way}")[number]
            heard = ~sent & acks & (end != _NONE) & (index.ack[rows] == end)
            self.column(f"heard_{way}")[number[heard]] = 1

    def _note(self, name: str, number: Int64s, rows: Int64s, mask: Bools) -> None:
        """Keep the first row of each conversation among those of `mask`."""
        mine, found = number[mask], rows[mask]
        column = self.column(name)
        fresh = column[mine] == _NONE
        column[mine[fresh][::-1]] = found[fresh][::-1]

    # --- what follows from the columns ---

    def times(self, name: str) -> Int64s:
        """The times, in nanoseconds, of the packets in a column of rows; of -1 any time."""
        times: Int64s = self.trace.index.time_ns[self.column(name)]
        return times

    def duration_ns(self) -> Int64s:
        """From the first packet to the last."""
        length: Int64s = self.times("last_row") - self.times("first_row")
        return length

    def rtt_ns(self, which: slice = slice(None)) -> Int64s:
        """From SYN to the ACK that completes the handshake, -1 where that was not seen, or is not known.

        An ACK with data, or of more than the SYN, may be late for other reasons than the way.
        """
        index = self.trace.index
        syn, accept, ack, asked = (self.column(name)[which] for name in (
            "syn_row", "accept_row", "ack_row", "asked_ba"))
        whole = (syn != _NONE) & (ack != _NONE) & (asked == 0) & (index.payload_length[ack] == 0)
        whole &= index.ack[ack] == index.seq[accept] + np.uint32(1)
        spans = index.time_ns[ack] - index.time_ns[syn]
        for number in np.flatnonzero(whole & (self.column("tries")[which] > 2)).tolist():
            spans[number] = self._trip(int(self.column("stream")[which][number]), row_at(ack, number))
        return np.where(whole & (spans >= 0), spans, _NONE)          # (below: the clock was set back)

    def _trip(self, stream: int, ack: Row) -> int:
        """The round trip of a handshake that `ack` ended, in which something was sent again; -1: unknown."""
        if stream not in self._trips:
            index, rows = self.trace.index, self.trace.rows_of("tcp", stream)
            mine = (row for row in rows_in(rows[rows < ack]) if row not in self._copies)
            opening = [(index.tcp_flags.item(row) & (SYN | ACK), self._stamped(row)) for row in mine]
            syns, accepts = ([one for flags, one in opening if flags == kind] for kind in (SYN, SYN | ACK))
            first = any(flags == ACK for flags, _ in opening)          # which answers a repeated SYN
            trip = None if first else echoed_trip(syns, accepts, self._stamped(ack))
            self._trips[stream] = _NONE if trip is None else trip
        return self._trips[stream]

    def _stamped(self, row: Row) -> Stamped:
        index = self.trace.index
        options = parse_options(self.trace.frame(row)[int(index.l4[row]) + 20 : int(index.payload[row])])
        return Stamped(index.time_ns.item(row), options.timestamp, options.timestamp_echo)

    def states(self) -> Int64s:
        """How each stands, as places in STATES."""
        ab, ba = self.column("flags_ab"), self.column("flags_ba")
        syn, accepted = self.column("syn_row") != _NONE, self.column("accept_row") != _NONE
        is_tcp = (self.column("protocol") == TCP) & (self.column("stream") != _NONE)
        is_udp = (self.column("protocol") == UDP) & (self.column("stream") != _NONE)
        fins = (ab & FIN != 0).astype("i8") + (ba & FIN != 0)
        heard = (self.column("heard_ab") != 0) & (self.column("heard_ba") != 0)
        resets = (ab | ba) & RST != 0
        refused = syn & ~accepted & (ba & RST != 0) & (self.column("packets_ba") == 1)
        one_way = (self.column("packets_ba") == 0) & ~self._to_itself()
        deaf = is_tcp & (ab & (ACK | RST) == ACK)   # it acknowledges what the capture lacks
        cases = [self.column("carries") > 0, (is_udp | deaf) & one_way, ~is_tcp, refused,
                 (fins == 2) & (heard | ~resets), resets, fins == 1, syn & ~accepted & one_way]
        return np.select(cases, [8, 7, 0, 6, 4, 5, 3, 1], 2)

    def _to_itself(self) -> Bools:
        """Which are of one socket with itself: a simultaneous open."""
        column = self.column
        same: Bools = (column("src") == column("dst")) & (column("sport") == column("dport"))
        return same

    def conversation(self, number: int) -> Conversation | None:
        """The TCP or UDP conversation of a row, None for packets that belong to none."""
        stream = int(self.column("stream")[number])
        if stream < 0:
            return None
        return Conversation("tcp" if int(self.column("protocol")[number]) == TCP else "udp", stream)

    def numbers_of(self, rows: Int64s) -> Int64s:
        """The conversations of packets that were taken in, those around tunnels among them."""
        return self._keys.number(*_key(self._lines(rows)))

    def number_of(self, row: Row) -> int | None:
        """The conversation of packet `row` (of a tunnel's the inner one), None where it was not read yet."""
        return int(self.numbers_of(np.array([row]))[-1]) if 0 <= row < self.seen else None


def _key(lines: _Lines) -> tuple[UInt64s, UInt64s]:
    """What tells conversations apart: two words each."""
    src, dst = lines.src.astype("u8"), lines.dst.astype("u8")
    pair = np.minimum(src, dst) << np.uint64(32) | np.maximum(src, dst)
    in_flow = lines.stream != _NONE
    kind = np.where(in_flow, 0xFF, lines.network).astype("u8")
    stream = np.where(in_flow, lines.stream, 0).astype("u8")
    return lines.protocol.astype("u8") << np.uint64(8) | kind, np.where(in_flow, stream, pair)


def _in_flow(stream: Int32s, protocol: UInt8s) -> Bools:
    """Which headers belong to a TCP or UDP conversation that the index has numbered."""
    in_flow: Bools = (stream >= 0) & ((protocol == TCP) | (protocol == UDP))
    return in_flow
