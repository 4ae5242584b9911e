"""Looks at the kernel's sockets from time to time and tells what changed, as samples for the trace.

sock_diag -> sockets that are new, changed or gone since the last look -> `KernelSample`. A socket in whose
queue something waits is told again and again, so that a trace knows how long it has been so, to a tenth of
that time. Where nothing moves it is looked the more seldom the longer that lasts: a busy machine's list of
all sockets takes milliseconds to be made.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from inspector.kernel.holders import Owner, holders
from inspector.kernel.sock_diag import KernelSocket, SockDiag
from inspector.model.endpoint import Transport
from inspector.model.records import KernelSample

EVERY = 0.1                  # seconds between two looks while packets come. When none came for some time, the
QUIET = 0.5                  # next look comes after that time once more, up to this,
SELDOM = 2.0                 # and later after a tenth of it, up to this
_AGAIN = 0.5                 # seconds after which what waits is told again, or
_PART = 0.1                  # this part of the time that it has waited
_MOST = 256                  # sockets that one look tells of, what waits first; the rest comes with the next
_WAITING = ("CLOSE-WAIT", "LAST-ACK", "FIN-WAIT-1", "CLOSING")
# What makes a socket worth telling again; its estimates of time change with every packet.
_WATCHED = frozenset({
    "retransmits", "total_retrans", "bytes_acked", "bytes_received", "notsent", "lost", "drops",
})
Key = tuple[str, str, int, Transport]
# Of the sockets that a look at that time found those that are to be told of.
Chosen = Callable[[Sequence[KernelSocket], int], Sequence[KernelSocket]]


class _Reported(NamedTuple):
    state: tuple[object, ...]
    since: float
    at: float
    owner: Owner
    waits: bool


class Sampler:
    """`members` lists the processes that may own sockets; `ports`: only sockets with one of these, if any."""

    def __init__(
        self, members: Callable[[], Iterable[int]], ports: tuple[int, ...] = (),
        networks: Iterable[SockDiag] | None = None, chosen: Chosen | None = None,
    ) -> None:
        """`networks`: of which to tell; the caller's, unless given. OSError where there is no sock_diag.

        `chosen`: says of all sockets of a look which ones are told of, and hears so what there is.
        """
        self._diags = [SockDiag()] if networks is None else list(networks)
        self._members, self._ports = members, tuple(f":{port}" for port in ports)
        self._chosen = chosen
        self._reported: dict[Key, _Reported] = {}
        self._last_look = 0.0
        self._changed = 0.0                        # when a look showed something new

    def close(self) -> None:
        """Give the netlink sockets back."""
        for diag in self._diags:
            diag.close()

    def due(self, still: float = 0.0) -> float:
        """Seconds until the next look, where nothing has moved for `still` seconds."""
        return max(self._last_look + self._pause(still) - time.monotonic(), 0.0)

    def _pause(self, still: float) -> float:
        now = time.monotonic()
        still = min(still, now - self._changed) - (now - self._last_look)      # as it was at the last look
        return max(EVERY, min(still, QUIET), min(still * _PART, SELDOM))

    def look(self, still: float = 0.0, *, at_once: bool = False) -> Iterator[KernelSample]:
        """What changed since the last look; nothing where that was a moment ago, but for `at_once`.

        `still`: seconds in which no packet came and no program called, so that there is hardly anything new.
        """
        if self.due(still) > 0 and not at_once:
            return
        now = time.monotonic()
        self._last_look = now
        time_ns = time.time_ns()
        sockets: Iterable[KernelSocket] = self._sockets()
        if self._chosen is not None:
            sockets = self._chosen(list(sockets), time_ns)
        found = {_key(one): one for one in sockets}
        fresh = [one for key, one in found.items() if self._is_news(key, one, now)]
        if len(fresh) > _MOST:
            fresh = sorted(fresh, key=self._urgency)[:_MOST]
        owners = self._owners(fresh)
        for one in fresh:
            owner, state = owners.get(one.inode, ("", None)), _state(one)
            before = self._reported.get(_key(one))
            since = before.since if before is not None and before.state == state else now
            self._changed = max(self._changed, since)
            self._reported[_key(one)] = _Reported(state, since, now, owner, _waits(one))
            yield _sample(one, time_ns, owner)
        for key in self._reported.keys() - found.keys():
            owner, self._changed = self._reported.pop(key).owner, now
            yield KernelSample(time_ns, key[0], key[1], "gone", 0, 0, *owner, protocol=key[3])

    def _sockets(self) -> Iterator[KernelSocket]:
        try:
            for one in (each for diag in self._diags for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP)
                        for each in diag.sockets(protocol)):
                if not self._ports or one.local.endswith(self._ports) or one.peer.endswith(self._ports):
                    yield one
        except OSError:                            # a dump that was torn; the next look sees all again
            return

    def _is_news(self, key: Key, one: KernelSocket, now: float) -> bool:
        reported = self._reported.get(key)
        if reported is None or reported.state != _state(one):
            return True
        return _waits(one) and now - reported.at >= max(_AGAIN, (now - reported.since) * _PART)

    def _urgency(self, one: KernelSocket) -> int:
        """What is told first: who was said to wait, who waits, all others, what is closed already."""
        reported = self._reported.get(_key(one))
        if one.state == "LISTEN" or (reported is not None and reported.waits):
            return 0
        return 1 if _waits(one) else 3 if one.state == "TIME-WAIT" else 2

    def _owners(self, fresh: Iterable[KernelSocket]) -> dict[int, Owner]:
        """Name and process of the holders of these sockets, known ones from memory."""
        known = {key[2]: one.owner for key, one in self._reported.items() if one.owner[1] is not None}
        missing = {one.inode for one in fresh if one.inode} - known.keys()
        return known | holders(missing, self._members()) if missing else known


def _key(one: KernelSocket) -> Key:
    return one.local, one.peer, one.inode, one.protocol


def _waits(one: KernelSocket) -> bool:
    """Whether something waits in a queue of it, or for a program's close()."""
    return bool(one.receive_queue or one.state in _WAITING or (one.send_queue and one.state != "LISTEN"))


def _state(one: KernelSocket) -> tuple[object, ...]:
    watched = tuple(pair for pair in one.info if pair[0] in _WATCHED)
    return one.state, one.receive_queue, one.send_queue, watched


def _sample(one: KernelSocket, time_ns: int, owner: Owner) -> KernelSample:
    return KernelSample(
        time_ns, one.local, one.peer, one.state, one.receive_queue, one.send_queue, *owner, one.info,
        one.protocol,
    )
