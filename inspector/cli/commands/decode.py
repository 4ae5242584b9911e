"""`inspector decode`: a capture's packets, conversations, messages, system calls or findings as JSON lines.

File -> `Trace`, indexed whole -> rows of the display filter -> an export's dictionaries -> stdout.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from inspector.cli.errors import DONE, NO, UNREADABLE, USAGE, CommandError
from inspector.cli.exports import LISTED, Export
from inspector.cli.options import WHAT
from inspector.cli.output import say, write_line

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter

SEVERITIES = ("note", "warning", "error")


@click.command("decode")
@click.argument("file", metavar="FILE|-")
@click.option("--json", "what", metavar="WHAT", required=True, type=WHAT, help=f"{LISTED}.")
@click.option("--filter", "expression", metavar="EXPR",
              help="Only what this display filter (a part of Wireshark's language) lets through.")
@click.option("--fail-on", type=click.Choice(SEVERITIES),
              help="findings: exit with status 1 when one of this severity or a graver one is there.")
def command(file: str, what: Export, expression: str | None, fail_on: str | None) -> int:
    """Print what a capture holds, one JSON object a line."""
    if fail_on is not None and what.name != "findings":
        raise CommandError("--fail-on goes with --json findings alone.", USAGE)
    return decode_file(file, what, _compile(expression), fail_on)


def decode_file(file: str, what: Export, chosen: Filter | None = None, fail_on: str | None = None) -> int:
    """Print `what` of the capture in `file` ("-": standard input); returns the exit status."""
    from inspector.trace.trace import Trace, TraceError  # here: numpy, for which help would wait

    try:
        trace = Trace.open(file)
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    with trace:
        while trace.refresh():
            pass
        trace.finish()
        graver = _print(what.objects(trace, chosen), fail_on)
        if trace.truncated:
            say(trace.truncated)
            return UNREADABLE
    return NO if graver else DONE


def _compile(expression: str | None) -> Filter | None:
    if not expression:
        return None
    from inspector.trace.filter.filter import Filter, FilterError  # here: numpy, as above

    try:
        return Filter(expression)
    except FilterError as error:
        raise CommandError(str(error), USAGE, place=error.marked()) from error


def _print(objects: Iterable[dict[str, Any]], fail_on: str | None) -> bool:
    """Print the objects; True when one of them is as grave as `fail_on` or graver."""
    threshold = SEVERITIES.index(fail_on) if fail_on else len(SEVERITIES)
    graver = False
    for value in objects:
        graver = graver or ("severity" in value and SEVERITIES.index(value["severity"]) >= threshold)
        write_line(value)
    return graver
