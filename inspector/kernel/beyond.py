"""The sockets of programs that a relay stands for, in the network where those are: what they have not read.

A connection is relayed (`add`), a listener reached (`listens`) -> looks at this network's sockets -> samples
that say which ends in the lab they go on behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from inspector.kernel.holders import Now
from inspector.kernel.sampler import Sampler
from inspector.kernel.sock_diag import KernelSocket, SockDiag
from inspector.model.endpoint import parts_of_endpoint
from inspector.model.records import KernelSample

_ANYWHERE = ("0.0.0.0", "[::]")


class Beyond:
    """`look` may be called in a thread, while another one adds. OSError where there is no sock_diag."""

    def __init__(self) -> None:
        self._sampler = Sampler(Now(), networks=[SockDiag(ended=False)], chosen=self._chosen)
        self._behind: dict[tuple[str, str], tuple[str, str]] = {}      # a socket's ends -> those in the lab
        self._listeners: dict[str, str] = {}       # "127.0.0.1:5432" -> the relay's listener in the lab
        self._reported: set[tuple[str, str]] = set()
        self._missed: set[tuple[str, str]] = set()

    def close(self) -> None:
        """Give the netlink socket back."""
        self._sampler.close()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to look at."""
        return not (self._behind or self._listeners)

    def add(self, program: str, relay: str, lab: tuple[str, str]) -> None:
        """A program's socket, by its address and the relay's; `lab`: the relay's end there, and the other."""
        self._behind[program, relay] = lab

    def listens(self, program: str, inside: str) -> None:
        """A listener, and the one that takes its place in the lab."""
        self._listeners[program] = inside

    def look(self) -> Iterator[KernelSample]:
        """What changed since the last look. A socket that is gone is forgotten."""
        for sample in self._sampler.look():
            ends = sample.local, sample.peer
            lab = self._behind.get(ends) or (self._inside(sample.local), "")
            if sample.state == "gone":
                self._behind.pop(ends, None)
                self._reported.discard(ends)
            if lab[0]:
                yield replace(sample, lab=lab)

    def _chosen(self, found: Sequence[KernelSocket], time_ns: int) -> list[KernelSocket]:
        behind = dict(self._behind)                # another thread adds meanwhile
        there = {(one.local, one.peer) for one in found}
        for ends in behind.keys() - there - self._reported:
            if ends in self._missed:               # it went before a look could tell of it
                self._behind.pop(ends, None)
        self._missed = behind.keys() - there - self._reported
        self._reported |= behind.keys() & there
        return [one for one in found if (one.local, one.peer) in behind
                or (one.state == "LISTEN" and self._inside(one.local))]

    def _inside(self, address: str) -> str:
        """The lab's listener for one that is bound to this address, or to any."""
        host, port = parts_of_endpoint(address)
        if host not in _ANYWHERE:
            return self._listeners.get(address, "")
        return next((inside for program, inside in [*self._listeners.items()]
                     if parts_of_endpoint(program)[1] == port), "")
