"""One end of a session as a process of its own: `python -m inspector.sessions.endpoint ROLE --journal-fd N`.

The first line of standard input is the session's spec as JSON, each further line an `EndpointCommand` (see
`model.commands`); the end of input ends it. All that it reports goes into the journal. Exit status: 0 when
all went as asked, 1 when not (an event "failed" says why), 2 for wrong usage.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial

from inspector.model.commands import (
    CommandError,
    Execute,
    KeepOpen,
    Pause,
    Quit,
    Resume,
    Signal,
    SocketCommand,
    Start,
    Step,
    Stop,
    Wire,
    from_line,
)
from inspector.model.spec import ROLES, SessionSpec
from inspector.sessions.context import Context, FailedError
from inspector.sessions.gate import EndedError, Gate
from inspector.sessions.journal import Journal
from inspector.sessions.kinds import kind_of, resolved
from inspector.sessions.kinds.kind import Runner
from inspector.sessions.loop import Loop

_HIGH = 64       # the number that the journal has
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)      # it is the machine that lacks them
GRACE = 2.0      # seconds in which the sockets are closed after the end of input


def read_lines(fd: int) -> Iterator[bytes]:
    """Lines of a descriptor as they come, without a buffered reader's lock, which hinders the exit."""
    rest = b""
    while chunk := os.read(fd, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


class Control(threading.Thread):
    """Reads the commands: pause, resume and step act at once, the others in the main thread."""

    def __init__(self, context: Context, run: Runner, lines: Iterator[bytes]) -> None:
        super().__init__(daemon=True)
        self._context, self._runner, self._lines = context, run, lines

    def run(self) -> None:
        gate = self._context.gate
        for line in self._lines:
            try:
                self._obey(line)
            except ValueError as error:
                self._context.journal.note(f"A command was not understood: {error}")
        gate.end()
        self._context.loop.end()
        time.sleep(GRACE / 2)
        self._runner.interrupt()      # still here: a send that nobody reads
        time.sleep(GRACE / 2)
        os._exit(1)                   # a call that nothing wakes; the kernel closes the sockets

    def _obey(self, line: bytes) -> None:
        gate, command = self._context.gate, from_line(line)
        match command:
            case Pause():
                if gate.pause():
                    self._context.loop.post(lambda: None)      # it says so if it has nothing to do
            case Resume():
                gate.resume()
            case Step():
                if gate.step():
                    self._context.loop.post(lambda: None)
            case Start() | Execute() | Signal() | Stop() | Quit() | Wire():
                raise CommandError(f"An endpoint cannot {command.do}.")
            case _:
                self._context.loop.post(partial(self._do, command))

    def _do(self, command: SocketCommand) -> None:
        if isinstance(command, KeepOpen):
            self._context.keeps_open = True
            return
        try:
            self._runner.command(command)
        except FailedError as error:
            self._context.report(error)


def serve(context: Context, lines: Iterator[bytes]) -> int:
    """Run one endpoint to its end; the exit status."""
    run = kind_of(context.spec).runner(context)
    Control(context, run, lines).start()
    try:
        run.run()
    except EndedError:
        run.close()
        return 0 if context.spec.interactive and not context.journal.failed else 1
    except FailedError as error:
        context.journal.event("failed", str(error))
        context.gate.end()
        run.close()
    except OSError as error:
        if error.errno not in _SCARCE:
            raise
        context.journal.event("failed", f"The {context.role} cannot go on: {error.strerror}.")
        run.close()
    except Exception as error:
        context.journal.event("failed", f"The {context.role} broke: {error!r}.")
        raise
    return 1 if context.journal.failed else 0


def _moved_up(fd: int) -> int:
    """The same file under a high number, so that sockets get the low ones that a program of one's own sees.

    Where few numbers are allowed (`ulimit -n`) it is the highest, and where none is left its own.
    """
    most = min(_HIGH, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1)
    with contextlib.suppress(OSError):
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, most)
        os.close(fd)
        return high
    return fd


def _open_descriptor(text: str) -> int | None:
    """The number of a descriptor that is open; None where the text is none."""
    with contextlib.suppress(OSError, ValueError, OverflowError):
        os.fstat(int(text))
        return int(text)
    return None


def main(arguments: list[str]) -> int:
    """The command line; see the module's text."""
    role = next((one for one in ROLES if arguments[:1] == [one]), None)
    descriptor = _open_descriptor(arguments[2]) if len(arguments) == 3 else None
    if role is None or descriptor is None or arguments[1] != "--journal-fd":
        print("Usage: python -m inspector.sessions.endpoint server|client --journal-fd N", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)     # ctrl+c is for who started us; the end of input follows
    journal = Journal(_moved_up(descriptor), role)
    lines = read_lines(0)
    try:
        spec = resolved(SessionSpec.from_json(next(lines, b"{")))
    except ValueError as error:
        journal.event("failed", f"The session's description cannot be read: {error}")
        return 2
    gate = Gate(journal, paused=spec.paused)
    context = Context(spec, role, journal, gate, Loop(gate.idle), keeps_open=spec.ending != "close")
    return serve(context, lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
