"""The sockets of a process and of its children, followed from look to look.

process id, or a name that is waited for -> its tree (/proc/PID/task/*/children) -> the sockets that it holds,
out of the kernel's list of all -> their ports, and a sentence when a process or a listener comes or goes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from inspector.kernel.holders import holders, processes
from inspector.kernel.sock_diag import KernelSocket
from inspector.model.endpoint import parts_of_endpoint
from inspector.wire.text import escaped

_COMM = 15                   # characters of a name that the kernel keeps (TASK_COMM_LEN)
_ALL_AGAIN = 1.0             # seconds after which all descriptors are looked through, though nothing is new
_YOUNG = 2.0                 # seconds in which a new process may become another program (execve(2))
_LINGER = 1.0                # seconds for which a port that closed is still one: its last packets come
_MANY = 5                    # listeners that one sentence names
Address = tuple[str, str, str]       # protocol, local and peer


class Followed:
    """A process by its number, or all of a name; `spare`: processes that are never meant by a name."""

    def __init__(self, pid: int = 0, name: str = "", spare: frozenset[int] = frozenset()) -> None:
        self._pid, self._name, self._spare = pid, name, spare
        self._members: dict[int, int] = {}         # process -> when it began, which no later one shares
        self._inodes: dict[int, bool] = {}         # socket -> whether a member holds it
        self._own: set[Address] = set()
        self._closed: dict[int, float] = {}        # port -> until when it is one
        self._listening: set[Address] = set()
        self._names: dict[int, str] = {}
        self._meant: set[int] = set()              # those that were asked for: no children
        self._looked = self._asked = 0.0
        self._ages: dict[int, float] = {}          # process -> when it was seen first
        self._waits = False                        # it was said that there is no such process
        self._forbidden: set[int] = set()
        self.ports: frozenset[int] = frozenset()
        self.news: list[str] = []                  # sentences since somebody took them

    @property
    def members(self) -> tuple[int, ...]:
        """The processes, as they were at the last look."""
        return tuple(self._members)

    def chosen(self, found: Sequence[KernelSocket]) -> list[KernelSocket]:
        """Of all sockets of this network those of the processes, and the other ends of those."""
        fresh = self._find_members()
        now = time.monotonic()
        inodes = {one.inode for one in found if one.inode}
        if fresh or now - self._looked >= _ALL_AGAIN or not inodes <= self._inodes.keys():
            self._looked = now
            held = holders(inodes, self._members)
            self._inodes = {inode: inode in held for inode in inodes}
        mine = {_address(one) for one in found if self._inodes.get(one.inode) or
                (not one.inode and _address(one) in self._own)}        # closed by its program, not yet gone
        self._report_listeners({_address(one) for one in found if one.state == "LISTEN"} & mine)
        self._closed |= dict.fromkeys(map(_port, self._own - mine), now + _LINGER)
        self._closed = {port: until for port, until in self._closed.items() if until > now}
        self._own = mine
        ports = {_port(address) for address in mine}
        self.ports = frozenset(ports | self._closed.keys())
        ends = {(protocol, peer, local) for protocol, local, peer in mine}
        return [one for one in found if _address(one) in mine or _address(one) in ends]

    # --- the processes ---

    def _find_members(self) -> bool:
        """Bring the processes up to date; True when there is a new one."""
        for pid in [pid for pid, began in self._members.items() if _began(pid) != began]:
            del self._members[pid]
            name = self._names.pop(pid, "Process")
            if pid in self._meant:                 # of its children no start was told either
                self._meant.discard(pid)
                self._report(f"{name} {pid} has ended.")
        before = set(self._members)
        roots = [pid for pid in self._roots() if pid not in before]
        self._meant |= set(roots)
        queue = [*roots, *before]
        while queue:
            pid = queue.pop()
            began = self._members.get(pid) or _began(pid)
            if began is None:
                continue
            if pid not in self._members:
                self._members[pid] = began
                meant = pid in roots and self._name       # the kernel may know it by another name
                self._names[pid] = escaped(meant or _name(pid), 40)
                if meant and self._waits:
                    self._report(f"{self._names[pid]} {pid} has started.")
            queue += [child for child in _children(pid) if child not in self._members
                      and child not in self._spare]  # fmt: skip
        if not self._members and not self._waits:
            self._waits = True
            what = f"process {self._pid}" if self._pid else f"process is named {escaped(self._name, 40)}"
            self._report(f"There is no {what} any more." if self._pid else
                         f"No {what} yet: it is waited for.")
        self._waits = self._waits and not self._members
        return bool(self._members.keys() - before)

    def _roots(self) -> Iterator[int]:
        if self._pid:
            # A number that is given anew belongs to a stranger: it was the first one that was meant.
            if self._looked == 0.0:
                yield self._pid
            return
        for pid in self._to_be_asked():
            if pid not in self._members and pid not in self._spare and _is_named(pid, self._name):
                if can_be_followed(pid):
                    yield pid
                elif pid not in self._forbidden:
                    self._forbidden.add(pid)
                    self._report(f"{escaped(self._name, 40)} {pid} is another user's: which sockets it has, "
                                 "only root may know.")

    def _to_be_asked(self) -> Iterator[int]:
        """The processes whose name may be another than it was: young ones, and from time to time all."""
        now = time.monotonic()
        again = now - self._asked >= _ALL_AGAIN
        if again:
            self._asked = now
        before, self._ages = self._ages, {}
        for pid in processes():
            since = self._ages[pid] = before.get(pid, now)
            if again or now - since < _YOUNG:
                yield pid

    # --- what is told ---

    def _report_listeners(self, listening: set[Address]) -> None:
        fresh, gone = listening - self._listening, self._listening - listening
        self._listening = listening
        for some, verb in ((fresh, "is listened on"), (gone, "is not listened on any more")):
            names = sorted(local for _, local, _ in some)
            more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
            if names:
                verb = verb.replace("is", "are", 1) if len(names) > 1 else verb
                self._report(f"{', '.join(names[:_MANY])}{more} {verb} by {self._who()}.")

    def _who(self) -> str:
        pid = min(self._members, default=self._pid)
        name = self._names.get(pid) or escaped(self._name, 40) or "process"
        return f"{name} {pid}" + (" and its children" if len(self._members) > 1 else "")

    def _report(self, sentence: str) -> None:
        self.news.append(sentence)


def can_be_followed(pid: int) -> bool:
    """Whether this user may know which sockets a process has."""
    try:
        next(Path(f"/proc/{pid}/fd").iterdir(), None)
    except OSError:
        return False
    return True


def _address(one: KernelSocket) -> Address:
    return one.protocol, one.local, one.peer


def _port(address: Address) -> int:
    return int(parts_of_endpoint(address[1])[1])


def _is_named(pid: int, name: str) -> bool:
    """Whether a process is called so: by the kernel, or by the first word that it was started with."""
    if _name(pid) == name[:_COMM]:
        return True
    try:
        first = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0]
    except OSError:
        return False
    return first.decode("utf-8", "replace").rpartition("/")[2] == name


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""


def _began(pid: int) -> int | None:
    """When a process began, in ticks since the machine did; None where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def _children(pid: int) -> Iterator[int]:
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (thread / "children").read_text().split())
    except OSError:
        return
