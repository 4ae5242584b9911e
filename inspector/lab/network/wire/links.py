"""Network devices, made by rtnetlink(7) in the network namespace of the caller: pairs, addresses, neighbours.

Our own, as kernel/sock_diag.py is and for the same reasons: the agent may start no thread, and wait for no
import. Every function raises OSError where the kernel refuses.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct

_HEAD = struct.Struct("=IHHII")                # struct nlmsghdr
_LINK = struct.Struct("=BxHiII")               # struct ifinfomsg
_ADDRESS = struct.Struct("=BBBBI")             # struct ifaddrmsg
_NEIGHBOUR = struct.Struct("=BxxxiHBB")        # struct ndmsg
_NEW_LINK, _NEW_ADDRESS, _NEW_NEIGHBOUR, _ERROR = 16, 20, 28, 2
_ASK, _CREATE = 0x1 | 0x4, 0x400 | 0x100       # NLM_F_REQUEST | ACK, NLM_F_CREATE | REPLACE
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 4, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _NODAD = 1, 2, 0x02
_NDA_DST, _NDA_LLADDR, _PERMANENT = 1, 2, 0x80
_UP, _IPV6_PREFIX, _IPV4_PREFIX = 0x1, 64, 24
_SIOCETHTOOL = 0x8946
# ethtool(8) -K: ETHTOOL_SGRO, SGSO, STSO, SSG, STXCSUM; what is off cannot be off twice.
_OFFLOADS = (0x2C, 0x24, 0x1F, 0x19, 0x17)


def make_pair(name: str, mac: bytes, peer: str, peer_mac: bytes, network: int) -> None:
    """A pair of devices: `name` here, and `peer` in the network of the descriptor `network`."""
    there = (_LINK.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, peer) + _attribute(_IFLA_ADDRESS, peer_mac)
             + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", network)))
    kind = _text(_INFO_KIND, "veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, there))
    here = _text(_IFLA_IFNAME, name) + _attribute(_IFLA_ADDRESS, mac)
    _ask(_NEW_LINK, _LINK.pack(0, 0, 0, 0, 0) + here + _attribute(_IFLA_LINKINFO, kind), _CREATE)


def bring_up(name: str, mtu: int = 0) -> None:
    """Have the device send and receive, with this MTU where one is given."""
    index = socket.if_nametoindex(name)
    size = _attribute(_IFLA_MTU, struct.pack("=I", mtu)) if mtu else b""
    _ask(_NEW_LINK, _LINK.pack(0, 0, index, _UP, _UP) + size)


def give_address(name: str, address: str) -> None:
    """Give the device an address, which no other has: nobody is asked (RFC 4862 section 5.4)."""
    family, packed = _packed(address)
    prefix = _IPV6_PREFIX if family == socket.AF_INET6 else _IPV4_PREFIX
    head = _ADDRESS.pack(family, prefix, _NODAD, 0, socket.if_nametoindex(name))
    _ask(_NEW_ADDRESS, head + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed), _CREATE)


def name_neighbour(name: str, address: str, mac: bytes) -> None:
    """Say for good which link address has an address behind the device, so that nobody asks on the wire."""
    family, packed = _packed(address)
    head = _NEIGHBOUR.pack(family, socket.if_nametoindex(name), _PERMANENT, 0, 0)
    _ask(_NEW_NEIGHBOUR, head + _attribute(_NDA_DST, packed) + _attribute(_NDA_LLADDR, mac), _CREATE)


def whole_packets(name: str) -> None:
    """Leave no work to the device: checksums are computed, and no packet is larger than its MTU."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        for command in _OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(control, _SIOCETHTOOL, request)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:        # it has none of that kind
                    raise


def _packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def _attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", len(body) + 4, kind) + body + bytes(-len(body) & 3)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _ask(kind: int, body: bytes, flags: int = 0) -> None:
    """Send one request and wait for its acknowledgment."""
    sort = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, sort, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(2.0)
        asked.send(_HEAD.pack(_HEAD.size + len(body), kind, _ASK | flags, 1, 0) + body)
        answer = asked.recv(1 << 14)
    _, found, _, _, _ = _HEAD.unpack_from(answer)
    number = -struct.unpack_from("=i", answer, _HEAD.size)[0] if found == _ERROR else 0
    if number:
        raise OSError(number, os.strerror(number))
