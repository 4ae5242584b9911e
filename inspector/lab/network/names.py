"""Names, as programs in the lab ask for them: this machine's resolvers, and who stands for them there.

/etc/resolv.conf -> addresses; a datagram that comes to such an address in the lab -> the same to the resolver
itself, and its answer back. Both ways as they are: it is the machine's resolver that answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from pathlib import Path
from typing import Any, cast

PORT = 53
_MOST = 3                                      # MAXNS of resolv.conf(5)
_WAIT = 15.0                                   # seconds for one answer; resolv.conf(5) waits for 5
_PENDING = 256
Address = tuple[Any, ...]


def resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """Addresses of the resolvers that programs of this machine ask; none where that is not known."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    named = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return tuple(one for one in dict.fromkeys(named) if _is_address(one))[:_MOST]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text                     # a link's own address is another one in the lab


class Forwarder(asyncio.DatagramProtocol):
    """Hands what comes on one socket of the lab to `server` (host, port), and each answer to who asked."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._inside: asyncio.DatagramTransport | None = None
        self._pending: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio with the socket."""
        self._inside = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, client: Address) -> None:
        """Called by asyncio with a query."""
        if len(self._pending) >= _PENDING:     # lost, as datagrams are; who asked asks again
            return
        task = asyncio.create_task(self._ask(data, client))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _ask(self, query: bytes, client: Address) -> None:
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as outside, contextlib.suppress(OSError, TimeoutError):
            outside.setblocking(False)
            outside.connect(self._server)      # a port of its own for each query, so that answers are its own
            await loop.sock_sendall(outside, query)
            async with asyncio.timeout(_WAIT):
                answer = await loop.sock_recv(outside, 1 << 16)
            if self._inside is not None:
                self._inside.sendto(answer, client)
