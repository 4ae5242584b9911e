"""Two sockets, each handed what the other one sends: bytes, the end of a stream (FIN), a reset, as they come.

Sockets -> transports of asyncio, which stay registered with the loop (a call for each piece costs far more).
A side whose peer does not read is read no more until it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from functools import partial
from typing import Any, Self, cast

_RESET = struct.pack("ii", 1, 0)               # SO_LINGER: the close drops what is unsent and sends RST


async def hand_on(one: socket.socket, other: socket.socket) -> None:
    """Until both have ended, or one was reset, which the other is too."""
    loop = asyncio.get_running_loop()
    sides = _Side(), _Side()
    for side, taken in zip(sides, (one, other), strict=True):
        await loop.connect_accepted_socket(partial(_same, side), sock=taken.dup())
        taken.close()                          # the transport has it now
    sides[0].meet(sides[1])
    await asyncio.gather(*(side.gone for side in sides))


def reset_on_close(made: socket.socket) -> None:
    """Have the close of this socket be a reset."""
    with contextlib.suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _same(side: _Side) -> _Side:
    return side


class _Side(asyncio.Protocol):
    """One of the two sockets; what it says goes to the other one."""

    other: Self
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.ended = False
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def meet(self, other: Self) -> None:
        """Begin: both are there."""
        self.other, other.other = other, self
        for side in (self, other):
            side.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()         # until the other one is there

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        with contextlib.suppress(OSError, RuntimeError):       # the other has gone meanwhile
            self.other.transport.write_eof()
        if self.other.ended:
            for side in (self, self.other):
                side.transport.close()         # after what is still to be written
        return True

    def pause_writing(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not self.other.gone.done():
            made: Any = self.other.transport.get_extra_info("socket")
            if made is not None:
                reset_on_close(made)
            self.other.transport.abort()
        if not self.gone.done():
            self.gone.set_result(None)
