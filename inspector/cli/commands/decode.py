"""`inspector decode`: a capture's packets, conversations, messages, system calls or findings as JSON lines.

File -> `Trace`, indexed whole -> rows of the display filter -> an export's dictionaries -> stdout. What is
asked of the capture (`--expect` and its like) is answered by a report and the exit status.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import click

from inspector.cli.checks import CheckOptions, check, check_options, filter_of, options_of
from inspector.cli.errors import DONE, UNREADABLE, USAGE, CommandError
from inspector.cli.exports import LISTED, Export
from inspector.cli.options import INPUT, UNPACK, WHAT
from inspector.cli.output import notice, write_lines

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter


_SELDOM = 20_000         # objects after which Python looks for garbage: most of what is decoded is kept


@click.command("decode")
@click.argument("file", metavar="FILE|-", type=INPUT)
@click.option("--json", "what", metavar="WHAT", type=WHAT, help=f"{LISTED}.")
@click.option("--filter", "expression", metavar="EXPR",
              help="Only what this display filter (a part of Wireshark's language) lets through.")
@UNPACK
@check_options
def command(file: str, what: Export | None, expression: str | None, **checks: Any) -> int:
    """Print what a capture holds, one JSON object a line, or check it."""
    chosen, options = filter_of(expression) if expression else None, options_of(checks)
    if what is None and not options:
        raise CommandError("Say what to print (--json), or what to check (--expect and its like).", USAGE)
    return decode_file(file, what, chosen, options.within(chosen))


def decode_file(
    file: str, what: Export | None, chosen: Filter | None = None, checks: CheckOptions | None = None
) -> int:
    """Print `what` of the capture in `file` ("-": standard input) and check it; returns the exit status."""
    from inspector.trace.trace import Trace, TraceError  # here: numpy, for which help would wait

    try:
        trace = Trace.open(file)
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    gc.set_threshold(_SELDOM, 20, 50)
    with trace:
        while trace.refresh():
            pass
        trace.finish()
        if what is not None:
            write_lines(what.objects(trace, chosen))
        status = check(trace, checks, stdout_taken=what is not None) if checks else DONE
        if chosen is not None and trace.searched:
            notice(trace.searched)
        if trace.unread:
            notice(trace.unread)
        if trace.truncated:
            notice(trace.truncated)
            return UNREADABLE
    return status
