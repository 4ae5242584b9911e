"""`inspector run`: a session in the lab without the app, printed as it happens.

Options -> `SessionSpec` -> agent, which writes the trace -> the ladder's text (or JSON lines) of what is
settled in it, until the session ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from inspector.cli.errors import DONE, MISSING, NO, CommandError
from inspector.cli.options.checks import CheckOptions, check, check_options
from inspector.cli.options.session import session_options
from inspector.cli.options.shared import LANG, OVERWRITE, OutputName, reading_options
from inspector.cli.output import ladder_printer, notice, write_line
from inspector.cli.trace_files import trace_file
from inspector.cli.wire_words import WireWords
from inspector.model.commands import Start
from inspector.sessions.kinds import kind_of
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.lab.launch import Agent
    from inspector.model.spec import SessionSpec
    from inspector.trace.trace import Trace

Printer = Callable[[int | None], None]


@click.command("run")
@session_options
@click.option("--raw", is_flag=True, help="Raw sequence numbers in the ladder, not relative ones.")
@click.option("--save", type=OutputName("shows what happens"), metavar="FILE.pcapng", help="Keep the trace.")
@OVERWRITE
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines instead of the ladder.")
@LANG
@reading_options
@check_options
def command(*, raw: bool, save: str | None, overwrite: bool, as_json: bool, spec: SessionSpec,
            checks: CheckOptions) -> int:
    """Run a session in the lab and print its ladder: system calls and packets together, as it happens.

    Exit status 0 when the session ended as asked, 1 when it did not, 3 when it could not be captured.
    """
    return run_session(spec, save=save, overwrite=overwrite, as_json=as_json, relative=not raw, checks=checks)


def run_session(
    spec: SessionSpec, *, save: str | None, overwrite: bool, as_json: bool, relative: bool,
    checks: CheckOptions,
) -> int:
    """Run one session to its end; returns the exit status."""
    from inspector.lab.errors import LabError  # here: numpy and the lab, for which help would wait
    from inspector.lab.launch import start_agent
    from inspector.lab.options import reaching
    from inspector.trace.file.secrets import late_secrets, put_first
    from inspector.trace.trace import Trace

    if sentence := kind_of(spec).lacking():
        raise CommandError(sentence, MISSING)
    with trace_file(save, overwrite=overwrite) as file:
        try:
            agent = start_agent(file.path, ports=(spec.port,), outside=reaching(spec), wiring=spec.wiring)
        except LabError as error:
            raise CommandError(error.sentence, MISSING, error.remedy) from error
        with agent, Trace.open(file.path) as trace:
            printer = _json_printer(trace) if as_json else ladder_printer(trace, relative=relative)
            status = _follow(agent, trace, spec, printer)
            status = check(trace, checks, stdout_taken=True) or status
        if spec.tls:
            put_first(file.path, late_secrets(file.path))
        return status


def _follow(agent: Agent, trace: Trace, spec: SessionSpec, printer: Printer) -> int:
    if agent.mode == "host":
        notice("The lab's private network is forbidden here; the session runs on this machine's loopback.")
    agent.send(Start(spec))
    words = WireWords() if spec.wire == "held" else None
    ended = False
    while not ended and agent.poll() is None:
        agent.wait_for_news(0.1)
        trace.refresh()
        for command in words.commands(trace) if words is not None else ():
            agent.send(command)
        ended = any(event.kind == "session-ended" for event in trace.events)
        if not spec.tls:               # there what a packet says is known when the secrets have come
            printer(time.time_ns())
    agent.close()
    while trace.refresh():
        pass
    printer(None)
    failures = [event.text for event in trace.events if event.kind == "failed"]
    for sentence in dict.fromkeys(failures):
        notice(escaped(sentence))
    if not ended and (failure := agent.failure()):
        raise CommandError(failure.sentence, MISSING, failure.remedy)
    if any("missing" in event.known for event in trace.events if event.kind == "failed"):
        return MISSING
    endings = [event.known.get("ok") for event in trace.events if event.kind == "session-ended"]
    return DONE if endings == ["true"] and not failures else NO


def _json_printer(trace: Trace) -> Printer:
    from inspector.views.json.run import RunEvents  # here: not for the ladder

    events = RunEvents(trace)

    def printer(now: int | None) -> None:
        for value in events.update(final=now is None):
            write_line(value)

    return printer
