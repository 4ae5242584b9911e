"""Work on the parts of one large trace in several processes at once, its results in order of the parts.

Parts -> each process takes every n-th, a fork that has all that was read (pages are shared until somebody
writes to them) -> results through pipes -> in order. A process that meets any trouble ends without a word,
and its parts are done here, where trouble is told as ever. None outlives `Processes.end`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from fcntl import F_SETPIPE_SZ, fcntl
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")
_MOST = 4                # processes
_ROOM = 1 << 20          # bytes that a pipe holds, so that nobody waits for the other one
_SIZE = struct.Struct("<Q")


class Processes:
    """Processes beside this one that work on parts of a trace.

    `trouble` says what is wrong with its file by now; `begin`, which is called in each of them first, gives
    signals back their usual meaning.
    """

    def __init__(self, trouble: Callable[[], str | None], begin: Callable[[], object]) -> None:
        self._trouble, self._begin = trouble, begin
        self._running: list[tuple[int, int]] = []       # id, and the pipe's end

    def spread(self, do: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        """What `do` makes of each part, in order; its results can be pickled."""
        count = min(len(os.sched_getaffinity(0)), _MOST, len(parts))
        if count < 2:
            yield from map(do, parts)
            return
        gc.freeze()                    # what there is now is nobody's garbage, and its pages stay shared
        for number in range(1, count):
            if not self._start(do, parts[number::count]):
                break
        started = list(self._running)
        for place, part in enumerate(parts):
            number = place % count
            found = _taken(started[number - 1][1]) if 0 < number <= len(started) else None
            yield do(part) if found is None else pickle.loads(found)         # our own fork's
        self.end()

    def _start(self, do: Callable[[Part], Result], parts: Sequence[Part]) -> bool:
        """Start a process that works on some parts; whether the system let us."""
        try:
            ours, its = os.pipe()
        except OSError:
            return False
        with contextlib.suppress(OSError):
            fcntl(its, F_SETPIPE_SZ, _ROOM)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            child = os.fork()
            if not child:
                self._work(do, parts, its, before)
            self._running.append((child, ours))
        except OSError:
            os.close(ours)
            return False
        finally:
            os.close(its)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return True

    def _work(
        self, do: Callable[[Part], Result], parts: Sequence[Part], its: int, mask: Iterable[int]
    ) -> None:
        """What a process does; it ends here."""
        try:
            self._begin()
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)     # nobody reads any more
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for _, other in self._running:
                os.close(other)
            with open(its, "wb", closefd=False) as pipe:
                before = self._trouble()
                for part in parts:
                    found = pickle.dumps(do(part), pickle.HIGHEST_PROTOCOL)
                    if self._trouble() != before:
                        break
                    pipe.write(_SIZE.pack(len(found)))
                    pipe.write(found)
                    pipe.flush()
        finally:
            os._exit(0)                # nothing of what this process was forked from is ended with it

    def end(self) -> None:
        """End those that still work."""
        for child, pipe in self._running:
            os.close(pipe)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
        self._running.clear()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _taken(pipe: int) -> bytes | None:
    """The next result out of a pipe; None: it has ended."""
    head = _exactly(pipe, _SIZE.size)
    return None if head is None else _exactly(pipe, _SIZE.unpack(head)[0])


def _exactly(pipe: int, size: int) -> bytes | None:
    found = bytearray()
    while len(found) < size:
        piece = os.read(pipe, size - len(found))
        if not piece:
            return None
        found += piece
    return bytes(found)
