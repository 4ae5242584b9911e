"""Signals that are meant for the program that we run, and come to us, who started it.

kill(1) -> a signalfd(2) -> what to pass on. What goes to our whole process group, as what the terminal sends
(ctrl+c), the program of that group gets too, and it is not passed on a second time. The kernel does not tell
what a signal was sent to: another process of the group does, which gets the same, or does not.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
from collections.abc import Collection, Iterator

from inspector.lab.programs.processes import die_with_parent

RELAYED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
           signal.SIGTERM)  # fmt: skip
ENDING = frozenset({signal.SIGHUP, signal.SIGTERM})        # whoever sends one wants both to end
_INFO = struct.Struct("=IiiI112x")                         # struct signalfd_siginfo: number, errno, code, pid
_MASK = 128                                                # bytes of a sigset_t
_libc = ctypes.CDLL(None, use_errno=True)
# As this process began: under nohup, or in a shell's background.
_IGNORED = tuple(number for number in RELAYED if signal.getsignal(number) is signal.SIG_IGN)


_ANSWERS_WITHIN = 0.5              # seconds


class Witness:
    """A process that does nothing, in our group: it gets what all of the group gets, and tells when asked."""

    def __init__(self, numbers: Collection[signal.Signals]) -> None:
        """`numbers`: blocked in this process by now. OSError where there can be no other process."""
        question, self._ask = os.pipe()
        self._answers, answer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._watch(question, answer, numbers)
            finally:
                os._exit(0)
        os.close(question)
        os.close(answer)

    @staticmethod
    def _watch(question: int, answer: int, numbers: Collection[signal.Signals]) -> None:
        die_with_parent()
        os.dup2(os.dup(question), 0)
        os.dup2(os.dup(answer), 1)
        os.closerange(2, 1 << 16)
        while os.read(0, 1):
            came = iter(lambda: signal.sigtimedwait(numbers, 0), None)
            os.write(1, bytes(one.si_signo for one in came) + b"\0")

    def seen(self) -> bytes:
        """The numbers of the signals that the group got since the last time."""
        try:
            os.write(self._ask, b"?")
        except BrokenPipeError:                            # somebody ended it
            return b""
        ready, _, _ = select.select([self._answers], [], [], _ANSWERS_WITHIN)
        return os.read(self._answers, 64).rstrip(b"\0") if ready else b""

    def close(self) -> None:
        """End it."""
        os.close(self._ask)
        os.close(self._answers)
        os.waitpid(self._pid, 0)


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
        self._of_group = bytearray()
        try:
            self._witness: Witness | None = Witness(numbers)
        except OSError:                                    # then each counts as ours alone
            self._witness = None

    def numbers(self) -> Iterator[tuple[signal.Signals, bool]]:
        """What came since; each with whether it came to this process alone, not to its whole group."""
        while True:
            try:
                data = os.read(self.descriptor, _INFO.size)
            except BlockingIOError:
                return
            number, _, code, _ = _INFO.unpack(data)
            if self._witness is not None:
                self._of_group += self._witness.seen()
            to_all = number in self._of_group
            if to_all:
                self._of_group.remove(number)
            yield signal.Signals(number), code <= 0 and not to_all     # the kernel's codes are positive

    def close(self) -> None:
        """Signals do again what they did before; what came and was not asked for is forgotten."""
        if self.descriptor < 0:
            return
        for _ in self.numbers():
            pass
        if self._witness is not None:
            self._witness.close()
        os.close(self.descriptor)
        self.descriptor = -1
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


def unblock() -> None:
    """In a process that is started meanwhile: what was kept from us is not kept from it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, RELAYED)


def ignore_as_inherited() -> None:
    """In a new process, whose program is to inherit what this one inherited, whatever it did since."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
