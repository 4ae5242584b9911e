"""Whose a socket is: the process that holds a descriptor of it, as far as this user may look (proc(5)).

Inodes of sockets (sock_diag) -> /proc/PID/fd of processes -> `Owner` of each; likewise from an address.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from inspector.kernel.sock_diag import SockDiag

Owner = tuple[str, int | None]       # name and process; ("", None) where unknown


def holders(inodes: set[int], processes: Iterable[int]) -> dict[int, Owner]:
    """Who holds sockets of these inodes among the processes; the last one that does, of several."""
    names = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, Owner] = {}
    for pid in processes:
        try:
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                inode = names.get(str(entry.readlink()))
                if inode is not None:
                    found[inode] = (Path(f"/proc/{pid}/comm").read_text().strip(), pid)
        except OSError:                            # it has ended, or is another user's
            continue
    return found


def owner_of(address: str, *, listening: bool = False) -> Owner:
    """The process whose TCP socket has `address` ("127.0.0.1:8000") as its own, in this network namespace.

    `listening`: a socket that waits on that port, and may be bound to any address.
    """
    port = address[address.rindex(":") :]
    try:
        diag = SockDiag()
    except OSError:
        return "", None
    try:
        found = {
            one.inode for one in diag.sockets()
            if one.inode and (one.state == "LISTEN" and one.local.endswith(port) if listening
                              else one.local == address)
        }
    except OSError:
        return "", None
    finally:
        diag.close()
    owners = holders(found, processes()) if found else {}
    return next(iter(owners.values()), ("", None))


def backlog_of(port: int) -> int | None:
    """How many connections the listener on TCP `port` of this network namespace may have waiting.

    None where nothing listens there, or several do with different ones.
    """
    try:
        diag = SockDiag()
    except OSError:
        return None
    try:
        found = {one.send_queue for one in diag.sockets()
                 if one.state == "LISTEN" and one.local.endswith(f":{port}")}
    except OSError:
        return None
    finally:
        diag.close()
    return found.pop() if len(found) == 1 else None


def processes() -> Iterator[int]:
    """All processes that this one can see."""
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


class Now:
    """All processes that there are, to whom it is called again and again: none where that was a moment ago.

    Who holds a new socket is looked for in all of their descriptors, which a busy server must not make us do
    with each connection.
    """

    _EVERY = 0.5                 # seconds

    def __init__(self) -> None:
        self._last = -self._EVERY

    def __call__(self) -> Iterable[int]:
        """The processes, or none."""
        now = time.monotonic()
        if now - self._last < self._EVERY:
            return ()
        self._last = now
        return processes()
