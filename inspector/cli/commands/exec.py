"""`inspector exec`: a program in the lab, its loopback captured, and then looked at.

Program -> trace (saved, or one of the kept ones) -> JSON lines, the app, or the ladder as text; the program's
exit status is ours.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inspector.cli.commands.decode import decode_file
from inspector.cli.commands.record import recorded
from inspector.cli.errors import MISSING, USAGE, CommandError, notice_remedy
from inspector.cli.exports import LISTED, Export
from inspector.cli.options.checks import CheckOptions, check_file, check_options
from inspector.cli.options.outside import outside_options
from inspector.cli.options.shared import (
    OUTPUT,
    OVERWRITE,
    SCREEN_LANG,
    WHAT,
    OutputName,
    WithProgram,
    reading_options,
)
from inspector.cli.output import notice, print_ladder
from inspector.cli.program_secrets import program_secrets
from inspector.cli.trace_files import TraceFile, empty_file, trace_file
from inspector.model.language import tr, use

if TYPE_CHECKING:
    from inspector.lab.options import Outside
    from inspector.lab.programs.relayed import Heard
    from inspector.lab.record import RecordOutcome

_BEGINS_WITHIN = 5.0               # seconds


@click.command("exec", cls=WithProgram, options_metavar="[OPTIONS] -- CMD ...")
@click.option("--save", type=OutputName("is the program's"), metavar="FILE.pcapng",
              help="Keep the trace under this name.")
@OVERWRITE
@click.option("--json", "what", metavar="WHAT", type=WHAT,
              help=f"Print this as JSON lines when it ends: {LISTED}. The program's own standard output goes "
                   "to standard error then.")
@click.option("--output", type=OUTPUT, metavar="FILE|-",
              help="The program's standard output goes to this file.")
@outside_options
@click.option("--join", is_flag=True,
              help="Look on in the app while it runs. Leaving the app ends it; what it printed comes then.")
@click.option("--syscalls", is_flag=True,
              help="Trace what it and its children ask of the kernel on their sockets (by strace).")
@SCREEN_LANG
@reading_options
@check_options
def command(
    program: tuple[str, ...], save: str | None, overwrite: bool, what: Export | None, output: str | None,
    join: bool, syscalls: bool, outside: Outside, checks: CheckOptions, heard: Heard | None,
) -> int:
    """Run a program in the lab and look at what it said on its loopback; its exit status is passed on.

    What it says by TLS is shown too where it tells its secrets: SSLKEYLOGFILE is set for it, and the trace
    keeps them (set it to nothing for a program that is not to tell them).

    A signal that is sent to this command (SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1 and 2) goes on
    to the program, which decides; one that has not ended 10 seconds after SIGTERM or SIGHUP, or at a second
    one, is ended. The trace is kept in any case.

    Without --save or --json the trace is kept among those of the app, which opens on it when the program
    ends, or at once with --join; where there is no terminal the ladder is printed. With a check the report is
    printed; a program that failed keeps its status.
    """
    if not program:
        raise CommandError("Name the program after '--', such as: inspector exec -- pytest tests/", USAGE)
    if join and what is not None:
        raise CommandError("--join shows the trace in the app, --json prints it: choose one.", USAGE)
    if output == "-":
        if what is not None:
            raise CommandError("Standard output is JSON; name a file for what the program prints.", USAGE)
        output = None                                      # it goes there anyway
    from inspector.cli.missed import missed  # here and below: help is to be instant
    from inspector.lab.record import RecordOptions

    keep = "" if what is not None else _label(program[0])
    taken = what is not None
    later = join and output is None
    with (
        trace_file(save, overwrite=overwrite, keep=keep) as file,
        _printed_later() if later else _stdout(output, taken, file.path, overwrite) as stdout,
        program_secrets() as secrets,
    ):
        asked = RecordOptions(
            file.path, program, syscalls=syscalls, outside=outside, name=file.name, stdout=stdout, apart=join
        )
        outcome = recorded(asked, partial(_look_on, file) if join else None, heard)
        if not outcome.started:
            os.truncate(file.path, 0)                      # nothing was said in it
            notice(outcome.sentence)
            return outcome.status
        secrets.keep(file.path)
        file.restore()
        if outcome.broken and (save is None or what is not None):     # else it is told with how much there is
            notice(outcome.broken)
        notice_remedy(outcome.remedy)
        shown = bool(checks) or join or outcome.ended_by != 0
        _show(file, outcome, what, saved=save is not None, shown=shown)
        for sentence in missed(file.path, outside=outside.net):
            notice(sentence)
        status = check_file(file.path, checks, stdout_taken=taken, ended_early=bool(outcome.broken))
    return outcome.status or (MISSING if outcome.broken else status)


def _look_on(file: TraceFile) -> None:
    """Show the trace in the app as it grows, once the program runs. CommandError without a terminal."""
    from inspector.cli.app import open_file

    if _runs(file.path):
        open_file(file.name if file.is_there else str(file.path), joined=True)


def _runs(path: Path) -> bool:
    """Wait for the word on it: whether the program began."""
    from inspector.trace.trace import Trace

    until = time.monotonic() + _BEGINS_WITHIN
    with Trace.open(path, following=True) as trace:
        while time.monotonic() < until:
            trace.refresh()
            kinds = {event.kind for event in trace.events}
            if "program-started" in kinds:
                return True
            if "program-ended" in kinds:
                return False
            time.sleep(0.02)
    return True


@contextmanager
def _printed_later() -> Iterator[int]:
    """A descriptor for what a program prints while the app has the terminal; it is printed at the end."""
    from inspector.trace.file.scratch import scratch

    with scratch() as file:
        try:
            yield file.fileno()
        finally:
            file.seek(0)
            while chunk := file.read(1 << 16):
                sys.stdout.buffer.write(chunk)
            sys.stdout.flush()


def _show(
    file: TraceFile, outcome: RecordOutcome, what: Export | None, *, saved: bool, shown: bool
) -> None:
    from inspector.cli.app import open_file
    from inspector.trace.trace import Trace
    from inspector.tui.files.settings import kept_language

    if what is not None:
        decode_file(str(file.path), what)
    elif saved:
        notice(outcome.sentence)
    else:
        use(kept_language())         # what is drawn here, and on the screen, is read by the same person
        if shown:
            pass
        elif sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty():
            open_file(file.name if file.is_there else str(file.path))
        else:
            with Trace.open(file.path) as trace:
                while trace.refresh():
                    pass
                print_ladder(trace)
        if file.name:
            notice(tr("The trace is kept as {path}.", path=file.name))


def _label(program: str) -> str:
    """What a kept trace is called after its program: its name as far as every file system takes it."""
    return f"exec-{re.sub(r'[^A-Za-z0-9.-]+', '-', Path(program).name)[:24]}"


@contextmanager
def _stdout(output: str | None, taken: bool, trace: Path, overwrite: bool) -> Iterator[int]:
    """A descriptor for the program's standard output; `taken`: ours is for results alone."""
    if output is None:
        yield 2 if taken else 1
        return
    file = empty_file(output, trace, overwrite=overwrite).descriptor
    try:
        yield file
    finally:
        os.close(file)
