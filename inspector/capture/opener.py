"""All that needs privilege: `python -I opener.py SNAPLEN [0 PID] [PORT ...]`, run by sudo or pkexec.

A packet socket of this machine's loopback, its filter set and locked, is handed over the Unix socket that is
standard input, and the process ends. It takes numbers and nothing else from its caller: no path, no code, no
interface. The filter holds for whoever has the socket afterwards: loopback alone, those ports alone. With a 0
in the place of the first port, a process's network is meant, which has to be another than this machine's own:
all of its interfaces, those ports alone.
Exit: 0; 1 it cannot be opened; 2 what was asked is none of this.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from pathlib import Path

if __name__ == "__main__":                     # run as a file, by an interpreter that looks nowhere else (-I)
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from inspector.capture.bpf import Program, only_interface, select
from inspector.capture.packet_socket import lock_filter, open_everywhere, open_packet_socket

_MOST = 64                                     # ports
_LONGEST = 1 << 18
_LAST_PID = 1 << 22                            # PID_MAX_LIMIT
_NEW_NETWORK = 0x40000000                     # CLONE_NEWNET


def numbers(words: list[str]) -> tuple[int, int, tuple[int, ...]]:
    """Snaplen (0: none), process (0: none) and ports. ValueError where the words are anything else."""
    if not 1 <= len(words) <= 3 + _MOST or not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError("numbers are wanted: SNAPLEN [0 PID] [PORT ...]")
    if any(len(word) > 7 for word in words):
        raise ValueError("a number is too large")
    snaplen, *ports = map(int, words)
    pid = 0
    if len(ports) > 1 and ports[0] == 0:
        _, pid, *ports = ports
        if not 0 < pid <= _LAST_PID:
            raise ValueError("a number is out of range")
    if snaplen > _LONGEST or len(ports) > _MOST or not all(0 < port < 1 << 16 for port in ports):
        raise ValueError("a number is out of range")
    return snaplen, pid, tuple(ports)


def opened(program: Program) -> socket.socket:
    """A packet socket for the loopback alone, not bound yet. OSError (EPERM) where CAP_NET_RAW is missing."""
    packet_socket = open_packet_socket(only_interface(program, socket.if_nametoindex("lo")))
    lock_filter(packet_socket)
    return packet_socket


def opened_in(pid: int, program: Program) -> socket.socket:
    """The same for all interfaces of a process's network. ValueError where that is this machine's own.

    This process is in that network afterwards.
    """
    own = [Path("/proc/self/ns/net").stat()]
    with contextlib.suppress(OSError):             # who may not look at it may not enter it either
        own.append(Path("/proc/1/ns/net").stat())
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.fstat(network)
        if any(os.path.samestat(there, one) for one in own):
            raise ValueError("that is this machine's own network")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(network, _NEW_NETWORK) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(network)
    packet_socket = open_everywhere(program)
    lock_filter(packet_socket)
    return packet_socket


def main(words: list[str]) -> int:
    """The process."""
    try:
        snaplen, pid, ports = numbers(words)
        with socket.socket(fileno=0) as asked:
            if asked.family != socket.AF_UNIX:
                raise ValueError("standard input is to be a Unix socket")
            program = select(ports, (), snaplen)
            with opened_in(pid, program) if pid else opened(program) as packet_socket:
                socket.send_fds(asked, [b"s"], [packet_socket.fileno()])
    except (ValueError, OSError) as error:
        print(f"inspector: {error.strerror if isinstance(error, OSError) else error}.", file=sys.stderr)
        return 1 if isinstance(error, PermissionError) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
