"""`inspector exec`: a program in the lab, its loopback captured, and then looked at.

Program -> trace (kept with --save) -> JSON lines, the app, or the ladder as text; the program's exit
status is ours.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from inspector.cli.checks import check_file, check_options, options_of
from inspector.cli.commands.decode import decode_file
from inspector.cli.commands.record import recorded
from inspector.cli.errors import USAGE, CommandError
from inspector.cli.exports import LISTED, Export
from inspector.cli.options import OUTPUT, WHAT, WithProgram
from inspector.cli.output import print_ladder, say, trace_file


@click.command("exec", cls=WithProgram, options_metavar="[OPTIONS] -- CMD ...")
@click.option("--save", type=OUTPUT, metavar="FILE.pcapng", help="Keep the trace.")
@click.option("--json", "what", metavar="WHAT", type=WHAT,
              help=f"Print this as JSON lines when it ends: {LISTED}.")
@click.option("--syscalls", is_flag=True,
              help="Trace what it and its children ask of the kernel on their sockets (by strace).")
@check_options
def command(
    program: tuple[str, ...], save: str | None, what: Export | None, syscalls: bool, **checks: Any
) -> int:
    """Run a program in the lab and look at what it said on its loopback; its exit status is passed on.

    Without --save or --json the app opens on the trace when the program ends, or the ladder is printed
    where there is no terminal. With a check the report is printed; a program that failed keeps its status.
    """
    if not program:
        raise CommandError("Name the program after '--', such as: inspector exec -- pytest tests/", USAGE)
    options = options_of(checks)
    from inspector.cli.app import open_file  # here and below: help is to be instant
    from inspector.lab.record import RecordOptions
    from inspector.trace.trace import Trace

    with trace_file(save) as path:
        outcome = recorded(RecordOptions(path, program, syscalls=syscalls))
        if what is not None:
            decode_file(str(path), what)
        elif save is not None:
            say(outcome.sentence)
        elif options:
            pass
        elif sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty():
            open_file(str(path))
        else:
            with Trace.open(path) as trace:
                while trace.refresh():
                    pass
                print_ladder(trace)
        status = check_file(path, options, stdout_taken=what is not None)
    return outcome.status or status
