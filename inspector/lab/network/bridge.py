"""The agent's side of the relay: it starts it outside the lab, gives it sockets, and finds what to publish.

Asked for ports (`Outside`) -> the relay, started before the lab is entered -> commands to it; a listener that
opens in the lab (/proc/net/tcp) is published when it does and retracted when it closes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path

from inspector.lab.network.commands import (
    READY,
    SOCKETS,
    LeftOut,
    Publish,
    Reach,
    Ready,
    RelayCommand,
    Resolve,
    Retract,
    to_line,
)
from inspector.lab.network.names import PORT
from inspector.lab.options import Outside
from inspector.lab.programs import own
from inspector.lab.programs.children import Child
from inspector.lab.programs.processes import die_with_parent

_RELAY = "inspector.lab.network.relay"
_EVERY = 0.2               # seconds between two looks at what listens
_LISTEN = "0A"             # include/net/tcp_states.h
_UNCONNECTED = "07"        # likewise: a datagram socket of no single peer
_FIRST = 5                 # UDP ports of --publish all that are told
_READY_WITHIN = 5.0        # seconds


class Bridge:
    """The relay and what it was told. Make it before the lab is entered, `open` it there."""

    def __init__(self, outside: Outside, words: int | None) -> None:
        """`words`: a descriptor that gets the relay's sentences, the user's standard error; None: nobody."""
        self._outside = outside
        self.channel, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        journal, journal_end = os.pipe()
        try:
            process = own.start(_RELAY, (str(channel.fileno()), str(journal_end)), own.Setting(
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if words is None else words,
                passed=(channel.fileno(), journal_end), first=_apart,
            ))
        finally:
            channel.close()
            os.close(journal_end)
        os.set_blocking(journal, False)
        self.child = Child("relay", process, journal, None)
        self._published: set[int] = set()
        self._seen: set[int] = set()           # ports that were published, or told of
        names = (("", PORT),) if outside.names else ()
        self._own = {port for _, port in (*outside.reach, *outside.via, *names)}
        self._last_look = 0.0
        self._ready, self._opened = False, 0.0

    @property
    def ready(self) -> bool:
        """What was asked for stands, as far as it can: a program may begin."""
        late = time.monotonic() - self._opened > _READY_WITHIN
        return self._ready or self.child.status is not None or late

    def open(self) -> None:
        """Tell the relay what is known from the start."""
        self._opened = time.monotonic()
        for address, host, port in self._outside.names:
            self._send(Resolve(address, host, port))
        for host, port in self._outside.reach:
            self._send(Reach(host, port))
        for listen, target in self._outside.via:
            self._send(Reach("127.0.0.1", target))
            self._send(Publish(target, listen, via=True))
        self._send(Ready())

    def give(self) -> None:
        """Answer the relay's request for a socket, made here: in the lab; or hear that it is ready."""
        try:
            asked = self.channel.recv(1)
        except OSError:
            return
        if asked == READY:
            self._ready = True
        if asked not in SOCKETS:
            return
        with contextlib.suppress(OSError):         # the relay has ended, which its own end will tell
            try:
                made = socket.socket(*SOCKETS[asked])
            except OSError:                        # no IPv6, no descriptors left, no privilege
                self.channel.send(b"n")
                return
            with made:
                socket.send_fds(self.channel, [b"s"], [made.fileno()])

    @property
    def due(self) -> float | None:
        """In how many seconds `tick` looks again; None where it never does."""
        return max(self._last_look + _EVERY - time.monotonic(), 0.0) if self._outside.publish else None

    def tick(self) -> None:
        """Look, from time to time, at what listens in the lab, and publish or retract it."""
        if not self._outside.publish or time.monotonic() - self._last_look < _EVERY:
            return
        self._last_look = time.monotonic()
        found = listening_ports() - self._own
        self._report_datagrams(found)
        asked = self._outside.publish
        wanted = {port: port for port in found} if asked == "all" else dict(asked)
        for port in sorted(found & wanted.keys() - self._published):
            self._send(Publish(port, wanted[port]))
        for port in sorted(self._published - found):
            self._send(Retract(port))
        self._published = found & wanted.keys()
        self._seen |= self._published

    def _report_datagrams(self, listening: set[int]) -> None:
        """Tell once of each UDP port that was asked for: nobody is led there.

        Of "all" those that look like a server's.
        """
        asked, bound = self._outside.publish, datagram_ports() - self._own - listening - self._seen
        clients = _ephemeral()
        meant = sorted(port for port in bound if port not in clients)[:_FIRST] if asked == "all" else sorted(
            bound & dict(asked).keys())
        for port in meant:
            self._send(LeftOut(port, datagrams=True))
        self._seen |= set(meant)

    def close(self) -> None:
        """End the relay, which tells of what was asked for in vain."""
        if self._outside.publish != "all":
            for port, _ in self._outside.publish:
                if port not in self._seen:
                    self._send(LeftOut(port, datagrams=False))
        self.child.end_input()
        self.channel.close()

    def _send(self, command: RelayCommand) -> None:
        self.child.send(to_line(command))


def listening_ports() -> set[int]:
    """TCP ports that a socket of this process's network listens on."""
    return _ports(("tcp", "tcp6"), _LISTEN)


def datagram_ports() -> set[int]:
    """UDP ports that a socket of this process's network takes anybody's datagrams at."""
    return _ports(("udp", "udp6"), _UNCONNECTED)


def _ports(tables: tuple[str, ...], state: str) -> set[int]:
    found = set()
    for name in tables:
        try:
            lines = Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]
        except OSError:                            # no IPv6
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == state:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def _ephemeral() -> range:
    """The ports that the kernel gives to clients."""
    try:
        first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        return range(32768, 61000)                 # its default
    return range(first, last + 1)


def _apart() -> None:
    die_with_parent()
    os.setpgid(0, 0)                               # ctrl+c in the terminal is for the program
