"""Programs of our own (the agent, its endpoints, its relay) as forks, in place of a new Python for each.

The same code with the same descriptors, environment, signals and place among processes; only what Python
does before, and the imports, is done already. In a process of pytest the forker is asked (`asked`); what
that started forks itself (`forked`). A test of the start itself takes the fixture `really_started`.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import itertools
import os
import runpy
import select
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn, TextIO

from inspector.lab.programs import own

_HIGH = 512                        # descriptors that are on their way to their numbers
_NUMBERS = 1 << 16
_SWITCH_INTERVAL = sys.getswitchinterval()
_before: list[object] = []         # streams of the process that was forked: never flushed by who is not it


class Fork:
    """A child of this process (`own.Process`)."""

    def __init__(self, pid: int, stdin: IO[bytes] | None = None) -> None:
        self.pid, self.stdin = pid, stdin
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status once it has ended."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:              # somebody took it, as with `subprocess.Popen`
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` as Popen does."""
        if (status := self.poll()) is not None:
            return status
        pidfd = os.pidfd_open(self.pid)
        try:
            ended = select.poll()
            ended.register(pidfd, select.POLLIN)
            if not ended.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("a fork", timeout or 0)
        finally:
            os.close(pidfd)
        status = self.poll()
        assert status is not None
        return status

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def forked(module: str, arguments: Sequence[str], setting: own.Setting) -> Fork:
    """As `own.start`, in a process that has imported all of it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(module, arguments, setting, reader)
    os.close(reader)
    return Fork(pid, os.fdopen(writer, "wb"))


def _become(module: str, arguments: Sequence[str], setting: own.Setting, stdin: int) -> NoReturn:
    """What a new process is: nothing of the stack below it is ever reached again."""
    try:
        gc.freeze()                                # what is below is never closed by being collected
        null = os.open(os.devnull, os.O_RDWR)
        outputs = (null if one == subprocess.DEVNULL else one for one in (setting.stdout, setting.stderr))
        take_descriptors([stdin, *outputs, *setting.passed], [0, 1, 2, *setting.passed])
        forget_signals()
        if setting.session:
            os.setsid()
        elif setting.group is not None:
            os.setpgid(0, setting.group)
        if setting.first is not None:
            setting.first()
        close_others(setting.passed)
        be(module, arguments, os.environ if setting.environment is None else setting.environment)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def take_descriptors(given: Sequence[int], numbers: Sequence[int]) -> None:
    """Have the descriptors by these numbers."""
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, _HIGH) for one in given]
    for one, number in zip(high, numbers, strict=True):
        os.dup2(one, number)


def close_others(numbers: Sequence[int]) -> None:
    """Close all descriptors but the first three and these."""
    for low, below in itertools.pairwise((2, *sorted(numbers), _NUMBERS)):
        if low + 1 < below:
            os.closerange(low + 1, below)


def forget_signals() -> None:
    """As after exec: what was handled is not, what was ignored is; then as Python begins."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def open_streams() -> None:
    """Python's three streams on what the descriptors are now: a stream knows whether its file can seek."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old: TextIO = getattr(sys, f"__{name}__")          # an app on a terminal has its own in their place
        _before.extend((old, getattr(sys, name)))
        buffering = 1 if number == 2 or os.isatty(number) else -1
        stream = open(number, "w" if number else "r", buffering, old.encoding,   # noqa: SIM115
                      old.errors, "\n", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def send_environment(environment: Mapping[str, str]) -> None:
    """Have /proc tell this environment as the one that the process was started with, or as much as has room.

    What others know it by (`processes.marked`) is said first; nothing else of this process lies there now.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[47]), int(fields[48])          # env_start, env_end (proc_pid_stat(5))
    known = sorted(environment.items(), key=lambda pair: not pair[0].startswith("XDG_"))
    encoded = b"".join(os.fsencode(f"{name}={value}\0") for name, value in known)
    ctypes.memmove(start, encoded[: end - start].ljust(end - start, b"\0"), end - start)


def be(module: str, arguments: Sequence[str], environment: Mapping[str, str], code: str = "") -> NoReturn:
    """Be `python -m MODULE ARGUMENTS` to its end, or `python -c CODE ARGUMENTS`."""
    own.start = forked
    environment = dict(environment)                # it may be the one that is about to be emptied
    os.environ.clear()
    os.environ.update(environment)
    send_environment(environment)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    open_streams()
    sys.argv = [module, *arguments]
    try:
        if code:
            exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)      # of runpy: it was imported before
                runpy.run_module(module, run_name="__main__", alter_sys=True)
        raise SystemExit(0)
    except SystemExit as end:
        atexit._run_exitfuncs()
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0 if isinstance(end.code, int | None) else 1)      # modules take long to go
