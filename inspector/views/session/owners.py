"""Whose sockets a conversation's ends are: "curl 4131" for each, as system calls and the relay tell.

Trace -> its `SocketTable` and the peers outside -> for two addresses and the time of their packets the
processes. Who listened only later, or before, is not meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from inspector.views.session.outside import outside_peers
from inspector.views.session.sockets import Meeting, Socket, SocketTable

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


class SocketOwners:
    """The processes of a trace that may grow; false while none is known. `name`: how a role is written."""

    def __init__(self, trace: Trace, name: Callable[[str], str] = str) -> None:
        self._trace, self._name = trace, name
        self._table = SocketTable()
        self._events = 0
        self.update()

    def __bool__(self) -> bool:
        return any(one.local or one.aimed for one in self._table.sockets) or bool(outside_peers(self._trace))

    def update(self) -> bool:
        """Take in what the trace gained; True when it may name others."""
        events, self._events = self._events, len(self._trace.events)
        return self._table.update(self._trace.calls) | (events != self._events)

    def of(self, protocol: str, ends: tuple[str, str], times: tuple[int, int]) -> tuple[str, str]:
        """Whose the two ends of a conversation are, in the order in which they stand; "" where nobody told.

        `times`: of its first packet, and of its last one.
        """
        a, b = self._table.holders(protocol, Meeting(*ends, times[0], max(times)))
        outside = outside_peers(self._trace) if protocol == "tcp" else {}
        return self._text(a, outside.get(ends[0])), self._text(b, outside.get(ends[1]))

    def _text(self, socket: Socket | None, outside: object) -> str:
        if socket is not None:
            return f"{self._name(socket.role)} {socket.pid}"
        return "" if outside is None else str(outside)
