"""Recording without the app: in the lab around a program, or on this machine's own loopback.

`record` returns when the program has ended, or a limit or ctrl+c ended the capture; the file is then whole.
Where this user may not capture on the host but may run dumpcap, the agent has dumpcap do it.
"""

from __future__ import annotations

import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from inspector.lab.errors import LabError
from inspector.lab.launch import Agent, start_agent
from inspector.lab.options import NO_LIMITS, NOTHING, Limits, Outside
from inspector.lab.programs.relayed import ENDING, Heard
from inspector.lab.summary import Summary
from inspector.model.commands import Signal
from inspector.model.units import amount

ENDS_WITHIN = 10.0                 # seconds that a program has from a signal that is to end it


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

    `broken`: why the capture ended before the program did, else "", and `remedy` the command that mends it.
    `started`: the program did run. `passed_on`: signals that came to us and went on to it. `ended_by`: one
    that was to end both, 0 for none.
    """

    status: int
    packets: int
    dropped: int
    bytes: int
    sentence: str
    broken: str = ""
    started: bool = True
    passed_on: tuple[str, ...] = ()
    ended_by: int = 0
    remedy: str = ""


def record(
    options: RecordOptions, started: Callable[[str], None] = lambda sentence: None,
    meanwhile: Callable[[], object] | None = None, heard: Heard | None = None,
) -> RecordOutcome:
    """Record as asked; `started` hears a sentence when the capture of the host runs.

    `meanwhile` is called while a program runs, which ends when it returns (else: when it ends by itself).
    `heard`: signals to pass on to the program, held back since before there were threads; without it they do
    to us what they always do.

    LabError (exit 3) where something needed is missing or forbidden, or the capture broke; FilterError
    (a ValueError, exit 2) for wrong ports or filter; OSError where the file cannot be written. Call it in
    the main thread: ctrl+c ends a host capture in order.
    """
    if options.command:
        return _record_program(options, meanwhile, heard)
    return _record_host(options, started)


def _record_program(
    options: RecordOptions, meanwhile: Callable[[], object] | None, heard: Heard | None
) -> RecordOutcome:
    agent = start_agent(
        options.output, "auto", ports=options.ports, limits=options.limits, command=options.command,
        syscalls=options.syscalls, stdout=options.stdout, outside=options.outside, apart=options.apart,
    )
    passed_on: list[str] = []
    ended_by = 0
    try:
        if meanwhile is not None:
            meanwhile()
        else:
            ended_by = _wait_for_program(agent, heard, passed_on)
    finally:
        agent.close()
    failure, summary = agent.failure(), agent.summary
    if summary is None or summary.program is None:
        raise failure or LabError("The agent ended before the program did.")
    unable, broken = summary.program_failure, failure.sentence if failure else ""
    sentence = unable or " ".join(filter(None, (broken, _sentence(options, summary))))
    if agent.mode == "host":
        sentence += " The lab is forbidden here: the program ran on this machine's own loopback."
    outcome = _outcome(summary.program, summary, sentence)
    return replace(outcome, broken=broken, remedy=failure.remedy if failure else "", started=not unable,
                   passed_on=tuple(dict.fromkeys(passed_on)), ended_by=ended_by)


def _wait_for_program(agent: Agent, heard: Heard | None, passed_on: list[str]) -> int:
    """Until it ends, signals passed on to it. The number of one that was to end us both, else 0.

    Such a one is obeyed like any other; but a program that does not end, or a second such signal, is not
    waited for.
    """
    poll = select.poll()
    poll.register(agent.wake_fd, select.POLLIN)
    if heard is not None:
        poll.register(heard.descriptor, select.POLLIN)
    ended_by, until = 0, math.inf
    while agent.poll() is None and time.monotonic() < until:
        poll.poll(1000)
        agent.drain_wake()
        for number, alone in heard.numbers() if heard is not None else ():
            if alone:
                agent.send(Signal(number))
                passed_on.append(number.name)
            if number in ENDING:
                until = min(time.monotonic() + (0 if ended_by else ENDS_WITHIN), until)
                ended_by = number
    return ended_by


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
        f"{limit}{amount(summary.packets, 'packet')}, {summary.dropped:,} dropped, {cut}"
        f"{amount(summary.bytes, 'byte')} in {options.name or options.output}."
    )


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
