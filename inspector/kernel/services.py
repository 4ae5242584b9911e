"""What listens on this machine: sock_diag's listeners, their processes, and what started those (proc(5)).

Of other networks (containers, labs) what `/proc/PID/net` tells, as far as this user may know whose they are.
A container is known by what started it: podman's conmon, docker's shim.
"""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from inspector.kernel.holders import Owner, holders, processes
from inspector.kernel.sock_diag import STATES, KernelSocket, SockDiag
from inspector.model.endpoint import join_endpoint
from inspector.model.records import Service

_LONGEST_CHAIN = 4
_DEEPEST = 32                # processes between one of a container and what started that
_SHORT = 12                  # digits of an id that docker and podman show
# What starts a container, and the options with which it is told which one.
_NAMES = {"conmon": ("-n", "--name"), "containerd-shim": ("-id",)}
_OPEN = frozenset({"ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-1", "FIN-WAIT-2"})


def services() -> list[Service]:
    """TCP ports that something listens on, this network's first, by port. OSError without sock_diag."""
    diag = SockDiag()
    try:
        found = list(diag.sockets())
    finally:
        diag.close()
    networks = _networks()
    own = networks.pop(Path("/proc/self/ns/net").stat().st_ino, [])
    listed = [*_services(found, own or [*processes()], 0)]
    for pids in networks.values():
        listed += _services([*_sockets_in(pids[0])], pids, pids[0])
    return sorted(listed, key=lambda service: (bool(service.elsewhere), service.port, service.address))


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


def _services(found: Sequence[KernelSocket], pids: Sequence[int], elsewhere: int) -> Iterator[Service]:
    listening = [one for one in found if one.state == "LISTEN"]
    owners = holders({one.inode for one in listening}, pids)
    connections = Counter(one.local.rpartition(":")[2] for one in found if one.state in _OPEN)
    for one in listening:
        owner = owners.get(one.inode, ("", None))
        pid = owner[1] or elsewhere
        yield Service(
            one.local, tuple(_chain(owner)), connections[one.local.rpartition(":")[2]], one.receive_queue,
            None if owner[1] is None else _began(owner[1]), owner[1], _container(pid) if pid else "",
            pid if elsewhere and pid else 0,
        )  # fmt: skip


def _sockets_in(pid: int) -> Iterator[KernelSocket]:
    """TCP sockets of the network that a process is in; its queues, where they are connections."""
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        except OSError:                            # it has ended, or has no IPv6
            continue
        for line in lines:
            _, local, peer, state, queues, _, _, _, _, inode, *_ = line.split()
            yield KernelSocket(STATES.get(int(state, 16), ""), _end(local, family), _end(peer, family),
                               int(queues.partition(":")[2], 16), 0, int(inode), ())


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
