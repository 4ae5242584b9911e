"""Every conversation of a trace as columns: who, how much each way, from when to when, how it stands.

Rows of the index, a slice at a time -> numbers of conversations (numpy, no object a packet or a conversation)
-> counts, first and last packet, what TCP's flags tell. TCP and UDP conversations are those that the index
numbers; all other packets belong together when they have the same protocol between the same two addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inspector.model.numbers import ACK, FIN, RST, SYN, TCP, UDP
from inspector.model.packets import Row
from inspector.trace.index.addresses import KeyTable
from inspector.trace.index.columns import Growing
from inspector.views.ladder.ends import Conversation
from inspector.wire.arrays import Array, Bools, Int64s, UInt64s

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.trace.trace import Trace

SLICE = 1 << 15              # packets that are taken in at once: some 5 ms
STATES = ("", "SYN sent", "open", "half-closed", "closed", "reset", "refused", "one way")
_NONE = -1
_COLUMNS = {
    "first_row": "i8", "last_row": "i8", "protocol": "u1", "network": "u1", "stream": "i4", "src": "u4",
    "dst": "u4", "sport": "u2", "dport": "u2", "packets_ab": "i8", "packets_ba": "i8", "bytes_ab": "i8",
    "bytes_ba": "i8", "flags_ab": "u2", "flags_ba": "u2", "syn_row": "i8", "accept_row": "i8",
    "ack_row": "i8",
}


class ConversationTable:
    """Columns with one row a conversation, in order of their first packets; `a` is who sent that packet.

    `first_row`, `last_row`: packets. `packets_ab`, `bytes_ab` (a to b), `packets_ba`, `bytes_ba`: packets,
    and bytes of whole frames as on the wire. `flags_ab`, `flags_ba`: all TCP flags that were seen.
    `syn_row`, `accept_row`, `ack_row`: the last SYN, the SYN ACK, and the ACK that completes the handshake
    (RFC 9293, section 3.5), -1 where they were not seen.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.seen = 0                      # packets that were taken in
        self._keys = KeyTable()
        self._columns = {name: Growing(kind) for name, kind in _COLUMNS.items()}

    def __len__(self) -> int:
        return len(self._keys)

    def column(self, name: str) -> Array:
        """One column by its name."""
        return self._columns[name].values

    def update(self, most: int = SLICE) -> bool:
        """Take in the next packets, at most so many; True when there were any."""
        start, stop = self.seen, min(self.seen + most, self.trace.index.count)
        if start == stop:
            return False
        self.seen = stop
        number = self._numbered(start, stop)
        index, part = self.trace.index, slice(start, stop)
        rows = np.arange(start, stop)
        self._columns["last_row"].values[number] = rows            # in order: the last one stays
        forward = (index.src[part] == self.column("src")[number]) & (
            (index.sport[part] == self.column("sport")[number]) | (self.column("stream")[number] == _NONE))
        for way, mask in (("ab", forward), ("ba", ~forward)):
            mine = number[mask]
            count = len(self)
            self.column(f"packets_{way}")[:] += np.bincount(mine, minlength=count)
            sizes = np.bincount(mine, index.length[part][mask], count)
            self.column(f"bytes_{way}")[:] += sizes.astype("i8")
        self._tcp(number, rows, forward)
        return True

    @property
    def complete(self) -> bool:
        """Whether all that the trace has was taken in."""
        return self.seen == self.trace.index.count

    def _numbered(self, start: int, stop: int) -> Int64s:
        """The conversation of each packet; new ones get their row."""
        number = self._keys.number(*self._key(np.arange(start, stop)))
        known = self._columns["first_row"].count
        fresh = len(self._keys) - known
        if fresh:
            heads = np.empty(fresh, "i8")
            new = np.flatnonzero(number >= known)
            heads[number[new][::-1] - known] = new[::-1]              # of several the first one stays
            rows = heads + start
            index = self.trace.index
            own = {"first_row": rows, "last_row": rows}
            own["stream"] = np.where(_in_flow(index, rows), index.stream[rows], _NONE)
            own |= {name: getattr(index, name)[rows]
                    for name in ("protocol", "network", "src", "dst", "sport", "dport")}
            for name in ("syn_row", "accept_row", "ack_row"):
                own[name] = np.full(fresh, _NONE)
            for name, column in self._columns.items():
                column.extend(own.get(name, np.zeros(fresh, "i8")))
        return number

    def _key(self, rows: Int64s) -> tuple[UInt64s, UInt64s]:
        """What tells the packets' conversations apart: two words each."""
        index = self.trace.index
        src, dst = index.src[rows].astype("u8"), index.dst[rows].astype("u8")
        pair = np.minimum(src, dst) << np.uint64(32) | np.maximum(src, dst)
        in_flow = _in_flow(index, rows)
        kind = np.where(in_flow, 0xFF, index.network[rows]).astype("u8")
        stream = np.where(in_flow, index.stream[rows], 0).astype("u8")
        return index.protocol[rows].astype("u8") << np.uint64(8) | kind, np.where(in_flow, stream, pair)

    def _tcp(self, number: Int64s, rows: Int64s, forward: Bools) -> None:
        """What the flags of TCP segments tell of their conversations."""
        segments = (self.column("protocol")[number] == TCP) & (self.column("stream")[number] != _NONE)
        if not segments.any():
            return
        number, rows, forward = number[segments], rows[segments], forward[segments]
        flags = self.trace.index.tcp_flags[rows]
        for way, mask in (("ab", forward), ("ba", ~forward)):
            np.bitwise_or.at(self.column(f"flags_{way}"), number[mask], flags[mask])
        opening = flags & (SYN | ACK | RST)
        self._note("accept_row", number, rows, ~forward & (opening == SYN | ACK))
        accepted = self.column("accept_row")[number]
        before = forward & (opening == SYN) & ((accepted == _NONE) | (rows < accepted))
        self.column("syn_row")[number[before]] = rows[before]         # the last one is what was answered
        after = (accepted != _NONE) & (rows > accepted)
        self._note("ack_row", number, rows, forward & after & (opening == ACK))

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

    def rtt_ns(self) -> Int64s:
        """From SYN to the ACK that completes the handshake (tcp.analysis.initial_rtt), -1 where not seen."""
        whole = (self.column("syn_row") != _NONE) & (self.column("ack_row") != _NONE)
        return np.where(whole, self.times("ack_row") - self.times("syn_row"), _NONE)

    def states(self) -> Int64s:
        """How each stands, as places in STATES."""
        ab, ba = self.column("flags_ab"), self.column("flags_ba")
        syn, accepted = self.column("syn_row") != _NONE, self.column("accept_row") != _NONE
        is_tcp = (self.column("protocol") == TCP) & (self.column("stream") != _NONE)
        is_udp = (self.column("protocol") == UDP) & (self.column("stream") != _NONE)
        fins = (ab & FIN != 0).astype("i8") + (ba & FIN != 0)
        refused = syn & ~accepted & (ba & RST != 0) & (self.column("packets_ba") == 1)
        cases = [is_udp & (self.column("packets_ba") == 0), ~is_tcp, refused, fins == 2, (ab | ba) & RST != 0,
                 fins == 1, syn & ~accepted & (self.column("packets_ba") == 0)]
        return np.select(cases, [7, 0, 6, 4, 5, 3, 1], 2)

    def conversation(self, number: int) -> Conversation | None:
        """The TCP or UDP conversation of a row, None for packets that belong to none."""
        stream = int(self.column("stream")[number])
        if stream < 0:
            return None
        return Conversation("tcp" if int(self.column("protocol")[number]) == TCP else "udp", stream)

    def numbers_of(self, rows: Int64s) -> Int64s:
        """The conversations of packets that were taken in."""
        return self._keys.number(*self._key(rows))

    def number_of(self, row: Row) -> int | None:
        """The conversation of packet `row`, None where it was not taken in yet."""
        return int(self.numbers_of(np.array([row]))[0]) if 0 <= row < self.seen else None


def _in_flow(index: Index, rows: Int64s) -> Bools:
    """Which packets belong to a TCP or UDP conversation that the index has numbered."""
    protocol = index.protocol[rows]
    in_flow: Bools = (index.stream[rows] >= 0) & ((protocol == TCP) | (protocol == UDP))
    return in_flow
