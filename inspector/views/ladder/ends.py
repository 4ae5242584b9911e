"""Whose ladder it is: one conversation or the whole session, its packets, and which end each came from.

Trace and choice -> rows (numpy, growing with the trace) and for each row LEFT (the client sent it) or
RIGHT. ICMP errors belong to the conversation whose packet they quote and travel to that packet's sender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.endpoint import Transport, join_endpoint, split_endpoint
from inspector.model.numbers import ACK, RST, SYN, TCP, UDP
from inspector.model.packets import Row, row_at
from inspector.protocols.arp import ArpPacket
from inspector.trace.application.packets import packet_records
from inspector.trace.index.columns import Growing
from inspector.views.ladder.layout import LEFT, RIGHT
from inspector.views.session.sockets import EVER_NS, Meeting, SocketTable, same_address
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
    """Client and server as "address:port", "" where unknown; `sure`: the opening itself was seen.

    `first_ns` to `last_ns` is the time of its packets.
    """

    client: str
    server: str
    sure: bool
    first_ns: int = 0
    last_ns: int = EVER_NS

    @property
    def meeting(self) -> Meeting:
        """It as sockets are looked for by it."""
        return Meeting(self.client, self.server, self.first_ns, self.last_ns)


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
    times = trace.index.time_ns[rows[[0, -1]]].tolist()
    ends = _named_ends(trace, conversation, row_at(rows, 0), sockets)
    return ends._replace(first_ns=times[0], last_ns=max(times))


def _named_ends(trace: Trace, conversation: Conversation, row: Row, sockets: SocketTable) -> Ends:
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
        self._clients, self._servers = set[str](), set[str]()      # the addresses of those, without ports
        self.refused: set[int] = set()                      # TCP streams whose SYN was answered by a reset
        self._ends: dict[tuple[int, int], Ends] = {}        # of (protocol, stream), in a ladder of all

    def update(self) -> bool:
        """Read on; True when there are more packets."""
        index = self.trace.index
        count = index.count
        if count == self._packets_read and (self.conversation is None or self.ends.client):
            return False
        before = len(self.rows)
        self._note_refused(self._packets_read, count)
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
        for hosts, column in ((self._clients, index.src), (self._servers, index.dst)):
            hosts.update(escaped(index.address(number)) for number in np.unique(column[rows]).tolist())

    def _note_refused(self, start: int, count: int) -> None:
        """RFC 9293 §3.10.7.1: a reset out of CLOSED has the sequence number 0 and acknowledges the SYN."""
        index = self.trace.index
        resets = (index.tcp_flags[start:count] & (RST | ACK | SYN)) == RST | ACK
        rows = np.flatnonzero(resets & (index.protocol[start:count] == TCP)) + start
        self.refused.update(index.stream[rows[index.seq[rows] == 0]].tolist())

    @property
    def several_servers(self) -> bool:
        """Whether this is a ladder of conversations with more than one server: hops, for instance."""
        return len(self.servers) > 1

    def direction(self, position: int) -> int:
        """LEFT when the packet at this position of `rows` was sent by the client, else RIGHT."""
        return self.direction_of(row_at(self.rows, position))

    def direction_of(self, row: Row) -> int:
        """The same of a packet."""
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
        source, destination = self.hosts_of(row)
        return RIGHT if self._is_client(destination) and not self._is_client(source) else LEFT

    def _is_client(self, host: str) -> bool:
        client = self.ends.client
        return host in self._clients or bool(client and split_endpoint(client)[0] == host)

    def hosts_of(self, row: Row) -> tuple[str, str]:
        """From which address to which one a packet goes, by its own headers; "" where they name none."""
        index = self.trace.index
        if int(index.network[row]) in (4, 6):
            source, destination = (index.address(int(column[row])) for column in (index.src, index.dst))
            return escaped(source), escaped(destination)
        found = next((one for _, one in packet_records(self.trace, row) if isinstance(one, ArpPacket)), None)
        return ("", "") if found is None else (found.sender, found.target)

    def stranger(self, row: Row) -> str:
        """Whom a packet of a ladder of all is for or from, where that is no server of the ladder's; or "".

        Of a packet of which neither end is the ladder's both. What ARP says names its addresses itself.
        """
        index = self.trace.index
        if self.conversation is not None or not self.servers or int(index.network[row]) not in (4, 6):
            return ""
        source, destination = self.hosts_of(row)
        known = [host in self._servers or self._is_client(host) for host in (source, destination)]
        if all(known):
            return ""
        if not any(known) and int(index.stream[row]) < 0:
            return f"{source}→{destination}"
        return destination if self.direction_of(row) == LEFT else source

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
            ends = self._ends[key] = conversation_ends(self.trace, conversation, self.sockets)
            if ends.client:
                self._clients.add(split_endpoint(ends.client)[0])
        return self._ends[key]
