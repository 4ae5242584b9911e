"""Whose ladder it is: one conversation or the whole session, its packets, and which end each came from.

Trace and choice -> rows (numpy, growing with the trace) and for each row LEFT (the client sent it) or
RIGHT. ICMP errors belong to the conversation whose packet they quote and travel to that packet's sender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.endpoint import Transport, join_endpoint, split_endpoint
from inspector.model.numbers import ACK, SYN, TCP, UDP
from inspector.model.packets import Row, row_at
from inspector.trace.index.columns import Growing
from inspector.views.ladder.layout import LEFT, RIGHT
from inspector.views.session.sockets import SocketTable, same_address
from inspector.wire.arrays import Int64s
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_NUMBERS = {"tcp": TCP, "udp": UDP}


class Conversation(NamedTuple):
    """One conversation of a trace: "tcp" or "udp" and its stream number."""

    protocol: Transport
    stream: int


class Ends(NamedTuple):
    """Client and server as "address:port", "" where unknown; `sure`: the opening itself was seen."""

    client: str
    server: str
    sure: bool


def row_ends(trace: Trace, row: Row) -> tuple[str, str]:
    """Sender and receiver of a TCP or UDP packet as "address:port"."""
    index = trace.index
    source, destination = index.address(int(index.src[row])), index.address(int(index.dst[row]))
    return (join_endpoint(escaped(source), int(index.sport[row])),
            join_endpoint(escaped(destination), int(index.dport[row])))


def conversation_ends(trace: Trace, conversation: Conversation, sockets: SocketTable) -> Ends:
    """Who is the client: by the SYN, else by the journal, else whoever sent first (to a lower port)."""
    rows = trace.rows_of(conversation.protocol, conversation.stream)
    if not len(rows):
        return Ends("", "", False)
    row = row_at(rows, 0)
    source, destination = row_ends(trace, row)
    if conversation.protocol == "tcp":
        flags = int(trace.index.tcp_flags[row])
        if flags & SYN:
            return Ends(destination, source, True) if flags & ACK else Ends(source, destination, True)
    for socket in sockets.sockets:
        serves = socket.listening or socket.role == "server"
        if serves and same_address(socket.local, source):
            return Ends(destination, source, True)
        if serves and same_address(socket.local, destination):
            return Ends(source, destination, True)
    ports = int(trace.index.sport[row]), int(trace.index.dport[row])
    if conversation.protocol == "tcp" and ports[0] < ports[1]:
        return Ends(destination, source, False)
    return Ends(source, destination, conversation.protocol == "udp")


def quoted(trace: Trace, row: Row) -> tuple[int, str, str] | None:
    """Protocol, sender and receiver of the packet that an ICMP error quotes (RFC 792, RFC 4443)."""
    header = trace.index.quoted.innermost(row)
    if header is None:
        return None
    address = trace.index.address
    source = join_endpoint(escaped(address(header.src)), header.sport)
    return header.protocol, source, join_endpoint(escaped(address(header.dst)), header.dport)


def quoting_rows(trace: Trace, conversation: Conversation) -> Int64s:
    """The rows of the ICMP errors that quote a packet of the conversation."""
    table = trace.index.quoted
    number = _NUMBERS[conversation.protocol]
    mine = (table.stream == conversation.stream) & (table.protocol == number)
    rows: Int64s = table.row[mine]
    return rows


class Side:
    """The packets of a ladder and their directions; `update` takes in what the trace gained."""

    def __init__(self, trace: Trace, conversation: Conversation | None, sockets: SocketTable) -> None:
        self.trace = trace
        self.conversation = conversation
        self.sockets = sockets
        self.ends = Ends("", "", False)
        self.rows = np.zeros(0, np.int64)
        self.times = np.zeros(0, np.int64)
        self._rows, self._times = Growing(np.int64), Growing(np.int64)       # of a ladder of all
        self._packets_read = 0
        self.servers: set[tuple[int, int]] = set()          # whom SYNs were for: number of address, port
        self._ends: dict[tuple[int, int], Ends] = {}        # of (protocol, stream), in a ladder of all

    def update(self) -> bool:
        """Read on; True when there are more packets."""
        index = self.trace.index
        count = index.count
        if count == self._packets_read and (self.conversation is None or self.ends.client):
            return False
        before = len(self.rows)
        if self.conversation is None:
            self._note_servers(self._packets_read, count)
            self._take(np.arange(before, count))
            self._packets_read = count
            return count != before
        self.ends = conversation_ends(self.trace, self.conversation, self.sockets)
        rows = self.trace.rows_of(self.conversation.protocol, self.conversation.stream)
        errors = quoting_rows(self.trace, self.conversation)
        self.rows = np.union1d(rows, errors) if len(errors) else rows
        self._packets_read = count
        self.times = np.maximum.accumulate(index.time_ns[self.rows].astype(np.int64))
        return len(self.rows) != before

    def _take(self, rows: Int64s) -> None:
        """Go on with packets that follow those there are."""
        times = self.trace.index.time_ns[rows]
        last = self._times.values[-1:]
        self._rows.extend(rows)
        self._times.extend(np.maximum.accumulate(np.concatenate((last, times)))[len(last) :])
        self.rows, self.times = self._rows.values, self._times.values

    def _note_servers(self, start: int, count: int) -> None:
        index = self.trace.index
        opens = (index.tcp_flags[start:count] & (SYN | ACK)) == SYN
        rows = np.flatnonzero(opens & (index.protocol[start:count] == TCP)) + start
        self.servers.update(zip(index.dst[rows].tolist(), index.dport[rows].tolist(), strict=True))

    @property
    def several_servers(self) -> bool:
        """Whether this is a ladder of conversations with more than one server: hops, for instance."""
        return len(self.servers) > 1

    def direction(self, position: int) -> int:
        """LEFT when the packet at this position of `rows` was sent by the client, else RIGHT."""
        row = row_at(self.rows, position)
        index = self.trace.index
        protocol, stream = int(index.protocol[row]), int(index.stream[row])
        if protocol in (TCP, UDP) and stream >= 0:
            return LEFT if row_ends(self.trace, row)[0] == self.client_of(row) else RIGHT
        quote = quoted(self.trace, row)
        if quote is None:
            return self._by_address(row)
        known = (ends.client for (number, _), ends in self._ends.items() if number == quote[0])
        client = self.ends.client or next((name for name in known if name in quote[1:]), "")
        return RIGHT if quote[1] == client else LEFT

    def _by_address(self, row: Row) -> int:
        """The direction of a packet without ports: RIGHT when it goes to a client's address."""
        index = self.trace.index
        if int(index.network[row]) not in (4, 6):
            return LEFT
        clients = (self.ends.client, *(ends.client for ends in self._ends.values()))
        hosts = {split_endpoint(client)[0] for client in clients if client}
        source, destination = (escaped(index.address(int(column[row]))) for column in (index.src, index.dst))
        return RIGHT if destination in hosts and source not in hosts else LEFT

    def client_of(self, row: Row) -> str:
        """The client, "address:port", of the conversation that the TCP or UDP packet belongs to."""
        return self.ends_of(row).client

    def ends_of(self, row: Row) -> Ends:
        """Both ends of the conversation that the TCP or UDP packet belongs to."""
        if self.conversation is not None:
            return self.ends
        index = self.trace.index
        key = (int(index.protocol[row]), int(index.stream[row]))
        if key not in self._ends:
            conversation = Conversation("tcp" if key[0] == TCP else "udp", key[1])
            self._ends[key] = conversation_ends(self.trace, conversation, self.sockets)
        return self._ends[key]
