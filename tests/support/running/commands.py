"""`inspector WORDS` as tests call it: a process of its own, its output and its exit status.

The processes come from `tests.support.running.forker`, one for each process of pytest: the same as
`python -m inspector`, but for the quarter of a second of imports. What is about a start itself, a shell or a
terminal starts `COMMAND`.
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
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

COMMAND = [sys.executable, "-m", "inspector"]
ROOT = Path(__file__).parents[3]
LIMIT = 60.0                         # seconds until a test that hangs fails; never a measure of speed


class Running:
    """A command that runs. `stdout` and `stderr` are what it writes to, as pipes."""

    def __init__(
        self, words: Sequence[str], *, input: bytes = b"", folder: str | os.PathLike[str] = ".",
        environment: Mapping[str, str] | None = None, code: str = "",
        handed: Sequence[int] = (), talks: bool = False,
    ) -> None:
        """`input`: what stands on its standard input, at most as much as a pipe holds.

        `code`: what runs in place of `python -m inspector`, as by `python -c`, with the words as arguments,
        and the numbers that the descriptors `handed` on have there. `talks`: `stdin` stays open.
        """
        self.words = list(words)
        order = {"words": self.words, "code": code, "folder": str(Path(folder).resolve()),
                 "environment": dict(os.environ if environment is None else environment)}
        self._socket, answer = socket.socketpair()
        self._answer: IO[bytes] = self._socket.makefile("rb")
        with ExitStack() as theirs:
            theirs.callback(answer.close)
            stdin, outputs = os.pipe(), (os.pipe(), os.pipe())
            for descriptor in (stdin[0], *(writing for _, writing in outputs)):
                theirs.callback(os.close, descriptor)
            self.stdout, self.stderr = (os.fdopen(reading, "rb") for reading, _ in outputs)
            self.stdin: IO[bytes] = os.fdopen(stdin[1], "wb")
            if not talks:
                with self.stdin as given:
                    given.write(input)
            descriptors = [stdin[0], outputs[0][1], outputs[1][1], answer.fileno(), *handed]
            socket.send_fds(_forker(), [json.dumps(order).encode()], descriptors)
        self.pid = int(self._answer.readline())

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
        self._socket.settimeout(limit)
        return int(self._answer.readline())

    def close(self) -> None:
        """Leave no descriptor open."""
        for each in (self.stdin, self.stdout, self.stderr, self._answer, self._socket):
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


@cache
def _forker() -> socket.socket:
    """Where orders go; the forker ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.running.forker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=ROOT,
        )

    def end() -> None:
        ours.close()
        process.wait()
    atexit.register(end)
    return ours
