"""Nothing is left running: how the agent finds, and ends, every process that was started in its lab.

Direct children die with the agent (PR_SET_PDEATHSIG). What those started is found by the lab's network
namespace, and by a mark in the environment; the agent kills it at its end, and a guardian, a tiny
process that only waits for the agent's death, does so when the agent is killed outright.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inspector.sessions.lab_mark import MARK, remove_lab_folder

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 4, 15, 36
_libc = ctypes.CDLL(None, use_errno=True)
_ROUNDS, _PAUSE = 200, 0.01


@dataclass(frozen=True, slots=True)
class Lab:
    """What a lab's processes have in common: the inodes of its networks (none: the host's), and its mark."""

    networks: tuple[int, ...]
    mark: str

    def members(self, spare: frozenset[int] = frozenset()) -> Iterator[int]:
        """Process ids in this lab, but for this process and `spare`."""
        own = os.getpid()
        sign = f"{MARK}={self.mark}".encode()
        for path in Path("/proc").iterdir():
            name = path.name
            if name.isdigit() and int(name) != own and int(name) not in spare and self._holds(name, sign):
                yield int(name)

    def kill(self, spare: frozenset[int] = frozenset()) -> bool:
        """Kill all members until none is left; False when some could not be ended."""
        for _ in range(_ROUNDS):
            found = False
            for pid in self.members(spare):
                found = True
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    continue
            reap_all()
            if not found:
                return True
            time.sleep(_PAUSE)
        return False

    def _holds(self, name: str, sign: bytes) -> bool:
        try:
            if self.networks:
                return Path(f"/proc/{name}/ns/net").stat().st_ino in self.networks
            return sign in Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
        except OSError:                                    # gone, or not ours
            return False


def reap_all() -> None:
    """Collect every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (PR_SET_CHILD_SUBREAPER)."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def inspectable() -> None:
    """Be as open to one's own user as any program: who changed users is not, and cannot map a namespace."""
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def join(network: int) -> None:
    """Go to the network of this descriptor (setns(2)), the calling thread alone; OSError where refused."""
    if _libc.setns(network, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Guardian:
    """A process that outlives the agent only long enough to kill what the agent left in the lab.

    Must be made before the agent starts any thread, opens its files or starts anything in the lab.
    """

    def __init__(self, lab: Lab) -> None:
        reader, self._writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _guard(lab, reader)
        os.close(reader)

    def watch_over_me(self) -> None:
        """Called in a new process: have it killed as well, though neither network nor mark betray it."""
        os.write(self._writer, f"{os.getpid()}\n".encode())

    def dismiss(self) -> None:
        """The agent ends in order: the guardian is not needed."""
        try:
            os.write(self._writer, b"q\n")
        except OSError:
            pass
        os.close(self._writer)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass


def _guard(lab: Lab, reader: int) -> None:
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        _libc.prctl(_PR_SET_NAME, b"lab-guardian", 0, 0, 0)
        os.dup2(reader, 0)
        os.closerange(1, 1 << 16)
        answer = b""
        while chunk := os.read(0, 4096):
            answer += chunk
            if answer.endswith(b"q\n"):
                return
        for pid in answer.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                continue
        lab.kill()
        remove_lab_folder(lab.mark)
    finally:
        os._exit(0)
