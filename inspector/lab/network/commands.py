"""What the agent asks of the relay: JSON lines, each a dataclass here; and what it says back, by letters.

`Bridge` writes them into the relay's standard input (`to_line`), the relay reads (`from_line`) and obeys. On
their channel the relay asks for sockets of the lab (`SOCKETS`), or says that it is ready (`READY`).
Ports are TCP's and UDP's, hosts are names or addresses as people write them.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import get_args

from inspector.lab.lines import line_of, read_line


@dataclass(frozen=True, slots=True)
class Publish:
    """Let the host reach `port` of the lab at its own port `outside`, or at any that is free.

    `via`: behind the port of the lab is the host's own again.
    """

    port: int
    outside: int
    via: bool = False


@dataclass(frozen=True, slots=True)
class Retract:
    """Let the host no longer reach `port` of the lab."""

    port: int


@dataclass(frozen=True, slots=True)
class Reach:
    """Let the lab reach `port` of a host outside."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Let port 53 of `address` in the lab stand for the resolver at `port` of `host`."""

    address: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Say when all that was asked before is done."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Tell that a port that was asked for is not published: it is UDP's (`datagrams`), or nobody listened."""

    port: int
    datagrams: bool


RelayCommand = Publish | Retract | Reach | Resolve | Ready | LeftOut
_KINDS: tuple[type[RelayCommand], ...] = get_args(RelayCommand)
SOCKETS = {
    b"4": (socket.AF_INET, socket.SOCK_STREAM, 0), b"6": (socket.AF_INET6, socket.SOCK_STREAM, 0),
    b"d": (socket.AF_INET, socket.SOCK_DGRAM, 0), b"D": (socket.AF_INET6, socket.SOCK_DGRAM, 0),
    b"i": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    b"I": (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
}
READY = b"r"


def to_line(command: RelayCommand) -> bytes:
    """The command as one JSON line."""
    return line_of(command)


def from_line(line: bytes) -> RelayCommand:
    """Read what `to_line` wrote; ValueError with one sentence for anything else."""
    return read_line(line, _KINDS)
