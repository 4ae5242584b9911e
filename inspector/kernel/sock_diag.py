"""The kernel's own list of TCP and UDP sockets, by netlink: sock_diag(7), inet_diag.h, `struct tcp_info`.

A request for each address family -> one dump -> `KernelSocket`s. It needs no privilege, and it tells of the
network namespace in which the netlink socket was made. Our own, since pyroute2 takes half a second to import,
runs an event loop in a thread, and calls this very interface one that will change; the agent may do neither.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from inspector.model.endpoint import Transport, join_endpoint

STATES = {
    1: "ESTABLISHED", 2: "SYN-SENT", 3: "SYN-RECEIVED", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT",
    7: "CLOSED", 8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN-RECEIVED",
}  # RFC 9293's names for include/net/tcp_states.h; 12 is a connection that is not whole yet
_NETLINK_SOCK_DIAG, _BY_FAMILY = 4, 20
_REQUEST_DUMP = 0x1 | 0x300                    # NLM_F_REQUEST, NLM_F_ROOT | NLM_F_MATCH
_ERROR, _DONE = 2, 3
_INFO, _MEMORY = 2, 7                          # INET_DIAG_INFO, INET_DIAG_SKMEMINFO
_WANTED = {socket.IPPROTO_TCP: 1 << (_INFO - 1), socket.IPPROTO_UDP: 1 << (_MEMORY - 1)}      # in idiag_ext
_ALL_STATES, _TIME_WAIT = 0xFFFFFFFF, 6
_HEAD = struct.Struct("=IHHII")                # struct nlmsghdr
_REQUEST = struct.Struct("=BBBxI48x")          # struct inet_diag_req_v2: any address, port, cookie
_MESSAGE = struct.Struct("=BBxx2s2s16s16s16xII4xI")     # struct inet_diag_msg
_ATTRIBUTE = struct.Struct("=HH")
_BUFFER = 1 << 16
UDP_STATES = {1: "connected", 7: "unconnected"}
_UDP_FIELDS = (("rcvbuf", 4, "I"), ("drops", 32, "I"))   # SK_MEMINFO_RCVBUF, _DROPS
# Offsets in struct tcp_info of what is kept; an older kernel gives a shorter one.
_FIELDS = (
    ("retransmits", 2, "B"), ("rto", 8, "I"), ("mss", 16, "I"), ("unacked", 24, "I"), ("lost", 32, "I"),
    ("rtt", 68, "I"), ("rttvar", 72, "I"), ("ssthresh", 76, "I"), ("cwnd", 80, "I"),
    ("total_retrans", 100, "I"), ("bytes_acked", 120, "Q"), ("bytes_received", 128, "Q"),
    ("notsent", 144, "I"), ("delivery_rate", 160, "Q"), ("bytes_sent", 200, "Q"), ("bytes_retrans", 208, "Q"),
    ("peer_window", 228, "I"), ("window", 232, "I"),
)  # fmt: skip


class KernelSocket(NamedTuple):
    """One socket as the kernel has it. Of a listener, the queues are connections: waiting, and the most.

    `receive_queue`: bytes that came and were not read; `send_queue`: bytes written and not acknowledged.
    `info`: fields of tcp_info, bytes, segments and microseconds as tcp(7) has them. Of UDP: see
    `KernelSample`.
    """

    state: str
    local: str                   # "127.0.0.1:8000"
    peer: str
    receive_queue: int
    send_queue: int
    inode: int                   # 0 when no program holds it any more
    info: tuple[tuple[str, int], ...]
    protocol: Transport = "tcp"


class SockDiag:
    """A netlink socket of this network namespace. OSError where the kernel has none."""

    def __init__(self, *, ended: bool = True) -> None:
        """`ended`: sockets in TIME-WAIT are told too, of which a busy machine has tens of thousands."""
        self._states = _ALL_STATES if ended else _ALL_STATES & ~(1 << _TIME_WAIT)
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
        self._socket.settimeout(1.0)
        self._number = 0

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def sockets(self, protocol: int = socket.IPPROTO_TCP) -> Iterator[KernelSocket]:
        """All sockets of TCP (or UDP) there are now, of IPv4 and then of IPv6."""
        for family in (socket.AF_INET, socket.AF_INET6):
            yield from self._dump(family, protocol)

    def _dump(self, family: int, protocol: int) -> Iterator[KernelSocket]:
        self._number += 1
        body = _REQUEST.pack(family, protocol, _WANTED[protocol], self._states)
        length = _HEAD.size + len(body)
        self._socket.send(_HEAD.pack(length, _BY_FAMILY, _REQUEST_DUMP, self._number, 0) + body)
        while True:
            data = self._socket.recv(_BUFFER)
            for kind, payload in messages(data, self._number):
                if kind in (_DONE, _ERROR):            # an error: this family is not there
                    return
                found = socket_of(payload, protocol)
                if found is not None:
                    yield found


def messages(data: bytes, number: int) -> Iterator[tuple[int, bytes]]:
    """Type and body of the netlink messages in `data` that answer request `number`."""
    position = 0
    while position + _HEAD.size <= len(data):
        length, kind, _, answers, _ = _HEAD.unpack_from(data, position)
        if length < _HEAD.size or position + length > len(data):
            return
        if answers == number:
            yield kind, data[position + _HEAD.size : position + length]
        position += -(-length // 4) * 4


def socket_of(body: bytes, protocol: int = socket.IPPROTO_TCP) -> KernelSocket | None:
    """The socket of one inet_diag_msg; None for what is none."""
    if len(body) < _MESSAGE.size:
        return None
    family, state, sport, dport, source, target, receive, send, inode = _MESSAGE.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    local, peer = _end(family, source, sport), _end(family, target, dport)
    if protocol == socket.IPPROTO_UDP:
        state_name, info = UDP_STATES.get(state, str(state)), _info(body, _MEMORY, _UDP_FIELDS)
        return KernelSocket(state_name, local, peer, receive, send, inode, info, "udp")
    state_name, info = STATES.get(state, str(state)), _info(body, _INFO, _FIELDS)
    return KernelSocket(state_name, local, peer, receive, send, inode, info)


def _end(family: int, address: bytes, port: bytes) -> str:
    text = socket.inet_ntop(family, address[: 4 if family == socket.AF_INET else 16])
    return join_endpoint(text.removeprefix("::ffff:") if "." in text else text, int.from_bytes(port, "big"))


def _info(body: bytes, wanted: int, fields: Iterable[tuple[str, int, str]]) -> tuple[tuple[str, int], ...]:
    """The fields of the attribute of this kind, by their offsets in it."""
    position = _MESSAGE.size
    while position + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, position)
        if length < _ATTRIBUTE.size:
            break
        if kind == wanted:
            data = body[position + _ATTRIBUTE.size : position + length]
            return tuple(
                (name, struct.unpack_from(f"={form}", data, offset)[0]) for name, offset, form in fields
                if offset + struct.calcsize(form) <= len(data)
            )
        position += -(-length // 4) * 4
    return ()
