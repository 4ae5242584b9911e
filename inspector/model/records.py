"""Values of a trace that are not packets: system calls, events and capture statistics.

They come out of a trace's journal blocks (see `wire/journal.py` for the fields) and are immutable.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypedDict, cast, get_args

from inspector.model.endpoint import Transport, parts_of_endpoint
from inspector.model.language import marked
from inspector.model.spec import SessionSpec, SpecError

EventKind = Literal[
    "agent-ready",         # the capture runs; fields mode (lab, host) and interface
    "session-started",     # field session: the SessionSpec as JSON
    "endpoint-started",    # an endpoint's process runs; role and pid
    "listening",           # the server can be reached; field address
    "waiting",             # an endpoint waits before the call in its text (paused, or single-step)
    "resumed",             # an endpoint no longer waits
    "idle",                # it has no call to make until something comes (paused, or single-step)
    "endpoint-ended",      # an endpoint's process ended; field status
    "session-ended",       # both endpoints ended; field ok is true when all went as asked
    "note",                # an endpoint says one sentence to the person that is no failure
    "failed",              # something went wrong; text is one sentence for the user
    "program-started",     # a program runs in the lab; field command: its words as a JSON list
    "program-ended",       # it ended; field status (its exit status)
    "published",           # a port of the lab is reachable on the host; fields inside and outside
    "reached",             # likewise the other way
    "relayed",             # a connection between lab and host; fields inside, outside, process
    "sample",              # a KernelSample of the relay's, on its way to the agent; in no trace
    "kernel-time",         # of SO_TIMESTAMPING; fields stage, byte (offset in its stream), local, peer
    "secret",              # TLS: field line is one of a key log; in the trace it is a block of its own
    "wire",                # what became of a packet on the wire; fields packet (its number), sum, fate, by
    "limit-reached",       # the capture ended because of a limit; the text says which
    "journal",             # an entry of another program's journal that the file holds
]


class EventFields(TypedDict, total=False):
    """What programs read of an event beside its sentence: all are text, since a file may hold anything."""

    mode: str                  # agent-ready: "lab" or "host"
    interface: str             # agent-ready: whose packets they are
    ipv6: str                  # agent-ready: "yes" where the lab has it
    capture: str               # agent-ready: "ring" where the kernel gives a memory-mapped one
    session: str               # session-started: the SessionSpec as JSON
    address: str               # listening: "127.0.0.1:8000"
    call: str                  # waiting, resumed: "recv(4)"
    tid: str                   # waiting, resumed: the thread
    status: str                # endpoint-ended, program-ended
    ok: str                    # session-ended: "true" or "false"
    missing: str               # failed: the errno's name of what could not be started
    command: str               # program-started: its words as a JSON list
    inside: str                # published, reached, relayed: the address in the lab
    outside: str               # the same: on the host
    process: str               # relayed: "curl 812"
    backlog: str               # reached: what the service's listen() allows
    stage: str                 # kernel-time: as SO_TIMESTAMPING calls it
    byte: str                  # kernel-time: offset in the stream
    local: str                 # kernel-time
    peer: str                  # kernel-time
    line: str                  # secret
    packet: str                # wire: its number, from 1
    sum: str                   # wire: by which the packet is found
    fate: str                  # wire
    by: str                    # wire: who decided it
    sender: str                # wire: "client" or "server"


def pairs_of(fields: EventFields) -> tuple[tuple[str, str], ...]:
    """The fields as records hold them."""
    return tuple((name, str(value)) for name, value in fields.items())


# Details of calls of ours that stand in the journal word for word.
WOKEN = marked("woken by its own shutdown")
END_OF_STREAM = marked("end of stream")
FROM = "from "                 # the address follows

EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)


@dataclass(frozen=True, slots=True)
class Call:
    """One system call of one process. Times are nanoseconds since the epoch (CLOCK_REALTIME)."""

    id: int                    # unique within (pid); joins entry and return
    pid: int
    tid: int
    role: str                  # "server", "client", or the program's name
    name: str                  # "connect"
    arguments: str             # "3, 127.0.0.1:8000", escaped, without parentheses
    time_ns: int               # entry
    end_ns: int | None         # return; None while it blocks
    result: int | None         # what it returned; None while it blocks or when it failed
    errno: str | None          # "ECONNREFUSED"
    detail: str = ""           # "from 127.0.0.1:50412", what a reader wants beside the result
    fd: int | None = None
    local: str | None = None   # "127.0.0.1:8000" or "[::1]:8000", the socket's own name where known
    peer: str | None = None
    protocol: str = ""         # "tcp" or "udp" where known

    @property
    def was_woken(self) -> bool:
        """Whether it returned for its own end's shutdown: its 0 does not say that the stream has ended."""
        return self.detail == WOKEN


