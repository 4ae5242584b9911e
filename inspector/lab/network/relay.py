"""The relay: `python -m inspector.lab.network.relay`, with one foot in the host's network and one in the lab.

It stays in the host's network and asks the agent, over a Unix socket, for sockets made in the lab
(SCM_RIGHTS): a socket belongs to the network in which it was made, whoever uses it. So a connection from the
host's browser becomes a connection inside the lab, and every packet there is a real one:

    published:  host 127.0.0.1:8000 ──> relay ──> lab 127.0.0.1:8000     (a program in the lab listens)
    reached:    lab 127.0.0.1:5432  ──> relay ──> host 127.0.0.1:5432    (a program in the lab connects)
                lab 192.0.2.7:5432  ──> relay ──> 192.0.2.7:5432         (likewise, by the true address)

Bytes, ends of streams and resets are handed on as they come. Commands (`commands.py`) come in on standard
input, whose end ends all; what was done goes to the journal as events.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Unpack, assert_never

from inspector.kernel.beyond import Beyond
from inspector.kernel.holders import backlog_of, owner_of
from inspector.kernel.sampler import EVERY
from inspector.lab.network import commands
from inspector.lab.network.commands import LeftOut, Publish, Reach, Ready, RelayCommand, Resolve, Retract
from inspector.lab.network.datagrams import Forwarder
from inspector.lab.network.hands import hand_on, reset_on_close
from inspector.lab.network.names import PORT
from inspector.model.endpoint import join_endpoint
from inspector.model.language import spoken
from inspector.model.records import EventFields, EventKind, pairs_of
from inspector.wire.journal import EventRecord, carrying, to_line

_BACKLOG = 128
_LOOPBACK = "127.0.0.1"
_FREEBIND = {socket.AF_INET: (socket.IPPROTO_IP, 15), socket.AF_INET6: (socket.IPPROTO_IPV6, 78)}
_ASKED = {(family, kind): letter for letter, (family, kind, _) in commands.SOCKETS.items()}
Address = tuple[Any, ...]                  # host, port, and more for IPv6
Connect = Callable[[], Awaitable[socket.socket]]


class Relay:
    """`channel` gives sockets of the lab; `journal` takes events as JSON lines; both are descriptors."""

    def __init__(self, channel: socket.socket, journal: int) -> None:
        self._channel, self._journal = channel, journal
        self._listeners: dict[tuple[str, int], list[asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asking, self._naming = asyncio.Lock(), asyncio.Lock()
        self._beyond: Beyond | None = None
        with contextlib.suppress(OSError):         # a kernel without sock_diag
            self._beyond = Beyond()
        self._failures: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    async def obey(self, command: RelayCommand) -> None:
        """Do it; what came of it goes to the journal."""
        match command:
            case Publish(port, outside, via):
                await self._publish(port, outside, via=via)
            case Retract(port):
                for task in self._listeners.pop(("publish", port), []):
                    task.cancel()
            case Reach(host, port):
                await self._reach(host, port)
            case Resolve(address, host, port):
                await self._resolve(address, (host, port))
            case LeftOut(port, datagrams):
                self._report("note", spoken(
                    f"UDP port {port} of the lab is not published: only TCP ports are." if datagrams else
                    f"Port {port} of the lab was not published: nobody was seen to listen there by TCP."))
            case Ready():
                async with self._asking:
                    self._channel.send(commands.READY)
            case _:
                assert_never(command)

    # --- what is reachable ---

    async def _publish(self, port: int, outside: int, *, via: bool) -> None:
        """Listen on the host for a port of the lab; where that one is taken there, on any that is free.

        `via`: behind the port of the lab is the host's own again.
        """
        why = ""
        try:
            listener = _listen(socket.socket(socket.AF_INET), (_LOOPBACK, outside))
        except OSError as error:
            listener = _listen(socket.socket(socket.AF_INET), (_LOOPBACK, 0))
            taken = error.errno == errno.EADDRINUSE
            why = (spoken(f"{outside} is taken there") if taken
                   else spoken(f"{outside} there: {error.strerror}"))
        found = listener.getsockname()[1]
        if via:
            text = spoken(
                f"Talk to {_LOOPBACK}:{found} ({why}): you are led through the lab to {_LOOPBACK}:{port}."
                if why else
                f"Talk to {_LOOPBACK}:{found}: you are led through the lab to {_LOOPBACK}:{port}.")
        else:
            text = spoken(f"Port {port} of the lab is {_LOOPBACK}:{found} of this machine ({why})." if why
                          else f"Port {port} of the lab is {_LOOPBACK}:{found} of this machine.")
        self._report("published", text, inside=f"{_LOOPBACK}:{port}", outside=f"{_LOOPBACK}:{found}")
        inside = join_endpoint(_LOOPBACK, port)

        async def lead(one: socket.socket) -> None:
            await self._serve(one, lambda: self._connect_inside(port), inside, entering=True)

        tasks = [self._start(lead(listener))]
        with contextlib.suppress(OSError):         # a machine without IPv6
            second = _listen(socket.socket(socket.AF_INET6), ("::1", found))
            tasks.append(self._start(lead(second)))
        self._listeners["publish", port] = tasks

    async def _reach(self, host: str, port: int) -> None:
        """Listen in the lab for a port of the host's network: at the loopback, and at its true addresses."""
        target = join_endpoint(host, port)
        try:
            await asyncio.get_running_loop().getaddrinfo(host, port)
        except UnicodeError:                       # of the codec for names: a label that is empty or too long
            self._report("failed", f"Nobody is led to {target}: no host can have this name.", missing=target)
            return
        except OSError as error:
            self._report("failed", f"Nobody is led to {target}: {_reason(error)}.", missing=target)
            return
        listeners, problem = [], OSError(0, "no address")
        for address in (_LOOPBACK, *await _addresses(host, port)):
            try:
                listeners.append(await self._listen_inside(address, port))
                await self._forward_datagrams(address, port, (host, port))
            except OSError as error:               # of two that are reached by one port the second, at times
                problem = error
        if not listeners:
            text = f"Port {port} of the lab cannot stand for {target}: {problem.strerror}."
            self._report("failed", text, missing=target)
            return
        inside = join_endpoint(*listeners[0].getsockname()[:2])
        here = host == "localhost" or _is_loopback(host)
        text = f"{target}{' of this machine' if here else ''} is {inside} in the lab."
        most = await asyncio.to_thread(backlog_of, port) if here else None
        backlog = {} if most is None else {"backlog": str(most)}      # the service's own: ours is another
        if here and self._beyond is not None:
            self._beyond.listens(join_endpoint(_LOOPBACK, port), inside)
            self._look_beyond()
        self._report("reached", text, inside=inside, outside=target, **backlog)
        self._listeners["reach", port] = [
            self._start(self._serve(one, lambda: _connect_outside(host, port), target, entering=False))
            for one in listeners
        ]  # fmt: skip

    async def _resolve(self, address: str, server: tuple[str, int]) -> None:
        """Stand in the lab for a resolver, by datagrams and by TCP."""
        try:
            await self._forward_datagrams(address, PORT, server)
            listener = await self._listen_inside(address, PORT)
        except OSError as error:
            self._report("failed", f"Nobody resolves names in the lab at {address}: {error.strerror}.")
            return
        there = join_endpoint(*server)
        self._start(self._serve(listener, lambda: _connect_outside(*server), there, entering=False))

    async def _forward_datagrams(self, address: str, port: int, server: tuple[str, int]) -> None:
        """Stand for a server of the host at `address` in the lab. OSError where that cannot be."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*server, type=socket.SOCK_DGRAM)
        inside = await self._socket_inside(_family(address), socket.SOCK_DGRAM)
        _bind(inside, (address, port))
        family, _, _, _, outside = found[0]
        target = join_endpoint(*server)

        def refused() -> None:
            self._once(f"Nobody listens at {target} for datagrams: the host answered port unreachable.")

        forwarder = Forwarder(inside, family, outside, await self._errors_inside(address), refused)
        await loop.create_datagram_endpoint(lambda: forwarder, sock=inside)

    async def _errors_inside(self, address: str) -> socket.socket | None:
        """A raw ICMP socket of the lab that speaks for `address`; None where the lab may have none."""
        with contextlib.suppress(OSError):
            errors = await self._socket_inside(_family(address), socket.SOCK_RAW)
            _bind(errors, (address, 0))
            return errors
        return None

    async def _listen_inside(self, address: str, port: int) -> socket.socket:
        return _listen(await self._socket_inside(_family(address)), (address, port))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, listener: socket.socket, connect: Connect, target: str, *, entering: bool) -> None:
        with listener:
            while True:
                came, _ = await asyncio.get_running_loop().sock_accept(listener)
                self._start(self._carry(came, connect, target, entering=entering))

    # --- one connection ---

    async def _carry(self, came: socket.socket, connect: Connect, target: str, *, entering: bool) -> None:
        """Connect onward and hand on what either end says; refused there is reset here."""
        with came:
            _without_delay(came)
            # Looked for from the start: a short-lived client is there while it waits for its answer.
            owner = asyncio.create_task(self._owner(came.getpeername())) if entering else None
            try:
                gone = await connect()
            except OSError as error:
                reset_on_close(came)
                text = spoken(f"The relay's connection onward to {target} failed: {_reason(error)}.")
                ends: EventFields = {"inside": _end(came.getpeername()), "outside": target}
                self._report("failed", text, **({} if entering else ends))
                return
            with gone:
                _without_delay(gone)
                there = came.getpeername() if entering else gone.getpeername()
                inside = gone.getsockname() if entering else came.getsockname()
                if self._beyond is not None:
                    own, other = (came.getsockname(), gone.getpeername()) if entering else (
                        gone.getsockname(), came.getpeername())
                    self._beyond.add(_end(there), _end(own), (_end(inside), _end(other)))
                    self._look_beyond()
                self._start(self._name(inside, there, owner or asyncio.create_task(self._owner(there, True))))
                await hand_on(came, gone)

    async def _connect_inside(self, port: int) -> socket.socket:
        for family, host in ((socket.AF_INET, _LOOPBACK), (socket.AF_INET6, "::1")):
            inside = await self._socket_inside(family)
            try:
                await asyncio.get_running_loop().sock_connect(inside, (host, port))
                return inside
            except OSError:
                inside.close()
                if family == socket.AF_INET6:
                    raise
        raise AssertionError("not reached")

    async def _socket_inside(
        self, family: socket.AddressFamily, kind: socket.SocketKind = socket.SOCK_STREAM
    ) -> socket.socket:
        """A new socket that was made in the lab."""
        async with self._asking:
            return await asyncio.to_thread(self._ask, _ASKED[family, kind])

    def _ask(self, asked: bytes) -> socket.socket:
        self._channel.send(asked)
        _, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        if not descriptors:
            raise OSError(0, "the lab gave no socket")
        made = socket.socket(fileno=descriptors[0])
        made.setblocking(False)
        return made

    # --- what is told ---

    def _look_beyond(self) -> None:
        """See to it that the sockets of the programs outside are looked at, as long as there are some."""
        if self._beyond is not None and (self._looking is None or self._looking.done()):
            self._looking = self._start(self._sample(self._beyond))

    async def _sample(self, beyond: Beyond) -> None:
        while not beyond.idle:
            for sample in await asyncio.to_thread(lambda: [*beyond.look()]):
                os.write(self._journal, to_line(carrying(sample)))
            await asyncio.sleep(EVERY)

    async def _owner(self, address: Address, listening: bool = False) -> str:
        async with self._naming:
            name, pid = await asyncio.to_thread(owner_of, join_endpoint(*address[:2]), listening=listening)
            return f"{name} {pid}" if name else ""

    async def _name(self, inside: Address, outside: Address, owner: asyncio.Task[str]) -> None:
        """Tell whose connection it is: the address in the lab, the one outside, and the process there."""
        here, there, process = join_endpoint(*inside[:2]), join_endpoint(*outside[:2]), await owner
        name = f" ({process})" if process else ""
        text = f"{there}{name} of this machine stands behind {here} in the lab."
        self._report("relayed", text, inside=here, outside=there, process=process)

    def _once(self, text: str) -> None:
        """Report a failure that comes again and again when it comes for the first time."""
        if text not in self._failures:
            self._failures.add(text)
            self._report("failed", text)

    def _report(self, kind: EventKind, text: str, **fields: Unpack[EventFields]) -> None:
        record = EventRecord(kind, text, time.time_ns(), "", os.getpid(), pairs_of(fields))
        os.write(self._journal, to_line(record))
        if kind != "relayed":
            print(f"inspector: {text}", file=sys.stderr, flush=True)


async def _addresses(host: str, port: int) -> list[str]:
    """The addresses of a host's name, its own included; none for the loopback's, and where it has none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []                              # told when somebody connects
    named = dict.fromkeys(str(address[0]) for *_, address in found)
    return [one for one in named if "%" not in one and not _is_loopback(one)]


