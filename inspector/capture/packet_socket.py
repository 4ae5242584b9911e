"""The packet socket on a loopback: each packet once, filtered in the kernel, nothing before all is set.

Opened with protocol 0 (receives nothing), given its filter and options, and bound last, so that no
packet arrives unfiltered. See packet(7).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from typing import NamedTuple

from inspector.capture.bpf import ACCEPT_ALL, Program, without_outgoing, without_outgoing_of

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23
SO_ATTACH_FILTER = 26
SO_LOCK_FILTER = 44
ANY = "any"
WIRE = "wire"                      # both cables that come together in this network: what each end sends
_libc = ctypes.CDLL(None, use_errno=True)


class Counts(NamedTuple):
    """What the kernel counted since the capture began; `received` includes what was dropped."""

    received: int = 0
    dropped: int = 0
    freezes: int = 0


def open_everywhere(program: Program = ACCEPT_ALL) -> socket.socket:
    """A packet socket for all interfaces of this network, not bound yet; a loopback's frames come once."""
    packet_socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        attach(packet_socket, without_outgoing_of(program, socket.if_nametoindex("lo")))
    except OSError:
        packet_socket.close()
        raise
    return packet_socket


def open_packet_socket(program: Program = ACCEPT_ALL) -> socket.socket:
    """A packet socket that is not bound yet; OSError (EPERM) where CAP_NET_RAW is missing."""
    packet_socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        try:
            packet_socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        except OSError:                                    # before Linux 4.20
            program = without_outgoing(program)
        attach(packet_socket, program)
    except OSError:
        packet_socket.close()
        raise
    return packet_socket


def attach(packet_socket: socket.socket, program: Program) -> None:
    """Attach a classic BPF program to the socket."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    packet_socket.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
        if struct.calcsize("P") == 8 else struct.pack("HxxP", len(program), ctypes.addressof(buffer)),
    )


def lock_filter(packet_socket: socket.socket) -> None:
    """Keep the filter for good, whoever holds the socket: only CAP_NET_ADMIN changes it then (socket(7))."""
    packet_socket.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)


def bind(packet_socket: socket.socket, interface: str = "lo") -> None:
    """Start receiving from the interface; "any" and "wire": from all of them."""
    if interface not in (ANY, WIRE):
        packet_socket.bind((interface, ETH_P_ALL))
        return
    address = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0, b"")
    if _libc.bind(packet_socket.fileno(), address, len(address)) != 0:     # Python's own wants a name
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class PacketSource:
    """What the sources of batches (see `batch.Source`) that read such a socket have in common."""

    def __init__(self, packet_socket: socket.socket) -> None:
        self._socket = packet_socket
        self._sum = Counts()

    def fileno(self) -> int:
        """Readable when frames are there."""
        return self._socket.fileno()

    def clear_error(self) -> None:
        """Take note that the interface went down."""
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def counts(self) -> Counts:
        """All since the socket was bound: PACKET_STATISTICS, which the kernel resets when asked, added up."""
        try:
            data = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12)
        except OSError:
            return self._sum
        now = struct.unpack_from("=III", data.ljust(12, b"\0"))
        self._sum = Counts(*(a + b for a, b in zip(self._sum, now, strict=True)))
        return self._sum
