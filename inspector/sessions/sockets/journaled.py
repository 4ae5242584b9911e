"""A socket whose every system call is real, visible in the journal, and passes the gate first.

One method, one system call, written as strace writes it (SOCK_CLOEXEC, which Python adds, left out).
One thread may sit in a blocking call while another one sends; `retire` brings it back before a close,
since on Linux a close alone neither wakes it nor sends FIN or RST before its call has returned.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from inspector.model.records import END_OF_STREAM, FROM, WOKEN
from inspector.sessions.gate import Gate
from inspector.sessions.journal import Journal
from inspector.sessions.sockets.calls import Caller
from inspector.sessions.sockets.stamps import BY_BYTES, SHOWN, WANTED, Mark, MarkReader, arrival_of
from inspector.sessions.sockets.strace import (
    HOW,
    IP_RECVERR,
    IPV6_RECVERR,
    SO_TIMESTAMPING,
    QueuedError,
    address_text,
    option_text,
    preview,
    queued_error,
)

RECEIVE_SIZE = 65536
RETRY = 1.0            # seconds
Address = tuple[str, int]
Datagram = tuple[bytes, Address | None]


class Accepted(NamedTuple):
    """A descriptor that accept() returned, and what is known of it."""

    fd: int
    local: str | None
    peer: str
    listener: socket.socket


class JournaledSocket(Caller):
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
        deliver: Callable[[JournaledSocket], None] = lambda _: None,
    ) -> None:
        """Make the `socket()` call, or take a descriptor that `accept` returned and `deliver` itself."""
        super().__init__(journal, gate, protocol)
        self._marks: MarkReader | None = None
        self._bytes_received = 0
        if accepted is not None:
            self._adopt(accepted, deliver)
            return
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        number = socket.IPPROTO_TCP if protocol == "tcp" else socket.IPPROTO_UDP

        def create() -> socket.socket:
            made = socket.socket(family, kind, number)
            self.fd = made.fileno()
            return made

        arguments = f"{family.name}, {kind.name}, IPPROTO_{protocol.upper()}"
        self._socket = self.call("socket", arguments, create, lambda made: (made.fileno(), ""))

    def _adopt(self, accepted: Accepted, deliver: Callable[[JournaledSocket], None]) -> None:
        """Take an accepted descriptor: Python's socket object for it makes one call, getsockname."""
        self.fd, self.local, self.peer = accepted.fd, accepted.local, accepted.peer
        of = accepted.listener

        def adopt() -> None:
            self._socket = socket.socket(of.family, of.type, of.proto, fileno=accepted.fd)

        self.call(
            "getsockname", f"{accepted.fd}", adopt, lambda _: (0, accepted.local or ""),
            deliver=lambda _: deliver(self),
        )  # fmt: skip

    # -- both ends ---------------------------------------------------------------------------------

    def setsockopt(self, level: int, option: int, value: int | bytes, shown: str = "") -> None:
        """Set an option; `shown` is how a value that is a structure is written."""
        arguments = f"{self.fd}, {option_text(level, option)}, {shown or repr(value)}"
        self.call("setsockopt", arguments, lambda: self._socket.setsockopt(level, option, value))

    def linger_zero(self) -> None:
        """SO_LINGER with time 0: the next close drops what is unsent and sends RST (socket(7))."""
        value = struct.pack("ii", 1, 0)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value, "{l_onoff=1, l_linger=0}")

    def getsockname(self) -> str:
        """Ask for this end's address; afterwards also in `local`."""

        def ask() -> str:
            self.local = address_text(self._socket.getsockname())
            return self.local

        return self.call("getsockname", f"{self.fd}", ask, lambda local: (0, local))

    def shutdown(self, how: int) -> None:
        """SHUT_WR sends FIN; SHUT_RD sends nothing, but wakes a thread that receives: no step."""
        self.call("shutdown", f"{self.fd}, {HOW[how]}", lambda: self._socket.shutdown(how),
                  steps=how != socket.SHUT_RD)

    def close(self) -> None:
        """Close; only after `retire` and the end of the thread that received."""
        if self._marks is not None:
            self._marks.stop()
            self._marks = None
        self.call("close", f"{self.fd}", self._socket.close)
        self.fd = None

    @property
    def closed(self) -> bool:
        """True once `close` was made, or `socket` failed."""
        return self.fd is None

    # -- server ------------------------------------------------------------------------------------

    def bind(self, address: Address) -> None:
        """Take the address; EADDRINUSE when another socket has it."""
        text = address_text(address)

        def bind() -> None:
            self._socket.bind(address)
            self.local = text

        self.call("bind", f"{self.fd}, {text}", bind)

    def listen(self, backlog: int = 128) -> None:
        """Become a listening socket: from now on the kernel answers SYN."""
        self.call("listen", f"{self.fd}, {backlog}", lambda: self._socket.listen(backlog))

    def accept(self, deliver: Callable[[JournaledSocket], None]) -> None:
        """Wait for a connection and `deliver` its socket (see `Caller.call`).

        Two system calls: Python asks for the new descriptor's local address when it makes a socket
        object of it, which therefore stands in the journal as the `getsockname` it is.
        """
        accept: Callable[[], tuple[int, Any]] = cast(Any, self._socket)._accept
        fd, address = self.call(
            "accept", f"{self.fd}", accept, lambda got: (got[0], f"{FROM}{address_text(got[1])}"),
            blocking=True,
        )  # fmt: skip
        accepted = Accepted(fd, self.local, address_text(address), self._socket)
        JournaledSocket(self.journal, self.gate, protocol=self.protocol, accepted=accepted, deliver=deliver)

    # -- client ------------------------------------------------------------------------------------

    def connect(self, address: Address) -> None:
        """TCP: the three-way handshake. UDP: only remembers the peer, nothing is sent."""
        text = address_text(address)

        def connect() -> None:
            self.peer = text
            self._socket.connect(address)

        self.call("connect", f"{self.fd}, {text}", connect, blocking=True)

    # -- data --------------------------------------------------------------------------------------

    def send(self, data: bytes) -> int:
        """Hand `data` to the kernel; returns how many bytes it took."""
        arguments = f"{self.fd}, {preview(data)}, {len(data)}"
        return self.call("send", arguments, lambda: self._socket.send(data), lambda count: (count, ""))

    def sendto(self, data: bytes, address: Address) -> int:
        """Send one datagram to `address`."""
        peer = address_text(address)
        return self.call(
            "sendto", f"{self.fd}, {preview(data)}, {len(data)}, {peer}",
            lambda: self._socket.sendto(data, address), lambda count: (count, ""), peer=peer,
        )  # fmt: skip

    def recv(self, deliver: Callable[[bytes], None]) -> bytes:
        """Wait for bytes, return and `deliver` them (see `Caller.call`).

        Empty at the end of the stream (TCP: the peer's FIN), and when woken by `retire`.
        """
        name, receive = "recv", lambda: self._socket.recv(RECEIVE_SIZE)
        if self._marks is not None:
            name, receive = "recvmsg", self._recvmsg
        return self.call(name, f"{self.fd}, {RECEIVE_SIZE}", receive, self._received, blocking=True,
                         deliver=deliver)  # fmt: skip

    def recvfrom(self, deliver: Callable[[Datagram], None]) -> None:
        """Wait for a datagram and its sender, and `deliver` them; (b"", None) when woken by `retire`."""

        def describe(got: Datagram) -> tuple[int, str]:
            data, sender = got
            return len(data), f"{preview(data)} {FROM}{address_text(sender)}" if sender else WOKEN

        self.call(
            "recvfrom", f"{self.fd}, {RECEIVE_SIZE}", lambda: self._socket.recvfrom(RECEIVE_SIZE), describe,
            blocking=True, deliver=deliver,
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

        return self.call(
            "recvmsg", f"{self.fd}, MSG_ERRQUEUE", receive,
            lambda got: (len(got.data), f"{preview(got.data)}: {got.cause}"), blocking=True,
        )  # fmt: skip

    def _received(self, data: bytes) -> tuple[int, str]:
        if data:
            return len(data), preview(data)
        if self._retired:
            return 0, WOKEN
        return 0, END_OF_STREAM if self.protocol == "tcp" else "an empty datagram"

    # -- the kernel's times ------------------------------------------------------------------------

    def mark_times(self) -> None:
        """Have the journal say from now on when the kernel did what with the bytes (SO_TIMESTAMPING).

        Where the kernel cannot, nothing is said: it is a look at it, and no part of the session.
        """
        for wanted in (BY_BYTES, WANTED):
            try:
                self.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, wanted, SHOWN)
            except OSError:
                continue
            self._marks = MarkReader(self._socket, self._marked)
            return

    def _marked(self, mark: Mark) -> None:
        self.journal.kernel_time(mark.stage, mark.byte, mark.time_ns, self.local or "", self.peer or "")

    def _recvmsg(self) -> bytes:
        data, ancillary, _, _ = self._socket.recvmsg(RECEIVE_SIZE, 512)
        self._bytes_received += len(data)
        if data and (came := arrival_of(ancillary)):
            self._marked(Mark("received", self._bytes_received - 1, came))
        return data

    # -- the end -----------------------------------------------------------------------------------

    def retire(self, thread: threading.Thread | None) -> None:
        """Bring `thread` back from its blocking call, keep it from making one, and wait for its end.

        shutdown(SHUT_RD) sends nothing (RFC 9293 has no such segment) and makes Linux return from
        recv with 0, from accept with EINVAL; on unconnected UDP it wakes too, though it says ENOTCONN.
        """
        self._wake()
        while thread is not None and thread.is_alive():
            thread.join(RETRY)
            if thread.is_alive():
                self._wake()      # it was about to enter its call; connect() blocks after a shutdown too

    def _wake(self) -> None:
        if self.stop_blocking() and self.fd is not None:
            try:
                self.shutdown(socket.SHUT_RD)
            except OSError:
                pass
