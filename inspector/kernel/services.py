"""What listens on this machine: sock_diag's listeners, their processes, and what started those (proc(5)).

Of other networks (containers, labs) what `/proc/PID/net` tells, as far as this user may know whose they are.
A container is known by what started it: podman's conmon, docker's shim.
"""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from inspector.kernel.holders import Owner, holders, processes
from inspector.kernel.sock_diag import STATES, UDP_STATES, KernelSocket, SockDiag
from inspector.model.endpoint import Transport, join_endpoint, parts_of_endpoint
from inspector.model.records import Service

_LONGEST_CHAIN = 4
_DEEPEST = 32                # processes between one of a container and what started that
_SHORT = 12                  # digits of an id that docker and podman show
# What starts a container, and the options with which it is told which one.
_NAMES = {"conmon": ("-n", "--name"), "containerd-shim": ("-id",)}
_ACCEPTS, _STREAMS = 0x10000, ("0001", "0005")     # __SO_ACCEPTCON; SOCK_STREAM and SOCK_SEQPACKET
_OPEN = frozenset({"ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-1", "FIN-WAIT-2"})


def services() -> list[Service]:
    """All that something listens on: this network's ports by number, those elsewhere, then Unix sockets.

    OSError without sock_diag.
    """
    diag = SockDiag()
    try:
        found = [*diag.sockets(), *diag.sockets(socket.IPPROTO_UDP)]
    finally:
        diag.close()
    networks = _networks()
    own = networks.pop(Path("/proc/self/ns/net").stat().st_ino, []) or [*processes()]
    unix = dict(_unix_sockets())
    owners = holders({one.inode for one in found if _waits(one)} | unix.keys(), own)
    listed = [*_services(found, owners, 0)]
    for pids in networks.values():
        there = [*_sockets_in(pids[0])]
        listed += _services(there, holders({one.inode for one in there if _waits(one)}, pids), pids[0])
    listed.sort(key=lambda one: (bool(one.elsewhere), one.port, one.protocol, one.address))
    return listed + [_service(path, owners.get(inode, ("", None)), 0, "unix")
                     for inode, path in sorted(unix.items(), key=lambda one: one[1])]


def _networks() -> dict[int, list[int]]:
    """The processes of each network, as far as this user may know; those of which he may not are in ours."""
    found: dict[int, list[int]] = defaultdict(list)
    own = Path("/proc/self/ns/net").stat().st_ino
    for pid in processes():
        try:
            found[Path(f"/proc/{pid}/ns/net").stat().st_ino].append(pid)
        except OSError:
            found[own].append(pid)
    return found


def _waits(one: KernelSocket) -> bool:
    """Whether it waits for others: a listener, or a socket of UDP that is connected to nobody."""
    return one.state in ("LISTEN", "unconnected")


def _services(
    found: Sequence[KernelSocket], owners: Mapping[int, Owner], elsewhere: int
) -> Iterator[Service]:
    connections = Counter(parts_of_endpoint(one.local)[1] for one in found if one.state in _OPEN)
    for one in filter(_waits, found):
        service = _service(one.local, owners.get(one.inode, ("", None)), elsewhere, one.protocol)
        if one.protocol == "tcp":
            service = replace(service, connections=connections[parts_of_endpoint(one.local)[1]],
                              backlog=one.receive_queue)
        yield service


def _service(
    address: str, owner: Owner, elsewhere: int, protocol: Transport | Literal["unix"]
) -> Service:
    pid = owner[1] or elsewhere
    return Service(
        address, tuple(_chain(owner)), 0, 0, None if owner[1] is None else _began(owner[1]), owner[1],
        _container(pid) if pid else "", pid if elsewhere and pid else 0, protocol,
    )


def _unix_sockets() -> Iterator[tuple[int, str]]:
    """Inode and path of the Unix sockets that listen; an abstract name begins with "@"."""
    try:
        lines = Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        _, _, _, flags, kind, _, inode, *path = line.split(maxsplit=7)
        if int(flags, 16) & _ACCEPTS and kind in _STREAMS and path:
            yield int(inode), path[0]


def _sockets_in(pid: int) -> Iterator[KernelSocket]:
    """Sockets of the network that a process is in; a listener's queue, where it is connections."""
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6), ("udp", socket.AF_INET),
                         ("udp6", socket.AF_INET6)):
        protocol: Transport = "udp" if name.startswith("udp") else "tcp"
        states = UDP_STATES if protocol == "udp" else STATES
        try:
            lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        except OSError:                            # it has ended, or has no IPv6
            continue
        for line in lines:
            _, local, peer, state, queues, _, _, _, _, inode, *_ = line.split()
            yield KernelSocket(states.get(int(state, 16), ""), _end(local, family), _end(peer, family),
                               int(queues.partition(":")[2], 16), 0, int(inode), (), protocol)


def _end(text: str, family: socket.AddressFamily) -> str:
    """"0100007F:1F40" of proc(5), whose address is of words in this machine's order."""
    address, _, port = text.partition(":")
    words = [int(address[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(address), 8)]
    return join_endpoint(socket.inet_ntop(family, b"".join(words)), int(port, 16))


def _container(pid: int) -> str:
    """The name, else the id, of the container that a process runs in, or was started for; "" for none."""
    name, at = _comm(pid), pid
    for _ in range(_DEEPEST):
        if name in _NAMES:
            return _named(at, _NAMES[name])
        name, parent = _parent(at)
        if parent is None or parent <= 1:
            break
        at = parent
    return ""


def _named(pid: int, options: Sequence[str]) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    found = next((words[words.index(one) + 1] for one in options if one in words[:-1]), "")
    is_id = len(found) == 64 and all(digit in "0123456789abcdef" for digit in found)
    return found[:_SHORT] if is_id else found


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def _chain(owner: Owner) -> Iterator[str]:
    """The process, the one that started it, and so on; without init, which started everything."""
    name, pid = owner
    for _ in range(_LONGEST_CHAIN):
        if pid is None or pid <= 1:
            return
        yield f"{name} {pid}"
        name, pid = _parent(pid)


def _parent(pid: int) -> Owner:
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        return Path(f"/proc/{parent}/comm").read_text().strip(), parent
    except (OSError, ValueError, IndexError):
        return "", None


def _began(pid: int) -> float | None:
    """When the process began, in seconds since the epoch."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        lines = Path("/proc/stat").read_text().splitlines()
        booted = next(line for line in lines if line.startswith("btime"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
