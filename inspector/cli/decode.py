"""`inspector decode`: a capture's packets, conversations, messages, system calls or findings as JSON lines.

File -> `Trace`, indexed whole -> rows of the display filter -> dictionaries of the pure JSON views -> stdout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from inspector.cli.errors import DONE, NO, UNREADABLE, USAGE, CommandError, say
from inspector.cli.output import write_line
from inspector.trace.trace import Trace, TraceError

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter

SEVERITIES = ("note", "warning", "error")
Writer = Callable[[Trace, Any], Iterable[dict[str, Any]]]


def _writer(what: str) -> Writer:
    if what in ("packets", "conversations", "syscalls"):
        from inspector.views.json import packets as json_packets

        writers: dict[str, Writer] = {
            "packets": json_packets.packets,
            "conversations": json_packets.conversations,
            "syscalls": json_packets.syscalls,
        }
        return writers[what]
    if what == "findings":
        from inspector.views.json.findings import findings

        return findings
    from inspector.protocols import by_name
    from inspector.views.json.messages import messages

    protocol = by_name(what)
    assert protocol is not None
    return lambda trace, rows: messages(trace, protocol, rows)


def decode_file(file: str, what: str, expression: str | None, fail_on: str | None) -> int:
    """Print `what` of the capture in `file` ("-": standard input); returns the exit status."""
    if fail_on is not None and what != "findings":
        raise CommandError("--fail-on goes with --json findings alone.", USAGE)
    chosen, write = _compile(expression), _writer(what)
    try:
        trace = Trace.open(file)
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    with trace:
        while trace.refresh():
            pass
        trace.finish()
        ask = None if chosen is None else chosen.calls if what == "syscalls" else chosen.rows
        rows = None if ask is None else ask(trace)
        graver = _print(write(trace, rows), fail_on)
        if trace.truncated:
            say(trace.truncated)
            return UNREADABLE
    return NO if graver else DONE


def _compile(expression: str | None) -> Filter | None:
    if not expression:
        return None
    from inspector.trace.filter.filter import Filter, FilterError

    try:
        return Filter(expression)
    except FilterError as error:
        raise CommandError(f"{error}\n{error.marked()}", USAGE) from error


def _print(objects: Iterable[dict[str, Any]], fail_on: str | None) -> bool:
    """Print the objects; True when one of them is as grave as `fail_on` or graver."""
    threshold = SEVERITIES.index(fail_on) if fail_on else len(SEVERITIES)
    graver = False
    for value in objects:
        graver = graver or ("severity" in value and SEVERITIES.index(value["severity"]) >= threshold)
        write_line(value)
    return graver
