"""A process that the agent started: its pipes, what it says, how it ended.

Endpoints get their own standard input (commands), a journal pipe, and a pipe for standard error; programs
get the user's terminal, or nothing and a pipe. None of them ever gets the trace file.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Literal

from inspector.lab.programs import own
from inspector.lab.programs.processes import die_with_parent, join
from inspector.lab.programs.relayed import ignore_as_inherited
from inspector.model.spec import Role
from inspector.sessions.lab_mark import MARK
from inspector.wire.text import escaped

ChildRole = Role | Literal["program", "relay"]
_ENDPOINT = "inspector.sessions.endpoint"
_TAIL = 8192                       # bytes of standard error that are kept


class Child:
    """One started process; `journal` and `output` are readable descriptors, `tail` is what it wrote last."""

    def __init__(
        self, role: ChildRole, process: own.Process, journal: int | None, output: int | None
    ) -> None:
        self.role = role
        self.pid = process.pid
        self.journal = journal
        self.output = output
        self.tail = b""
        self.rest = b""                                    # an unfinished line of the journal
        self.failed = False                                # it said itself what went wrong
        self.status: int | None = None
        self._process = process

    def send(self, line: bytes) -> bool:
        """Write to its standard input; False when it reads no more."""
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            return False
        try:
            stdin.write(line)
            stdin.flush()
        except OSError:
            return False
        return True

    def end_input(self) -> None:
        """Close its standard input: the sign for an endpoint to end."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            try:
                stdin.close()
            except OSError:
                pass

    def signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.status is None:
            try:
                os.kill(self.pid, number)
            except OSError:
                pass

    def ended(self, status: int) -> None:
        """Its status as `waitpid` gave it: from now on an exit status, -N for signal N."""
        self.status = self._process.returncode = os.waitstatus_to_exitcode(status)
        self.end_input()

    def keep(self, data: bytes) -> None:
        """Remember the end of what it wrote to standard error."""
        self.tail = (self.tail + data)[-_TAIL:]

    @property
    def complaint(self) -> str:
        """How it ended and its last words, as a sentence."""
        lines = [line for line in self.tail.decode("utf-8", "replace").splitlines() if line.strip()]
        words = f": {escaped(lines[-1].strip(), 300)}" if lines else "."
        status = self.status or 0
        if status < 0:
            return f"The {self.role} was ended by signal {signal_name(-status)}{words}"
        return f"The {self.role} ended with status {status}{words}"


def signal_name(number: int) -> str:
    """SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def start_endpoint(role: Role, mark: str, network: int | None = None) -> Child:
    """Start one end of a session; it waits for its description on standard input.

    `network`: a descriptor of the network that it lives in, None for ours.
    """
    journal, journal_end = os.pipe()
    output, output_end = os.pipe()
    try:
        setting = own.Setting(
            stdout=output_end, stderr=output_end, passed=(journal_end,),
            environment=os.environ | {MARK: mark}, first=_in_network(network),
        )
        process = own.start(_ENDPOINT, (role, "--journal-fd", str(journal_end)), setting)
    except OSError:
        os.close(journal)
        os.close(output)
        raise
    finally:
        os.close(journal_end)
        os.close(output_end)
    os.set_blocking(journal, False)
    os.set_blocking(output, False)
    return Child(role, process, journal, output)


def start_program(
    command: Sequence[str], mark: str, terminal: tuple[int, int, int] | None = None, group: int = 0
) -> Child:
    """Start a program; OSError when it cannot be. With a terminal it joins that foreground process group.

    A text without "#!" is a shell's to read, as for execvp(3), and so for `env` and every shell.
    """
    try:
        return _started(command, mark, terminal, group)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    path = shutil.which(command[0]) or command[0]
    return _started(["/bin/sh", path, *command[1:]], mark, terminal, group)


def _started(command: Sequence[str], mark: str, terminal: tuple[int, int, int] | None, group: int) -> Child:
    setup = _joining(group) if terminal is not None else _apart
    output, output_end = (None, None) if terminal else os.pipe()
    stdin, stdout, stderr = terminal or (subprocess.DEVNULL, output_end, output_end)
    try:
        process = subprocess.Popen(
            list(command), stdin=stdin, stdout=stdout, stderr=stderr, env=os.environ | {MARK: mark},
            preexec_fn=setup,
        )
    except OSError:
        if output is not None:
            os.close(output)
        raise
    finally:
        if output_end is not None:
            os.close(output_end)
    if output is not None:
        os.set_blocking(output, False)
    return Child("program", process, None, output)


def not_started(error: Exception, command: Sequence[str]) -> str:
    """Why a program was not started, in words."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno == errno.ENOENT and command and shutil.which(command[0]):
        return "the interpreter that it names is not there"
    return error.strerror or str(error)


def _in_network(network: int | None) -> Callable[[], None]:
    def setup() -> None:
        die_with_parent()
        if network is not None:
            join(network)

    return setup


def _apart() -> None:
    die_with_parent()
    ignore_as_inherited()


def _joining(group: int) -> Callable[[], None]:
    def setup() -> None:
        _apart()
        try:
            os.setpgid(0, group)
        except OSError:
            pass

    return setup
