"""The sockets of a session, derived from its journal: which call made, bound, connected and closed each.

Calls, in the order in which they were entered -> `SocketTable` (one entry a socket, every call tied to
its socket) -> the ladder's choice of calls, who holds a conversation's ends, and the lines of the sockets
pane. A table follows a trace that grows: each call is looked at when it appears and once more when it
returned. Addresses are used again and again: a call belongs to a conversation of its socket's time alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from inspector.model.endpoint import parts_of_endpoint
from inspector.model.records import FROM, Call

_ANY = {"0.0.0.0", "[::]", ""}
_ADDRESSED = frozenset({"sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"})
_BIND_ITSELF = frozenset({"connect", "listen", "sendto", "sendmsg", "sendmmsg"})     # give it a port (ip(7))
_GOES_ON = ("EINPROGRESS", "EALREADY", "EINTR", "EISCONN")      # of connect(): it goes on, or has
EVER_NS = (1 << 63) - 1
_LOOK_BACK = 256               # calls that may have sent a first packet: others block for as long as that


class Meeting(NamedTuple):
    """A conversation as sockets are looked for by it: client and server, and the time of its packets."""

    client: str
    server: str
    first_ns: int = 0
    last_ns: int = EVER_NS


@dataclass(slots=True)
class Aim:
    """A call that sent the first packet to somebody, of a socket whose address no call had told yet."""

    socket: Socket
    call: int                      # its index
    server: str
    time_ns: int
    until_ns: int = EVER_NS        # when its thread made the next call: the packet was sent by then
    failed: bool = False           # connect() came to nothing; the socket may try once more, from elsewhere


@dataclass(slots=True)
class Socket:
    """One socket of one process, as its calls have told so far. Addresses: "127.0.0.1:8000", "[::1]:80"."""

    number: int                    # place in SocketTable.sockets
    pid: int
    role: str
    fd: int
    protocol: str = ""
    local: str | None = None
    peer: str | None = None        # whom it is connected to; of UDP by connect(), not by a datagram's address
    listening: bool = False
    listens_ns: int = 0            # when listen() returned; 0: before all that is known
    since_ns: int = 0              # when listen(), connect(), or bind() of UDP was called
    made_ns: int = 0               # when the call that made it returned; 0: before all that is known
    connected_ns: int = 0          # when connect() returned; 0: before all that is known
    closed_ns: int | None = None
    parent: int | None = None      # number of the listening socket that accepted it
    peers: dict[str, int] = field(default_factory=dict)    # whom unconnected UDP talked to, and from when
    bound_ns: int | None = None    # when it got its own address,
    called_ns: int | None = None   # and when its peer was named; None: before all that is known
    aimed: set[str] = field(default_factory=set)   # whom it meant while no call had told its own address
    error: str = ""                # errno of the last call that failed,
    failed_ns: int = 0             # and when
    tried_ns: int | None = None    # when the connect() was called that did not connect it; TCP
    refused: bool = False          # that connect() came to nothing


class SocketTable:
    """All sockets of the calls given so far."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.of_call: list[int | None] = []       # call's index -> socket's number
        self.accepted: dict[int, int] = {}        # index of an accept call -> socket it returned
        self._open: dict[tuple[int, int], Socket] = {}
        self._pending: list[int] = []
        self._served: dict[str, int] = {}         # addresses on which something listens, since when at first
        self._aims: dict[int, Aim] = {}           # by the index of their calls
        self._unnamed: dict[str, list[Aim]] = {}  # those whose sockets have no address, by the port they mean
        self._last_aim: dict[tuple[int, int], Aim] = {}        # of each thread, while it makes no other call
        # By the port of their own address, and whom they are connected to.
        self._by_ends: dict[tuple[str, str | None], list[Socket]] = {}
        self._found: dict[Meeting, Aim | None] = {}            # whose first packet it was

    def update(self, calls: Sequence[Call]) -> bool:
        """Take in what is new in `calls`, the same list as before, grown; True when anything changed."""
        returned = [index for index in self._pending if calls[index].end_ns is not None]
        start = len(self.of_call)
        if returned or start < len(calls):
            self._by_ends.clear()
            self._unnamed.clear()
            self._found.clear()
        self._pending = [index for index in self._pending if calls[index].end_ns is None]
        for index in returned:
            self._returned(index, calls[index])
        for index in range(start, len(calls)):
            self._entered(index, calls[index])
            if calls[index].end_ns is None:
                self._pending.append(index)
            else:
                self._returned(index, calls[index])
        return bool(returned) or start < len(calls)

    def socket_of(self, index: int) -> Socket | None:
        """The socket that call `index` was made on (or that it made)."""
        number = self.of_call[index] if index < len(self.of_call) else None
        return None if number is None else self.sockets[number]

    def _entered(self, index: int, call: Call) -> None:
        aim = self._last_aim.pop((call.pid, call.tid), None)
        if aim is not None:
            aim.until_ns = max(call.time_ns, aim.time_ns)
        if call.fd is None or call.name == "socket":
            self.of_call.append(None)
            return
        socket = self._open.get((call.pid, call.fd)) or self._new(call, call.fd)
        self.of_call.append(socket.number)
        if call.name in _BIND_ITSELF and socket.bound_ns is None:
            socket.bound_ns = call.time_ns
        if call.name == "connect" and socket.called_ns is None:
            socket.called_ns = call.time_ns
        if socket.local is None and not call.local:
            self._aimed(index, socket, call)
        self._learn(socket, call)

    def _aimed(self, index: int, socket: Socket, call: Call) -> None:
        """Note whom a call that sends a first packet means; its socket's own address is not known."""
        tcp = call.protocol == "tcp" or socket.protocol == "tcp"
        if call.name != "connect" and (tcp or call.name not in _ADDRESSED):
            return
        server = call_peer(call) or (call.arguments.rpartition(", ")[2] if call.name == "connect" else "")
        if not server or not parts_of_endpoint(server)[1].isdigit():
            return
        aim = self._aims[index] = Aim(socket, index, server, call.time_ns)
        self._last_aim[call.pid, call.tid] = aim
        socket.aimed.add(server)
        socket.since_ns = socket.since_ns or call.time_ns

    def _returned(self, index: int, call: Call) -> None:
        if call.name == "socket":
            if call.result is not None and call.result >= 0 and not call.errno:
                made = self._new(call, call.result)
                made.made_ns = call.end_ns or call.time_ns
                self.of_call[index] = made.number
            return
        socket = self.socket_of(index)
        if socket is None:
            return
        if call.errno:
            socket.error, socket.failed_ns = call.errno, call.end_ns or call.time_ns
            if call.name == "connect" and socket.protocol == "tcp":
                socket.tried_ns, socket.refused = call.time_ns, call.errno not in _GOES_ON
                if socket.refused and index in self._aims:
                    self._aims[index].failed = True
            return
        if call.name.startswith("accept") and call.result is not None:
            child = self._new(call, call.result)
            child.parent, child.local, child.peer = socket.number, call.local, call_peer(call)
            child.made_ns = call.end_ns or call.time_ns
            self.accepted[index] = child.number
            self._listens(socket)          # of a worker, too, that took the socket over from its parent
            return
        self._learn(socket, call)
        if call.name == "bind" and socket.bound_ns is None:
            socket.bound_ns = call.end_ns
        if call.name == "connect":
            socket.refused = False
        elif call.name == "listen":
            socket.listens_ns, socket.since_ns = call.end_ns or call.time_ns, call.time_ns
            self._listens(socket)
        elif call.name == "bind" and socket.protocol == "udp":
            socket.since_ns = call.time_ns
        elif call.name == "close":
            socket.closed_ns = call.end_ns
            self._open.pop((socket.pid, socket.fd), None)

    def _listens(self, socket: Socket) -> None:
        socket.listening = True
        if socket.local is not None:
            self._served.setdefault(socket.local, socket.since_ns)

    def serves(self, socket: Socket) -> bool:
        """Whether it is a server's: it listens, was accepted, or has the address of one that listens.

        The last is what a child knows of the sockets that its parent made for it, by fork() or SCM_RIGHTS.
        """
        if socket.listening or socket.parent is not None:
            return True
        return any(same_address(address, socket.local or "") for address in self._served)

    def holders(self, protocol: str, meeting: Meeting) -> tuple[Socket | None, Socket | None]:
        """Who has the sockets of a conversation's client and server; None where no call tells of one.

        A socket that was connected, or accepted, comes before one that waits for anybody.
        """
        client, server, found = meeting.client, meeting.server, []
        for own, other in ((client, server), (server, client)):
            met = self._met(own, other, protocol, meeting)
            # Whoever accepted it holds it until close(); if that was early, a child has it.
            kept = [one for one in met if one.parent is not None and one.closed_ns is None]
            others = () if met else (one for one in self._met(own, None, protocol, meeting)
                                     if one.listening or protocol == "udp" or own == client)
            found.append(next(reversed(kept or met or list(others)), None))
        if found[0] is None and (aim := self._aim(meeting)):
            found[0] = aim.socket
        return found[0], found[1]

    def belongs(self, index: int, call: Call, meeting: Meeting) -> bool:
        """Whether call `index` belongs to a conversation: its socket's, and of the socket's time."""
        socket, child = self.socket_of(index), self.accepted.get(index)
        if socket is None or not self._is_during(socket, meeting):
            return False
        if not socket.listening and (socket.local is None or index in self._aims):
            aim = self._aim(meeting)
            if aim is not None and aim.socket is socket:
                return socket.local is None or aim.call == index
            if socket.local is None or (self._aims[index].failed and socket.peer is not None):
                return False               # what came to nothing is no part of the socket's next try
        return _belongs_between(socket, call, None if child is None else self.sockets[child], meeting)

    def _aim(self, meeting: Meeting) -> Aim | None:
        """The call that sent a conversation's first packet, where its socket's address is told by none.

        The packet was captured between this call of its thread and the next one. Where several may have
        sent it, or a socket is known by both addresses, it is none of these.
        """
        if meeting not in self._found:
            aims = self._unnamed_aims().get(parts_of_endpoint(meeting.server)[1], [])
            stop = bisect_right(aims, meeting.first_ns, key=attrgetter("time_ns"))
            fitting = [one for one in aims[max(stop - _LOOK_BACK, 0) : stop]
                       if meeting.first_ns <= one.until_ns and same_address(one.server, meeting.server)]
            named = fitting and any(one is not fitting[0].socket for one in self._met(
                meeting.client, meeting.server, fitting[0].socket.protocol, meeting))
            self._found[meeting] = fitting[0] if len(fitting) == 1 and not named else None
        return self._found[meeting]

    def _unnamed_aims(self) -> dict[str, list[Aim]]:
        if not self._unnamed:
            for aim in sorted(self._aims.values(), key=attrgetter("time_ns")):
                if aim.socket.local is None or aim.failed:
                    self._unnamed.setdefault(parts_of_endpoint(aim.server)[1], []).append(aim)
        return self._unnamed

    def _met(self, own: str, other: str | None, protocol: str, meeting: Meeting) -> list[Socket]:
        """The sockets at `own` that are connected to `other`, in the order in which they were made."""
        if not self._by_ends:
            for socket in self.sockets:
                if socket.local is not None:
                    ends = parts_of_endpoint(socket.local)[1], socket.peer
                    self._by_ends.setdefault(ends, []).append(socket)
        return [one for one in self._by_ends.get((parts_of_endpoint(own)[1], other), ())
                if one.protocol in (protocol, "") and same_address(one.local, own)
                and self._is_during(one, meeting)]

    def _is_during(self, socket: Socket, meeting: Meeting) -> bool:
        """Whether the socket could be met while the conversation's packets went by.

        An accepted one is as old as the listener: connections wait for accept(). So is what a worker has
        of its parent.
        """
        since, closed = socket.since_ns, socket.closed_ns
        if socket.parent is not None:
            since = self.sockets[socket.parent].since_ns
        if not since and socket.local is not None and not socket.aimed:
            since = self._served.get(socket.local, 0)
        return since <= meeting.last_ns and (closed is None or closed >= meeting.first_ns)

    def _new(self, call: Call, fd: int) -> Socket:
        socket = Socket(len(self.sockets), call.pid, call.role, fd, call.protocol)
        self.sockets.append(socket)
        self._open[call.pid, fd] = socket
        return socket

    def _learn(self, socket: Socket, call: Call) -> None:
        socket.protocol = call.protocol or socket.protocol
        if call.name.startswith("accept"):
            socket.local = socket.local or call.local
            return
        socket.local = call.local or socket.local
        if socket.protocol == "udp":
            self._learn_peer(socket, call)
        else:
            socket.peer = call.peer or socket.peer
        if socket.peer is None and call.name in _ADDRESSED and (peer := call_peer(call)):
            socket.peers.setdefault(peer, call.end_ns or call.time_ns)

    def _learn_peer(self, socket: Socket, call: Call) -> None:
        """UDP: connect() alone makes a peer; the address of a datagram is of that datagram (udp(7))."""
        if call.name == "connect":
            if call.result == 0 and not call.errno:
                # AF_UNSPEC ends it: a resolver does so between the addresses that it tries.
                socket.peer = None if "AF_UNSPEC" in call.arguments else call.peer
                socket.connected_ns = call.end_ns or call.time_ns
        elif call.name not in _ADDRESSED:
            socket.peer = call.peer or socket.peer


