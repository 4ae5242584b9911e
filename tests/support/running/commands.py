"""`inspector WORDS` as tests call it: a process of its own, its output and its exit status.

The processes come from `tests.support.running.forker`, one for each process of pytest: the same as
`python -m inspector`, but for the second of imports (the app's on a terminal too: `screen/started.py`). What
is about a start itself or a shell starts `COMMAND`.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from inspector.lab.programs import own

own_start = own.start                # a new Python
COMMAND = [sys.executable, "-m", "inspector"]
ROOT = Path(__file__).parents[3]
_SURROUNDINGS = dict(os.environ)      # before any test; a test's own would mark the forker as what it started
ROOM = 4096                          # bytes: what an order's environment may have more (`tell_environment`)
LIMIT = 60.0                         # seconds until a test that hangs fails; never a measure of speed


class Running:
    """A command that runs. `stdout` and `stderr` are what it writes to, as pipes."""

    def __init__(
        self, words: Sequence[str], *, input: bytes = b"", folder: str | os.PathLike[str] = ".",
        environment: Mapping[str, str] | None = None, code: str = "",
        handed: Sequence[int] = (), has_stdin: bool = False,
    ) -> None:
        """`input`: what stands on its standard input, at most as much as a pipe holds.

        `code`: what runs in place of `python -m inspector`, as by `python -c`, with the words as arguments,
        and the numbers that the descriptors `handed` on have there. `has_stdin`: `stdin` stays open.
        """
        self.words = list(words)
        order = Order(self.words, os.environ if environment is None else environment, code=code,
                      folder=str(Path(folder).resolve()))
        with ExitStack() as theirs:
            stdin, outputs = os.pipe(), (os.pipe(), os.pipe())
            for descriptor in (stdin[0], *(writing for _, writing in outputs)):
                theirs.callback(os.close, descriptor)
            self.stdout, self.stderr = (os.fdopen(reading, "rb") for reading, _ in outputs)
            self.stdin: IO[bytes] = os.fdopen(stdin[1], "wb")
            if not has_stdin:
                with self.stdin as given:
                    given.write(input)
            self._end = order.given(stdin[0], outputs[0][1], outputs[1][1], *handed)
        self.pid = self._end.pid

    def send_signal(self, number: signal.Signals) -> None:
        """As another process would."""
        os.kill(self.pid, number)

    def communicate(self, limit: float = LIMIT) -> tuple[bytes, bytes]:
        """What it writes until its end, to standard output and to standard error."""
        deadline = time.monotonic() + limit
        seen: dict[Any, bytes] = {self.stdout: b"", self.stderr: b""}
        with selectors.DefaultSelector() as open_pipes:
            for pipe in seen:
                open_pipes.register(pipe, selectors.EVENT_READ)
            while open_pipes.get_map():
                for key, _ in open_pipes.select(max(deadline - time.monotonic(), 0)):
                    chunk = os.read(key.fd, 1 << 16)
                    seen[key.fileobj] += chunk
                    if not chunk:
                        open_pipes.unregister(key.fileobj)
                if time.monotonic() > deadline:
                    self.send_signal(signal.SIGKILL)
                    raise AssertionError(f"{self.words} still runs after {limit:.0f} s; it wrote {seen}")
        return seen[self.stdout], seen[self.stderr]

    def wait(self, limit: float = LIMIT) -> int:
        """Its exit status once it has ended; -N after signal N."""
        return self._end.wait(limit)

    def close(self) -> None:
        """Leave no descriptor open."""
        for each in (self.stdin, self.stdout, self.stderr, self._end):
            with suppress(BrokenPipeError):              # of what it has not read
                each.close()


def run(
    *words: str, input: bytes = b"", folder: str | os.PathLike[str] = ".",
    environment: Mapping[str, str] | None = None, code: str = "",
) -> subprocess.CompletedProcess[bytes]:
    """The command (or the `code`) from its start to its end; what it writes as bytes."""
    running = Running(words, input=input, folder=folder, environment=environment, code=code)
    try:
        stdout, stderr = running.communicate()
        return subprocess.CompletedProcess([*COMMAND, *words], running.wait(), stdout, stderr)
    finally:
        running.close()


def inspector(
    *words: str, input: str = "", folder: str | os.PathLike[str] = ".", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same with text, and with changes to the environment: `inspector("doctor", HOME="/")`."""
    done = run(*words, input=input.encode(), folder=folder, environment=os.environ | environment)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass(frozen=True, slots=True)
