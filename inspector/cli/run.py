"""`inspector run`: a session in the lab without the app, printed as it happens.

Options -> `SessionSpec` -> agent, which writes the trace -> the ladder's text (or JSON lines) of what is
settled in it, until the session ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from inspector.cli.errors import DONE, INTERRUPTED, MISSING, NO, USAGE, CommandError, say
from inspector.cli.output import ladder_printer, trace_file, write_line
from inspector.cli.session_options import spec_of
from inspector.lab.errors import LabError
from inspector.lab.launch import Agent, start_agent
from inspector.model.commands import Start
from inspector.model.spec import SessionSpec
from inspector.trace.trace import Trace
from inspector.wire.text import escaped

Printer = Callable[[int | None], None]


def run_session(**options: Any) -> int:
    """Run one session to its end; returns the exit status."""
    save, as_json, raw = options.pop("save"), options.pop("as_json"), options.pop("raw")
    spec = spec_of(options)
    with trace_file(save) as path:
        try:
            agent = start_agent(path, ports=(spec.port,))
        except LabError as error:
            raise CommandError(error.sentence, MISSING, error.mend) from error
        except OSError as error:
            raise CommandError(f"{save or path} cannot be written: {error.strerror}.", USAGE) from error
        try:
            with agent, Trace.open(path) as trace:
                printer = _json_printer(trace) if as_json else ladder_printer(trace, relative=not raw)
                return _follow(agent, trace, spec, printer)
        except KeyboardInterrupt:
            say(f"Interrupted; what was captured is in {save}." if save else "Interrupted.")
            return INTERRUPTED


def _follow(agent: Agent, trace: Trace, spec: SessionSpec, printer: Printer) -> int:
    if agent.mode == "host":
        say("The lab's private network is forbidden here; the session runs on this machine's loopback.")
    agent.send(Start(spec))
    ended = False
    while not ended and agent.poll() is None:
        agent.wait_for_news(0.1)
        trace.refresh()
        ended = any(event.kind == "session-ended" for event in trace.events)
        printer(time.time_ns())
    agent.close()
    while trace.refresh():
        pass
    printer(None)
    failures = [event.text for event in trace.events if event.kind == "failed"]
    for sentence in dict.fromkeys(failures):
        say(escaped(sentence))
    if not ended and (failure := agent.failure()):
        raise CommandError(failure.sentence, NO, failure.mend)
    endings = [dict(event.fields).get("ok") for event in trace.events if event.kind == "session-ended"]
    return DONE if endings == ["true"] and not failures else NO


def _json_printer(trace: Trace) -> Printer:
    from inspector.views.json.run import RunEvents

    events = RunEvents(trace)

    def printer(now: int | None) -> None:
        for value in events.update(final=now is None):
            write_line(value)

    return printer
