"""Two sockets, each handed what the other one sends: bytes, the end of a stream (FIN), a reset, as they come.

Sockets -> transports of asyncio, which stay registered with the loop (a call for each piece costs far more).
A side whose peer does not read is read no more until it does. Behind a FIN there is nothing to read, and the
loop looks no more: epoll(7) tells of a reset then, as who sends on a connection that its peer closed gets.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import struct
from functools import partial
from typing import Any, cast

_RESET = struct.pack("ii", 1, 0)               # SO_LINGER: the close drops what is unsent and sends RST


async def hand_on(one: socket.socket, other: socket.socket) -> None:
    """Until both have ended, or one was reset, which the other is too."""
    loop = asyncio.get_running_loop()
    sides = _Side(), _Side()
    sides[0].other, sides[1].other = sides[1], sides[0]
    for side, taken in zip(sides, (one, other), strict=True):
        await loop.connect_accepted_socket(partial(_same, side), sock=taken.dup())
        taken.close()                          # the transport has it now
    await asyncio.gather(*(side.gone for side in sides))


def reset_on_close(made: socket.socket) -> None:
    """Have the close of this socket be a reset."""
    with contextlib.suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _same(side: _Side) -> _Side:
    return side


class _Side(asyncio.Protocol):
    """One of the two sockets; what it sends goes to the other one, which may be there a little later."""

    other: _Side

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = self._broken = False
        self._early = b""                      # to be written here
        self._hangup: select.epoll | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._early:
            self.transport.write(self._early)
        if self.other._broken:
            self.reset()
        elif self.other._ended:
            self.end()

    def write(self, data: bytes) -> None:
        """What the other side sent goes out here."""
        if self.transport is None:
            self._early += data
        else:
            self.transport.write(data)
            if self._ended:                    # over the loopback the reset has come by now
                self._look_for_reset()

    def end(self) -> None:
        """The other side sends no more; once neither does, both are closed when all is written."""
        if self.transport is None:
            return
        with contextlib.suppress(OSError, RuntimeError):       # gone meanwhile
            self.transport.write_eof()
        if self._ended:
            self.transport.close()
            if self.other.transport is not None:
                self.other.transport.close()

    def reset(self) -> None:
        """Have the peer here hear a reset."""
        if self.transport is not None:
            made: Any = self.transport.get_extra_info("socket")
            if made is not None:
                reset_on_close(made)
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.other.write(data)

    def eof_received(self) -> bool:
        self._ended = True
        self._await_hangup()
        self.other.end()
        return True                            # the other direction stays open

    def _await_hangup(self) -> None:
        if self.transport is not None:
            made = self.transport.get_extra_info("socket")
            self._hangup = select.epoll()
            self._hangup.register(made.fileno(), 0)            # errors and hang-ups come unasked
            asyncio.get_running_loop().add_reader(self._hangup.fileno(), self._hung_up)

    def _hung_up(self) -> None:
        """Both directions are over, by a reset or in order."""
        self._forget_hangup()
        self._look_for_reset()

    def _look_for_reset(self) -> None:
        made: Any = self.transport and self.transport.get_extra_info("socket")
        if made and made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.connection_lost(ConnectionResetError())
            self.reset()

    def _forget_hangup(self) -> None:
        if self._hangup is not None:
            asyncio.get_running_loop().remove_reader(self._hangup.fileno())
            self._hangup.close()
            self._hangup = None

    def pause_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_hangup()
        self._broken |= exc is not None
        if self._broken and not self.other.gone.done():
            self.other.reset()
        if not self.gone.done():
            self.gone.set_result(None)
