"""A route that leads every address to this network's own loopback (rtnetlink(7)).

The lab has no outside, so a program that wants some address would fail before a packet is made. Led here, its
wish is a real packet, which the relay takes where it stands for the address, and which the kernel refuses
elsewhere: what was wanted is seen. Who asks does so from the loopback's address, not from the wanted one.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

_HEAD = struct.Struct("=IHHII")                # struct nlmsghdr
_ROUTE = struct.Struct("=BBBBBBBBI")           # struct rtmsg
_INTERFACE = struct.Struct("=HHI")             # an attribute with one number
_SOURCE = struct.Struct("=HH4s")               # one with an address
_RTM_NEWROUTE, _RTA_OIF, _RTA_PREFSRC, _NLM_ERROR = 24, 4, 7, 2
_CREATE = 0x1 | 0x4 | 0x100 | 0x400            # NLM_F_REQUEST | ACK | REPLACE | CREATE
_LOCAL_TABLE, _STATIC, _HOST_SCOPE, _LOCAL = 255, 4, 254, 2
_LOOPBACK = 1                                  # the index of lo, in every network


def all_addresses_here() -> None:
    """Make every address of IPv4, and of IPv6 where it is there, a local one. OSError where refused."""
    _route(socket.AF_INET)
    try:
        _route(socket.AF_INET6)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM):
            raise


def _route(family: int) -> None:
    """`ip route replace local default dev lo table local src 127.0.0.1`; IPv6 chooses ::1 by itself."""
    route = _ROUTE.pack(family, 0, 0, 0, _LOCAL_TABLE, _STATIC, _HOST_SCOPE, _LOCAL, 0)
    body = route + _INTERFACE.pack(_INTERFACE.size, _RTA_OIF, _LOOPBACK)
    if family == socket.AF_INET:
        body += _SOURCE.pack(_SOURCE.size, _RTA_PREFSRC, socket.inet_aton("127.0.0.1"))
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(1.0)
        asked.send(_HEAD.pack(_HEAD.size + len(body), _RTM_NEWROUTE, _CREATE, 1, 0) + body)
        answer = asked.recv(1 << 12)
    _, kind, _, _, _ = _HEAD.unpack_from(answer)
    number = -struct.unpack_from("=i", answer, _HEAD.size)[0] if kind == _NLM_ERROR else 0
    if number:
        raise OSError(number, os.strerror(number))
