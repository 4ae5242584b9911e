"""`inspector decode`: a capture's packets, conversations, messages, system calls or findings as JSON lines.

File -> `Trace`, indexed whole -> rows of the display filter -> an export's dictionaries -> stdout; or the
packets themselves, with what belongs to them -> a pcapng file. What is asked of the capture (`--expect` and
its like) is answered by a report and the exit status.
"""

from __future__ import annotations

import gc
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inspector.cli.errors import DONE, UNREADABLE, USAGE, CommandError, end_at_once, unwritable
from inspector.cli.exports import LISTED, Export, Selected
from inspector.cli.options.checks import CheckOptions, check, check_options, filter_of
from inspector.cli.options.shared import INPUT, OUTPUT, OVERWRITE, UNPACK, WHAT, reading_options
from inspector.cli.output import notice, write_lines
from inspector.cli.waiting import announced_wait
from inspector.model.units import amount

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter
    from inspector.trace.trace import Trace


_SELDOM = 20_000         # objects after which Python looks for garbage: most of what is decoded is kept


@click.command("decode")
@click.argument("file", metavar="FILE|-", type=INPUT)
@click.option("--json", "what", metavar="WHAT", type=WHAT, help=f"{LISTED}.")
@click.option("--filter", "expression", metavar="EXPR",
              help="Only what this display filter (a part of Wireshark's language) lets through.")
@click.option("-o", "--output", metavar="FILE|-", type=OUTPUT,
              help="Write the packets to this pcapng file, with the system calls, names and secrets that "
                   "belong to them.")
@OVERWRITE
@UNPACK
@reading_options
@check_options
def command(file: str, what: Export | None, expression: str | None, output: str | None, overwrite: bool,
            checks: CheckOptions) -> int:
    """Print what a capture holds, one JSON object a line, write a part of it to a file, or check it."""
    chosen = filter_of(expression) if expression else None
    if what is None and output is None and not checks:
        raise CommandError("Say what to print (--json), where to write the packets (-o), or what to check "
                           "(--expect and its like).", USAGE)
    if output == "-" and (what is not None or sys.stdout.isatty()):
        taken = "JSON" if what is not None else "a terminal"
        raise CommandError(f"Standard output is {taken}; name a file for the packets: -o FILE.", USAGE)
    return decode_file(file, what, chosen, checks.within(chosen), output, overwrite=overwrite)


def decode_file(
    file: str, what: Export | None, chosen: Filter | None = None, checks: CheckOptions | None = None,
    output: str | None = None, *, overwrite: bool = False,
) -> int:
    """Print `what` of the capture in `file` ("-": standard input) and check it; returns the exit status.

    `output`: where the chosen packets are written ("-": standard output).
    """
    gc.disable()                           # nothing that is imported is garbage, nor is looked at again
    from inspector.trace.flows.processes import Processes  # here and below: help would wait for numpy
    from inspector.trace.trace import Trace, TraceError
    from inspector.views.findings.unjudged import lacking_words

    gc.freeze()
    gc.set_threshold(_SELDOM, 20, 50)
    gc.enable()
    try:
        with announced_wait(file):
            trace = Trace.open(file)
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    with trace:
        while trace.refresh():
            pass
        trace.finish()
        searched = None
        if what is not None:
            selected = what.selected(trace, chosen)
            searched = trace.searched if chosen is not None else None
            found: list[int] = []
            with Processes(lambda: trace.truncated, end_at_once) as processes:
                write_lines(what.counted(what.lines(trace, selected, processes.spread), found))
            if not sum(found) and not checks:           # a report on stderr may be read by a program
                notice(_nothing(trace, what, selected))
        if output is not None:
            _write_part(trace, chosen, output, overwrite)
            searched = trace.searched if chosen is not None else None
        taken = what is not None or output == "-"
        status = check(trace, checks, stdout_taken=taken) if checks else DONE
        if searched is not None:
            notice(searched)
        written = output is not None and chosen is not None and chosen.deep and trace.cut
        if not checks and (what is not None or written) and (lacking := lacking_words(trace)):
            notice(lacking)                # (`check` says it of checks)
        if trace.unread:
            notice(trace.unread)
        if trace.truncated:
            notice(trace.truncated)
            return UNREADABLE
    return status


def _nothing(trace: Trace, what: Export, selected: Selected) -> str:
    """That there is nothing to print, and among how many packets (calls) it was looked for."""
    calls = what.chosen == "calls"
    total = amount(len(trace.calls), "system call") if calls else amount(trace.index.count, "packet")
    if not trace.index.count:
        return "No packet of it could be read." if trace.truncated else "It holds no packet."
    if selected is None or (calls and not trace.calls):
        return f"No {what.one} in {amount(trace.index.count, 'packet')}."
    if not len(selected):
        return f"The filter lets none of {total} through."
    return f"No {what.one} in {len(selected):,} of {total}, which the filter lets through."


def _write_part(trace: Trace, chosen: Filter | None, output: str, overwrite: bool) -> None:
    """Write the packets that a filter lets through, and say how many they are."""
    from inspector.cli.trace_files import trace_file
    from inspector.trace.part import written
    from inspector.views.handing.part import rows_part

    count = total = trace.index.count
    pieces: Iterator[bytes]
    if chosen is None:
        pieces = written(trace)
    else:
        rows = chosen.rows(trace)
        count, calls = len(rows), chosen.calls(trace) if chosen.asks_calls else ()
        pieces = rows_part(trace, rows, calls)
    if output == "-":
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.flush()
    else:
        if _is_same(Path(output), Path(trace.path)):
            raise CommandError(f"{output} is the capture itself; name another file.", USAGE)
        with trace_file(output, overwrite=overwrite, read=False) as file:
            _write(file.descriptor, pieces, output)
    notice(f"{count:,} of {amount(total, 'packet')} {'is' if total == 1 else 'are'} in "
           f"{'standard output' if output == '-' else output}.")


def _is_same(output: Path, capture: Path) -> bool:
    """Whether both are one file; not where one is not there, or cannot be looked at."""
    try:
        return output.samefile(capture)
    except (OSError, ValueError):
        return False


def _write(descriptor: int, pieces: Iterator[bytes], name: str) -> None:
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.ftruncate(descriptor, 0)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.writelines(pieces)
    except OSError as error:
        raise unwritable(name, error) from error
