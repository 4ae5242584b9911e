"""A program on a terminal of its own (a pty), which leads the terminal's session.

`python -m inspector` is forked off a process that has imported all of it (`running/forker.py`); else, and
for a test of the start itself (the fixture `really_started`), it is executed.
"""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from inspector.lab.programs import own
from tests.support.running import commands
from tests.support.running.forks import Fork


def on_terminal(
    program: Sequence[str], environment: Mapping[str, str], size: tuple[int, int], *,
    ignored: Sequence[signal.Signals] = (), user: int | None = None,
) -> tuple[own.Process, int]:
    """The process, and the descriptor that is its keyboard and its screen.

    `ignored`: signals, as by nohup. `user`: run as this uid (root may), with a Python that it can run.
    """
    lines = struct.pack("HHHH", size[1], size[0], 0, 0)
    if list(program[:3]) == commands.COMMAND and own.start is commands.asked and not ignored and user is None:
        return _forked(program[3:], environment, lines)
    pid, descriptor = pty.fork()
    if pid == 0:
        try:
            fcntl.ioctl(1, termios.TIOCSWINSZ, lines)
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
                os.chdir("/")
            os.execvpe(program[0], list(program), dict(environment))
        finally:
            os._exit(127)
    return Fork(pid), descriptor


def _forked(words: Sequence[str], environment: Mapping[str, str], lines: bytes) -> tuple[own.Process, int]:
    order = commands.Order(words, environment, folder=str(Path.cwd()), session=True, terminal=True)
    descriptor, terminal = pty.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, lines)
        return order.given(terminal, terminal, terminal), descriptor
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        os.close(terminal)
