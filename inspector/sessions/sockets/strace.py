"""How system calls are written in the journal: addresses, options, payloads, ICMP errors, as strace would."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any, NamedTuple

from inspector.model.endpoint import join_endpoint
from inspector.wire.text import escaped

PREVIEW = 32

IP_RECVERR = 11        # linux/in.h; Python's socket module does not name it before 3.14
IPV6_RECVERR = 25      # linux/in6.h
SO_TIMESTAMPING = 37   # asm-generic/socket.h
_LEVELS = {
    socket.SOL_SOCKET: "SOL_SOCKET",
    socket.IPPROTO_IP: "IPPROTO_IP",
    socket.IPPROTO_IPV6: "IPPROTO_IPV6",
    socket.IPPROTO_TCP: "IPPROTO_TCP",
}
_OPTIONS = {
    (socket.SOL_SOCKET, socket.SO_REUSEADDR): "SO_REUSEADDR",
    (socket.IPPROTO_TCP, socket.TCP_NODELAY): "TCP_NODELAY",
    (socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP): "TCP_WINDOW_CLAMP",
    (socket.SOL_SOCKET, socket.SO_LINGER): "SO_LINGER",
    (socket.SOL_SOCKET, SO_TIMESTAMPING): "SO_TIMESTAMPING",
    (socket.IPPROTO_IP, IP_RECVERR): "IP_RECVERR",
    (socket.IPPROTO_IPV6, IPV6_RECVERR): "IPV6_RECVERR",
}
HOW = {socket.SHUT_RD: "SHUT_RD", socket.SHUT_WR: "SHUT_WR", socket.SHUT_RDWR: "SHUT_RDWR"}
_ICMP_ORIGINS = {2: "ICMP", 3: "ICMPv6"}      # linux/errqueue.h, SO_EE_ORIGIN_ICMP and _ICMP6
_ICMP_NAMES = {("ICMP", 3, 3): "port unreachable", ("ICMPv6", 1, 4): "port unreachable"}


def address_text(address: Any) -> str:
    """A socket address as people write it: `127.0.0.1:8000`, `[::1]:8000`."""
    host, port = address[0], address[1]
    return join_endpoint(host, port)


def preview(data: bytes) -> str:
    """The first bytes of a payload, escaped, in quotes; `…` where there are more."""
    cut = PREVIEW
    while PREVIEW - 3 < cut < len(data) and data[cut] & 0xC0 == 0x80:
        cut -= 1           # not in the middle of a UTF-8 character
    text = escaped(data[:cut]).replace('"', '\\"')
    return f'"{text}"' + ("…" if len(data) > cut else "")


def option_text(level: int, option: int) -> str:
    """`SOL_SOCKET, SO_REUSEADDR`; numbers where no name is known."""
    return f"{_LEVELS.get(level, level)}, {_OPTIONS.get((level, option), option)}"


def errno_text(error: OSError) -> str:
    """`ECONNREFUSED`."""
    return errno.errorcode.get(error.errno or 0, str(error.errno))


class QueuedError(NamedTuple):
    """What a socket's error queue tells of a datagram of ours that came to nothing."""

    data: bytes                # the datagram's payload, as it was sent
    errno: int
    cause: str                 # "ICMP port unreachable (type 3, code 3)"


def queued_error(data: bytes, ancillary: list[tuple[int, int, bytes]]) -> QueuedError:
    """Read recvmsg(MSG_ERRQUEUE)'s control messages: struct sock_extended_err, host byte order (ip(7))."""
    wanted = {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}
    for level, kind, value in ancillary:
        if (level, kind) in wanted and len(value) >= 16:
            number, origin, icmp_type, code = struct.unpack_from("=IBBB", value)
            protocol = _ICMP_ORIGINS.get(origin, f"origin {origin}")
            name = _ICMP_NAMES.get((protocol, icmp_type, code), "error")
            return QueuedError(data, number, f"{protocol} {name} (type {icmp_type}, code {code})")
    return QueuedError(data, 0, "no cause given")
