"""Datagrams handed on: what comes to one socket of the lab goes to a server of the host, answers come back.

Each client in the lab has a socket of its own outside, as it would have there, until nothing was said for a
while. That nobody is there the host says by ICMP to that socket; the client is told likewise, in the lab.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, cast

from inspector.lab.network.unreachable import port_unreachable

_IDLE = 60.0                       # seconds
_CLIENTS = 256
_LARGEST = 1 << 16
Address = tuple[Any, ...]
Refuse = Callable[[], None]        # says once, in words, that nobody is there


class Forwarder(asyncio.DatagramProtocol):
    """Protocol of `inside`, the socket in the lab. `server`: family and address outside, as getaddrinfo
    gives them.

    `errors`: a raw ICMP socket of the lab, by which a client hears that nobody is there; None where there can
    be none. `refused` is called as often as the host says so.
    """

    def __init__(self, inside: socket.socket, family: int, server: Address, errors: socket.socket | None,
                 refused: Refuse) -> None:
        self._socket = inside
        self._family, self._server = family, server
        self._errors, self._refused = errors, refused
        self._inside: asyncio.DatagramTransport | None = None
        self._doors: dict[Address, socket.socket] = {}
        self._newest: dict[Address, bytes] = {}        # what each client sent, which an error quotes
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio with the socket."""
        self._inside = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, client: Address) -> None:
        """Called by asyncio. What cannot be handed on at once is lost, as datagrams are."""
        with contextlib.suppress(OSError):
            door = self._doors.get(client) or self._open(client)
            if door is None:
                return
            try:
                door.send(data)
            except ConnectionRefusedError:             # an earlier one was; this one was not sent yet
                self._report_refusal(client)
                door.send(data)
            self._newest[client] = data

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
                try:
                    async with asyncio.timeout(_IDLE):
                        answer = await loop.sock_recv(door, _LARGEST)
                except ConnectionRefusedError:
                    self._report_refusal(client)
                    continue
                self._answer(answer, client)
        except (OSError, TimeoutError):
            return
        finally:
            del self._doors[client]
            self._newest.pop(client, None)
            door.close()

    def _answer(self, data: bytes, client: Address) -> None:
        """Give a client what the server said; by the socket itself, as asyncio may skip an empty datagram."""
        if self._inside is not None and data:
            self._inside.sendto(data, client)
        elif self._inside is not None:
            with contextlib.suppress(BlockingIOError):     # it is lost, as datagrams are
                self._socket.sendto(data, client)

    def _report_refusal(self, client: Address) -> None:
        """Send the client the ICMP error that a gateway would, quoting its newest datagram."""
        self._refused()
        data = self._newest.get(client)
        if self._errors is None or self._inside is None or data is None:
            return
        server = self._inside.get_extra_info("sockname")
        with contextlib.suppress(OSError):
            message = port_unreachable(client[:2], server[:2], data)
            self._errors.sendto(message, (client[0], 0))