class Order:
    """What the forker is asked for: see there."""

    words: Sequence[str]
    environment: Mapping[str, str]
    module: str = "inspector"
    code: str = ""
    folder: str = "."
    numbers: Sequence[int] = ()
    session: bool = False
    group: bool = False              # a process group of its own
    terminal: bool = False           # standard input becomes the terminal of its session

    def given(self, stdin: int, stdout: int, stderr: int, *handed: int) -> Forked:
        """Have it started with these descriptors, which stay the caller's."""
        ours, theirs = socket.socketpair()
        line = json.dumps(asdict(self) | {"environment": dict(self.environment)}).encode()
        with theirs:
            socket.send_fds(_forker(), [line], [stdin, stdout, stderr, theirs.fileno(), *handed])
        return Forked(ours)


class Forked:
    """What the forker started: as much of `subprocess.Popen` as `inspector.lab.programs.own` promises."""

    def __init__(self, answer: socket.socket, stdin: IO[bytes] | None = None) -> None:
        self._answer, self.stdin = answer, stdin
        self.returncode: int | None = None
        self._rest = b""
        self._waits = threading.Lock()
        self.pid = self._number(LIMIT)

    def poll(self) -> int | None:
        """Its exit status once it has ended; -N after signal N. None too where somebody waits for that."""
        if self.returncode is None and self._waits.acquire(blocking=False):
            try:
                self._ended(0)
            except subprocess.TimeoutExpired:
                pass
            finally:
                self._waits.release()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status once it has ended; `subprocess.TimeoutExpired` as Popen does."""
        with self._waits:
            return self._ended(timeout)

    def _ended(self, timeout: float | None) -> int:
        if self.returncode is None:
            self.returncode = self._number(timeout)
            self.close()
        return self.returncode

    def _number(self, timeout: float | None) -> int:
        self._answer.settimeout(timeout)
        try:
            while b"\n" not in self._rest:
                chunk = self._answer.recv(64)
                assert chunk, "the forker has ended"
                self._rest += chunk
        except (TimeoutError, BlockingIOError):
            raise subprocess.TimeoutExpired("a fork", timeout or 0) from None
        line, _, self._rest = self._rest.partition(b"\n")
        return int(line)

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Hear no more of it."""
        self._answer.close()

    def __del__(self) -> None:
        self.close()


def asked(module: str, arguments: Sequence[str], setting: own.Setting) -> own.Process:
    """As `own.start`, by the forker, for what is to be apart from this process anyway."""
    if (not setting.session and setting.group != 0) or setting.first is not None:
        return own_start(module, arguments, setting)
    order = Order(arguments, os.environ if setting.environment is None else setting.environment, module,
                  folder=str(Path.cwd()), numbers=setting.passed, session=setting.session,
                  group=setting.group == 0)
    reader, writer = os.pipe()
    try:
        process = order.given(reader, setting.stdout, setting.stderr, *setting.passed)
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    process.stdin = os.fdopen(writer, "wb")
    return process


@cache
def _forker() -> socket.socket:
    """Where orders go; the forker ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.running.forker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=ROOT,
            env=_SURROUNDINGS | {"ROOM": " " * ROOM},
        )

    def end() -> None:
        ours.close()
        process.wait()
    atexit.register(end)
    return ours
