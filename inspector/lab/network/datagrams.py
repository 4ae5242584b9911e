"""Datagrams handed on: what comes to one socket of the lab goes to a server of the host, answers come back.

Each client in the lab has a socket of its own outside, as it would have there, until nothing was said for a
while. A server that is not there is heard of as outside: not at all, since its ICMP error stays there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, cast

_IDLE = 60.0                       # seconds
_CLIENTS = 256
_LARGEST = 1 << 16
Address = tuple[Any, ...]


class Forwarder(asyncio.DatagramProtocol):
    """Protocol of the socket in the lab. `server`: family and address outside, as getaddrinfo gives them."""

    def __init__(self, family: int, server: Address) -> None:
        self._family, self._server = family, server
        self._inside: asyncio.DatagramTransport | None = None
        self._doors: dict[Address, socket.socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio with the socket."""
        self._inside = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, client: Address) -> None:
        """Called by asyncio. What cannot be handed on at once is lost, as datagrams are."""
        with contextlib.suppress(OSError):
            door = self._doors.get(client) or self._open(client)
            if door is not None:
                door.send(data)

    def _open(self, client: Address) -> socket.socket | None:
        if len(self._doors) >= _CLIENTS:
            return None
        door = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            door.setblocking(False)
            door.connect(self._server)
        except OSError:
            door.close()
            raise
        self._doors[client] = door
        task = asyncio.create_task(self._bring_answers(door, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return door

    async def _bring_answers(self, door: socket.socket, client: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                with contextlib.suppress(ConnectionRefusedError):      # of an earlier datagram
                    async with asyncio.timeout(_IDLE):
                        answer = await loop.sock_recv(door, _LARGEST)
                    if self._inside is not None:
                        self._inside.sendto(answer, client)
        except (OSError, TimeoutError):
            return
        finally:
            del self._doors[client]
            door.close()
