"""A socket whose every system call is real, visible in the journal, and passes the gate first.

One method, one system call, written as strace writes it (SOCK_CLOEXEC, which Python adds, left out).
One thread may sit in a blocking call while another one sends; `retire` brings it back before a close,
since on Linux a close alone neither wakes it nor sends FIN or RST before its call has returned.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, cast

from inspector.sessions.gate import Gate, RetiredError
from inspector.sessions.journal import Journal
from inspector.sessions.strace import (
    HOW,
    IP_RECVERR,
    IPV6_RECVERR,
    QueuedError,
    address_text,
    errno_text,
    option_text,
    preview,
    queued_error,
)

RECEIVE_SIZE = 65536
WOKEN = "woken by its own shutdown"
Address = tuple[str, int]
T = TypeVar("T")


class Accepted(NamedTuple):
    """A descriptor that accept() returned, and what is known of it."""

    fd: int
    local: str | None
    peer: str
    listener: socket.socket


class JournaledSocket:
    """A blocking IPv4 or IPv6 socket of type "tcp" or "udp"; every method raises OSError as the call does.

    All raise EndedError when the endpoint ends while they wait at the gate; calls that block (connect,
    accept, recv, recvfrom, recvmsg) raise RetiredError when the socket was retired before they began.
    """

    def __init__(
        self,
        journal: Journal,
        gate: Gate,
        *,
        protocol: str,
        ipv6: bool = False,
        accepted: Accepted | None = None,
    ) -> None:
        """Make the `socket()` call, or take a descriptor that `accept` returned."""
        self._journal, self._gate, self.protocol = journal, gate, protocol
        self.local: str | None = None      # as far as calls have told
        self.peer: str | None = None
        self._fd: int | None = None
        self._retired = False
        self._blocked = 0                  # threads inside a blocking call
        self._lock = threading.Lock()
        if accepted is not None:
            self._adopt(accepted)
            return
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        number = socket.IPPROTO_TCP if protocol == "tcp" else socket.IPPROTO_UDP

        def create() -> socket.socket:
            made = socket.socket(family, kind, number)
            self._fd = made.fileno()
            return made

        arguments = f"{family.name}, {kind.name}, IPPROTO_{protocol.upper()}"
        self._socket = self._call("socket", arguments, create, lambda made: (made.fileno(), ""))

    def _adopt(self, accepted: Accepted) -> None:
        """Take an accepted descriptor: Python's socket object for it makes one call, getsockname."""
        self._fd, self.local, self.peer = accepted.fd, accepted.local, accepted.peer
        of = accepted.listener
        self._socket = self._call(
            "getsockname", f"{accepted.fd}",
            lambda: socket.socket(of.family, of.type, of.proto, fileno=accepted.fd),
            lambda _: (0, accepted.local or ""),
        )  # fmt: skip

    # -- both ends ---------------------------------------------------------------------------------

    def setsockopt(self, level: int, option: int, value: int | bytes, shown: str = "") -> None:
        """Set an option; `shown` is how a value that is a structure is written."""
        arguments = f"{self._fd}, {option_text(level, option)}, {shown or repr(value)}"
        self._call("setsockopt", arguments, lambda: self._socket.setsockopt(level, option, value))

    def linger_zero(self) -> None:
        """SO_LINGER with time 0: the next close drops what is unsent and sends RST (socket(7))."""
        value = struct.pack("ii", 1, 0)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value, "{l_onoff=1, l_linger=0}")

    def getsockname(self) -> str:
        """Ask for this end's address; afterwards also in `local`."""

        def ask() -> str:
            self.local = address_text(self._socket.getsockname())
            return self.local

        return self._call("getsockname", f"{self._fd}", ask, lambda local: (0, local))

    def shutdown(self, how: int) -> None:
        """SHUT_WR sends FIN; SHUT_RD sends nothing, but wakes a thread that receives."""
        self._call("shutdown", f"{self._fd}, {HOW[how]}", lambda: self._socket.shutdown(how))

    def close(self) -> None:
        """Close; only after `retire` and the end of the thread that received."""
        self._call("close", f"{self._fd}", self._socket.close)
        self._fd = None

    @property
    def retired(self) -> bool:
        """True once `retire` was called: an empty receive then says nothing about the peer."""
        return self._retired

    @property
    def closed(self) -> bool:
        """True once `close` was made, or `socket` failed."""
        return self._fd is None

    # -- server ------------------------------------------------------------------------------------

    def bind(self, address: Address) -> None:
        """Take the address; EADDRINUSE when another socket has it."""
        text = address_text(address)

        def bind() -> None:
            self._socket.bind(address)
            self.local = text

        self._call("bind", f"{self._fd}, {text}", bind)

    def listen(self, backlog: int = 128) -> None:
        """Become a listening socket: from now on the kernel answers SYN."""
        self._call("listen", f"{self._fd}, {backlog}", lambda: self._socket.listen(backlog))

    def accept(self) -> JournaledSocket:
        """Wait for a connection and return its socket.

        Two system calls: Python asks for the new descriptor's local address when it makes a socket
        object of it, which therefore stands in the journal as the `getsockname` it is.
        """
        accept: Callable[[], tuple[int, Any]] = cast(Any, self._socket)._accept
        fd, address = self._call(
            "accept", f"{self._fd}", accept, lambda got: (got[0], f"from {address_text(got[1])}"),
            blocking=True,
        )  # fmt: skip
        accepted = Accepted(fd, self.local, address_text(address), self._socket)
        return JournaledSocket(self._journal, self._gate, protocol=self.protocol, accepted=accepted)

    # -- client ------------------------------------------------------------------------------------

    def connect(self, address: Address) -> None:
        """TCP: the three-way handshake. UDP: only remembers the peer, nothing is sent."""
        text = address_text(address)

        def connect() -> None:
            self.peer = text
            self._socket.connect(address)

        self._call("connect", f"{self._fd}, {text}", connect, blocking=True)

    # -- data --------------------------------------------------------------------------------------

    def send(self, data: bytes) -> int:
        """Hand `data` to the kernel; returns how many bytes it took."""
        arguments = f"{self._fd}, {preview(data)}, {len(data)}"
        return self._call("send", arguments, lambda: self._socket.send(data), lambda count: (count, ""))

    def sendto(self, data: bytes, address: Address) -> int:
        """Send one datagram to `address`."""
        arguments = f"{self._fd}, {preview(data)}, {len(data)}, {address_text(address)}"
        return self._call("sendto", arguments, lambda: self._socket.sendto(data, address), lambda n: (n, ""))

    def recv(self) -> bytes:
        """Wait for bytes; empty at the end of the stream (TCP: the peer's FIN), or when woken by `retire`."""
        return self._call(
            "recv", f"{self._fd}, {RECEIVE_SIZE}", lambda: self._socket.recv(RECEIVE_SIZE), self._received,
            blocking=True,
        )  # fmt: skip

    def recvfrom(self) -> tuple[bytes, Address | None]:
        """Wait for a datagram and its sender; (b"", None) when woken by `retire`."""

        def describe(got: tuple[bytes, Any]) -> tuple[int, str]:
            data, sender = got
            return len(data), f"{preview(data)} from {address_text(sender)}" if sender else WOKEN

        return self._call(
            "recvfrom", f"{self._fd}, {RECEIVE_SIZE}", lambda: self._socket.recvfrom(RECEIVE_SIZE), describe,
            blocking=True,
        )  # fmt: skip

    def ask_for_errors(self) -> None:
        """Have ICMP errors told, and queued with the datagram they speak of (IP_RECVERR, ip(7))."""
        if self._socket.family == socket.AF_INET6:
            self.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            self.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)

    def recvmsg_error(self) -> QueuedError:
        """Take one error from the queue that `ask_for_errors` opened; EAGAIN when there is none."""

        def receive() -> QueuedError:
            data, ancillary, _, _ = self._socket.recvmsg(RECEIVE_SIZE, 512, socket.MSG_ERRQUEUE)
            return queued_error(data, ancillary)

        return self._call(
            "recvmsg", f"{self._fd}, MSG_ERRQUEUE", receive,
            lambda got: (len(got.data), f"{preview(got.data)}: {got.cause}"), blocking=True,
        )  # fmt: skip

    def _received(self, data: bytes) -> tuple[int, str]:
        if data:
            return len(data), preview(data)
        if self._retired:
            return 0, WOKEN
        return 0, "end of stream" if self.protocol == "tcp" else "an empty datagram"

    # -- the end -----------------------------------------------------------------------------------

    def retire(self) -> None:
        """Bring back the thread that sits in a blocking call, or keep it from making one.

        shutdown(SHUT_RD) sends nothing (RFC 9293 has no such segment) and makes Linux return from
        recv with 0, from accept with EINVAL; on unconnected UDP it wakes too, though it says ENOTCONN.
        """
        with self._lock:
            self._retired = True
            blocked = self._blocked > 0
        self._gate.look_again()
        if blocked and self._fd is not None:
            try:
                self.shutdown(socket.SHUT_RD)
            except OSError:
                pass

    def _call(
        self,
        name: str,
        arguments: str,
        function: Callable[[], T],
        describe: Callable[[T], tuple[int, str]] = lambda _: (0, ""),
        *,
        blocking: bool = False,
    ) -> T:
        def retired() -> bool:
            return blocking and self._retired

        self._gate.enter(f"{name}({arguments})", retired=retired)
        with self._lock:
            if retired():
                raise RetiredError
            self._blocked += blocking
        record = self._journal.enter(
            name, arguments, fd=self._fd, local=self.local, peer=self.peer, protocol=self.protocol
        )
        # Written once more after the record's own write, which is not part of the call's duration.
        began = time.time_ns()
        try:
            value = function()
        except OSError as error:
            record = replace(
                record, time_ns=began, end_ns=time.time_ns(), errno=errno_text(error),
                detail=os.strerror(error.errno or 0), local=self.local, peer=self.peer,
            )  # fmt: skip
            raise
        else:
            ended = time.time_ns()
            result, detail = describe(value)
            record = replace(
                record, time_ns=began, end_ns=ended, result=result, detail=detail, fd=self._fd,
                local=self.local, peer=self.peer,
            )  # fmt: skip
            return value
        finally:
            with self._lock:
                self._blocked -= blocking
            self._journal.leave(record)
