"""`inspector record`: loopback traffic to a file: around a program in the lab, or this machine's own.

Options -> `RecordOptions` -> `lab/record.py`, which writes the file -> what checks ask of it -> the exit
status.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from inspector.cli.errors import MISSING, USAGE, CommandError, notice_remedy, unwritable
from inspector.cli.options.capture import capture_options, require_filter
from inspector.cli.options.checks import CheckOptions, check_file, check_options
from inspector.cli.options.shared import OUTPUT, OVERWRITE, PORT, WithProgram, reading_options
from inspector.cli.output import notice
from inspector.cli.program_secrets import program_secrets
from inspector.cli.trace_files import trace_file

if TYPE_CHECKING:
    from inspector.lab.options import Limits
    from inspector.lab.programs.relayed import Heard
    from inspector.lab.record import RecordOptions, RecordOutcome

_STANDARD_OUTPUT = "/dev/stdout"


@click.command("record", cls=WithProgram, options_metavar="[OPTIONS] [-- CMD ...]")
@click.argument("ports", metavar="[PORT ...]", nargs=-1, type=PORT)
@click.option("-o", "--output", metavar="FILE|-", required=True, type=OUTPUT,
              help="The pcapng file to write; '-', for a program that reads it, is standard output.")
@OVERWRITE
@click.option("--lab", is_flag=True, help="Run CMD in a private loopback and record that; needs no root.")
@capture_options
@click.option("--syscalls", is_flag=True,
              help="With --lab: trace what CMD and its children ask of the kernel on their sockets.")
@reading_options
@check_options
def command(
    *, ports: tuple[int, ...], program: tuple[str, ...], output: str, overwrite: bool, lab: bool,
    syscalls: bool, limits: Limits, checks: CheckOptions, heard: Heard | None,
) -> int:
    """Record loopback traffic to a file, without the app.

    On this machine's own loopback (root, CAP_NET_RAW, or a user who may run dumpcap), on these ports or
    all; or in the lab around a program:  inspector record -o FILE --lab -- CMD ...
    (any user; the program's exit status is passed on).
    """
    if lab and not program:
        raise CommandError("--lab records around a program; name it after '--'.", USAGE)
    if program and not lab:
        raise CommandError("A program is recorded in the lab; say --lab before '-- CMD'.", USAGE)
    if syscalls and not lab:
        raise CommandError("--syscalls traces a program in the lab: --lab --syscalls -- CMD.", USAGE)
    if output == "-":
        _require_output(lab=lab, checks=bool(checks))
        output = _STANDARD_OUTPUT
    from inspector.cli.options.capture import packet_socket_for  # here and below: help is to be instant
    from inspector.lab.record import RecordOptions

    require_filter(limits, ports)
    packet_socket = -1 if lab else packet_socket_for(ports, limits)
    with (
        trace_file(output, overwrite=overwrite, read=bool(checks)) as file,
        program_secrets() as secrets,
    ):
        name = "standard output" if output == _STANDARD_OUTPUT else file.name
        asked = RecordOptions(
            file.path, program, ports, limits, syscalls, name, packet_socket=packet_socket,
        )
        outcome = recorded(asked, heard=heard)
        secrets.keep(file.path)
        file.restore()
        notice(outcome.sentence)
        notice_remedy(outcome.remedy)
        status = check_file(file.path, checks, stdout_taken=False, ended_early=bool(outcome.broken))
    return outcome.status or (MISSING if outcome.broken else status)


def _require_output(*, lab: bool, checks: bool) -> None:
    """CommandError where a capture cannot go to standard output."""
    taken = ("the program's" if lab else "the report's" if checks
             else "a terminal" if sys.stdout.isatty() else "")  # fmt: skip
    if taken:
        raise CommandError(f"Standard output is {taken}; name a file for the packets: -o FILE.", USAGE)


def recorded(
    options: RecordOptions, meanwhile: Callable[[], object] | None = None, heard: Heard | None = None
) -> RecordOutcome:
    """Record as the options say, and do `meanwhile` that; what cannot be becomes a CommandError.

    `heard`: signals that are to go on to the program; they are let go with its end.
    """
    from inspector.lab.errors import LabError
    from inspector.lab.record import record as record_traffic

    try:
        outcome = record_traffic(options, notice, meanwhile, heard)
    except LabError as error:
        raise CommandError(error.sentence, MISSING, error.remedy) from error
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error
    except OSError as error:
        name = options.name or "The trace"
        raise unwritable(name, error) from error
    finally:
        if heard is not None:
            heard.close()
    if outcome.passed_on:
        notice(f"{' and '.join(outcome.passed_on)} went on to the program.")
    return outcome