async def _connect_outside(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    problem: OSError = OSError(0, "no address")
    for family, kind, number, _, address in found:
        outside = socket.socket(family, kind, number)
        outside.setblocking(False)
        try:
            await loop.sock_connect(outside, address)
            return outside
        except OSError as error:
            outside.close()
            problem = error
    raise problem


def _listen(made: socket.socket, address: tuple[str, int]) -> socket.socket:
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(made, address)
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _end(address: Address) -> str:
    return join_endpoint(*address[:2])


def _reason(error: OSError) -> str:
    """Asyncio's own words name an address, and not why."""
    named = error.errno is not None and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno) if named and error.errno else str(error.strerror or error)


def _bind(made: socket.socket, address: tuple[str, int]) -> None:
    made.setsockopt(*_FREEBIND[made.family], 1)    # an address that leads here without being one of ours
    made.bind(address)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _without_delay(made: socket.socket) -> None:
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)     # what comes is handed on at once


async def _run(relay: Relay) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        with contextlib.suppress(ValueError):      # the agent alone writes here
            await relay.obey(commands.from_line(line))


def main() -> None:
    """The process: descriptors of the channel and the journal are its arguments."""
    try:
        channel, journal = map(int, sys.argv[1:])
        os.fstat(journal)
        relay = Relay(socket.socket(fileno=channel), journal)
    except (ValueError, OverflowError, OSError):
        print("Usage: python -m inspector.lab.network.relay CHANNEL JOURNAL", file=sys.stderr)
        sys.exit(2)
    asyncio.run(_run(relay))


if __name__ == "__main__":
    main()