# States after the peer's FIN, and those in which the own one is not acknowledged.
_FIN_CAME = ("CLOSE-WAIT", "half-closed", "LAST-ACK", "CLOSING", "TIME-WAIT")
_FIN_WENT = ("FIN-WAIT-1", "CLOSING", "LAST-ACK")


@dataclass(frozen=True, slots=True)
class KernelSample:
    """What the kernel held of one socket of TCP or UDP at one moment (sock_diag(7)).

    `receive_queue`: bytes that came and were not read; `send_queue`: bytes written and not acknowledged; of a
    listener: connections that wait for accept(), and the most that may. `state`: as RFC 9293 names it, or
    "gone". `info`: fields of tcp_info in bytes, segments and microseconds.

    `lab`: of a socket in the host's network, of a program that the relay stands for: where in the lab.

    Of UDP the queues are bytes of memory, more than the datagrams have; `state` is "connected", "unconnected"
    or "gone"; `info` has `rcvbuf`, what the receive queue may take, and `drops`, datagrams so far.
    """

    time_ns: int
    local: str                 # "127.0.0.1:8000"
    peer: str
    state: str
    receive_queue: int
    send_queue: int
    process: str = ""          # its holder's name, "" where unknown
    pid: int | None = None
    info: tuple[tuple[str, int], ...] = ()
    protocol: Transport = "tcp"
    lab: tuple[str, str] = ("", "")        # the relay's end in the lab, and the other one; a listener has one

    @property
    def unread(self) -> int:
        """Bytes in the receive queue, without the FIN that Linux counts among them."""
        return max(self.receive_queue - (self.state in _FIN_CAME), 0)

    @property
    def unacknowledged(self) -> int:
        """Bytes in the send queue, without the FIN that Linux counts among them until it is acknowledged."""
        return max(self.send_queue - (self.state in _FIN_WENT), 0)


@dataclass(frozen=True, slots=True)
class Service:
    """What something listens on: a port of TCP or UDP, or a Unix socket, whose address is its path.

    `chain`: its process and what started it, the nearest first.

    `container`: in which it runs, by its name, or by its id where only that is known. `elsewhere`: a process
    of the network that it is in, where that is another than ours; else 0.
    """

    address: str               # "127.0.0.1:8000"
    chain: tuple[str, ...]     # "python3 812", "bash 700"; empty where another user's
    connections: int           # that are open now
    backlog: int               # connections that wait for accept()
    since: float | None        # seconds since the epoch at which its process began
    pid: int | None = None
    container: str = ""
    elsewhere: int = 0
    protocol: Transport | Literal["unix"] = "tcp"

    @property
    def port(self) -> int:
        """Its port; 0 of a Unix socket."""
        return 0 if self.protocol == "unix" else int(parts_of_endpoint(self.address)[1])


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a session and is no system call ("session-ended", "waiting", …)."""

    time_ns: int
    kind: EventKind
    text: str                  # one sentence for people
    role: str = ""
    pid: int | None = None
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def known(self) -> EventFields:
        """The fields by name; what else a stranger's file holds is among them, and asked for by nobody."""
        return cast(EventFields, dict(self.fields))

    @property
    def session(self) -> SessionSpec | None:
        """Of "session-started" which one; None where it is of another version, or in a stranger's file."""
        return _session_of(self.known.get("session", "{}"))

    @property
    def command(self) -> tuple[str, ...]:
        """Of "program-started" the program's words, not safe to show; none where they cannot be told."""
        with contextlib.suppress(ValueError, RecursionError):
            words = json.loads(self.known.get("command", ""))
            if isinstance(words, list) and all(isinstance(word, str) for word in words):
                return tuple(words)
        return ()


@lru_cache(64)                 # each batch of a trace asks for its session several times
def _session_of(words: str) -> SessionSpec | None:
    with contextlib.suppress(SpecError):
        return SessionSpec.from_json(words)
    return None


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the kernel counted for the capture (Interface Statistics Block, PACKET_STATISTICS)."""

    received: int = 0
    dropped: int = 0
    freezes: int = 0
