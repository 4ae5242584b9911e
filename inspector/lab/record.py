"""Recording without the app: in the lab around a program, or on this machine's own loopback.

`record` returns when the program has ended, or a limit or ctrl+c ended the capture; the file is then whole.
Where this user may not capture on the host but may run dumpcap, the agent has dumpcap do it.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from inspector.lab.errors import LabError
from inspector.lab.launch import start_agent
from inspector.lab.options import NO_LIMITS, NOTHING, Limits, Outside
from inspector.lab.summary import Summary


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """`command`: record in the lab around it; else the host's loopback.

    Where the lab is forbidden, root's command runs on the host's loopback.
    """

    output: Path
    command: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    limits: Limits = NO_LIMITS
    syscalls: bool = False         # of the command, by strace
    name: str = ""                 # what sentences call the file, where it is not its path
    stdout: int = 1                # the program's standard output
    outside: Outside = NOTHING     # what of the lab and of the host's network shall reach each other
    packet_socket: int = -1        # what captures on the host, opened by somebody with the privilege
    apart: bool = False            # the program gets no input, and `stdout` for both outputs


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """`status`: what this process should exit with (the program's own, 128+N for signal N; else 0).

    `broken`: why the capture ended before the program did, else "". `started`: the program did run.
    """

    status: int
    packets: int
    dropped: int
    bytes: int
    sentence: str
    broken: str = ""
    started: bool = True


def record(
    options: RecordOptions, started: Callable[[str], None] = lambda sentence: None,
    meanwhile: Callable[[], object] | None = None,
) -> RecordOutcome:
    """Record as asked; `started` hears a sentence when the capture of the host runs.

    `meanwhile` is called while a program runs, which ends when it returns (else: when it ends by itself).

    LabError (exit 3) where something needed is missing or forbidden, or the capture broke; FilterError
    (a ValueError, exit 2) for wrong ports or filter; OSError where the file cannot be written. Call it in
    the main thread: ctrl+c ends a host capture in order, and goes to the program in the lab.
    """
    if options.command:
        return _record_program(options, meanwhile)
    return _record_host(options, started)


def _record_program(options: RecordOptions, meanwhile: Callable[[], object] | None) -> RecordOutcome:
    with _ignoring(signal.SIGINT, signal.SIGQUIT):         # they are the program's, which shares our terminal
        agent = start_agent(
            options.output, "auto", ports=options.ports, limits=options.limits, command=options.command,
            syscalls=options.syscalls, stdout=options.stdout, outside=options.outside, apart=options.apart,
        )
        try:
            if meanwhile is not None:
                meanwhile()
            while meanwhile is None and agent.poll() is None:
                agent.wait_for_news(1.0)
        finally:
            agent.close()
    failure, summary = agent.failure(), agent.summary
    if summary is None or summary.program is None:
        raise failure or LabError("The agent ended before the program did.")
    unable, broken = summary.program_failure, failure.sentence if failure else ""
    sentence = unable or " ".join(filter(None, (broken, _sentence(options, summary))))
    if agent.mode == "host":
        sentence += " The lab is forbidden here: the program ran on this machine's own loopback."
    return replace(_outcome(summary.program, summary, sentence), broken=broken, started=not unable)


def _record_host(options: RecordOptions, started: Callable[[str], None]) -> RecordOutcome:
    with _end_signal() as asked_to_end:
        agent = start_agent(options.output, "host", ports=options.ports, limits=options.limits,
                            packet_socket=options.packet_socket)  # fmt: skip
        try:
            started(_running(options))
            poll = select.poll()
            poll.register(asked_to_end, select.POLLIN)
            poll.register(agent.wake_fd, select.POLLIN)
            while agent.poll() is None and not any(ready == asked_to_end for ready, _ in poll.poll(1000)):
                agent.drain_wake()
        finally:
            agent.close()
    failure, summary = agent.failure(), agent.summary
    if failure is not None or summary is None:
        raise failure or LabError("The agent ended without saying what it captured.")
    return _outcome(0, summary, _sentence(options, summary))


def _running(options: RecordOptions) -> str:
    what = ", ".join(f"port {port}" for port in options.ports) or options.limits.filter or "all of it"
    file = options.name or options.output
    return f"Capturing this machine's loopback ({what}) into {file}; ctrl+c ends it."


def _outcome(status: int, summary: Summary, sentence: str) -> RecordOutcome:
    return RecordOutcome(status, summary.packets, summary.dropped, summary.bytes, sentence)


def _sentence(options: RecordOptions, summary: Summary) -> str:
    limit = f"{summary.limit} " if summary.limit else ""
    cut = f"{summary.cut:,} cut short, " if summary.cut else ""
    return (
        f"{limit}{summary.packets:,} packets, {summary.dropped:,} dropped, {cut}"
        f"{summary.bytes:,} bytes in {options.name or options.output}."
    )


@contextmanager
def _ignoring(*numbers: signal.Signals) -> Iterator[None]:
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def _end_signal() -> Iterator[int]:
    """A descriptor that becomes readable on ctrl+c and its like, which end nothing by themselves then."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, lambda *_: None)) for number in numbers]
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before:
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
