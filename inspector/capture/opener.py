"""The one thing that needs privilege: `python -I opener.py SNAPLEN [PORT ...]`, run by sudo or pkexec.

A packet socket of this machine's loopback, its filter set and locked, is handed over the Unix socket that is
standard input, and the process ends. It takes numbers and nothing else from its caller: no path, no code, no
interface. The filter holds for whoever has the socket afterwards: loopback alone, those ports alone.
Exit: 0; 1 it cannot be opened; 2 what was asked is none of this.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

if __name__ == "__main__":                     # run as a file, by an interpreter that looks nowhere else (-I)
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from inspector.capture.bpf import Program, only_interface, select
from inspector.capture.packet_socket import lock_filter, open_packet_socket

_MOST = 64                                     # ports
_LONGEST = 1 << 18


def numbers(words: list[str]) -> tuple[int, tuple[int, ...]]:
    """Snaplen (0: none) and ports. ValueError where the words are anything else."""
    if not 1 <= len(words) <= 1 + _MOST or not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError("numbers are wanted: SNAPLEN [PORT ...]")
    if any(len(word) > 6 for word in words):
        raise ValueError("a number is too large")
    snaplen, *ports = map(int, words)
    if snaplen > _LONGEST or not all(0 < port < 1 << 16 for port in ports):
        raise ValueError("a number is out of range")
    return snaplen, tuple(ports)


def opened(program: Program) -> socket.socket:
    """A packet socket for the loopback alone, not bound yet. OSError (EPERM) where CAP_NET_RAW is missing."""
    packet_socket = open_packet_socket(only_interface(program, socket.if_nametoindex("lo")))
    lock_filter(packet_socket)
    return packet_socket


def main(words: list[str]) -> int:
    """The process."""
    try:
        snaplen, ports = numbers(words)
        with socket.socket(fileno=0) as asked:
            if asked.family != socket.AF_UNIX:
                raise ValueError("standard input is to be a Unix socket")
            with opened(select(ports, (), snaplen)) as packet_socket:
                socket.send_fds(asked, [b"s"], [packet_socket.fileno()])
    except (ValueError, OSError) as error:
        print(f"inspector: {error.strerror if isinstance(error, OSError) else error}.", file=sys.stderr)
        return 1 if isinstance(error, PermissionError) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