def call_peer(call: Call) -> str | None:
    """The other end's address of one call: known, or out of `from ADDRESS`, or sendto's last argument."""
    if call.peer:
        return call.peer
    place = call.detail.rfind(FROM)
    if place >= 0:
        return call.detail[place + len(FROM) :].split(" ")[0] or None
    if call.name in ("sendto", "sendmsg"):
        last = call.arguments.rsplit(", ", 1)[-1]
        return last if ":" in last and not last.endswith('"') else None
    return None


def same_address(given: str | None, wanted: str) -> bool:
    """True when a socket bound to `given` is reached at `wanted`; "0.0.0.0" and "[::]" match any host."""
    if given is None:
        return False
    if given == wanted:
        return True
    host, port = parts_of_endpoint(given)
    return host in _ANY and port == parts_of_endpoint(wanted)[1]


def _belongs_between(socket: Socket, call: Call, accepted: Socket | None, meeting: Meeting) -> bool:
    """Whether `call`, made on `socket` of a known address, is one of the conversation's."""
    client, server = meeting.client, meeting.server
    if socket.listening or (accepted is not None):
        if not same_address(socket.local, server):
            return False
        return accepted is None or accepted.peer == client
    if socket.peer is not None:
        return any(socket.peer == other and same_address(socket.local, own)
                   for own, other in ((client, server), (server, client)))
    for own, other in ((client, server), (server, client)):
        if same_address(socket.local, own):
            peer = call_peer(call)
            return peer is None or peer == other
    return False
