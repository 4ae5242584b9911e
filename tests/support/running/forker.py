"""Forks `python -m inspector WORDS`, or other code of ours, off a process that has imported everything.

Run by `commands.py` beside this as `python -m tests.support.running.forker DESCRIPTOR`: a socket on which
orders come (JSON, with the descriptors of standard input, output, error, of an answer, and of what else the
process is to have, by the `numbers` of the order, or by any that are its last arguments) until its other end
is closed. To each answer go the pid and then the exit status, as two numbers; `-N`: ended by signal N.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import termios
from dataclasses import dataclass, field
from typing import Any

import inspector
from tests.support.running.forks import be, close_others, take_descriptors

LONGEST, MOST = 1 << 18, 16                  # an order's bytes (words, code, an environment), and descriptors


@dataclass
class Forker:
    """Waits for orders and for the ends of what it started."""

    orders: socket.socket
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    running: dict[int, tuple[int, socket.socket]] = field(default_factory=dict)   # pidfd: pid, its answer
    handed: list[int] = field(default_factory=list)                # in a new process: what else it was given

    def next(self) -> dict[str, Any] | None:
        """In a new process its order; None at the end of all orders."""
        self.selector.register(self.orders, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fd != self.orders.fileno():
                    self._ended(key.fd)
                    continue
                data, descriptors, _, _ = socket.recv_fds(self.orders, LONGEST, MOST)
                if not data:
                    return None
                if not self._forked(*descriptors):
                    return dict(json.loads(data))

    def _forked(self, stdin: int, stdout: int, stderr: int, answer: int, *handed: int) -> bool:
        """False in the new process, which has these descriptors and none of ours."""
        pid = os.fork()
        if pid == 0:
            for number, descriptor in enumerate((stdin, stdout, stderr)):
                os.dup2(descriptor, number)
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
        if pid == 0:
            os.close(answer)
            self.close()
            self.handed = list(handed)
            return False
        for descriptor in handed:
            os.close(descriptor)
        reply = socket.socket(fileno=answer)
        reply.send(b"%d\n" % pid)
        pidfd = os.pidfd_open(pid)
        self.running[pidfd] = pid, reply
        self.selector.register(pidfd, selectors.EVENT_READ)
        return True

    def _ended(self, pidfd: int) -> None:
        pid, reply = self.running.pop(pidfd)
        self.selector.unregister(pidfd)
        os.close(pidfd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        try:
            reply.send(b"%d\n" % status)
        except BrokenPipeError:              # nobody waits any more
            pass
        reply.close()

    def close(self) -> None:
        """Close all that is held."""
        self.selector.close()
        self.orders.close()
        for pidfd, (_, reply) in self.running.items():
            os.close(pidfd)
            reply.close()


def import_all() -> None:
    """Import all modules that a command may need."""
    for found in pkgutil.walk_packages(inspector.__path__, "inspector."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def main() -> None:
    """Serve; in each new process: become the command, or run the code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)         # ctrl+c is for the tests and for what they start
    import_all()
    gc.collect()
    gc.freeze()
    forker = Forker(socket.socket(fileno=int(sys.argv[1])))
    order = forker.next()
    if order is None:
        forker.close()
        return
    numbers = order["numbers"] or range(3, 3 + len(forker.handed))
    take_descriptors(forker.handed, numbers)
    close_others(numbers)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if order["session"]:
        os.setsid()
    elif order["group"]:
        os.setpgid(0, 0)
    if order["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(order["folder"])
    words = order["words"] if order["numbers"] else [*order["words"], *map(str, numbers)]
    be(order["module"], words, order["environment"], order["code"])


if __name__ == "__main__":
    main()
