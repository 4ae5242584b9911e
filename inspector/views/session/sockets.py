"""The sockets of a session, derived from its journal: which call made, bound, connected and closed each.

Calls, in the order in which they were entered -> `SocketTable` (one entry a socket, every call tied to
its socket) -> the ladder's choice of calls, and the lines of the sockets pane. A table follows a
trace that grows: each call is looked at when it appears and once more when it returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from inspector.model.endpoint import parts_of_endpoint
from inspector.model.records import FROM, Call

_ANY = {"0.0.0.0", "[::]", ""}
_ADDRESSED = frozenset({"sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"})
_BIND_ITSELF = frozenset({"connect", "listen", "sendto", "sendmsg", "sendmmsg"})     # give it a port (ip(7))
_GOES_ON = ("EINPROGRESS", "EALREADY", "EINTR", "EISCONN")      # of connect(): it goes on, or has


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
    made_ns: int = 0               # when the call that made it returned; 0: before all that is known
    connected_ns: int = 0          # when connect() returned; 0: before all that is known
    closed_ns: int | None = None
    parent: int | None = None      # number of the listening socket that accepted it
    peers: dict[str, int] = field(default_factory=dict)    # whom unconnected UDP talked to, and from when
    bound_ns: int | None = None    # when it got its own address,
    called_ns: int | None = None   # and when its peer was named; None: before all that is known
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
        self._served: set[str] = set()            # addresses on which something listens

    def update(self, calls: Sequence[Call]) -> bool:
        """Take in what is new in `calls`, the same list as before, grown; True when anything changed."""
        returned = [index for index in self._pending if calls[index].end_ns is not None]
        start = len(self.of_call)
        self._pending = [index for index in self._pending if calls[index].end_ns is None]
        for index in returned:
            self._returned(index, calls[index])
        for index in range(start, len(calls)):
            self._entered(calls[index])
            if calls[index].end_ns is None:
                self._pending.append(index)
            else:
                self._returned(index, calls[index])
        return bool(returned) or start < len(calls)

    def socket_of(self, index: int) -> Socket | None:
        """The socket that call `index` was made on (or that it made)."""
        number = self.of_call[index] if index < len(self.of_call) else None
        return None if number is None else self.sockets[number]

    def _entered(self, call: Call) -> None:
        if call.fd is None or call.name == "socket":
            self.of_call.append(None)
            return
        socket = self._open.get((call.pid, call.fd)) or self._new(call, call.fd)
        self.of_call.append(socket.number)
        if call.name in _BIND_ITSELF and socket.bound_ns is None:
            socket.bound_ns = call.time_ns
        if call.name == "connect" and socket.called_ns is None:
            socket.called_ns = call.time_ns
        self._learn(socket, call)

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
            self._listens(socket)
            socket.listens_ns = call.end_ns or call.time_ns
        elif call.name == "close":
            socket.closed_ns = call.end_ns
            self._open.pop((socket.pid, socket.fd), None)

    def _listens(self, socket: Socket) -> None:
        socket.listening = True
        if socket.local is not None:
            self._served.add(socket.local)

    def serves(self, socket: Socket) -> bool:
        """Whether it is a server's: it listens, was accepted, or has the address of one that listens.

        The last is what a child knows of the sockets that its parent made for it, by fork() or SCM_RIGHTS.
        """
        if socket.listening or socket.parent is not None:
            return True
        return any(same_address(address, socket.local or "") for address in self._served)

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


def belongs_between(socket: Socket, call: Call, accepted: Socket | None, ends: tuple[str, str]) -> bool:
    """Whether `call`, made on `socket`, belongs to the conversation between `ends` (client, server)."""
    client, server = ends
    if socket.listening or (accepted is not None):
        if not same_address(socket.local, server):
            return False
        return accepted is None or accepted.peer == client
    if socket.peer is not None:
        if socket.peer == server:
            return socket.local is None or same_address(socket.local, client)
        return socket.peer == client and same_address(socket.local, server)
    for own, other in ((client, server), (server, client)):
        if same_address(socket.local, own):
            peer = call_peer(call)
            return peer is None or peer == other
    if call_peer(call) not in (None, client, server):
        return False
    return socket.local is None and bool(socket.peers.keys() & {client, server})
