"""What listens on this machine: sock_diag's listeners, their processes, and what started those (proc(5))."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from inspector.kernel.holders import Owner, holders, processes
from inspector.kernel.sock_diag import SockDiag
from inspector.model.records import Service

_LONGEST_CHAIN = 4
_OPEN = frozenset({"ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-1", "FIN-WAIT-2"})


def services() -> list[Service]:
    """TCP ports that something listens on, by port. OSError where this kernel has no sock_diag."""
    diag = SockDiag()
    try:
        found = list(diag.sockets())
    finally:
        diag.close()
    listening = [one for one in found if one.state == "LISTEN"]
    owners = holders({one.inode for one in listening}, processes())
    connections = Counter(one.local.rpartition(":")[2] for one in found if one.state in _OPEN)
    listed = []
    for one in listening:
        owner = owners.get(one.inode, ("", None))
        listed.append(Service(
            one.local, tuple(_chain(owner)), connections[one.local.rpartition(":")[2]], one.receive_queue,
            None if owner[1] is None else _began(owner[1]),
        ))  # fmt: skip
    return sorted(listed, key=lambda service: (service.port, service.address))


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
