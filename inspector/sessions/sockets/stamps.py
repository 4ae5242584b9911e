"""When the kernel did what with a socket's bytes: SO_TIMESTAMPING's marks, read from its error queue.

    send() ─> SCHED: given to the queue of the device ─> SND: given to the device ─> ACK: acknowledged
    RX: come in at the other end's stack ─> recvmsg()

The first packets that come in may have no RX: the kernel begins to stamp them a moment after it was asked to.
A thread of its own waits for marks (linux/Documentation/networking/timestamping.rst) and hands them on. The
reads of the error queue are observation, and no calls of the journal.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from inspector.sessions.sockets.strace import SO_TIMESTAMPING

_TX, _RX, _SOFTWARE, _ID, _SCHED, _ACK = 1 << 1, 1 << 3, 1 << 4, 1 << 7, 1 << 8, 1 << 9
_TIME_ALONE, _COUNTS_BYTES = 1 << 11, 1 << 16
WANTED = _TX | _RX | _SOFTWARE | _ID | _SCHED | _ACK | _TIME_ALONE
BY_BYTES = WANTED | _COUNTS_BYTES               # since Linux 6.2 counting does not depend on what is unsent
SHOWN = "TX_SCHED|TX_SOFTWARE|TX_ACK|RX_SOFTWARE"
_STAGES = {0: "sent", 1: "scheduled", 2: "acknowledged"}         # SCM_TSTAMP_SND, _SCHED, _ACK
_ORIGIN_TIMESTAMPING = 4                                         # SO_EE_ORIGIN_TIMESTAMPING
_LOOK_MS = 50
_ROOM = 512


class Mark(NamedTuple):
    """What became of the byte at an offset of the stream, and of all before it, when (ns since the epoch)."""

    stage: str                   # "scheduled", "sent", "acknowledged", "received"
    byte: int
    time_ns: int


def mark_of(ancillary: Iterable[tuple[int, int, bytes]]) -> Mark | None:
    """The mark that control messages of the error queue tell; None where they tell of something else."""
    time_ns, found = 0, None
    for _, kind, data in ancillary:
        if kind == SO_TIMESTAMPING and len(data) >= 16:
            time_ns = _time(data)
        elif len(data) >= 16:
            _, origin, _, _, _, stage, byte = struct.unpack_from("=IBBBBII", data)
            if origin == _ORIGIN_TIMESTAMPING and stage in _STAGES:
                found = Mark(_STAGES[stage], byte, 0)
    return None if found is None or not time_ns else found._replace(time_ns=time_ns)


def arrival_of(ancillary: Iterable[tuple[int, int, bytes]]) -> int:
    """When the last bytes of a recvmsg() came in; 0 where it does not say."""
    times = (_time(data) for _, kind, data in ancillary if kind == SO_TIMESTAMPING and len(data) >= 16)
    return next(times, 0)


def _time(data: bytes) -> int:
    seconds, rest = struct.unpack_from("=qq", data)
    return int(seconds) * 1_000_000_000 + int(rest)


class MarkReader:
    """Reads the marks of a socket until `stop`; `came` gets each, in a thread of the reader's own."""

    def __init__(self, of: socket.socket, came: Callable[[Mark], None]) -> None:
        self._socket, self._came = of, came
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read what is there, and no more; before the socket is closed."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._socket, 0)          # an error queue with something in it is always told
        while not self._stopped.is_set():
            if poll.poll(_LOOK_MS) and not self._drain():
                self._stopped.wait(_LOOK_MS / 1000)        # another error, which stays
        self._drain()

    def _drain(self) -> bool:
        """Hand on what waits; whether there was anything."""
        found = False
        while True:
            try:
                _, ancillary, _, _ = self._socket.recvmsg(
                    0, _ROOM, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except OSError:
                return found
            found = True
            mark = mark_of(ancillary)
            if mark is not None:
                self._came(mark)
