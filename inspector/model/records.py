"""Values of a trace that are not packets: system calls, events and capture statistics.

They come out of a trace's journal blocks (see `wire/journal.py` for the fields) and are immutable.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One system call of one process. Times are nanoseconds since the epoch (CLOCK_REALTIME)."""

    id: int                    # unique within (pid); joins entry and return
    pid: int
    tid: int
    role: str                  # "server", "client", or the program's name
    name: str                  # "connect"
    arguments: str             # "3, 127.0.0.1:8000", harmless text without parentheses
    time_ns: int               # entry
    end_ns: int | None         # return; None while it blocks
    result: int | None         # what it returned; None while it blocks or when it failed
    errno: str | None          # "ECONNREFUSED"
    detail: str = ""           # "from 127.0.0.1:50412", what a reader wants beside the result
    fd: int | None = None
    local: str | None = None   # "127.0.0.1:8000" or "[::1]:8000", the socket's own name where known
    peer: str | None = None
    protocol: str = ""         # "tcp" or "udp" where known
    after_packets: int = 0     # how many packets stand before it in the file (its entry)
    end_after_packets: int = 0  # likewise for its return


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a session and is no system call ("session-ended", "waiting", …)."""

    time_ns: int
    kind: str                  # see wire/journal.py, EVENT_KINDS
    text: str                  # one sentence for people
    role: str = ""
    pid: int | None = None
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the kernel counted for the capture (Interface Statistics Block, PACKET_STATISTICS)."""

    received: int = 0
    dropped: int = 0
    freezes: int = 0
