"""The parent's side of an agent: start it on a trace file, tell it what to do, hear when it wrote, end it.

What the agent and its endpoints have to say stands in the trace; only why there is no agent at all comes
this way, as a LabError.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from inspector.capture.choice import choose_program
from inspector.lab.errors import LabError
from inspector.lab.files.ownership import create_file
from inspector.lab.options import NO_LIMITS, NOTHING, AgentOptions, Limits, Mode, Outside, Process
from inspector.lab.programs import own
from inspector.lab.programs.tracer import strace
from inspector.lab.summary import Refusal, Summary, from_line
from inspector.model.commands import Command, to_line
from inspector.model.memory import is_of_lacking_memory, memory_remedy
from inspector.model.wiring import Wiring
from inspector.wire.text import escaped

READY_WITHIN = 20.0                # seconds
CLOSE_WITHIN = 6.0
_MODES = {b"l": "lab", b"h": "host"}
_CRASHES = signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS       # allocators end a process so, too


class Agent:
    """A running agent. `wake_fd`: readable when the trace grew (read it empty); `mode`: "lab" or "host"."""

    def __init__(self, process: own.Process, wake_fd: int, words: IO[bytes]) -> None:
        self._process = process
        self._words = words
        self.wake_fd = wake_fd
        self.mode = ""
        self._failure: LabError | None = None
        self._summary: Summary | None = None

    @property
    def pid(self) -> int:
        """The agent's process id."""
        return self._process.pid

    def send(self, command: Command) -> bool:
        """Give it a command; False when it has ended."""
        return self.send_line(to_line(command))

    def send_line(self, line: bytes) -> bool:
        """Give it a command as one line of JSON, as another program would."""
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            return False
        try:
            stdin.write(line.rstrip(b"\n") + b"\n")
            stdin.flush()
        except OSError:
            return False
        return True

    def poll(self) -> int | None:
        """Its exit status once it has ended, None while it runs."""
        return self._process.poll()

    def wait_for_news(self, timeout: float | None = None) -> bool:
        """Wait until the trace grew or the agent ended; False after `timeout` seconds."""
        poll = select.poll()
        poll.register(self.wake_fd, select.POLLIN)
        if not poll.poll(None if timeout is None else timeout * 1000):
            return False
        self.drain_wake()
        return True

    def drain_wake(self) -> None:
        """Read the wake pipe empty."""
        try:
            while len(os.read(self.wake_fd, 65536)) == 65536:
                pass
        except BlockingIOError:
            pass

    def end_input(self) -> None:
        """Tell it to end, without waiting."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except OSError:
                pass

    def close(self, timeout: float = CLOSE_WITHIN) -> int:
        """End it and all it started; its exit status. What was captured is on disk."""
        self.end_input()
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()                           # its guardian ends what it leaves behind
            status = self._process.wait()
        if not self._words.closed:
            self._failure = self._read_failure(status)
            last = self._last_line()
            self._summary = last if isinstance(last, Summary) else None
            self._words.close()
            os.close(self.wake_fd)
        return status

    @property
    def summary(self) -> Summary | None:
        """What an agent that has been closed said at its end; None where it did not come to that."""
        return self._summary

    def failure(self) -> LabError | None:
        """Why it ended badly, None when it did not (or still runs)."""
        status = self.poll()
        if status is None:
            return None
        return self._failure if self._words.closed else self._read_failure(status)

    def _read_failure(self, status: int) -> LabError | None:
        if status == 0:
            return None
        last = self._last_line()
        if isinstance(last, Refusal):
            return LabError(last.sentence, last.remedy)
        if last is not None and last.broken:
            return LabError(last.broken, last.remedy)
        how = f"was killed (signal {-status})" if status < 0 else f"ended with status {status}"
        lines = self._lines() if last is None else []
        words = f": {escaped(lines[-1].strip(), 300)}" if lines else "."
        if any(map(is_of_lacking_memory, lines)):
            return LabError(f"The agent {how}, for lack of memory{words}", memory_remedy())
        if -status in _CRASHES and memory_remedy():
            return LabError(f"The agent {how}, perhaps for lack of memory{words}", memory_remedy())
        return LabError(f"The agent {how}{words}")

    def _last_line(self) -> Summary | Refusal | None:
        """What it said at its end; None where it ended in another way."""
        try:
            return from_line(self._lines()[-1])
        except (IndexError, ValueError):
            return None

    def _lines(self) -> list[str]:
        self._words.seek(0)
        return [line for line in self._words.read().decode("utf-8", "replace").splitlines() if line.strip()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_agent(
    trace_path: str | Path, mode: Mode = "auto", *, ports: Sequence[int] = (),
    limits: Limits = NO_LIMITS, command: Sequence[str] = (), syscalls: bool = False, stdout: int = 1,
    apart: bool = False, outside: Outside = NOTHING, packet_socket: int = -1, place: str = "",
    wiring: Wiring | None = None, process: Process | None = None,
) -> Agent:
    """Start an agent that writes the file `trace_path` anew, and return when its capture runs.

    "auto" is the lab, and the host's loopback for root where the lab is forbidden. `command` is a program
    to run at once: it gets this process's standard input, error and place in the terminal, and `stdout`, a
    descriptor; the agent ends when it ends. `apart`: it gets nothing of the terminal, no input,
    and `stdout` for both outputs. LabError where it cannot be; FilterError (a ValueError) for wrong
    ports or a wrong filter; OSError where the file cannot be written. An older file is lost only when
    the capture runs. `syscalls`: trace the program's system calls on its sockets too (strace). `outside`:
    what of the lab and of the host's network shall reach each other, by a relay. `packet_socket`: one that
    captures for those ports, opened by somebody with the privilege (`privilege`); it stays the caller's;
    `place`: the other network that it hears, in words.
    `wiring`: the ends talk over a wire that does this, in place of the loopback. `process`: of the host,
    whose ports are captured as they open.
    """
    if syscalls:
        strace()
    choose_program(ports, limits.filter, limits.snaplen)                 # to refuse before anything starts
    options = AgentOptions(
        mode, tuple(ports), limits, command=tuple(command), syscalls=syscalls, outside=outside,
        packet_socket=packet_socket, place=place, wiring=wiring, process=process,
    )
    path = Path(trace_path)
    created = create_file(path)
    try:
        agent = _begun(options, created.descriptor, stdout, apart)
        try:
            _wait_until_ready(agent)
        except BaseException:
            agent.close(timeout=1.0)
            raise
    except BaseException:
        if created.made:
            path.unlink(missing_ok=True)
        raise
    return agent


def _begun(options: AgentOptions, trace: int, stdout: int, apart: bool) -> Agent:
    """The process of an agent; the descriptors that it alone is to have, `trace` too, are closed here."""
    terminal = bool(options.command) and not apart
    with ExitStack() as handed_on, ExitStack() as given_up:
        handed_on.callback(os.close, trace)
        wake_reader, wake_writer = os.pipe()
        given_up.callback(os.close, wake_reader)
        handed_on.callback(os.close, wake_writer)
        os.set_blocking(wake_reader, False)
        os.set_blocking(wake_writer, False)
        options, passed = replace(options, wake=wake_writer), [wake_writer]
        if options.command:
            first = os.open(os.devnull, os.O_RDONLY) if apart else os.dup(0)
            streams = (first, os.dup(stdout), os.dup(stdout if apart else 2))
            for descriptor in streams:
                handed_on.callback(os.close, descriptor)
            passed += streams
            options = replace(options, terminal=streams, group=os.getpgrp() if terminal else 0)
        passed += [options.packet_socket] if options.packet_socket >= 0 else []
        words = os.fdopen(os.memfd_create("agent's words"), "w+b")    # lives as long as the agent
        given_up.callback(words.close)
        process = own.start("inspector.lab.agent", (options.to_json(),), own.Setting(
            stdout=trace, stderr=words.fileno(), passed=passed, session=not terminal,
            group=0 if terminal else None,
        ))
        given_up.pop_all()                 # they are the agent's now
    return Agent(process, wake_reader, words)


def _wait_until_ready(agent: Agent) -> None:
    deadline = time.monotonic() + READY_WITHIN
    poll = select.poll()
    poll.register(agent.wake_fd, select.POLLIN)
    while time.monotonic() < deadline:
        if not poll.poll(500):
            continue
        mode = os.read(agent.wake_fd, 1)
        if mode in _MODES:
            agent.mode = _MODES[mode]
            return
        if not mode:
            agent.close()
            raise agent.failure() or LabError("The agent ended before it captured anything.")
    raise LabError(f"The agent did not start within {READY_WITHIN:g} seconds.")
