"""Signals that are meant for the program that we run, and come to us, who started it.

kill(1) -> a signalfd(2), which tells who sent it -> what to pass on. What the terminal sends (ctrl+c) goes to
all of its foreground group, the program among it, and is not passed on a second time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterator

RELAYED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
           signal.SIGTERM)  # fmt: skip
ENDING = frozenset({signal.SIGHUP, signal.SIGTERM})        # whoever sends one wants both to end
_INFO = struct.Struct("=IiiI112x")                         # struct signalfd_siginfo: number, errno, code, pid
_MASK = 128                                                # bytes of a sigset_t
_libc = ctypes.CDLL(None, use_errno=True)
# As this process began: under nohup, or in a shell's background.
_IGNORED = tuple(number for number in RELAYED if signal.getsignal(number) is signal.SIG_IGN)


class Heard:
    """The signals that come while it is open, in the order of their numbers; `descriptor` is readable then.

    Made in the main thread before there are others, such as numpy's, which would take a signal that this one
    holds back. What is ignored stays ignored.
    """

    def __init__(self) -> None:
        numbers = [number for number in RELAYED if signal.getsignal(number) is not signal.SIG_IGN]
        mask = sum(1 << (number - 1) for number in numbers).to_bytes(_MASK, "little")
        self.descriptor: int = _libc.signalfd(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(number := ctypes.get_errno(), os.strerror(number))
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def numbers(self) -> Iterator[tuple[signal.Signals, bool]]:
        """What came since; each with whether it came to this process alone, not from the terminal."""
        while True:
            try:
                data = os.read(self.descriptor, _INFO.size)
            except BlockingIOError:
                return
            number, _, code, _ = _INFO.unpack(data)
            yield signal.Signals(number), code <= 0        # SI_USER and its like; the kernel's are positive

    def close(self) -> None:
        """Signals do again what they did before; what came and was not asked for is forgotten."""
        if self.descriptor < 0:
            return
        for _ in self.numbers():
            pass
        os.close(self.descriptor)
        self.descriptor = -1
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


def unblock() -> None:
    """In a process that is started meanwhile: what was kept from us is not kept from it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, RELAYED)


def ignore_as_we_were_told() -> None:
    """In a new process, whose program is to inherit what this one inherited, whatever it did since."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
